"""Choosing elements: where, take, sort, search, clip, and functions that write through indices."""

import functools
from collections.abc import Iterator
from itertools import islice
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_index

from lazynp import array as arrays
from lazynp import indexing, operands, ordering, views
from lazynp.api.dispatch import HANDLERS, Unsupported, any_given, implements, into, unwrapped
from lazynp.api.shaping import concatenate, lifted, ravel
from lazynp.api.ufuncs import OBJECTS, axes_of, fits
from lazynp.array import as_array, ndarray, wrap
from lazynp.ir.node import Node
from lazynp.ir.op import Kind
from lazynp.operands import node_of, operand
from lazynp.ops import elementwise as ew
from lazynp.ops import library
from lazynp.ops.contraction import matmul
from lazynp.ops.indexing import gather, iota
from lazynp.ops.movement import broadcast, broadcast_shape, reshape, window
from lazynp.ordering import wrap_like
from lazynp.runtime.flags import PARTIAL, may_warn
from lazynp.runtime.storage import tracing


@implements(np.where)
def where(condition: Any, x: Any = None, y: Any = None, /) -> Any:
    if x is None or y is None:
        raise Unsupported
    return as_array(wrap_like(ew.where(node_of(condition), _side(operand(x)), _side(operand(y))), condition, x, y))


def _side(x: Any) -> Any:
    """A side of numpy.where, of which a program that computes only what is taken would not warn as NumPy does."""
    if not isinstance(x, Node) or x.ndim == 0 or not may_warn():
        return x
    return ew.kept(x) if any(map(_has_a_limited_domain, islice(_computed(x), _LOOKED_AT))) else x


_LOOKED_AT = 8
"""Operations of a side that are looked at."""


def _has_a_limited_domain(node: Node) -> bool:
    """Whether an operation is invalid for some operands: a quotient by a constant and a square are not."""
    if node.op.name not in PARTIAL or node.dtype.kind == "c":
        return False
    by = ew.constant_value(node.args[1]) if len(node.args) == 2 else None
    return by is None or by == 0 or (node.op is ew.power and not (by > 0 and float(by).is_integer()))


def _computed(x: Node) -> Iterator[Node]:
    """The elementwise operations that make a value, the last ones first."""
    waiting = [x]
    while waiting:
        node = waiting.pop(0)
        if node.args and node.op.kind is Kind.ELEMENTWISE:
            yield node
            waiting.extend(node.args)


@implements(np.clip)
def clip(
    a: Any,
    a_min: Any = np._NoValue,
    a_max: Any = np._NoValue,
    out: Any = None,
    *,
    min: Any = np._NoValue,
    max: Any = np._NoValue,
    **options: Any,
) -> Any:
    low = min if a_min is np._NoValue else a_min
    high = max if a_max is np._NoValue else a_max
    twice = any_given(a_min, a_max) and any_given(min, max)
    if options or twice or (a_min is np._NoValue) != (a_max is np._NoValue):  # NumPy's errors
        raise Unsupported
    result = lifted(a)
    if result.dtype == bool and low in (None, np._NoValue) and high in (None, np._NoValue):
        raise Unsupported  # NumPy's error
    if low is not None and low is not np._NoValue:
        result = OBJECTS[np.maximum](result, low)
    if high is not None and high is not np._NoValue:
        result = OBJECTS[np.minimum](result, high)
    return into(result if result is not a else ordering.copy_of(result), out)


@implements(np.round, np.around)
def round(a: Any, decimals: int = 0, out: Any = None) -> Any:
    x = lifted(a)
    if x.dtype.kind == "c" or (decimals != 0 and x.dtype.kind != "f"):
        raise Unsupported
    if x.dtype.kind in "bui":
        return into(ordering.copy_of(x) if x.dtype.kind != "b" else wrap(ew.cast(node_of(x), to=np.dtype(np.float16))), out)
    rint = OBJECTS[np.rint]
    scale = float(10 ** abs(decimals))
    if decimals == 0:
        return into(rint(x), out)
    result = rint(x * scale) / scale if decimals > 0 else rint(x / scale) * scale
    return into(ordering.wrap_ordered(node_of(result), ordering.order_of(x, "A")) if x.ndim else result, out)


@implements(np.select)
def select(condlist: Any, choicelist: Any, default: Any = 0) -> Any:
    if len(condlist) != len(choicelist):
        raise ValueError("list of cases must be same length as list of conditions")
    if not len(condlist):
        raise ValueError("select with an empty condition list is not possible")
    if any(np.asarray(c).dtype.kind != "b" if not isinstance(c, ndarray) else c.dtype.kind != "b" for c in condlist):
        raise Unsupported
    dtype = np.result_type(
        *[c.dtype if isinstance(c, ndarray) else c for c in map(_array_or_scalar, choicelist)], _array_or_scalar(default)
    )
    if not all(np.can_cast(np.asarray(c).dtype, dtype, "same_kind") for c in (*choicelist, default) if type(c) in (int, float, complex)):
        raise Unsupported  # NumPy's error
    result: Any = ew.as_node(operand(default), dtype)
    for condition, choice in zip(reversed(condlist), reversed(choicelist), strict=True):
        result = ew.where(node_of(condition), ew.as_node(operand(choice), dtype), result)
    return as_array(wrap(result))


def _array_or_scalar(x: Any) -> Any:
    return x if isinstance(x, (ndarray, int, float, complex)) else np.asarray(x)


@implements(np.take)
def take(a: Any, indices: Any, axis: Any = None, out: Any = None, mode: str = "raise") -> Any:
    if mode not in ("raise", "wrap", "clip"):
        raise Unsupported
    x = lifted(a)
    x = views.reshaped(x, (1,)) if x.ndim == 0 else x
    if axis is None:
        x, axis = ravel(x), 0
    axis = normalize_axis_index(axis, x.ndim)
    index = indices if isinstance(indices, ndarray) else np.asarray(indices)
    if index.dtype.kind not in "iu" or (mode != "raise" and not x.shape[axis]):
        raise Unsupported
    if mode != "raise":
        index = index % x.shape[axis] if mode == "wrap" else index.clip(0, x.shape[axis] - 1)
    if index.ndim == 0:
        part = x[(slice(None),) * axis + (index if arrays.is_pending(index) else int(index),)]
        return into(ordering.copy_of(part, "C") if part.ndim else part, out)
    return into(wrap(node_of(x[(slice(None),) * axis + (index,)])), out)


@implements(np.take_along_axis)
def take_along_axis(arr: Any, indices: Any, axis: Any = -1) -> Any:
    if axis is None:
        arr, axis = ravel(arr), 0
    x, index = node_of(arr), node_of(indices)
    axis = normalize_axis_index(axis, x.ndim)
    return wrap(gather(x, *_along(x.shape, index, axis), axes=tuple(range(x.ndim)), position=0))


def _along(sizes: tuple[int, ...], index: Any, axis: int) -> list[Any]:
    """Index arrays for all axes of an array: the given one along `axis`, positions along the others. Raises Unsupported."""
    if index.dtype.kind not in "iu" or len(sizes) != index.ndim:
        raise Unsupported
    lines = [reshape(iota(n), tuple([n if j == k else 1 for j in range(len(sizes))])) for k, n in enumerate(sizes)]
    lines[axis] = ew.as_node(index, np.dtype(np.int64))
    try:
        shape = np.broadcast_shapes(*[line.shape for line in lines])
    except ValueError:
        raise Unsupported from None
    return [broadcast(line, shape) for line in lines]


@implements(np.put_along_axis)
def put_along_axis(arr: Any, indices: Any, values: Any, axis: Any) -> None:
    if axis is None or type(arr) is not ndarray or not arr._writeable:
        raise Unsupported
    axis = normalize_axis_index(axis, arr.ndim)
    indexing.write_scattered(arr, tuple([wrap(n) for n in _along(arr.shape, node_of(indices), axis)]), values)


@implements(np.sort)
def sort(a: Any, axis: Any = -1, kind: Any = None, order: Any = None, *, stable: Any = None) -> Any:
    if order is not None or (kind is not None and stable is not None):
        raise Unsupported
    x = lifted(a)
    if axis is None:
        x, axis = ravel(x), 0
    axis = normalize_axis_index(axis, x.ndim)
    _check_kind(kind)
    return ordering.wrap_ordered(library.sort(node_of(x), axis, "stable" if stable else kind), ordering.order_of(x))


def _check_kind(kind: Any) -> None:
    """Raises NumPy's error for a sorting algorithm that there is not."""
    if kind is not None:
        np.sort(np.empty(0), kind=kind)


@implements(np.argsort)
def argsort(a: Any, axis: Any = -1, kind: Any = None, order: Any = None, *, stable: Any = None) -> Any:
    if order is not None or (kind is not None and stable is not None):
        raise Unsupported
    x = lifted(a)
    if axis is None or x.ndim == 0:
        axes_of(axis, x.ndim)
        x, axis = ravel(x), 0
    axis = normalize_axis_index(axis, x.ndim)
    _check_kind(kind)
    return wrap(library.argsort(node_of(x), axis, "stable" if stable else kind))


@implements(np.searchsorted)
def searchsorted(a: Any, v: Any, side: str = "left", sorter: Any = None) -> Any:
    if sorter is not None:
        raise Unsupported
    x, y = node_of(a), node_of(v)
    if x.ndim != 1:
        raise ValueError("object too deep for desired array" if x.ndim > 1 else "object of too small depth for desired array")
    return wrap(library.searchsorted(x, y, side=side))


@implements(np.copyto)
def copyto(dst: Any, src: Any, casting: str = "same_kind", where: Any = True) -> None:
    if type(dst) is not ndarray or not dst._writeable or (where is not True and node_of(where).dtype != bool):
        raise Unsupported
    src = np.asarray(src) if isinstance(src, (np.generic, complex)) else src  # is cast, NaN too
    source = operands.operand(src)
    probe = np.empty(() if not source.ndim else 0, source.dtype) if isinstance(source, Node) else source
    np.copyto(np.empty(0, dst.dtype), probe, casting)  # NumPy's TypeError
    if where is True:
        dst[...] = src
    else:
        if not fits(np.shape(where), dst.shape) or (isinstance(source, Node) and not fits(source.shape, dst.shape)):
            raise Unsupported  # NumPy's error
        mask = broadcast(node_of(where), dst.shape)
        if isinstance(source, Node) and source.ndim and source.dtype != dst.dtype:  # no warning of what the mask leaves out
            source = ew.where(mask, source, ew.as_node(0, source.dtype))
        dst[...] = wrap(ew.where(mask, ew.as_node(source, dst.dtype), node_of(dst)))


@implements(np.putmask)
def putmask(a: Any, /, mask: Any, values: Any) -> None:
    if type(a) is not ndarray or not a._writeable or lifted(mask).shape != a.shape or not a.size:
        raise Unsupported
    given = lifted(values) if isinstance(values, ndarray) else np.asarray(values)
    if isinstance(values, ndarray) and not np.can_cast(values.dtype, a.dtype):
        raise Unsupported
    if given.ndim and given.shape != a.shape:
        if not given.size:
            raise Unsupported
        values = lifted(ravel(given))[np.arange(a.size).reshape(a.shape) % given.size]
    a[...] = wrap(ew.where(node_of(mask), ew.as_node(operand(values), a.dtype), node_of(a)))


@implements(np.real)
def real(val: Any) -> Any:
    return val.real if type(val) in _NUMBERS else lifted(val).real


@implements(np.imag)
def imag(val: Any) -> Any:
    return val.imag if type(val) in _NUMBERS else lifted(val).imag


_NUMBERS = frozenset({int, float, complex, bool})


@implements(np.angle)
def angle(z: Any, deg: bool = False) -> Any:
    node = node_of(z)
    result = ew.arctan2(ew.imag(node), ew.real(node)) if node.dtype.kind == "c" else ew.arctan2(0, node)
    return wrap_like(result * (180.0 / np.pi) if deg else result, z)


@implements(np.iscomplex)
def iscomplex(x: Any) -> Any:
    node = node_of(x)
    if node.dtype.kind != "c":
        return wrap(ew.filled(node.shape, False, np.dtype(bool)))
    return wrap_like(ew.not_equal(ew.imag(node), 0), x)


@implements(np.isreal)
def isreal(x: Any) -> Any:
    node = node_of(x)
    return wrap_like(ew.equal(ew.imag(node), 0) if node.dtype.kind == "c" else ew.filled(node.shape, True, np.dtype(bool)), x)


def _infinity(function: Any, value: float) -> Any:
    def lazy(x: Any, out: Any = None) -> Any:
        node = node_of(x)
        if node.dtype.kind not in "fiub" or out is not None:
            raise Unsupported
        return wrap_like(ew.equal(node, value) if node.dtype.kind == "f" else ew.filled(node.shape, False, np.dtype(bool)), x)

    return implements(function)(lazy)


isposinf = _infinity(np.isposinf, np.inf)
isneginf = _infinity(np.isneginf, -np.inf)


@implements(np.polyval)
def polyval(p: Any, x: Any) -> Any:
    """Horner's rule, highest power first; outside of a trace long polynomials go through NumPy."""
    if isinstance(p, np.poly1d) or isinstance(x, np.poly1d):
        raise Unsupported
    factors = p if type(p) is ndarray else HANDLERS[np.asarray](p)
    at = lifted(x)
    if factors.ndim != 1 or (factors.shape[0] > 64 and not tracing()):
        raise Unsupported
    zeros = wrap(ew.filled(at.shape, 0, at.dtype))
    return functools.reduce(lambda y, factor: y * at + factor, [factors[k] for k in range(factors.shape[0])], zeros)


@implements(np.nan_to_num)
def nan_to_num(x: Any, copy: bool = True, nan: float = 0.0, posinf: Any = None, neginf: Any = None) -> Any:
    node = node_of(x)
    if node.dtype.kind == "c" or not copy:
        raise Unsupported
    if node.dtype.kind != "f":
        return wrap_like(node, x)
    info = np.finfo(node.dtype)
    high, low = info.max if posinf is None else posinf, info.min if neginf is None else neginf
    fixed = ew.where(ew.isnan(node), ew.as_node(nan, node.dtype), node)
    fixed = ew.where(ew.equal(node, ew.as_node(np.inf, node.dtype)), ew.as_node(high, node.dtype), fixed)
    return wrap_like(ew.where(ew.equal(node, ew.as_node(-np.inf, node.dtype)), ew.as_node(low, node.dtype), fixed), x)


@implements(np.sinc)
def sinc(x: Any) -> Any:
    node = node_of(x) * 1.0
    at_zero = ew.equal(node, 0)
    y = ew.where(at_zero, 1.0, node * np.pi)
    return wrap_like(ew.where(at_zero, 1.0, ew.sin(y) / y), x)


@implements(np.isclose)
def isclose(a: Any, b: Any, rtol: Any = 1.0e-5, atol: Any = 1.0e-8, equal_nan: bool = False) -> Any:
    if not tracing() and not np.all([np.isfinite(unwrapped(tolerance)).all() for tolerance in (rtol, atol)]):
        raise Unsupported  # NumPy warns
    x, y = a if isinstance(a, (int, float, complex)) else wrap(node_of(a)), b
    if not isinstance(b, (float, complex)):
        node = node_of(b)
        y = float(b) if isinstance(b, int) else wrap(ew.as_node(node, np.result_type(node.dtype, 1.0)))
    finite = OBJECTS[np.isfinite](y)
    close = operands.silent((abs(x - y) <= atol + rtol * abs(y)) & finite | (x == y))
    return close | (OBJECTS[np.isnan](x) & OBJECTS[np.isnan](y)) if equal_nan else close


@implements(np.allclose)
def allclose(a: Any, b: Any, rtol: Any = 1.0e-5, atol: Any = 1.0e-8, equal_nan: bool = False) -> bool:
    return bool(OBJECTS[np.logical_and].reduce(isclose(lifted(a), lifted(b), rtol, atol, equal_nan), axis=None))


@implements(np.array_equal)
def array_equal(a1: Any, a2: Any, equal_nan: bool = False) -> bool:
    if equal_nan:
        raise Unsupported
    x, y = lifted(a1), lifted(a2)
    return x.shape == y.shape and bool(OBJECTS[np.logical_and].reduce(x == y, axis=None))


@implements(np.array_equiv)
def array_equiv(a1: Any, a2: Any) -> bool:
    x, y = lifted(a1), lifted(a2)
    try:
        broadcast_shape(x.shape, y.shape)
    except ValueError:
        return False
    return bool(OBJECTS[np.logical_and].reduce(x == y, axis=None))


@implements(np.convolve)
def convolve(a: Any, v: Any, mode: str = "full") -> Any:
    """Full, same or valid, as a sum of shifted copies; long kernels as a product of windows, outside of a trace through NumPy."""
    x, y = [views.reshaped(x, (1,)) if x.ndim == 0 else x for x in (lifted(a), lifted(v))]
    x, y = (y, x) if y.size > x.size else (x, y)
    if x.ndim != 1 or y.ndim != 1 or (y.size > 64 and not tracing()) or y.size == 0 or mode not in ("full", "same", "valid"):
        raise Unsupported
    n, m = x.size, y.size
    if m > 64:
        inside = wrap(matmul(window(node_of(x), axis=0, size=m), node_of(y[::-1])))
    else:
        inside = functools.reduce(lambda s, t: s + t, [x[m - 1 - k : n - k] * y[k : k + 1] for k in range(m)])
        inside = inside + 0 if inside.dtype.kind in "fc" else inside  # NumPy's products are added to 0: none is -0.0
    if mode == "valid" or m == 1:
        return operands.silent(inside)
    full = concatenate([_edge(x[: m - 1], y), inside, _edge(x[::-1][: m - 1], y[::-1])[::-1]], 0)
    return operands.silent(full[(m - 1) // 2 :][:n] if mode == "same" else full)


def _edge(x: Any, y: Any) -> Any:
    """The first results of a convolution, each with one product more. Zeros around x, times infinite weights, would be NaN."""
    m = y.size
    place = wrap(iota(m - 1))[:, None] + wrap(iota(m)) - (m - 1)
    products = x[wrap(ew.maximum(node_of(place), 0))] * y[::-1]
    return where(place >= 0, products, products.dtype.type(0)).sum(1, dtype=products.dtype)


def _periodic(x: Any, xp: Any, fp: Any, period: Any) -> Any:
    """NumPy's own reduction: all positions into one period, known ones in order, with one neighbour from each side."""
    if period == 0:
        raise ValueError("period must be a non-zero value")
    if xp.ndim != 1 or fp.ndim != 1 or xp.shape[0] != fp.shape[0]:
        raise Unsupported
    period = abs(period)
    x, xp = [wrap(operands.named(node_of(v % period), "remainder")) for v in (x, xp)]
    order = wrap(library.argsort(node_of(xp), 0))
    xp, fp = xp[order], fp[order]
    known = concatenate([xp[-1:] - period, xp, xp[0:1] + period], 0)
    return interp(x, known, concatenate([fp[-1:], fp, fp[0:1]], 0))


@implements(np.interp)
def interp(x: Any, xp: Any, fp: Any, left: Any = None, right: Any = None, period: Any = None) -> Any:
    """Piecewise linear between (xp, fp), constant outside. In double precision, whatever the arguments are, as NumPy's."""
    at, known, values = [ew.as_node(n, np.result_type(n.dtype, np.float64)) for n in map(node_of, (x, xp, fp))]
    if period is not None and at.dtype.kind == "c":
        raise Unsupported
    if period is not None:
        return _periodic(wrap(at), wrap(known), wrap(values), period)
    if known.ndim != 1 or known.shape != values.shape or known.shape[0] < 2 or "c" in (at.dtype.kind, known.dtype.kind):
        raise Unsupported
    if at.ndim == 0:
        return interp(wrap(reshape(at, (1,))), xp, fp, left, right)[0]
    n = known.shape[0]
    place = library.searchsorted(known, at, side="right") - 1
    place = ew.minimum(ew.maximum(place, 0), n - 2)
    low, high, f0, f1 = (gather(s, p, axes=(0,), position=0) for s in (known, values) for p in (place, place + 1))
    inside = _between(at, low, high, f0, f1)
    first, last = wrap(values)[0:1], wrap(values)[n - 1 : n]
    below = node_of(first) if left is None else ew.as_node(operand(left), values.dtype)
    above = node_of(last) if right is None else ew.as_node(operand(right), values.dtype)
    start, stop = node_of(wrap(known)[0:1]), node_of(wrap(known)[n - 1 : n])
    result = ew.where(ew.less(at, start), below, ew.where(ew.greater(at, stop), above, inside))
    return operands.silent(wrap(ew.where(ew.equal(at, stop), node_of(last), result)))  # also where known values repeat


def _between(at: Node, low: Node, high: Node, f0: Node, f1: Node) -> Node:
    """The line through (low, f0) and (high, f1); from the other end, or what is known there, where infinities make NaN of it (as NumPy's
    compiled_base.c). Complex values: part by part, with the reciprocal of the distance."""
    if f0.dtype.kind == "c":
        by = 1 / (high - low)
        real, imag = (_from_either_end(at, low, high, a, b, (b - a) * by) for a, b in ((part(f0), part(f1)) for part in (ew.real, ew.imag)))
        line = ew.make_complex(real, imag)
    else:
        line = _from_either_end(at, low, high, f0, f1, (f1 - f0) / (high - low))
    return ew.where(ew.equal(at, low), f0, line)


def _from_either_end(at: Node, low: Node, high: Node, f0: Node, f1: Node, slope: Node) -> Node:
    """One formula with the end that serves, not a choice of two: a derivative then goes through it once, shielded where it is not taken."""
    forward, known = slope * (at - low) + f0, ew.equal(at, at)
    turned = ew.logical_and(ew.not_equal(forward, forward), known)
    line = slope * (at - ew.where(turned, high, low)) + ew.where(turned, f1, f0)
    level = ew.logical_and(ew.logical_and(ew.not_equal(line, line), ew.equal(f0, f1)), known)
    return ew.where(level, f0, line)


@implements(np.polymul)
def polymul(a1: Any, a2: Any) -> Any:
    """In a trace the product without poly1d, which keeps plain arrays. Leading zeros are dropped: their number is the data's."""
    if not tracing() or isinstance(a1, np.poly1d) or isinstance(a2, np.poly1d) or not (np.size(a1) and np.size(a2)):
        raise Unsupported
    return convolve(_without_leading_zeros(a1), _without_leading_zeros(a2))


def _without_leading_zeros(a: Any) -> Any:
    x = lifted(a)
    x = x.reshape(1) if x.ndim == 0 else x
    while x.size > 1 and bool(x[0] == 0):
        x = x[1:]
    return x
