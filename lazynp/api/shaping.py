"""Rearranging: views where NumPy gives views, joins and repeats where it copies."""

import builtins
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_index, normalize_axis_tuple

from lazynp import array as arrays
from lazynp import operands, ordering
from lazynp.api.dispatch import Unsupported, implements, into, unwrapped
from lazynp.array import eager, handle, is_pending, ndarray, wrap
from lazynp.ir.types import itemcount
from lazynp.layout import fortran_order
from lazynp.native import ARRAYS
from lazynp.operands import node_of
from lazynp.ops import elementwise as ew
from lazynp.ops.indexing import gather, iota
from lazynp.ops.movement import broadcast as broadcast_node
from lazynp.ops.movement import diagonal as diagonal_step
from lazynp.ops.movement import join, permute, picked, slice_, window
from lazynp.ops.movement import pad as pad_node
from lazynp.ops.movement import reshape as reshape_node
from lazynp.ops.sizes import SymInt
from lazynp.ordering import copy_of
from lazynp.runtime.storage import Snapshot, TraceQueue, queue, tracing
from lazynp.views import from_view, reshaped, view_along, view_of, without_axes


def lifted(a: Any) -> Any:
    """The operand as one of our arrays, sharing memory if it is one already."""
    if type(a) is ndarray and (a._storage is not None or not tracing()):
        return a
    if type(a) in ARRAYS and not tracing():
        return eager(a)
    x = wrap(node_of(a))
    x._scalar = isinstance(a, np.generic)
    return x


def _stays(a: Any, shape: tuple[int, ...]) -> bool:
    """Whether rearranging a scalar into this shape gives the scalar itself."""
    return a._scalar and not shape


def _read_only(view: Any) -> Any:
    """A fresh view, not to be written to."""
    if type(view) is ndarray and view._storage is not None:
        view._readonly = True
    else:
        (view._np if type(view) is ndarray else view).flags.writeable = False
    return view


def ghost(shape: Any) -> np.ndarray:
    """A NumPy array of a shape, without memory: to ask NumPy for result shapes and for its errors."""
    return np.broadcast_to(np.zeros(()), shape)


def full_shape(shape: Any, size: int) -> tuple[int, ...]:
    """A shape with its -1 resolved. Raises NumPy's errors."""
    return (ghost((size,)) if size else np.empty(0)).reshape(shape).shape


def _named_order(a: Any, order: str) -> str:
    """C or F, for the order that depends on the layout of a. Raises Unsupported for others."""
    if order in ("C", "F"):
        return order
    if order != "A":
        raise Unsupported
    return "F" if arrays.geometry(a).flags.fnc else "C"


def _same_line(a: Any) -> Any:
    """A line whose size or place is known only at run time. Whether NumPy gives a view of it depends on its strides."""
    return _perhaps_a_view(a, node_of(a))


def _perhaps_a_view(a: Any, node: Any) -> Any:
    what = "an array in another shape, and perhaps a view of another array, as its size or place at run time decides"
    return wrap(node) if a._storage is None else handle(Snapshot(node, (a._storage,), what), (), node.type, None)


@implements(np.reshape)
def reshape(a: Any, /, shape: Any, order: str = "C", *, copy: Any = None) -> Any:
    a = lifted(a)
    if a.ndim == 1 and type(a.shape[0]) is SymInt and not copy and shape in (-1, (-1,)):
        return _same_line(a)
    target = full_shape(shape, a.size)
    if order == "K":
        raise Unsupported
    if _stays(a, target):
        return a
    if copy is False and not tracing():
        arrays.geometry(a).reshape(target, order=order, copy=False)  # NumPy's error where that cannot be
    if ordering.is_unordered(a) and order == "C" and not copy:
        return _perhaps_a_view(a, reshape_node(node_of(a), target))
    if _named_order(a, order) == "F":
        out = reshaped(view_of(a, permute, axes=tuple(reversed(range(a.ndim)))), tuple(reversed(target)))
        return view_of(out, permute, axes=tuple(reversed(range(len(target)))))
    return ordering.copy_of(reshaped(a, target)) if copy else reshaped(a, target)


@implements(np.ravel)
def ravel(a: Any, order: str = "C") -> Any:
    a = lifted(a)
    if a.ndim == 1 and type(a.shape[0]) is SymInt:
        return _same_line(a)
    if ordering.is_unordered(a) and order == "C":
        return _perhaps_a_view(a, reshape_node(node_of(a), (a.size,)))
    if isinstance(a._storage, Snapshot) and order == "C":
        return _same_line(reshape(a, (-1,)))
    if order == "K":
        arrays.geometry(a)  # where its order is not known
        axes = ordering.order_walked(a)
        a, order = a if axes is None else view_of(a, permute, axes=axes), "C"
    named = _named_order(a, order)
    flags = arrays.geometry(a).flags
    line = reshape(a, (-1,), order=named)
    if not (flags.c_contiguous if named == "C" else flags.f_contiguous) and np.shares_memory(arrays.geometry(line), arrays.geometry(a)):
        return ordering.copy_of(line, "C")  # unlike reshape, ravel gives no view of a stepped array
    return line


@implements(np.transpose, np.permute_dims)
def transpose(a: Any, axes: Any = None) -> Any:
    a = lifted(a)
    if axes is None:
        return a if a._scalar else view_of(a, permute, axes=tuple(reversed(range(a.ndim))))
    if len(axes) != a.ndim:
        raise ValueError("axes don't match array")
    if a._scalar:
        return a
    return view_of(a, permute, axes=normalize_axis_tuple(axes, a.ndim))


@implements(np.swapaxes)
def swapaxes(a: Any, axis1: int, axis2: int) -> Any:
    a = lifted(a)
    order = list(range(a.ndim))
    one, two = normalize_axis_index(axis1, a.ndim), normalize_axis_index(axis2, a.ndim)
    order[one], order[two] = order[two], order[one]
    return view_of(a, permute, axes=tuple(order))


@implements(np.matrix_transpose, np.linalg.matrix_transpose)
def matrix_transpose(x: Any, /) -> Any:
    x = lifted(x)
    np.matrix_transpose(ghost(x.shape))  # NumPy's error
    return swapaxes(x, -1, -2)


@implements(np.moveaxis)
def moveaxis(a: Any, source: Any, destination: Any) -> Any:
    a = lifted(a)
    probe = np.moveaxis(ghost((1,) * a.ndim), source, destination)  # NumPy's errors
    source, destination = normalize_axis_tuple(source, a.ndim), normalize_axis_tuple(destination, probe.ndim)
    order = [axis for axis in range(a.ndim) if axis not in source]
    for target, axis in sorted(zip(destination, source, strict=True)):
        order.insert(target, axis)
    if a._scalar:
        return a
    return view_of(a, permute, axes=tuple(order))


@implements(np.rollaxis)
def rollaxis(a: Any, axis: int, start: int = 0) -> Any:
    np.rollaxis(ghost((1,) * a.ndim), axis, start)  # NumPy's errors
    axis = normalize_axis_index(axis, a.ndim)
    start = start + a.ndim if start < 0 else start
    return moveaxis(a, axis, start - 1 if axis < start else start)


@implements(np.squeeze)
def squeeze(a: Any, axis: Any = None) -> Any:
    a = lifted(a)
    probe = np.squeeze(ghost(a.shape), axis)  # NumPy's errors
    if _stays(a, probe.shape):
        return a
    ones = [k for k, n in enumerate(a.shape) if type(n) is int and n == 1]
    gone = tuple(ones) if axis is None else normalize_axis_tuple(axis, a.ndim)
    return without_axes(a, gone) if gone else a


@implements(np.expand_dims)
def expand_dims(a: Any, axis: Any) -> Any:
    a = lifted(a)
    return reshaped(a, np.expand_dims(ghost(a.shape), axis).shape)


@implements(np.atleast_1d)
def atleast_1d(*arys: Any) -> Any:
    return _at_least(arys, lambda a: a if a.ndim else reshaped(a, (1,)))


@implements(np.atleast_2d)
def atleast_2d(*arys: Any) -> Any:
    return _at_least(arys, lambda a: a[None] if a.ndim == 1 else reshaped(a, (1, 1)) if a.ndim == 0 else a)


@implements(np.atleast_3d)
def atleast_3d(*arys: Any) -> Any:
    wider = [lambda a: reshaped(a, (1, 1, 1)), lambda a: a[None, :, None], lambda a: a[:, :, None]]
    return _at_least(arys, lambda a: wider[a.ndim](a) if a.ndim < 3 else a)


def _at_least(arys: tuple[Any, ...], wider: Callable[[Any], Any]) -> Any:
    out = [wider(a) for a in map(lifted, arys)]
    return out[0] if len(out) == 1 else tuple(out)


@implements(np.broadcast_to)
def broadcast_to(array: Any, shape: Any, subok: bool = False) -> Any:
    array = lifted(array)
    shape = np.broadcast_to(np.broadcast_to(np.zeros((), array.dtype), array.shape), shape).shape
    return view_of(array, broadcast_node, out_shape=shape)


@implements(np.broadcast_arrays)
def broadcast_arrays(*args: Any, subok: bool = False) -> Any:
    args = tuple(map(lifted, args))
    shape = np.broadcast_shapes(*[a.shape for a in args])
    return tuple([a if a.shape == shape else _repeated(a, shape) for a in args])


def _repeated(a: Any, shape: tuple[int, ...]) -> Any:
    """A view that NumPy lets be written to: the elements that repeat one change together."""
    if a._storage is None and not tracing():
        return from_view(arrays.repeated(a._np, shape), a)
    view = broadcast_to(a, shape)
    if (not tracing() or type(queue()) is TraceQueue) and (a._scalar or a._writeable):
        view._readonly = None
    return view


@implements(np.flip)
def flip(m: Any, axis: Any = None) -> Any:
    m = lifted(m)
    axes = range(m.ndim) if axis is None else normalize_axis_tuple(axis, m.ndim)
    return m[tuple([slice(None, None, -1) if a in axes else slice(None) for a in range(m.ndim)])]


@implements(np.flipud)
def flipud(m: Any) -> Any:
    m = lifted(m)
    np.flipud(ghost(m.shape))  # NumPy's error
    return flip(m, 0)


@implements(np.fliplr)
def fliplr(m: Any) -> Any:
    m = lifted(m)
    np.fliplr(ghost(m.shape))  # NumPy's error
    return flip(m, 1)


@implements(np.rot90)
def rot90(m: Any, k: int = 1, axes: Any = (0, 1)) -> Any:
    m = lifted(m)
    np.rot90(ghost(m.shape), k, axes)  # NumPy's errors
    one, two = normalize_axis_tuple(axes, m.ndim)
    turned = [m, swapaxes(flip(m, two), one, two), flip(m, (one, two)), flip(swapaxes(m, one, two), two)]
    return turned[k % 4]


@implements(np.diagonal)
def diagonal(a: Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Any:
    a = lifted(a)
    probe = np.diagonal(ghost(a.shape), offset, axis1, axis2)  # NumPy's errors, and the length
    one, two = normalize_axis_index(axis1, a.ndim), normalize_axis_index(axis2, a.ndim)
    n = probe.shape[-1]
    starts = tuple([max(-offset, 0) if k == one else max(offset, 0) if k == two else 0 for k in range(a.ndim)])
    sizes = tuple([n if k in (one, two) else size for k, size in enumerate(a.shape)])
    square = a if sizes == a.shape else view_of(a, slice_, starts=starts if n else (0,) * a.ndim, steps=(1,) * a.ndim, sizes=sizes)
    view = view_of(square, diagonal_step, axis1=one, axis2=two)
    return _read_only(view)


@implements(np.diag)
def diag(v: Any, k: int = 0) -> Any:
    v = lifted(v)
    if v.ndim == 2:
        return diagonal(v, k)
    if v.ndim != 1:
        raise ValueError("Input must be 1- or 2-d.")
    n = v.size + abs(k)
    out = wrap(ew.filled((n, n), 0, v.dtype))
    flat = reshaped(out, (n * n,))
    first = k if k >= 0 else -k * n
    if v.size:
        flat[first : first + (v.size - 1) * (n + 1) + 1 : n + 1] = v
    return out


@implements(np.diagflat)
def diagflat(v: Any, k: int = 0) -> Any:
    return diag(ravel(v), k)


@implements(np.trace)
def trace(a: Any, offset: int = 0, axis1: int = 0, axis2: int = 1, dtype: Any = None, out: Any = None) -> Any:
    return diagonal(a, offset, axis1, axis2).sum(axis=-1, dtype=dtype, out=out)


# --- joining and splitting ----------------------------------------------------------------------------------------------


def _joined(parts: list[Any], axis: int, dtype: Any, casting: Any) -> Any:
    nodes = [node_of(p) for p in parts]
    target = np.result_type(*[n.dtype for n in nodes]) if dtype is None else np.dtype(dtype)
    if not all(np.can_cast(n.dtype, target, casting) for n in nodes):
        raise Unsupported
    for n in nodes:
        operands.warn_of_lost_imaginary(n.dtype, target)
    return ordering.wrap_joined(join(*[ew.as_node(n, target) for n in nodes], axis=axis), axis, parts)


def _refuse_out_and_dtype(name: str, out: Any, dtype: Any) -> None:
    if out is not None and dtype is not None:
        raise TypeError(f"{name}() only takes `out` or `dtype` as an argument, but both were provided.")


@implements(np.concatenate, np.concat)
def concatenate(arrays_: Any, /, axis: Any = 0, out: Any = None, *, dtype: Any = None, casting: str = "same_kind") -> Any:
    _refuse_out_and_dtype("concatenate", out, dtype)
    parts = [a if isinstance(a, ndarray) else np.asarray(unwrapped(a)) for a in arrays_]
    if axis is None:
        parts, axis = [ravel(p) for p in parts], 0
    if any(p.ndim == 0 or p.ndim != parts[0].ndim for p in parts) or not parts or not -parts[0].ndim <= axis < parts[0].ndim:
        np.concatenate([np.broadcast_to(np.zeros((), p.dtype), p.shape) for p in parts], axis)  # NumPy's error
    axis = normalize_axis_index(axis, parts[0].ndim)
    for position, p in enumerate(parts):
        for a, (n, m) in enumerate(zip(p.shape, parts[0].shape, strict=True)):
            if a != axis and n != m:
                raise ValueError(
                    "all the input array dimensions except for the concatenation axis must match exactly, but along dimension "
                    f"{a}, the array at index 0 has size {m} and the array at index {position} has size {n}"
                )
    return into(_joined(parts, axis, dtype, casting), out, casting)


@implements(np.stack)
def stack(arrays: Any, axis: int = 0, out: Any = None, *, dtype: Any = None, casting: str = "same_kind") -> Any:
    _refuse_out_and_dtype("concatenate", out, dtype)
    parts = list(arrays)
    if not parts:
        raise ValueError("need at least one array to stack")
    nodes = [node_of(p) for p in parts]
    if any(n.shape != nodes[0].shape for n in nodes):
        raise ValueError("all input arrays must have the same shape")
    axis = normalize_axis_index(axis, nodes[0].ndim + 1)
    rank = nodes[0].ndim
    index = (*[slice(None)] * axis, None, *[slice(None)] * (rank - axis))
    step = picked((*nodes[0].shape[:axis], 1, *nodes[0].shape[axis:]), index)
    parts = [view_along(p if type(p) is ndarray else wrap(n), step) for p, n in zip(parts, nodes, strict=True)]
    return concatenate(parts, axis, out, dtype=dtype, casting=casting)


@implements(np.vstack)
def vstack(tup: Any, *, dtype: Any = None, casting: str = "same_kind") -> Any:
    return concatenate([atleast_2d(p) for p in tup], 0, dtype=dtype, casting=casting)


@implements(np.hstack)
def hstack(tup: Any, *, dtype: Any = None, casting: str = "same_kind") -> Any:
    parts = [atleast_1d(p) for p in tup]
    return concatenate(parts, 0 if parts and parts[0].ndim == 1 else 1, dtype=dtype, casting=casting)


@implements(np.dstack)
def dstack(tup: Any) -> Any:
    return concatenate([atleast_3d(p) for p in tup], 2)


@implements(np.column_stack)
def column_stack(tup: Any) -> Any:
    parts = [lifted(p) for p in tup]
    return concatenate([reshaped(p, (p.size, 1)) if p.ndim < 2 else p for p in parts], 1)


@implements(np.append)
def append(arr: Any, values: Any, axis: Any = None) -> Any:
    return concatenate([ravel(arr), ravel(values)], 0) if axis is None else concatenate([arr, values], axis)


@implements(np.array_split)
def array_split(ary: Any, indices_or_sections: Any, axis: int = 0) -> Any:
    ary = lifted(ary)
    n = ary.shape[axis]
    pieces = np.array_split(np.arange(n), unwrapped(indices_or_sections))
    edges, at = [], 0
    for piece in pieces:
        start = int(piece[0]) if piece.size else at
        edges.append((start, start + piece.size))
        at = start + piece.size
    return [swapaxes(swapaxes(ary, axis, 0)[a:b], axis, 0) for a, b in edges]


@implements(np.split)
def split(ary: Any, indices_or_sections: Any, axis: int = 0) -> Any:
    if isinstance(indices_or_sections, (int, np.integer)) and lifted(ary).shape[axis] % indices_or_sections:
        raise ValueError("array split does not result in an equal division")
    return array_split(ary, indices_or_sections, axis)


@implements(np.hsplit)
def hsplit(ary: Any, indices_or_sections: Any) -> Any:
    ary = lifted(ary)
    if ary.ndim == 0:
        raise ValueError("hsplit only works on arrays of 1 or more dimensions")
    return split(ary, indices_or_sections, 1 if ary.ndim > 1 else 0)


@implements(np.vsplit)
def vsplit(ary: Any, indices_or_sections: Any) -> Any:
    if lifted(ary).ndim < 2:
        raise ValueError("vsplit only works on arrays of 2 or more dimensions")
    return split(ary, indices_or_sections, 0)


@implements(np.dsplit)
def dsplit(ary: Any, indices_or_sections: Any) -> Any:
    if lifted(ary).ndim < 3:
        raise ValueError("dsplit only works on arrays of 3 or more dimensions")
    return split(ary, indices_or_sections, 2)


if hasattr(np, "unstack"):  # since NumPy 2.1

    @implements(np.unstack)
    def unstack(x: Any, /, *, axis: int = 0) -> Any:
        x = lifted(x)
        if x.ndim == 0:
            raise ValueError("Input array must be at least 1-d.")
        line = moveaxis(x, axis, 0)
        return tuple([line[k] for k in range(line.shape[0])])


# --- repeating, rolling, padding ------------------------------------------------------------------------------------------


@implements(np.tile)
def tile(A: Any, reps: Any) -> Any:
    asked = (reps,) if np.ndim(reps) == 0 else tuple(reps)
    if not all(isinstance(r, (int, np.integer, SymInt)) or getattr(r, "dtype", np.dtype(float)).kind in "iub" for r in asked):
        raise Unsupported
    counts = tuple([int(r) for r in asked])
    if any(c < 0 for c in counts):
        raise Unsupported
    node = node_of(A)
    rank = max(node.ndim, len(counts))
    counts = (1,) * (rank - len(counts)) + counts
    if rank == node.ndim and set(counts) <= {1}:
        return copy_of(lifted(A))
    shape = (1,) * (rank - node.ndim) + node.shape
    spread = [n for pair in zip((1,) * rank, shape, strict=True) for n in pair]
    wide = [n for pair in zip(counts, shape, strict=True) for n in pair]
    out = broadcast_node(reshape_node(node, tuple(spread)), tuple(wide))
    return wrap(reshape_node(out, tuple([c * n for c, n in zip(counts, shape, strict=True)])))


@implements(np.repeat)
def repeat(a: Any, repeats: Any, axis: Any = None) -> Any:
    a = lifted(a)
    if axis is None:
        a, axis = ravel(a), 0
    axis = normalize_axis_index(axis, a.ndim)
    if np.ndim(repeats) == 0:
        count = int(repeats)
        if count < 0 or np.result_type(unwrapped(repeats)).kind not in "iub":
            raise Unsupported
        node = node_of(a)
        before, n, after = node.shape[:axis], node.shape[axis], node.shape[axis + 1 :]
        wide = broadcast_node(reshape_node(node, (*before, n, 1, *after)), (*before, n, count, *after))
        return wrap(reshape_node(wide, (*before, n * count, *after)))
    positions = np.repeat(np.arange(a.shape[axis]), unwrapped(repeats))
    return wrap(gather(node_of(a), node_of(positions), axes=(axis,), position=axis))


def _is_later(shift: Any) -> bool:
    """Whether a shift is an integer that only the program knows."""
    return isinstance(shift, SymInt) or (is_pending(shift) and shift.ndim == 0 and shift.dtype.kind in "iub")


def _shifts(shift: Any, axis: Any) -> Any:
    """(shift, axis) of each rolled axis; numbers of a trace among several shifts stay what they are."""
    if isinstance(shift, (tuple, list)) and builtins.any(map(_is_later, shift)):
        axes = np.broadcast_to(axis, (len(shift),)).tolist()
        return zip(shift, axes, strict=True)
    if _is_later(shift) or not (np.ndim(shift) or np.ndim(axis)):
        return [(shift, axis)]
    return zip(*np.broadcast_arrays(shift, axis), strict=True)


@implements(np.roll)
def roll(a: Any, shift: Any, axis: Any = None) -> Any:
    a = given = lifted(a)
    if axis is None:
        return reshaped(roll(ravel(a), shift, 0), a.shape)
    fresh = False
    for s, k in _shifts(shift, axis):
        k = normalize_axis_index(int(k), a.ndim)
        n = a.shape[k]
        if _is_later(s):
            a, fresh = a[(*[slice(None)] * k, (wrap(iota(n)) - s) % builtins.max(n, 1))], True
            continue
        cut = -int(s) % n if n else 0
        if cut:
            index: list[Any] = [slice(None)] * a.ndim
            head, tail = list(index), list(index)
            head[k], tail[k] = slice(cut, None), slice(None, cut)
            a, fresh = _joined([a[tuple(head)], a[tuple(tail)]], k, None, "same_kind"), True
    return ordering.wrap_ordered(node_of(a), ordering.order_of(given)) if fresh else ordering.copy_of(a)


@implements(np.pad)
def pad(array: Any, pad_width: Any, mode: Any = "constant", **options: Any) -> Any:
    node = node_of(array)
    if isinstance(pad_width, dict) or mode not in ("constant", "edge", "wrap", "reflect"):
        raise Unsupported
    asked = np.asarray(unwrapped(pad_width))
    if asked.dtype.kind not in "iu" or asked.min(initial=0) < 0:
        raise Unsupported
    widths = np.broadcast_to(asked, (node.ndim, 2)).astype(int)
    shape = tuple([int(n + b + c) for n, (b, c) in zip(node.shape, widths, strict=True)])
    if mode != "constant":
        if options:
            raise Unsupported
        for axis, (n, (before, after)) in enumerate(zip(node.shape, widths, strict=True)):
            if before or after:
                positions = np.pad(np.arange(n), (int(before), int(after)), mode)
                node = gather(node, node_of(positions), axes=(axis,), position=axis)
        return _as_filled(node, array)
    value = options.get("constant_values", 0)
    if (np.iscomplexobj(value) and node.dtype.kind != "c") or np.ndim(value) or options.keys() - {"constant_values"}:
        raise Unsupported
    starts = tuple([int(b) for b in widths[:, 0]])
    if not isinstance(value, ndarray) and value == 0:
        return _as_filled(pad_node(node, starts=starts, steps=(1,) * node.ndim, out_shape=shape), array)
    out = full_of(shape, value, node.dtype)
    out[tuple([slice(s, s + n) for s, n in zip(starts, node.shape, strict=True)])] = wrap(node)
    return _as_filled(node_of(out), array)


def full_of(shape: tuple[int, ...], value: Any, dtype: np.dtype) -> Any:
    return wrap(broadcast_node(ew.as_node(operands.operand(value), dtype), shape))


@implements(np.delete)
def delete(arr: Any, obj: Any, axis: Any = None) -> Any:
    arr = lifted(arr)
    if axis is None:
        arr, axis = ravel(arr), 0
    axis = normalize_axis_index(axis, arr.ndim)
    positions = np.delete(np.arange(arr.shape[axis]), unwrapped(obj))
    return _as_filled(gather(node_of(arr), node_of(positions), axes=(axis,), position=axis), arr)


def _as_filled(node: Any, source: Any) -> Any:
    """A new array in Fortran order if the source is: what NumPy's Python functions fill."""
    fortran = type(source) is ndarray and arrays.geometry(source).flags.fnc
    return ordering.wrap_ordered(node, fortran_order(node.ndim) if fortran else None)


@implements(np.resize)
def resize(a: Any, new_shape: Any) -> Any:
    a = ravel(a)
    shape = tuple([int(n) for n in ((new_shape,) if isinstance(new_shape, (int, np.integer)) else new_shape)])
    if a.size == 0 or any(n < 0 for n in shape):
        raise Unsupported
    count = -(-itemcount(shape) // a.size)
    return reshaped(tile(a, count)[: itemcount(shape)], shape)


@implements(np.block)
def block(arrays: Any) -> Any:
    """Nested lists, joined from the innermost outwards, each level along one axis further to the left."""
    depth, leaves = _nesting(arrays)
    rank = builtins.max([depth, *[lifted(leaf).ndim for leaf in leaves]])
    return _assembled(arrays, rank, rank - depth) if depth else copy_of(lifted(arrays), "C")


def _nesting(nested: Any) -> tuple[int, list[Any]]:
    """(how deep the lists go, all leaves). Raises Unsupported for what NumPy refuses."""
    if type(nested) is tuple or (type(nested) is list and not nested):
        raise Unsupported
    if type(nested) is not list:
        return 0, [nested]
    inner = [_nesting(n) for n in nested]
    if len({depth for depth, _ in inner}) != 1:
        raise Unsupported
    return inner[0][0] + 1, [leaf for _, leaves in inner for leaf in leaves]


def _assembled(nested: Any, rank: int, axis: int) -> Any:
    if type(nested) is not list:
        x = lifted(nested)
        return reshape(x, (1,) * (rank - x.ndim) + x.shape)
    return concatenate([_assembled(n, rank, axis + 1) for n in nested], axis)


@implements(np.lib.stride_tricks.sliding_window_view)
def sliding_window_view(x: Any, window_shape: Any, axis: Any = None, *, subok: bool = False, writeable: bool = False) -> Any:
    view = lifted(x)
    sizes = tuple(window_shape) if np.iterable(window_shape) else (window_shape,)
    axes = tuple(range(view.ndim)) if axis is None else normalize_axis_tuple(axis, view.ndim, allow_duplicate=True)
    if writeable or len(sizes) != len(axes) or any(size < 0 for size in sizes):
        raise Unsupported
    for along, size in zip(axes, sizes, strict=True):
        count = view.shape[along] - size + 1
        if count < 1:
            raise ValueError("window shape cannot be larger than input array shape")
        view = view_of(view, window, axis=along, size=size, count=count)
    return _read_only(view)
