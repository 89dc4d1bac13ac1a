"""Trees of arrays as vectors, differentiable in both directions."""

from collections.abc import Callable
from typing import Any

import numpy as np

from lazynp.api.shaping import concatenate
from lazynp.trace import trees


def flatten(tree: Any) -> tuple[Any, Callable[[Any], Any]]:
    """(vector, unflatten): all leaves in one vector, dicts in the order of their keys; unflatten makes the tree of such a vector."""
    leaves, structure = trees.flatten(tree)
    shapes = [np.shape(leaf) for leaf in leaves]
    ends = np.cumsum([0, *[int(np.prod(shape)) for shape in shapes]])

    def unflatten(vector: Any) -> Any:
        parts = [vector[a:b].reshape(shape) for a, b, shape in zip(ends[:-1], ends[1:], shapes, strict=True)]
        return trees.unflatten(structure, parts)

    if not leaves:
        return np.zeros(0), unflatten
    return concatenate([leaf.reshape(-1) if hasattr(leaf, "reshape") else np.ravel(leaf) for leaf in leaves]), unflatten


def flatten_func(f: Callable[..., Any], example: Any) -> tuple[Callable[..., Any], Callable[[Any], Any], Any]:
    """(f from vector to vector, unflatten, the example as a vector)."""
    vector, unflatten = flatten(example)
    return (lambda x, *args: flatten(f(unflatten(x), *args))[0]), unflatten, vector
