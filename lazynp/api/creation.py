"""New arrays. Large ones are storages over fresh memory; inside a trace they are constants of the graph that can be written to."""

import operator
from typing import Any

import numpy as np

from lazynp import array as arrays
from lazynp import ordering, views
from lazynp.api.dispatch import HANDLERS, Unsupported, implements, through_numpy, unwrapped
from lazynp.api.shaping import broadcast_arrays, ghost, lifted, moveaxis, stack
from lazynp.api.ufuncs import OBJECTS
from lazynp.array import as_array, from_numpy, ndarray, wrap
from lazynp.ir.node import Node
from lazynp.ir.types import LAZY_DTYPES, Symbolic, Undecided
from lazynp.layout import fortran_order
from lazynp.native import ARRAYS
from lazynp.operands import node_of, warn_of_lost_imaginary
from lazynp.ops import elementwise as ew
from lazynp.ops.indexing import iota, unset
from lazynp.ops.movement import broadcast, embed_diagonal
from lazynp.ops.sizes import SymInt, as_size, counted, greatest, number
from lazynp.runtime.storage import has_value, queue, tracing


def _shape(shape: Any) -> tuple[Any, ...]:
    items = shape if isinstance(shape, (tuple, list)) else (shape,)
    if tracing() and any(type(n) is SymInt or type(n) is ndarray for n in items):
        return tuple([counted(_traced_integer(n)) for n in items])
    return ghost(shape).shape if type(shape) is not ndarray else ghost(unwrapped(shape)).shape


def _traced_integer(n: Any) -> Any:
    """A 0-d integer array of the trace as a Python number of the trace."""
    traced = type(n) is ndarray and not n.shape and n.dtype.kind in "iu" and arrays.is_pending(n) and not has_value(queue(), node_of(n))
    return number(ew.as_node(node_of(n), np.dtype(np.int64))) if traced else n


def _filled(shape: Any, value: Any, dtype: Any, order: str) -> Any:
    dtype = np.dtype(dtype)
    if dtype not in LAZY_DTYPES:
        raise Unsupported
    return _laid(ew.filled(_shape(shape), value, dtype), order)


def _laid(node: Node, order: str) -> Any:
    """A new array in C or Fortran order."""
    return as_array(ordering.wrap_ordered(node, fortran_order(node.ndim) if order == "F" else None))


@implements(np.zeros)
def zeros(shape: Any, dtype: Any = float, order: str = "C", **options: Any) -> Any:
    return _filled(shape, 0, dtype, order)


@implements(np.ones)
def ones(shape: Any, dtype: Any = None, order: str = "C", **options: Any) -> Any:
    return _filled(shape, 1, float if dtype is None else dtype, order)


@implements(np.empty)
def empty(shape: Any, dtype: Any = float, order: str = "C", **options: Any) -> Any:
    return _unset(_shape(shape), dtype, order) if tracing() else _filled(shape, 0, dtype, order)


def _unset(shape: tuple[Any, ...], dtype: Any, order: str) -> Any:
    dtype = np.dtype(dtype)
    if dtype not in LAZY_DTYPES:
        raise Unsupported
    return _laid(unset(shape, dtype), order)


@implements(np.full)
def full(shape: Any, fill_value: Any, dtype: Any = None, order: str = "C", **options: Any) -> Any:
    return _laid(broadcast(_fill(fill_value, dtype), _shape(shape)), order)


def _fill(value: Any, dtype: Any) -> Node:
    """A fill value in a dtype. Raises OverflowError for a Python integer that it does not hold."""
    if type(value) is int and dtype is not None:
        return node_of(np.asarray(value, dtype))
    return node_of(value) if dtype is None else ew.as_node(value if isinstance(value, Symbolic) else node_of(value), np.dtype(dtype))


def _like(a: Any, value: Any, dtype: Any, order: str, shape: Any) -> Any:
    a = a if isinstance(a, ndarray) else np.asarray(unwrapped(a))
    dtype = np.dtype(a.dtype if dtype is None else dtype)
    if dtype not in LAZY_DTYPES:
        raise Unsupported
    shape = None if shape is None else _shape(shape)
    wanted = a.shape if shape is None else shape
    node = unset(wanted, dtype) if value is None and tracing() else ew.filled(wanted, value or 0, dtype)
    return as_array(ordering.wrap_ordered(node, ordering.order_of(a, order, shape)))


@implements(np.zeros_like)
def zeros_like(a: Any, dtype: Any = None, order: str = "K", subok: bool = True, shape: Any = None, **options: Any) -> Any:
    return _like(a, 0, dtype, order, shape)


@implements(np.ones_like)
def ones_like(a: Any, dtype: Any = None, order: str = "K", subok: bool = True, shape: Any = None, **options: Any) -> Any:
    return _like(a, 1, dtype, order, shape)


@implements(np.empty_like)
def empty_like(prototype: Any, dtype: Any = None, order: str = "K", subok: bool = True, shape: Any = None, **options: Any) -> Any:
    return _like(prototype, None, dtype, order, shape)


@implements(np.full_like)
def full_like(a: Any, fill_value: Any, dtype: Any = None, order: str = "K", subok: bool = True, shape: Any = None, **options: Any) -> Any:
    a = a if isinstance(a, ndarray) else np.asarray(unwrapped(a))
    dtype = a.dtype if dtype is None else np.dtype(dtype)
    shape = None if shape is None else _shape(shape)
    filled = broadcast(_fill(fill_value, dtype), a.shape if shape is None else shape)
    return as_array(ordering.wrap_ordered(filled, ordering.order_of(a, order, shape)))


@implements(np.arange)
def arange(*args: Any, dtype: Any = None, **options: Any) -> Any:
    if tracing() and any(type(a) is ndarray and a.dtype.kind == "f" for a in args) and dtype is None:
        return _arange_of_floats(*args)
    if tracing() and any(type(a) is SymInt for a in args) and all(map(_is_whole, args)) and not options and args[2:] != (0,):
        return _arange_of_integers(*args, dtype=dtype)
    values = np.arange(*unwrapped(list(args)), dtype=dtype, **options)
    if dtype is None and values.dtype == np.int64 and len(args) == 1 and values.size:
        return wrap(iota(len(values)))
    return from_numpy(values)


def _is_whole(x: Any) -> bool:
    return type(x) is SymInt or type(x) is int or (type(x) is float and x.is_integer())


def _arange_of_integers(first: Any, stop: Any = None, step: Any = 1, dtype: Any = None) -> Any:
    """In a trace: of Python's numbers without fractions, integers of the trace among them."""
    start, stop = (0, first) if stop is None else (first, stop)
    if type(step) is SymInt:
        raise Unsupported
    dtype = np.dtype(float) if dtype is None and float in map(type, (start, stop, step)) else dtype
    start, stop, step = [int(n) if type(n) is float else n for n in (start, stop, step)]
    stride = abs(step)
    distance = stop - start if step > 0 else start - stop
    count = as_size(distance if stride == 1 else (distance + (stride - 1)) // stride)
    line = wrap(iota(greatest(0, count)))
    line = line if step == 1 else line * step
    line = line if type(start) is int and start == 0 else line + start
    return line if dtype is None else astype(line, dtype)


def _arange_of_floats(first: Any, stop: Any = None, step: Any = 1.0) -> Any:
    """In a trace: how many there are is read from the values, what they are is a formula of them."""
    start, stop = (0.0, first) if stop is None else (first, stop)
    count = len(np.arange(*[unwrapped(x) for x in (start, stop, step)]))
    return start + step * np.arange(float(count))


@implements(np.array)
def array(
    object: Any, dtype: Any = None, *, copy: bool = True, order: str = "K", subok: bool = False, ndmin: int = 0, **options: Any
) -> Any:
    if dtype is not None and np.dtype(dtype) not in LAZY_DTYPES:
        raise Unsupported
    if isinstance(copy, np._CopyMode):
        copy = {np._CopyMode.ALWAYS: True, np._CopyMode.NEVER: False, np._CopyMode.IF_NEEDED: None}[copy]  # type: ignore[assignment]
    if isinstance(object, Undecided):
        object = object.in_array()
    if type(object) in (list, tuple) and _holds_arrays(object):
        node = node_of(_stacked(object))
        return _laid(node if dtype is None else ew.cast(node, to=np.dtype(dtype)), order)
    if type(object) is not ndarray:
        return from_numpy(np.array(object, dtype, copy=copy, order=order, subok=subok, ndmin=ndmin))
    if ndmin > object.ndim:
        object = views.reshaped(object, (1,) * (ndmin - object.ndim) + object.shape)
    if dtype is not None and np.dtype(dtype) != object.dtype:
        if np.dtype(dtype) not in LAZY_DTYPES or copy is False:
            raise Unsupported
        warn_of_lost_imaginary(object.dtype, np.dtype(dtype))
        return as_array(ordering.wrap_ordered(ew.cast(node_of(object), to=np.dtype(dtype)), ordering.order_of(object, order)))
    if copy or object._scalar or not _has_order(object, order):
        if copy is False:
            raise Unsupported  # NumPy's error
        return as_array(ordering.copy_of(object, order))
    return object


def _has_order(x: Any, order: str | None) -> bool:
    """Whether the array lies in memory as asked for."""
    return order not in ("C", "F") or bool(getattr(arrays.geometry(x).flags, f"{order.lower()}_contiguous"))


def _holds_arrays(items: Any) -> bool:
    return any(type(i) is ndarray or isinstance(i, Symbolic) or (type(i) in (list, tuple) and _holds_arrays(i)) for i in items)


def _stacked(items: Any) -> Any:
    """np.array of a nested list that holds lazy arrays."""
    items = [i.in_array() if isinstance(i, Undecided) else i for i in items]
    parts = [_stacked(i) if type(i) in (list, tuple) else wrap(i.node) if isinstance(i, Symbolic) else i for i in items]
    if len({np.shape(p) if type(p) is not ndarray else p.shape for p in parts}) != 1:
        raise Unsupported  # NumPy's error, unless objects were asked for
    return stack(parts)


def astype(x: Any, dtype: Any) -> Any:
    return wrap(ew.cast(node_of(x), to=np.dtype(dtype)))


@implements(np.asarray)
def asarray(a: Any, dtype: Any = None, order: Any = None, *, copy: bool | None = None, **options: Any) -> Any:
    if type(a) is ndarray and not copy and (dtype is None or np.dtype(dtype) == a.dtype) and _has_order(a, order):
        return as_array(ordering.copy_of(a)) if a._scalar else a
    if type(a) in ARRAYS and not tracing():
        return np.asanyarray(a, dtype, order, copy=copy, **options)
    if copy is False:
        raise Unsupported
    return array(a, dtype, copy=True, order=order or "K")


@implements(np.asanyarray)
def asanyarray(a: Any, dtype: Any = None, order: Any = None, **options: Any) -> Any:
    return asarray(a, dtype, order, **options)


@implements(np.ascontiguousarray)
def ascontiguousarray(a: Any, dtype: Any = None, **options: Any) -> Any:
    x = asarray(a, dtype)
    if type(x) is not ndarray:
        return x
    x = x if x.ndim else views.reshaped(x, (1,))
    return x if arrays.geometry(x).flags.c_contiguous else ordering.copy_of(x, "C")


@implements(np.asfortranarray)
def asfortranarray(a: Any, dtype: Any = None, **options: Any) -> Any:
    x = asarray(a, dtype)
    if type(x) is not ndarray:
        return np.asfortranarray(x)
    x = x if x.ndim else views.reshaped(x, (1,))
    return x if arrays.geometry(x).flags.f_contiguous else as_array(wrap(node_of(x.T))).T


if hasattr(np, "astype"):

    @implements(np.astype)
    def astype_function(x: Any, dtype: Any, /, *, copy: bool = True, device: Any = None) -> Any:
        if type(x) is not ndarray or device not in (None, "cpu"):
            raise Unsupported
        return x.astype(dtype, copy=copy)


@implements(np.copy)
def copy(a: Any, order: str = "K", subok: bool = False) -> Any:
    if type(a) is not ndarray:
        return as_array(wrap(node_of(a)))
    return as_array(ordering.wrap_ordered(node_of(a), ordering.order_of(a, order)))


_LARGE = 64
"""Rows of an identity matrix that a program makes itself: it is seldom needed as a matrix."""


@implements(np.eye)
def eye(N: int, M: Any = None, k: int = 0, dtype: Any = float, order: str = "C", **options: Any) -> Any:
    if tracing() and type(N) is int and N >= _LARGE and (M is None or M == N) and k == 0 and np.dtype(dtype) in LAZY_DTYPES:
        return _laid(embed_diagonal(ew.filled((N,), 1, np.dtype(dtype)), axis1=0, axis2=1), order)
    return from_numpy(np.eye(N, M, k, dtype, order))


@implements(np.identity)
def identity(n: int, dtype: Any = None, **options: Any) -> Any:
    return eye(n, dtype=float if dtype is None else dtype)


@implements(np.linspace)
def linspace(
    start: Any, stop: Any, num: int = 50, endpoint: bool = True, retstep: bool = False, dtype: Any = None, axis: int = 0, **options: Any
) -> Any:
    if tracing():
        start, stop = [wrap(node_of(end)) if type(end) in (list, tuple) else end for end in (start, stop)]
    if type(start) is ndarray or type(stop) is ndarray:
        if num < (2 if endpoint else 1):
            raise Unsupported
        num = operator.index(num)
        divisions = num - 1 if endpoint else num
        kind = np.result_type(*[type(end)(1) if type(end) in (int, float, complex) else node_of(end).dtype for end in (start, stop)], 1.0)
        a, b = [wrap(ew.as_node(node_of(end), kind)) for end in (start, stop)]
        turns = np.arange(num).reshape((num,) + (1,) * max(a.ndim, b.ndim))
        step = (b - a) / divisions
        out = from_numpy_lazy(turns.astype(kind)) * step + a
        if endpoint:
            out = HANDLERS[np.where](from_numpy_lazy(turns == divisions), b, out)
        if dtype is not None and np.dtype(dtype).kind in "iu":
            out = OBJECTS[np.floor](out)
        out = out if axis == 0 else moveaxis(out, 0, axis)
        out = out if dtype is None else astype(out, dtype)
        return (out, step) if retstep else out
    return through_numpy(np.linspace, (start, stop, num, endpoint, retstep, dtype, axis), {})


def from_numpy_lazy(values: np.ndarray) -> Any:
    """A NumPy array as a lazy one whatever its size."""
    return wrap(node_of(values))


def _triangle(x: Any, k: int, lower: bool) -> Any:
    node = node_of(x)
    if node.ndim < 1:
        raise Unsupported
    if node.ndim == 1:
        node = broadcast(node, (node.shape[0], node.shape[0]))
    rows, columns = node.shape[-2:]
    mask = np.tri(rows, columns, k=k, dtype=bool) if lower else ~np.tri(rows, columns, k=k - 1, dtype=bool)
    return ordering.wrap_like(ew.where(broadcast(node_of(mask), node.shape), node, ew.as_node(0, node.dtype)), x, mask)


@implements(np.tril)
def tril(m: Any, k: int = 0) -> Any:
    return _triangle(m, k, True)


@implements(np.triu)
def triu(m: Any, k: int = 0) -> Any:
    return _triangle(m, k, False)


@implements(np.meshgrid)
def meshgrid(*xi: Any, copy: bool = True, sparse: bool = False, indexing: str = "xy") -> Any:
    if indexing not in ("xy", "ij"):
        raise ValueError("Valid values for `indexing` are 'xy' and 'ij'.")
    n = len(xi)
    order = [1, 0, *range(2, n)] if indexing == "xy" and n > 1 else list(range(n))
    axes = [_axis(x, order[k], n, copy) for k, x in enumerate(xi)]
    if sparse:
        return tuple(axes)
    if not copy:
        return broadcast_arrays(*axes)
    shape = np.broadcast_shapes(*[a.shape for a in axes])
    return tuple([wrap(broadcast(node_of(a), shape)) for a in axes])


def _axis(x: Any, position: int, n: int, copy: bool) -> Any:
    x = wrap(node_of(x)) if copy else lifted(x)
    return views.reshaped(x, (1,) * position + (x.size,) + (1,) * (n - 1 - position))
