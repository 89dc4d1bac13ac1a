"""Pytrees: nested tuples, lists, dicts, named tuples and registered classes with arrays at the leaves.

Trees of plain tuples, lists, dicts with names as keys and None are taken apart here; all others by optree, which is loaded for them (it
takes longer to load than a compiled program). Which it is depends only on the tree, so structures of equal trees are equal. Owns the import
of optree.
"""

import sys
from collections import OrderedDict, defaultdict, deque
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

import numpy as np

from lazynp.array import ndarray
from lazynp.native import ARRAYS

_optree: ModuleType | None = None


def _library() -> ModuleType:
    global _optree
    if _optree is None:
        import optree

        _optree = optree
    return _optree


_LEAVES = frozenset({int, float, complex, bool, str, bytes, np.float64, np.float32, np.int64, np.bool_, np.complex128, ndarray, *ARRAYS})
_NODES = frozenset({OrderedDict, defaultdict, deque})


class _Foreign(Exception):
    """The tree has nodes that only optree knows."""


class Plain:
    """The structure of a plain tree. Equal for dicts with the same keys in another order, as optree's."""

    __slots__ = ("count", "flat", "shape", "spec")

    def __init__(self, spec: Any, shape: Any, count: int) -> None:
        self.spec = spec
        self.shape = shape
        self.count = count
        self.flat = _flat(shape)
        """Of one container of leaves: its type, or the names of a dict in order."""

    def __eq__(self, other: object) -> bool:
        return self is other or (type(other) is Plain and self.spec == other.spec)

    def __hash__(self) -> int:
        return hash(self.spec)

    def __repr__(self) -> str:
        return f"Tree({_filled(self.shape, iter(['*'] * self.count))})".replace("'*'", "*")

    def __reduce__(self) -> Any:
        return Plain, (self.spec, self.shape, self.count)


_NONE, _LEAF_SPEC = "None", "*"


def _flat(shape: Any) -> Any:
    if type(shape) is not tuple or any(inner != _LEAF_SPEC for inner in shape[-1]):
        return None
    return shape[0] if shape[0] is not dict else shape[1] if shape[1] == shape[2] else None


def _is_leaf(kind: type) -> bool:
    """Whether values of a type that is no plain container are leaves. Raises _Foreign if optree takes them apart."""
    if kind in _LEAVES:
        return True
    if issubclass(kind, tuple) or kind in _NODES:
        raise _Foreign
    if "optree" in sys.modules and _library().register_pytree_node.get(kind, namespace="lazynp") is not None:
        raise _Foreign
    return True


def _taken_apart(tree: Any, leaves: list[Any], none_is_leaf: bool) -> tuple[Any, Any]:
    """(spec, shape) of a plain tree, whose leaves are added to the list. spec: what makes structures equal; shape: what unflatten fills."""
    kind = type(tree)
    if tree is None and not none_is_leaf:
        return _NONE, None
    if kind is tuple or kind is list:
        parts = [_taken_apart(member, leaves, none_is_leaf) for member in tree]
        return (kind, *[spec for spec, _ in parts]), (kind, [shape for _, shape in parts])
    if kind is dict:
        if not all(type(key) is str for key in tree):
            raise _Foreign
        names = sorted(tree)
        parts = [_taken_apart(tree[name], leaves, none_is_leaf) for name in names]
        return (dict, *names, *[spec for spec, _ in parts]), (dict, list(tree), names, [shape for _, shape in parts])
    if tree is not None:
        _is_leaf(kind)
    leaves.append(tree)
    return _LEAF_SPEC, _LEAF_SPEC


def _filled(shape: Any, leaves: Iterator[Any]) -> Any:
    if shape == _LEAF_SPEC:
        return next(leaves)
    if shape is None:
        return None
    if shape[0] is dict:
        _, order, names, shapes = shape
        values = {name: _filled(inner, leaves) for name, inner in zip(names, shapes, strict=True)}
        return values if order == names else {name: values[name] for name in order}
    members = [_filled(inner, leaves) for inner in shape[1]]
    return members if shape[0] is list else tuple(members)


def _flattened(tree: Any, none_is_leaf: bool) -> tuple[list[Any], Any]:
    leaves: list[Any] = []
    try:
        spec, shape = _taken_apart(tree, leaves, none_is_leaf)
    except _Foreign:
        return _library().tree_flatten(tree, none_is_leaf=none_is_leaf, namespace="lazynp")  # type: ignore[no-any-return]
    return leaves, Plain((none_is_leaf, spec), shape, len(leaves))


def flatten(tree: Any) -> tuple[list[Any], Any]:
    """The leaves in order and a hashable description of the rest. None is a leafless tree."""
    return _flattened(tree, False)


def flatten_with_none(tree: Any) -> tuple[list[Any], Any]:
    """Like flatten, but None is a leaf."""
    return _flattened(tree, True)


def unflatten(structure: Any, leaves: Any) -> Any:
    """The inverse of flatten. Raises ValueError for another number of leaves."""
    if type(structure) is not Plain:
        return _library().tree_unflatten(structure, leaves)
    leaves = list(leaves)
    flat = structure.flat
    if flat is not None and len(leaves) == structure.count:
        return leaves if flat is list else tuple(leaves) if flat is tuple else dict(zip(flat, leaves))  # noqa: B905  (lengths are known)
    if len(leaves) != structure.count:
        few = "few" if len(leaves) < structure.count else "many"
        raise ValueError(f"Too {few} leaves for {structure!r}; expected: {structure.count}, got: {len(leaves)}.")
    return _filled(structure.shape, iter(leaves))


def map_leaves(function: Callable[..., Any], tree: Any, *rest: Any) -> Any:
    """The tree of function(leaf, *leaves of the others)."""
    leaves, structure = flatten(tree)
    others = [flatten(other) for other in rest]
    if type(structure) is Plain and all(other == structure for _, other in others):
        return unflatten(structure, [function(*row) for row in zip(leaves, *[found for found, _ in others], strict=True)])
    return _library().tree_map(function, tree, *rest, namespace="lazynp")


def paths(tree: Any) -> list[str]:
    """A text such as "['w'][0]" for each leaf: how messages name it."""
    structure = _library().tree_flatten(tree, namespace="lazynp")[1]
    return [accessor.codify("") for accessor in _library().treespec_accessors(structure)]


def spread_prefix(prefix: Any, tree: Any) -> list[Any]:
    """For each leaf of the tree (None counts as one) the leaf of the prefix above it. Raises ValueError where the prefix does not fit."""
    return _library().broadcast_prefix(prefix, tree, none_is_leaf=True, namespace="lazynp")  # type: ignore[no-any-return]
