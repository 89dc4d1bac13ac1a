"""Minimizers that take a gradient (x, number of the step) -> tree like x: the names and the defaults of `autograd.misc.optimizers`.

callback(x, number, gradient) is called before each step. x may be any tree of arrays.
"""

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from lazynp.misc.flatten import flatten

Minimizer = Callable[..., Any]


def _on_trees(minimize: Minimizer) -> Minimizer:
    """A minimizer of vectors as one of trees."""

    @functools.wraps(minimize)
    def wrapped(grad: Callable[..., Any], x0: Any, callback: Callable[..., Any] | None = None, *args: Any, **kwargs: Any) -> Any:
        start, unflatten = flatten(x0)

        def slope(x: Any, number: int) -> Any:
            found = grad(unflatten(x), number)
            if callback is not None:
                callback(unflatten(x), number, found)
            return flatten(found)[0]

        return unflatten(minimize(slope, start, *args, **kwargs))

    return wrapped


@_on_trees
def sgd(slope: Any, x: Any, num_iters: int = 200, step_size: float = 0.1, mass: float = 0.9) -> Any:
    """Gradient descent with momentum; slope: the gradient of the vector."""
    velocity = np.zeros(len(x))
    for number in range(num_iters):
        velocity = mass * velocity - (1.0 - mass) * slope(x, number)
        x = x + step_size * velocity
    return x


@_on_trees
def rmsprop(slope: Any, x: Any, num_iters: int = 100, step_size: float = 0.1, gamma: float = 0.9, eps: float = 1e-8) -> Any:
    """Steps divided by the running root mean square of the gradient (Tieleman & Hinton 2012)."""
    square = np.ones(len(x))
    for number in range(num_iters):
        g = slope(x, number)
        square = square * gamma + g**2 * (1.0 - gamma)
        x = x - step_size * g / (np.sqrt(square) + eps)
    return x


@_on_trees
def adam(slope: Any, x: Any, num_iters: int = 100, step_size: float = 0.001, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8) -> Any:
    """Running means of the gradient and of its square, corrected for their start at zero (Kingma & Ba 2015, algorithm 1)."""
    first, second = np.zeros(len(x)), np.zeros(len(x))
    for number in range(num_iters):
        g = slope(x, number)
        first = (1.0 - b1) * g + b1 * first
        second = (1.0 - b2) * g**2 + b2 * second
        fair_first = first / (1.0 - b1 ** (number + 1))
        fair_second = second / (1.0 - b2 ** (number + 1))
        x = x - step_size * fair_first / (np.sqrt(fair_second) + eps)
    return x
