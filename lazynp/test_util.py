"""`check_grads` where users of autograd look for it: check_grads(f, modes=["fwd", "rev"], order=2)(*args)."""

from lazynp.functional.checking import check_grads

__all__ = ["check_grads"]
