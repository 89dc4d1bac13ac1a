"""New arrays whose axes lie in memory in the order in which NumPy's would."""

from collections.abc import Iterable
from typing import Any

import numpy as np

from lazynp.array import eager, from_numpy, geometry, handle, ndarray, to_numpy, wrap
from lazynp.ir.node import Node
from lazynp.layout import (
    Axes,
    block_of_nothing,
    fortran_order,
    order_in_memory,
    order_of_copy,
    order_of_einsum,
    order_of_join,
    order_of_picked,
    order_of_reduction,
    order_of_result,
)
from lazynp.native import keeping
from lazynp.operands import is_lazy, node_of
from lazynp.ops.movement import Step, follow_numpy, follow_type, inverse_axes, permute
from lazynp.ops.sizes import hinted
from lazynp.runtime.storage import Storage, Unordered


class _Unordered(tuple):  # type: ignore[type-arg]
    """The order of axes that only the run of a program knows."""

    def __repr__(self) -> str:
        return "UNORDERED"


UNORDERED: Axes = _Unordered((-1,))


def is_unordered(x: Any) -> bool:
    """Whether it depends on traced values in which order the axes of an array lie."""
    return type(x) is ndarray and x._storage is not None and x._storage.unordered and x.ndim > 1


def wrap_unordered(node: Node, region: Storage | None = None) -> Any:
    """A new array that lies in memory as only the run of the program knows; region: the number that says how."""
    return handle(Unordered(node, region), (), node.type, None)  # type: ignore[arg-type]


def wrap_ordered(node: Node, axes: Axes | None) -> Any:
    """A new array whose axes lie in memory in this order, the outermost first; None: C order."""
    if axes is UNORDERED:
        return wrap_unordered(node)
    return wrap(node) if axes is None else wrap_laid(permute(node, axes), axes)


def wrap_laid(laid: Node, axes: Axes) -> Any:
    """The same of the value with its axes in that order already."""
    back = (Step(permute, (inverse_axes(axes),)),)
    return handle(Storage(laid.type.shape, laid.type.dtype, laid, None), back, follow_type(laid.type, back), None)


def order_of(x: Any, order: str | None = "K", shape: Any = None) -> Axes | None:
    """The order of the axes in memory, outermost first, of a copy of x, or of an array like it of another shape; None: C order."""
    if is_unordered(x):
        return None if order == "C" else fortran_order(x.ndim if shape is None else len(shape)) if order == "F" else UNORDERED
    if order == "K" and shape is None and _in_c_order(x):
        return None
    return order_of_copy(_view_of_operand(x), order, shape)


def order_walked(x: Any) -> Axes | None:
    """The order of the axes in which NumPy walks through x as it lies, outermost first; None: C order. Of an axis along which elements are
    repeated a copy says something else."""
    return None if _in_c_order(x) else order_of_result([_view_of_operand(x)])


def wrap_like(node: Node, *operands: Any) -> Any:
    """A new array that lies in memory as NumPy's result of a ufunc of these operands would."""
    if len(node.type.shape) < 2 or all(map(_in_c_order, operands)):
        return wrap(node)
    if any(map(is_unordered, operands)):
        return wrap_unordered(node, _common_region(node, operands))
    return wrap_ordered(node, order_of_result([view for view in map(_view_of_operand, operands) if view is not None]))


def wrap_as(node: Node, x: Any) -> Any:
    """The same for what NumPy writes over x, a new array of this shape."""
    return wrap(node) if len(node.type.shape) < 2 else wrap_ordered(node, order_in_memory(_view_of_operand(x)))


def _common_region(node: Node, operands: tuple[Any, ...]) -> Storage | None:
    """The number that says how a result lies: that of its operands, if all that are no numbers are whole arrays that lie alike."""
    found = {id(x._storage): x for x in operands if type(x) is ndarray and x.ndim}
    (only,) = found.values() if len(found) == 1 else (None,)
    plain = only is not None and not only._path and type(only._storage) is Unordered and only.shape == node.type.shape
    return only._storage.region if plain and not any(isinstance(x, np.ndarray) and x.ndim for x in operands) else None


def wrap_reduced(node: Node, source: Any, axes: Axes, keepdims: bool) -> Any:
    """The same for a reduction of the source over these axes."""
    if len(node.type.shape) < 2 or _in_c_order(source):
        return wrap(node)
    if is_unordered(source):
        return wrap_unordered(node)
    return wrap_ordered(node, order_of_reduction(_view_of_operand(source), axes, keepdims))


def wrap_picked(node: Node, source: Any, chosen: list[Any], axes: Axes, position: int) -> Any:
    """The same for elements of the source picked by index arrays along these axes, whose shape goes to a position."""
    if len(node.type.shape) < 2:
        return wrap(node)
    if any(map(is_unordered, (source, *chosen))):
        return wrap_unordered(node)
    views = [view for view in map(_view_of_operand, chosen) if view.dtype.kind != "b"]
    return wrap_ordered(node, order_of_picked(node.ndim, _view_of_operand(source), views, axes, position))


def wrap_joined(node: Node, axis: int, parts: list[Any]) -> Any:
    """The same for parts joined along an axis."""
    if len(node.type.shape) < 2 or all(map(_in_c_order, parts)):
        return wrap(node)
    if any(map(is_unordered, parts)):
        return wrap_unordered(node)
    return wrap_ordered(node, order_of_join([geometry(part) if type(part) is ndarray else part for part in parts], axis))


def wrap_einsum(node: Node, labels: str, operands: Iterable[Any], optimize: Any) -> Any:
    """The same for numpy.einsum(labels, *operands)."""
    if len(node.type.shape) < 2:
        return wrap(node)
    operands = list(operands)
    if any(map(is_unordered, operands)):
        return wrap_unordered(node)
    return wrap_ordered(node, order_of_einsum(labels, [geometry(x) if type(x) is ndarray else np.asarray(x) for x in operands], optimize))


def _in_c_order(x: Any) -> bool:
    if is_unordered(x):
        return False
    if type(x) is ndarray and not x._path and type(x._storage) is Storage and x._storage.buffer is None:
        return True
    view = _view_of_operand(x)
    return view is None or view.flags.c_contiguous


def _view_of_operand(x: Any) -> Any:
    """Shape and strides of an operand, over no memory where it has none yet; None for what has none."""
    if type(x) is not ndarray:
        return x if isinstance(x, np.ndarray) else None
    if x._np is None and type(x._storage) is Storage and x._storage.buffer is None:
        return follow_numpy(block_of_nothing(hinted(x._storage.shape), x._storage.dtype), x._path, hinted)
    return geometry(x)


def copy_of(x: Any, order: str | None = "K") -> Any:
    """An independent array of the same values, in memory in NumPy's order of this name."""
    if x._storage is None:
        return eager(keeping(x._np.copy, order=order))
    if is_lazy(x):
        np.empty(0).copy(order=order)  # NumPy's error
        copy = wrap_ordered(node_of(x), order_of(x, order))
        copy._scalar = x._scalar
        return copy
    return from_numpy(keeping(np.array, to_numpy(x), order=order))


def _copy(x: Any, memo: Any = None) -> Any:
    """For copy.copy and copy.deepcopy: NumPy's scalars are themselves."""
    return x if x._scalar else copy_of(x)


ndarray.__copy__ = _copy  # type: ignore[attr-defined]
ndarray.__deepcopy__ = _copy  # type: ignore[attr-defined]
