"""Constant folding: what depends on constants only is computed while compiling, up to `config.fold_limit` elements."""

from typing import Any

import numpy as np

from lazynp.config import settings
from lazynp.ir.node import Node, const, constant
from lazynp.ir.op import Kind
from lazynp.ir.rewrite import Rules
from lazynp.ir.types import itemcount
from lazynp.ops.elementwise import cast, filled
from lazynp.ops.movement import broadcast

fold = Rules("fold", level="exact")

_FOLDED = (Kind.ELEMENTWISE, Kind.REDUCE, Kind.ACCUMULATE, Kind.MOVE, Kind.GATHER, Kind.CONTRACT)


@fold.on(*_FOLDED)
def folded(node: Node) -> Node | None:
    """The value NumPy gives. What NumPy refuses is left for the run, which raises the error at the user's line;
    so is what it warns about."""
    if not node.args or node.op is broadcast:
        return None
    for argument in node.args:
        if argument.op is not const and (argument.op is not broadcast or argument.args[0].op is not const):
            return None
    if not _small(node) or not all(_small(a) for a in node.args) or _loses_imaginary_part(node):
        return None
    try:
        with np.errstate(divide="raise", over="raise", invalid="raise", under="ignore"):
            value = np.asarray(node.op.numpy(*[_array(a) for a in node.args], **node.attributes))
    except (ValueError, IndexError, TypeError, ArithmeticError):
        return None
    return _constant(value) if (value.shape, value.dtype) == node.type else None


@fold.on(const)
def uniform_constant(node: Node) -> Node | None:
    """An array constant of one repeated value is that scalar, broadcast: rules and kernels see the number."""
    array = node.value.array
    return _constant(array) if array.ndim and array.size <= settings.fold_limit and _is_uniform(array) else None


def _small(node: Node) -> bool:
    """Whether sizes and attributes are known, and the elements few."""
    return node.type.static and itemcount(node.type.shape) <= settings.fold_limit and not _has_nodes(node.attrs)


def _has_nodes(value: Any) -> bool:
    return isinstance(value, Node) or (isinstance(value, tuple) and any(_has_nodes(v) for v in value))


def _loses_imaginary_part(node: Node) -> bool:
    """NumPy warns about this cast; the warning belongs to the user's line."""
    return node.op is cast and node.args[0].dtype.kind == "c" and node.dtype.kind != "c"


def _array(node: Node) -> np.ndarray:
    if node.op is const:
        return node.value.array
    return np.broadcast_to(node.args[0].value.array, node.type.shape)  # type: ignore[arg-type]


def _constant(value: np.ndarray) -> Node:
    return filled(value.shape, value.flat[0], value.dtype) if _is_uniform(value) else constant(value)


def _is_uniform(array: np.ndarray) -> bool:
    """Whether all elements have the same bytes (so that -0.0 and 0.0 differ)."""
    data = array.tobytes()
    return array.size > 0 and data == data[: array.itemsize] * array.size
