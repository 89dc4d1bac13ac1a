"""Python's own tuple, list, dict, isinstance and type, which need no stand-ins here: for programs that import autograd's."""

from builtins import dict, isinstance, list, tuple, type

__all__ = ["dict", "isinstance", "list", "tuple", "type"]
