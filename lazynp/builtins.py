"""Python's own tuple, list, dict, isinstance and type, which need no stand-ins here: for programs that import autograd's."""

import builtins

dict, isinstance, list = builtins.dict, builtins.isinstance, builtins.list
tuple, type = builtins.tuple, builtins.type
