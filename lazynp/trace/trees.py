"""Pytrees: nested tuples, lists, dicts, named tuples and registered classes with arrays at the leaves. Owns the import of optree."""

from collections.abc import Callable
from types import ModuleType
from typing import Any

_optree: ModuleType | None = None


def _library() -> ModuleType:
    global _optree
    if _optree is None:
        import optree

        _optree = optree
    return _optree


def flatten(tree: Any) -> tuple[list[Any], Any]:
    """The leaves in order and a hashable description of the rest. None is a leafless tree."""
    return _library().tree_flatten(tree, namespace="lazynp")


def unflatten(structure: Any, leaves: Any) -> Any:
    """The inverse of flatten."""
    return _library().tree_unflatten(structure, leaves)


def map_leaves(function: Callable[..., Any], tree: Any, *rest: Any) -> Any:
    """The tree of function(leaf, *leaves of the others)."""
    return _library().tree_map(function, tree, *rest, namespace="lazynp")


def paths(tree: Any) -> list[str]:
    """A text such as "['w'][0]" for each leaf: how messages name it."""
    return [_library().treespec_accessors(flatten(tree)[1])[i].codify("") for i in range(len(flatten(tree)[0]))]


def flatten_with_none(tree: Any) -> tuple[list[Any], Any]:
    """Like flatten, but None is a leaf."""
    return _library().tree_flatten(tree, none_is_leaf=True, namespace="lazynp")


def spread_prefix(prefix: Any, tree: Any) -> list[Any]:
    """For each leaf of the tree (None counts as one) the leaf of the prefix above it. Raises ValueError where the prefix does not fit."""
    return _library().broadcast_prefix(prefix, tree, none_is_leaf=True, namespace="lazynp")
