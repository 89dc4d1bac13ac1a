"""Functions with derivatives of one's own, under the names of `autograd.extend`."""

from lazynp.functional.primitives import defjvp, defvjp, notrace_primitive, primitive

__all__ = ["defjvp", "defvjp", "notrace_primitive", "primitive"]
