"""Conveniences around gradients, under the names of `autograd.misc`: flatten, optimizers, fixed_points."""

from lazynp.misc.flatten import flatten

__all__ = ["flatten"]
