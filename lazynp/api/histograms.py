"""Histograms. In a program, bins of one width are counted by loops of its own; the rest are NumPy's routines."""

import builtins
from collections.abc import Sequence
from typing import Any

import numpy as np

from lazynp import array as arrays
from lazynp import views
from lazynp.api.creation import linspace
from lazynp.api.dispatch import Unsupported, implements, unwrapped
from lazynp.api.routines import _one, _static
from lazynp.api.selecting import take, where
from lazynp.api.shaping import lifted, ravel
from lazynp.api.ufuncs import OBJECTS
from lazynp.array import from_numpy, ndarray, wrap
from lazynp.ir.node import Node
from lazynp.operands import node_of
from lazynp.ops import elementwise as ew
from lazynp.ops.indexing import scatter
from lazynp.ops.opaque import call
from lazynp.ops.sizes import hooks
from lazynp.runtime.storage import TraceQueue, queue, tracing

_INDEX = np.dtype(np.intp)


def _histogram_options(bins: Any, range: Any, density: Any) -> dict[str, Any]:
    """The options of a histogram whose edges are counted beforehand. Raises Unsupported for bins that depend on the data."""
    if isinstance(bins, str) or (isinstance(bins, (list, tuple)) and any(isinstance(b, str) for b in bins)):
        raise Unsupported
    return {"bins": _static(bins), "range": _ends(range), "density": density}


def _ends(range: Any) -> Any:
    """The range of a histogram as a hashable value. NumPy's numbers stay what they are: the edges have a dtype that holds them."""
    if arrays.is_pending(range):
        raise Unsupported
    ends = unwrapped(range) if isinstance(range, arrays.ndarray) else range
    return None if ends is None else tuple([end if isinstance(end, np.generic) else _static(end) for end in ends])


def _bins_of(*samples: Any, **options: Any) -> np.ndarray:
    """For each sample the number of its bin in the flattened histogram; their count for samples outside."""
    points = np.stack([np.asarray(s, float).reshape(-1) for s in samples], 1)
    _, edges = np.histogramdd(points, **options)
    sizes = tuple([len(e) - 1 for e in edges])
    places = [np.where(s == e[-1], len(e) - 2, np.searchsorted(e, s, "right") - 1) for s, e in zip(points.T, edges, strict=True)]
    inside = np.all([(p >= 0) & (p < n) for p, n in zip(places, sizes, strict=True)], axis=0)
    total = int(np.prod(sizes))
    numbers = np.ravel_multi_index([np.where(inside, p, 0) for p in places], sizes)
    return np.where(inside, numbers, total)


def _by_weight(samples: list[Node], weights: Any, edges: list[Any], options: dict[str, Any]) -> Any:
    """A histogram as a sum of weights over bins: differentiable by them."""
    sizes = tuple([e.shape[0] - 1 for e in edges])
    total = int(np.prod(sizes))
    w = node_of(weights)
    w = node_of(ravel(wrap(w)))
    numbers = call(_bins_of, samples, [(w.shape, _INDEX)], {k: v for k, v in options.items() if k in ("bins", "range")})[0]
    counts = scatter(ew.filled((total + 1,), 0, w.dtype), w, numbers, axes=(0,), position=0, combine=ew.add)
    counts_ = views.reshaped(wrap(counts)[:total], sizes)
    if not options.get("density"):
        return counts_
    for axis, e in enumerate(edges):
        width = e[1:] - e[:-1]
        counts_ = counts_ / views.reshaped(width, tuple([width.shape[0] if k == axis else 1 for k in builtins.range(len(sizes))]))
    return counts_ / (OBJECTS[np.add].reduce(ravel(wrap(counts)[:total])))


@implements(np.bincount)
def bincount(x: Any, /, weights: Any = None, minlength: int = 0) -> Any:
    if arrays.is_pending(minlength):
        raise Unsupported
    if arrays.is_pending(x):
        return _counted_up_to(int(minlength), x, weights)
    if not _differentiable_weights(weights):
        raise Unsupported
    numbers, w = np.asarray(unwrapped(x)), node_of(weights)
    if numbers.ndim != 1 or w.shape != numbers.shape or w.dtype.kind != "f" or numbers.size == 0 or numbers.min() < 0:
        raise Unsupported
    w = ew.as_node(w, np.dtype(float))
    count = builtins.max(int(numbers.max()) + 1, int(minlength))
    zeros = ew.filled((count,), 0, w.dtype)
    return wrap(scatter(zeros, w, node_of(numbers.astype(_INDEX)), axes=(0,), position=0, combine=ew.add))


def _counted_up_to(count: int, x: Any, weights: Any) -> Any:
    """bincount of numbers that are not known yet: as long as `minlength`. Where a larger one comes, or a negative one, the program's
    results do not count: NumPy's longer result, or its error, comes instead. Raises Unsupported outside of jit, and without a length."""
    numbers, w = lifted(x), None if weights is None else lifted(weights)
    if not tracing() or not isinstance(queue(), TraceQueue) or count < 1 or numbers.ndim != 1 or not numbers.size:
        raise Unsupported
    if not np.can_cast(numbers.dtype, _INDEX, "safe") or (
        w is not None and (w.shape != numbers.shape or not np.can_cast(w.dtype, float, "safe"))
    ):
        raise Unsupported
    place = numbers.astype(_INDEX)
    outside = (place < 0) | (place >= count)
    if not hooks.doubt(node_of(OBJECTS[np.logical_or].reduce(outside))):
        raise Unsupported
    amounts = ew.filled(node_of(place).shape, 1, _INDEX) if w is None else ew.as_node(node_of(w), np.dtype(float))
    zeros = ew.filled((count,), 0, amounts.dtype)
    return wrap(scatter(zeros, amounts, node_of(where(outside, 0, place)), axes=(0,), position=0, combine=ew.add))


def _differentiable_weights(weights: Any) -> bool:
    return tracing() and weights is not None and node_of(weights).dtype.kind in "fc"


def _as_sums(weights: Any) -> bool:
    """Whether a histogram is to be made of sums: a derivative or a batch wants that. NumPy's own is eight times faster."""
    return type(queue()) is not TraceQueue and _differentiable_weights(weights)


@implements(np.histogram)
def histogram(a: Any, bins: Any = 10, range: Any = None, density: Any = None, weights: Any = None) -> Any:
    if _as_sums(weights) and not (isinstance(bins, ndarray) and bins.ndim):
        edges = histogram_bin_edges(a, bins, range)
        options = {"bins": (_static(bins),), "range": None if range is None else (_static(range),), "density": density}
        return _by_weight([node_of(ravel(lifted(a)))], weights, [edges], options), edges
    if _is_even(a, bins, range, weights):
        return _evenly(ravel(lifted(a)), int(bins), range, density, weights)
    edges = bins if isinstance(bins, ndarray) and bins.ndim else None
    options = _histogram_options(0 if edges is not None else bins, range, density)
    given = {"a": a, "bins": edges, "weights": weights}
    nodes = {name: node_of(x) for name, x in given.items() if x is not None}
    if (weights is not None and nodes["a"].shape != nodes["weights"].shape) or (edges is not None and edges.ndim != 1):
        raise Unsupported
    options["names"] = tuple(nodes)
    samples = [np.arange(n.shape[0]).astype(n.dtype) if name == "bins" else np.ones(1, n.dtype) for name, n in nodes.items()]
    types = [(r.shape, r.dtype) for r in _histogram(*samples, **options)]
    counts, found = call(_histogram, list(nodes.values()), types, options)
    return wrap(counts), wrap(found)


def _is_even(a: Any, bins: Any, range: Any, weights: Any) -> bool:
    """Whether loops of the program count: bins of one width of floating-point numbers, in a compiled function."""
    if type(queue()) is not TraceQueue or not isinstance(bins, (int, np.integer)) or isinstance(bins, bool) or bins < 1:
        return False
    x = lifted(a)
    if x.dtype not in ((np.float64, np.float32) if range is None else (np.float64,)) or not all(type(n) is int for n in x.shape):
        return False
    return x.size > 0 and (weights is None or (lifted(weights).dtype == np.float64 and lifted(weights).shape == x.shape))


def _evenly(x: Any, count: int, range: Any, density: Any, weights: Any) -> tuple[Any, Any]:
    """As numpy/lib/_histograms_impl.py: by the distance from the first edge, then put right where rounding has missed the edges. x: (n,).
    NumPy's: 10 ms for a million numbers, 1.5 ms here; 35 us for a thousand, 2.5 us."""
    edges = _even_edges(x, count) if range is None else None
    edges = histogram_bin_edges(x, count, range) if edges is None else edges
    first, last = edges[0], edges[count]
    distance = (x - first) / (last - first) * count
    inside = None if range is None else (x >= first) & (x <= last)
    place = (distance if inside is None else where(inside, distance, 0.0)).astype(_INDEX)
    place = where(place == count, place - 1, place)
    place = place - (x < take(edges, place))
    place = place + ((x >= take(edges, place + 1)) & (place != count - 1))
    place = place if inside is None else where(inside, place, count)  # one bin more, for what is outside
    amounts = ew.filled(node_of(x).shape, 1, _INDEX) if weights is None else node_of(ravel(lifted(weights)))
    zeros = ew.filled((count + (inside is not None),), 0, amounts.dtype)
    counts = wrap(scatter(zeros, amounts, node_of(place), axes=(0,), position=0, combine=ew.add))[:count]
    if not density:
        return counts, edges
    return counts / (edges[1:] - edges[:-1]) / OBJECTS[np.add].reduce(counts), edges


def _even_edges(x: Any, count: int) -> Any:
    """The edges of bins between the least and the greatest element; None where a program cannot leave it to NumPy to raise its errors."""
    least, greatest = OBJECTS[np.minimum].reduce(x), OBJECTS[np.maximum].reduce(x)
    half = ew.where(ew.equal(node_of(least), node_of(greatest)), ew.as_node(0.5, x.dtype), ew.as_node(0.0, x.dtype))
    edges = linspace(least - wrap(half), greatest + wrap(half), count + 1)
    fine = OBJECTS[np.logical_and].reduce(edges[1:] > edges[:-1])  # false for what is not finite
    return edges if hooks.doubt(ew.logical_not(node_of(fine))) else None


def _histogram(*operands: Any, names: tuple[str, ...], **options: Any) -> Any:
    return np.histogram(**{**options, **dict(zip(names, operands, strict=True))})


@implements(np.histogram_bin_edges)
def histogram_bin_edges(a: Any, bins: Any = 10, range: Any = None, weights: Any = None) -> Any:
    options = {k: v for k, v in _histogram_options(bins, range, None).items() if k != "density"}
    x = node_of(a)
    if weights is not None and np.shape(weights) != x.shape:
        raise Unsupported  # NumPy's error
    edges = np.histogram_bin_edges(np.ones(1, x.dtype), **options)
    if range is not None and x.dtype.kind == "f":  # the same whatever the elements are
        return wrap(node_of(edges)) if tracing() else from_numpy(edges)
    return _one(np.histogram_bin_edges, [x], edges.shape, edges.dtype, **options)


@implements(np.histogram2d)
def histogram2d(x: Any, y: Any, bins: Any = 10, range: Any = None, density: Any = None, weights: Any = None) -> Any:
    options = _histogram_options(bins, range, density)
    if _as_sums(weights):
        _, *edges = _counted(_histogram2d, [x, y], options)
        bins_ = options["bins"] if isinstance(options["bins"], tuple) else (options["bins"],) * 2
        return _by_weight([node_of(x), node_of(y)], weights, edges, {**options, "bins": bins_}), *edges
    return _counted(_histogram2d, [x, y, *([] if weights is None else [weights])], options)


def _histogram2d(x: Any, y: Any, weights: Any = None, **options: Any) -> Any:
    return _with_rim(*np.histogram2d(x, y, weights=weights, **options))


def _with_rim(counts: np.ndarray, *edges: Any) -> tuple[Any, ...]:
    """NumPy's counts are a view that leaves out the outermost bins, for points outside: the array that it is a view of."""
    whole = counts.base
    return whole if whole is not None and whole.shape == tuple([n + 2 for n in counts.shape]) else counts, *edges


@implements(np.histogramdd)
def histogramdd(sample: Any, bins: Any = 10, range: Any = None, density: Any = None, weights: Any = None) -> Any:
    options = _histogram_options(bins, range, density)
    if isinstance(sample, (list, tuple)) or lifted(sample).ndim != 2:
        raise Unsupported
    if _as_sums(weights):
        _, *edges = _counted(_histogramdd, [sample], options)
        columns = [node_of(lifted(sample)[:, k]) for k in builtins.range(lifted(sample).shape[1])]
        return _by_weight(columns, weights, edges, options), _LIST_OF_EDGES(edges)
    counts, *edges = _counted(_histogramdd, [sample, *([] if weights is None else [weights])], options)
    return counts, _LIST_OF_EDGES(edges)


_LIST_OF_EDGES = type(np.histogramdd(np.zeros((2, 1)), 1)[1])
"""A tuple or a list: versions of NumPy differ."""


def _histogramdd(sample: Any, weights: Any = None, **options: Any) -> Any:
    return _with_rim(*np.histogramdd(sample, weights=weights, **options))


def _counted(function: Any, operands: Sequence[Any], options: dict[str, Any]) -> tuple[Any, ...]:
    """A histogram of several dimensions; its result type is that of two points."""
    nodes = [node_of(x) for x in operands]
    if len({n.shape[0] if n.ndim else -1 for n in nodes}) != 1:
        raise Unsupported
    counts, *edges = function(*[np.ones((2, *n.shape[1:]), n.dtype) for n in nodes], **options)
    edges = edges[0] if isinstance(edges[0], (tuple, list)) else edges
    types = [(np.shape(r), np.asarray(r).dtype) for r in (counts, *edges)]
    whole, *found = [wrap(r) for r in call(function, nodes, types, options)]
    inside = all(n == len(e) + 1 for n, e in zip(counts.shape, edges, strict=True))
    return whole[(slice(1, -1),) * len(edges)] if inside else whole, *found
