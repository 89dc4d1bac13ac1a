"""Quantiles and medians, with and without NaN: positions in the sorted values, as numpy.quantile defines them (Hyndman & Fan 1996)."""

import builtins
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_tuple

from lazynp import array as arrays
from lazynp import views
from lazynp.api.dispatch import Unsupported, implements, into, unwrapped
from lazynp.api.reductions import invalid_where_nan
from lazynp.api.shaping import lifted
from lazynp.array import wrap
from lazynp.ir.node import Node, constant
from lazynp.operands import node_of
from lazynp.ops import elementwise as ew
from lazynp.ops import reduction as red
from lazynp.ops.indexing import gather, take_along
from lazynp.ops.library import argsort, sort
from lazynp.ops.movement import broadcast
from lazynp.ops.movement import reshape as reshape_node
from lazynp.ops.opaque import call
from lazynp.runtime.storage import tracing

_INDEX = np.dtype(np.intp)
_NONE: Any = np._NoValue


def _in_one_line(x: Any, axis: Any) -> tuple[Any, tuple[int, ...]]:
    """(x with the chosen axes as its first one, these axes)."""
    axes = tuple(range(x.ndim)) if axis is None else normalize_axis_tuple(axis, x.ndim)
    kept = [k for k in range(x.ndim) if k not in axes]
    turned = x.transpose((*axes, *kept))
    return views.reshaped(turned, (int(np.prod([x.shape[k] for k in axes])), *[x.shape[k] for k in kept])), axes


def _present(ordered: Node) -> Node:
    """(n, ...) -> (1, ...): how many values of each line are not NaN."""
    return red.keep_axes(ordered, red.reduce_add(ew.cast(ew.logical_not(ew.isnan(ordered)), to=_INDEX), (0,)), (0,))


# --- medians ----------------------------------------------------------------------------------------------------------------


@implements(np.median)
def median(a: Any, axis: Any = None, out: Any = None, overwrite_input: bool = False, keepdims: bool = False) -> Any:
    """The middle of the sorted values; NaN where there is one."""
    x, keepdims = lifted(a), keepdims is not _NONE and keepdims
    if x.dtype.kind not in "fiu" or x.dtype == np.float16 or x.size == 0:
        raise Unsupported
    line, axes = _in_one_line(x, axis)
    n = line.shape[0]
    ordered = wrap(sort(node_of(line), 0))
    middle = (ordered[(n - 1) // 2] + ordered[n // 2]) / 2.0 if n % 2 == 0 else ordered[n // 2] * 1.0
    if x.dtype.kind == "f":
        last = ordered[n - 1]
        middle = wrap(ew.where(ew.isnan(node_of(last)), node_of(last), ew.cast(node_of(middle), to=x.dtype)))
    return into(views.with_axes(middle, axes) if keepdims else middle, out)


@implements(np.nanmedian)
def nanmedian(a: Any, axis: Any = None, out: Any = None, overwrite_input: bool = False, keepdims: Any = _NONE) -> Any:
    """In a trace a formula, which has a derivative; else NumPy's routine as a step."""
    x, keep = lifted(a), keepdims is not _NONE and bool(keepdims)
    if tracing() and x.dtype.kind in "fc" and x.size:
        return into(_middle_without_nan(x, axis, keep), out)
    if not x.size:
        raise Unsupported
    return into(_step(np.nanmedian, [node_of(x)], x.shape, (), axis, keep), out)


def _middle_without_nan(x: Any, axis: Any, keepdims: bool) -> Any:
    """The median of the values that are not NaN, which sort last; NaN, with NumPy's warning, where there are none. x: real, not empty."""
    line, axes = _in_one_line(x, axis)
    ordered = sort(node_of(line), 0)
    count = _present(ordered)
    half = count // 2
    high = take_along(ordered, ew.minimum(half, ordered.shape[0] - 1), 0)
    low = take_along(ordered, ew.maximum(half - 1, 0), 0)
    middle = ew.where(ew.equal(count % 2, 0), (low + high) / 2.0, high)
    result = invalid_where_nan(wrap(reshape_node(ew.cast(middle, to=x.dtype), line.shape[1:])))
    return views.with_axes(result, axes) if keepdims else result


def _step(function: Any, args: list[Node], shape: Any, levels: tuple[int, ...], axis: Any, keepdims: bool, **options: Any) -> Any:
    """NumPy's routine as a step of the program. args: the values, and what else it reads."""
    gone = tuple(range(len(shape))) if axis is None else normalize_axis_tuple(axis, len(shape))
    left = tuple([n for k, n in enumerate(shape) if k not in gone])
    probes = [np.ones(1, args[0].dtype), *[np.zeros((1,) * builtins.min(n.ndim, 1), n.dtype) for n in args[1:]]]
    dtype = np.asarray(function(*probes, **options)).dtype
    axis = None if axis is None else gone if isinstance(axis, (tuple, list)) else gone[0]
    result = wrap(call(function, args, [((*levels, *left), dtype)], {"axis": axis, **options})[0])
    return views.with_axes(result, tuple([len(levels) + k for k in gone])) if keepdims else result


# --- quantiles ----------------------------------------------------------------------------------------------------------------

_CONTINUOUS = {
    "interpolated_inverted_cdf": (0.0, 1.0), "hazen": (0.5, 0.5), "weibull": (0.0, 0.0),
    "median_unbiased": (1 / 3.0, 1 / 3.0), "normal_unbiased": (3 / 8.0, 3 / 8.0),
}  # fmt: skip
"""(alpha, beta) of numpy.quantile's docstring."""
_BETWEEN = {"linear": lambda v: v, "lower": ew.floor, "higher": ew.ceil, "nearest": ew.rint, "midpoint": lambda v: v}
"""What becomes of the position (n - 1) q."""
_STEPS = {"inverted_cdf": 1.0, "closest_observation": 1.5}
_DISCRETE = ("lower", "higher", "nearest", *_STEPS)
"""Methods whose results are values of the array."""


def _position(method: str, n: Any, q: Node) -> Node:
    """The place of quantile q among n sorted values, which may lie between two of them or outside. n: a number, or a node like q."""
    if method in _BETWEEN:
        return _BETWEEN[method]((n - 1) * q)  # type: ignore[operator]
    if method in _CONTINUOUS:
        alpha, beta = _CONTINUOUS[method]
        return n * q + (alpha + q * (1 - alpha - beta)) - 1
    if method == "averaged_inverted_cdf":
        return n * q - 1
    place = n * q - _STEPS[method]  # the first sum of shares that reaches q; of an exact hit, the even one where it is "closest"
    low = ew.floor(place)
    hit = ew.equal(place, low)
    if method == "closest_observation":
        hit = ew.logical_and(hit, ew.equal(ew.remainder(low, 2.0), 1))
    return ew.where(hit, low, low + 1.0)


def _share(method: str, place: Node, low: Node) -> Node:
    """How much of the higher of two neighbours: between 0 and 1."""
    share = place - low
    if method == "averaged_inverted_cdf":
        return ew.where(ew.equal(share, 0), ew.as_node(0.5, share.dtype), ew.as_node(1.0, share.dtype))
    if method == "midpoint":
        return ew.where(ew.equal(share, 0), ew.as_node(0.0, share.dtype), ew.as_node(0.5, share.dtype))
    return share


def _quantiles(ordered: Node, count: Any, q: Node, method: str) -> Node:
    """ordered: (n, ...) along the first axis; count: n, or (1, ...) how many of them count; q: (k, 1, ...) -> (k, ...)."""
    shape = (q.shape[0], *ordered.shape[1:])
    if isinstance(count, Node):
        q, count = broadcast(q, shape), ew.cast(broadcast(count, shape), to=q.dtype)
    place = _position(method, count, q)
    floor = ew.floor(place)
    low, high = [_index(floor + more, count) for more in (0.0, 1.0)]
    below = _taken(ordered, low, shape)
    if method in _DISCRETE:
        return below
    above = _taken(ordered, high, shape)
    share, gap = broadcast(_share(method, place, floor), shape), above - below
    return ew.where(ew.less(share, 0.5), below + gap * share, above - gap * (1 - share))


def _index(place: Node, count: Any) -> Node:
    return ew.cast(ew.maximum(ew.minimum(ew.stop_gradient(place), count - 1), 0.0), to=_INDEX)


def _taken(ordered: Node, index: Node, shape: Any) -> Node:
    """index: (k, 1, ...), the same for all lines, or (k, ...)."""
    if index.shape == tuple(shape) and len(shape) > 1:
        return take_along(ordered, index, 0)
    return gather(ordered, reshape_node(index, index.shape[:1]), axes=(0,), position=0)


def _weighted(line: Node, weights: Node, q: Node, ignore: bool) -> Node:
    """numpy.quantile with weights: the first value at which the sum of the shares reaches q. Weights of zero are passed over."""
    order = argsort(line, 0, "stable")
    ordered = take_along(line, order, 0)
    share = take_along(ew.cast(weights, to=np.dtype(float)), order, 0)
    if ignore:
        share = ew.where(ew.isnan(ordered), 0, share)
    total = red.accumulate_add(share, 0)
    sums = total / broadcast(red.keep_axes(share, red.reduce_add(share, (0,)), (0,)), total.shape)
    sums = ew.where(ew.equal(sums, 0), -1, sums)
    shape = (q.shape[0], *sums.shape)
    wide = broadcast(reshape_node(q, (q.shape[0], 1, *q.shape[1:])), shape)
    below = ew.less(broadcast(reshape_node(ew.cast(sums, to=q.dtype), (1, *sums.shape)), shape), wide)
    place = red.reduce_add(ew.cast(below, to=_INDEX), (1,))
    last = ew.maximum(_present(ordered) - 1, 0) if ignore else constant(np.full((1,) * ordered.ndim, ordered.shape[0] - 1, _INDEX))
    return take_along(ordered, ew.minimum(place, broadcast(last, place.shape)), 0)


def _broad_weights(weights: Any, x: Any, axis: Any) -> Any:
    """As the values: of their shape, or one line along one axis. Raises Unsupported for what NumPy refuses."""
    w = lifted(weights)
    if w.shape != x.shape:
        if w.ndim != 1 or not isinstance(axis, (int, np.integer)) or w.shape[0] != x.shape[axis]:
            raise Unsupported
        shape = [1] * x.ndim
        shape[axis] = w.shape[0]
        w = wrap(broadcast(node_of(views.reshaped(w, tuple(shape))), x.shape))
    if w.dtype.kind not in "fiub" or (not arrays.is_pending(weights) and not _sums_to_something(np.asarray(unwrapped(weights)), axis)):
        raise Unsupported
    return w


def _sums_to_something(weights: np.ndarray, axis: Any) -> bool:
    """Whether numpy.quantile takes these weights."""
    total = weights.sum(None if weights.ndim == 1 else axis if axis is None or isinstance(axis, int) else tuple(axis))
    return bool(np.all(weights >= 0) and np.all(np.isfinite(total) & (total != 0)))


def _formula(x: Any, q: Any, axis: Any, method: str, keepdims: bool, weights: Any, ignore: bool) -> Any:
    """ignore: NaN is left out; else a line with one has NaN for its quantiles."""
    weak = type(q) in (int, float)
    levels = node_of(q)
    if levels.dtype.kind != "f":  # numpy.quantile(a, [0, 1]) takes elements of a, as it does by position
        method = "lower" if method == "linear" else method
        levels = ew.cast(levels, to=np.dtype(float))
    line, axes = _in_one_line(x, axis)
    rest = line.ndim - 1
    column = reshape_node(levels, (int(np.prod(levels.shape)), *(1,) * rest))
    if weights is not None:
        w = _in_one_line(_broad_weights(weights, x, axis), axis)[0]
        found = _weighted(node_of(line), node_of(w), column, ignore)
        last = red.reduce_maximum(node_of(line), (0,))
    else:
        ordered = sort(node_of(line), 0)
        found = _quantiles(ordered, ew.maximum(_present(ordered), 1) if ignore else line.shape[0], column, method)
        last = node_of(wrap(ordered)[line.shape[0] - 1])
    if x.dtype.kind == "f" and not ignore:
        missing = broadcast(ew.isnan(last), found.shape)
        found = ew.where(missing, np.nan, found)
    inside = ew.logical_and(ew.greater_equal(column, 0), ew.less_equal(column, 1))
    found = ew.where(broadcast(inside, found.shape), found, np.nan) if found.dtype.kind == "f" else found
    found = ew.cast(found, to=x.dtype) if weak and x.dtype.kind == "f" else found
    result = wrap(reshape_node(found, (*levels.shape, *[n for k, n in enumerate(x.shape) if k not in axes])))
    result = invalid_where_nan(result) if ignore else result
    return views.with_axes(result, tuple([levels.ndim + k for k in axes])) if keepdims else result


def _known(q: Any, percent: float) -> Any:
    """q as NumPy divides it. Raises Unsupported, so that NumPy says what is wrong, for levels that are known to be outside."""
    if type(q) not in (int, float) and not isinstance(q, arrays.ndarray):
        q = np.asarray(q)
    if np.ndim(q) > 2 or (not arrays.is_pending(q) and not np.all((arrays.to_numpy(q) >= 0) & (arrays.to_numpy(q) <= percent))):
        raise Unsupported
    return q if percent == 1 else q / percent


_METHODS = {"averaged_inverted_cdf", *_CONTINUOUS, *_BETWEEN, *_STEPS}


def _quantile(function: Any, percent: float, ignore: bool) -> Any:
    """Outside of a trace: linear interpolation as a formula, what leaves NaN out as a step, the rest through NumPy."""

    def lazy(
        a: Any,
        q: Any,
        axis: Any = None,
        out: Any = None,
        overwrite_input: bool = False,
        method: str = "linear",
        keepdims: Any = _NONE,
        *,
        weights: Any = None,
    ) -> Any:
        x, keep = lifted(a), keepdims is not _NONE and bool(keepdims)
        if ignore and not tracing():
            if weights is not None:
                raise Unsupported
            level = constant(np.asarray(q, x.dtype)) if type(q) in (int, float) and x.dtype.kind == "f" else node_of(q)
            return into(_step(function, [node_of(x), level], x.shape, level.shape, axis, keep, method=method), out)
        if x.dtype not in (np.float64, np.float32) and x.dtype.kind not in "iu":
            raise Unsupported
        if 0 in (x.size, np.size(q)) or method not in _METHODS or (weights is not None and method != "inverted_cdf"):
            raise Unsupported
        plain = method == "linear" and weights is None and x.dtype != np.float32 and not arrays.is_pending(q)
        if not tracing() and not plain:
            raise Unsupported
        return into(_formula(x, _known(q, percent), axis, method, keep, weights, ignore and x.dtype.kind == "f"), out)

    return implements(function)(lazy)


quantile = _quantile(np.quantile, 1.0, False)
percentile = _quantile(np.percentile, 100.0, False)
nanquantile: Callable[..., Any] = _quantile(np.nanquantile, 1.0, True)
nanpercentile: Callable[..., Any] = _quantile(np.nanpercentile, 100.0, True)
