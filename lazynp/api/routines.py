"""Functions that stay NumPy's routines as steps of a program: recorded with the type of their result, run when the program runs."""

import functools
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_index, normalize_axis_tuple

from lazynp import array as arrays
from lazynp import ordering
from lazynp.api.creation import asarray
from lazynp.api.dispatch import HANDLERS, Unsupported, implements, into, sync, unwrapped
from lazynp.api.reductions import argmax, argmin
from lazynp.api.selecting import convolve, searchsorted
from lazynp.api.shaping import lifted, ravel
from lazynp.api.ufuncs import OBJECTS
from lazynp.array import ndarray, wrap
from lazynp.ir.node import Node
from lazynp.ir.types import LAZY_DTYPES
from lazynp.operands import node_of, operand
from lazynp.ops import elementwise as ew
from lazynp.ops.movement import broadcast, broadcast_shape
from lazynp.ops.opaque import call
from lazynp.runtime.storage import tracing

_INDEX = np.dtype(np.intp)


def _one(function: Any, args: list[Node], shape: Any, dtype: Any, gather: bool = False, **options: Any) -> Any:
    return wrap(call(function, args, [(shape, dtype)], options, gather)[0])


def _static(value: Any) -> Any:
    """An option as a hashable value: sequences as tuples. Raises Unsupported for arrays whose values are not known yet."""
    if arrays.is_pending(value):
        raise Unsupported
    if isinstance(value, ndarray):
        value = unwrapped(value).tolist()
    if isinstance(value, np.generic):
        value = value.item()
    return tuple([_static(v) for v in value]) if isinstance(value, (list, tuple)) else value


# --- order ------------------------------------------------------------------------------------------------------------------


def _partitioning(function: Any, dtype_of: Callable[[np.dtype], np.dtype]) -> Callable[..., Any]:
    def lazy(a: Any, kth: Any, axis: Any = -1, kind: str = "introselect", order: Any = None) -> Any:
        x = lifted(a)
        if order is not None or x.ndim == 0 or np.asarray(unwrapped(kth)).dtype.kind not in "iu" or np.size(unwrapped(kth)) == 0:
            raise Unsupported
        if axis is None:
            x, axis = ravel(x), 0
        axis = normalize_axis_index(axis, x.ndim)
        places = _static(kth)
        if kind != "introselect":
            function(np.zeros(1), 0, kind=kind)  # NumPy's error
        if any(not -x.shape[axis] <= k < x.shape[axis] for k in np.ravel(places)):
            raise Unsupported
        found = _one(function, [node_of(x)], x.shape, dtype_of(x.dtype), kth=places, axis=axis, kind="introselect")
        return ordering.wrap_ordered(node_of(found), ordering.order_of(x)) if function is np.partition else found

    return implements(function)(lazy)


partition = _partitioning(np.partition, lambda dtype: dtype)
argpartition = _partitioning(np.argpartition, lambda dtype: _INDEX)


@implements(np.lexsort)
def lexsort(keys: Any, axis: Any = -1) -> Any:
    nodes = [node_of(k) for k in keys]
    if not nodes or nodes[0].ndim == 0 or axis is None or any(n.shape != nodes[0].shape for n in nodes):
        raise Unsupported
    return _one(np.lexsort, nodes, nodes[0].shape, _INDEX, True, axis=normalize_axis_index(axis, nodes[0].ndim))


@implements(np.digitize)
def digitize(x: Any, bins: Any, right: bool = False) -> Any:
    values, edges = node_of(x), node_of(bins)
    if values.dtype.kind == "c" or edges.ndim != 1:
        raise Unsupported
    if not arrays.is_pending(bins):
        known = np.asarray(unwrapped(bins))
        side = "left" if right else "right"
        if np.all(known[1:] >= known[:-1]):
            return searchsorted(known, wrap(values), side)
        if np.all(known[1:] <= known[:-1]):
            return known.size - searchsorted(np.ascontiguousarray(known[::-1]), wrap(values), side)
    return _one(np.digitize, [values, edges], values.shape, _INDEX, right=bool(right))


@implements(np.isin)
def isin(element: Any, test_elements: Any, assume_unique: bool = False, invert: bool = False, *, kind: Any = None) -> Any:
    x, wanted = node_of(element), node_of(test_elements)
    return _one(np.isin, [x, wanted], x.shape, bool, assume_unique=bool(assume_unique), invert=bool(invert), kind=kind)


# --- choice -----------------------------------------------------------------------------------------------------------------


@implements(np.choose)
def choose(a: Any, choices: Any, out: Any = None, mode: str = "raise") -> Any:
    which = node_of(a)
    options = [operand(c) for c in choices]
    if which.dtype.kind not in "iub" or not 0 < len(options) < 64 or which.ndim > 32:  # NumPy's limits
        raise Unsupported
    dtype = np.result_type(*[o.dtype if isinstance(o, Node) else o for o in options])
    nodes = [ew.as_node(o, dtype) for o in options]
    shape = broadcast_shape(which.shape, *[n.shape for n in nodes])
    nodes = [broadcast(n, shape) for n in nodes]
    return into(wrap(call(_choose, [broadcast(which, shape), *nodes], [(shape, dtype)], {"mode": mode})[0]), out)


def _choose(a: Any, *choices: Any, mode: str) -> Any:
    return np.choose(a, choices, mode=mode)


@functools.wraps(np.bmat)
def bmat(obj: Any, ldict: Any = None, gdict: Any = None) -> Any:
    """The names in a text are those of the caller."""
    if isinstance(obj, str):
        frame = sys._getframe(1)
        return np.bmat(obj, *((frame.f_locals, frame.f_globals) if gdict is None else (ldict, gdict)))
    return sync(np.bmat, obj)


HANDLERS[np.bmat] = bmat


def _of_dtype(values: Any, dtype: np.dtype) -> Any:
    """What put and place write: an array is cast, Python's numbers have to fit. Raises NumPy's errors."""
    known = isinstance(values, (np.ndarray, ndarray, np.generic)) or tracing()
    return values if known else np.asarray(values, dtype)


@implements(np.place)
def place(arr: Any, mask: Any, vals: Any) -> None:
    if type(arr) is not ndarray or not arr._writeable or (vals.size if type(vals) is ndarray else np.size(vals)) == 0:
        raise Unsupported
    x, chosen = node_of(arr), node_of(mask)
    if chosen.shape != x.shape or not np.can_cast(getattr(vals, "dtype", x.dtype), x.dtype):
        raise Unsupported
    vals = _of_dtype(vals, arr.dtype)
    if not arrays.is_pending(mask):
        places = np.flatnonzero(unwrapped(mask))
        _write_flat(arr, places, vals)
        return
    arr[...] = _one(_placed, [x, chosen, ew.as_node(operand(vals), x.dtype)], x.shape, x.dtype)


def _placed(arr: Any, mask: Any, vals: Any) -> Any:
    filled = np.array(arr)
    np.place(filled, mask, vals)
    return filled


@implements(np.compress)
def compress(condition: Any, a: Any, axis: Any = None, out: Any = None) -> Any:
    if arrays.is_pending(condition) or out is not None or np.ndim(unwrapped(condition)) != 1:
        raise Unsupported
    x = lifted(a)
    x, axis = (ravel(x), 0) if axis is None else (x, normalize_axis_index(axis, x.ndim))
    return wrap(node_of(x[(slice(None),) * axis + (np.flatnonzero(unwrapped(condition)),)]))


@implements(np.put)
def put(a: Any, ind: Any, v: Any, mode: str = "raise") -> None:
    if type(a) is not ndarray or not a._writeable or arrays.is_pending(ind) or mode not in ("raise", "clip", "wrap") or a.size == 0:
        raise Unsupported
    v = _of_dtype(v, a.dtype)
    places = np.asarray(unwrapped(ind)).ravel()
    if places.dtype.kind not in "iu":
        raise Unsupported
    places = places.clip(0, a.size - 1) if mode == "clip" else places % a.size if mode == "wrap" else places
    _write_flat(a, places, v)


@implements(np.fill_diagonal)
def fill_diagonal(a: Any, val: Any, wrap: bool = False) -> None:
    if type(a) is not ndarray or not a._writeable or a.ndim < 2 or len(set(a.shape[: a.ndim if a.ndim > 2 else 1])) > 1:
        raise Unsupported
    step = a.shape[1] + 1 if a.ndim == 2 else 1 + sum([a.shape[0] ** k for k in range(1, a.ndim)])
    end = a.size if wrap or a.ndim > 2 else min(a.size, a.shape[1] * a.shape[1])
    _write_flat(a, np.arange(0, end, step), val)


def _write_flat(a: Any, places: np.ndarray, values: Any) -> None:
    """Write at positions of the flattened array; values repeat. Raises NumPy's IndexError."""
    flat = ravel(lifted(values)) if isinstance(values, ndarray) else ravel(asarray(values)) if tracing() else np.ravel(values)
    if flat.size == 0 or places.size == 0:
        return
    bad = np.flatnonzero((places < -a.size) | (places >= a.size))
    if bad.size:  # NumPy writes until it meets the error
        _write_flat(a, places[: bad[0]], values)
        raise IndexError(f"index {places[bad[0]]} is out of bounds for axis 0 with size {a.size}")
    turns = -(-places.size // flat.size)
    repeated = flat if flat.size == 1 else np.concatenate([flat] * turns)[: places.size]
    if a.ndim == 0:
        a[()] = repeated[-1]
        return
    a[np.unravel_index(places % a.size, a.shape)] = repeated


# --- bits and positions -----------------------------------------------------------------------------------------------------


@implements(np.packbits)
def packbits(a: Any, /, axis: Any = None, bitorder: str = "big") -> Any:
    x = lifted(a)
    if x.dtype.kind not in "bui" or (x.ndim == 0 and axis is not None):
        raise Unsupported
    x, axis = (ravel(x), 0) if axis is None else (x, normalize_axis_index(axis, x.ndim))
    return _one(np.packbits, [node_of(x)], _resized(x.shape, axis, -(-x.shape[axis] // 8)), np.uint8, axis=axis, bitorder=bitorder)


@implements(np.unpackbits)
def unpackbits(a: Any, /, axis: Any = None, count: Any = None, bitorder: str = "big") -> Any:
    x = lifted(a)
    if x.dtype != np.uint8 or (x.ndim == 0 and axis is not None):
        raise Unsupported
    x, axis = (ravel(x), 0) if axis is None else (x, normalize_axis_index(axis, x.ndim))
    size = 8 * x.shape[axis]
    size = size if count is None else int(count) if count >= 0 else max(size + int(count), 0)
    return _one(np.unpackbits, [node_of(x)], _resized(x.shape, axis, size), np.uint8, axis=axis, count=_static(count), bitorder=bitorder)


def _resized(shape: tuple[int, ...], axis: int, size: int) -> tuple[int, ...]:
    return (*shape[:axis], size, *shape[axis + 1 :])


@implements(np.unravel_index)
def unravel_index(indices: Any, shape: Any, order: str = "C") -> Any:
    x = node_of(indices)
    sizes = _static(shape)
    sizes = sizes if isinstance(sizes, tuple) else (sizes,)
    if x.dtype.kind not in "iu" or not sizes:
        raise Unsupported
    if not x.ndim:
        return tuple([wrap(r) for r in call(np.unravel_index, [x], [(x.shape, _INDEX)] * len(sizes), {"shape": sizes, "order": order})])
    together = call(_unravelled, [x], [((*x.shape, len(sizes)), _INDEX)], {"shape": sizes, "order": order})[0]
    axes = ordering.order_of(lifted(indices))
    found = ordering.wrap_ordered(together, None if axes is None else (*axes, x.ndim))
    return tuple([found[..., k] for k in range(len(sizes))])


def _unravelled(indices: Any, **options: Any) -> Any:
    """NumPy's indices along each axis are views of one array, with an axis more."""
    return np.stack(np.unravel_index(indices, **options), -1)


@implements(np.ravel_multi_index)
def ravel_multi_index(multi_index: Any, dims: Any, mode: Any = "raise", order: str = "C") -> Any:
    nodes = [node_of(i) for i in multi_index]
    if any(n.dtype.kind not in "iu" for n in nodes) or 0 in np.ravel(_static(dims)):
        raise Unsupported
    shape = broadcast_shape(*[n.shape for n in nodes])
    nodes = [broadcast(n, shape) for n in nodes]
    return wrap(call(_ravel_multi_index, nodes, [(shape, _INDEX)], {"dims": _static(dims), "mode": _static(mode), "order": order})[0])


def _ravel_multi_index(*index: Any, **options: Any) -> Any:
    return np.ravel_multi_index(index, **options)


# --- statistics -------------------------------------------------------------------------------------------------------------


def _nan_position(function: Any, plain: Callable[..., Any]) -> Callable[..., Any]:
    def lazy(a: Any, axis: Any = None, out: Any = None, *, keepdims: Any = np._NoValue) -> Any:
        x = node_of(a)
        if out is not None and getattr(out, "dtype", None) != _INDEX:
            raise Unsupported
        if x.dtype.kind in "biu":
            return plain(a, axis, out, keepdims=keepdims)
        if x.ndim == 0 or x.dtype.kind == "c":
            raise Unsupported
        axis = None if axis is None else normalize_axis_index(axis, x.ndim)
        keep = keepdims is not np._NoValue and bool(keepdims)
        shape = _without(x.shape, axis, keep)
        return into(_one(function, [x], shape, _INDEX, axis=axis, keepdims=keep), out)

    return implements(function)(lazy)


def _without(shape: tuple[int, ...], axis: Any, keep: bool) -> tuple[int, ...]:
    """A shape without the reduced axes. Raises AxisError."""
    gone = range(len(shape)) if axis is None else normalize_axis_tuple(axis, len(shape))
    return tuple([1 if k in gone else n for k, n in enumerate(shape) if keep or k not in gone])


nanargmax = _nan_position(np.nanargmax, argmax)
nanargmin = _nan_position(np.nanargmin, argmin)


@implements(np.correlate)
def correlate(a: Any, v: Any, mode: str = "valid") -> Any:
    x, y = node_of(a), node_of(v)
    if x.ndim != 1 or y.ndim != 1 or 0 in (*x.shape, *y.shape) or mode not in ("valid", "same", "full"):
        raise Unsupported
    if tracing():
        return _correlated(lifted(a), lifted(v), mode)
    large, small = max(x.shape[0], y.shape[0]), min(x.shape[0], y.shape[0])
    size = {"valid": large - small + 1, "same": large, "full": large + small - 1}[mode]
    return _one(np.correlate, [x, y], (size,), np.result_type(x.dtype, y.dtype), mode=mode)


def _correlated(a: Any, v: Any, mode: str) -> Any:
    """As a convolution, which has a derivative. The shorter sequence slides; a swap comes out backwards."""
    if a.size < v.size:
        return _conjugated(_correlated(v, a, mode))[::-1]
    return convolve(a, _conjugated(v)[::-1], mode)


def _conjugated(x: Any) -> Any:
    return OBJECTS[np.conjugate](x) if x.dtype.kind == "c" else x


@implements(np.polyfit)
def polyfit(x: Any, y: Any, deg: Any, rcond: Any = None, full: bool = False, w: Any = None, cov: Any = False) -> Any:
    at, values = node_of(x), node_of(y)
    if tracing() or full or cov or w is not None or not isinstance(deg, (int, np.integer)) or at.ndim != 1 or not 1 <= values.ndim <= 2:
        raise Unsupported
    if deg < 0 or at.shape[0] == 0 or at.shape[0] != values.shape[0]:
        raise Unsupported
    dtype = np.result_type(at.dtype, values.dtype, np.float64)
    return _one(np.polyfit, [at, values], (int(deg) + 1, *values.shape[1:]), dtype, deg=int(deg), rcond=_static(rcond))


# --- NumPy makes the values ---------------------------------------------------------------------------------------------------


def _created(function: Any) -> None:
    """A new array that depends on no array: NumPy's values, handed out as ours."""

    def lazy(*args: Any, **options: Any) -> Any:
        if any(type(x) is ndarray and x.dtype.kind == "f" for x in (*args, *options.values())):
            raise Unsupported  # numpy.kaiser's beta, the spacing of frequencies
        result = function(*unwrapped(list(args)), **unwrapped(options))
        if type(result) is tuple:
            return tuple([arrays.from_numpy(r) for r in result])
        if result.dtype not in LAZY_DTYPES:
            raise Unsupported
        return arrays.from_numpy(result)

    implements(function)(lazy)


for _function in (
    np.bartlett, np.blackman, np.hamming, np.hanning, np.tri, np.tril_indices, np.triu_indices, np.diag_indices,
    np.fft.fftfreq, np.fft.rfftfreq,
):  # fmt: skip
    _created(_function)


def _by_shape(function: Any) -> None:
    """Positions that depend on an array's shape only."""

    def lazy(arr: Any, *args: Any, **options: Any) -> Any:
        shape = np.shape(arr) if not isinstance(arr, ndarray) else arr.shape
        return tuple([arrays.from_numpy(i) for i in function(np.broadcast_to(np.zeros(()), shape), *args, **options)])

    implements(function)(lazy)


for _function in (np.tril_indices_from, np.triu_indices_from, np.diag_indices_from):
    _by_shape(_function)
