"""Sums, extrema, means and running values, as NumPy defines them: formulas over ufunc reductions."""

import builtins
import operator
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_index, normalize_axis_tuple

from lazynp import operands, ordering, views
from lazynp.api.dispatch import Unsupported, implements, into
from lazynp.api.shaping import concatenate, diagonal, lifted, moveaxis, ravel
from lazynp.api.ufuncs import OBJECTS, axes_of
from lazynp.array import wrap
from lazynp.ir.node import Node, constant
from lazynp.operands import node_of, operand
from lazynp.ops import elementwise as ew
from lazynp.ops import reduction as red
from lazynp.ops.movement import broadcast
from lazynp.ops.movement import reshape as reshape_node
from lazynp.ops.sizes import hooks
from lazynp.ordering import wrap_as, wrap_like, wrap_reduced
from lazynp.runtime.storage import tracing

_NONE: Any = np._NoValue


def _reduction(ufunc: np.ufunc, *names: str) -> Any:
    """A function such as numpy.sum: the reduction of a ufunc, over all axes by default."""

    def reduce(
        a: Any, axis: Any = None, dtype: Any = None, out: Any = None, keepdims: Any = _NONE, initial: Any = _NONE, where: Any = _NONE
    ) -> Any:
        keep = False if keepdims is _NONE else bool(keepdims)
        return OBJECTS[ufunc].reduce(a, axis, dtype, out, keep, initial, True if where is _NONE else where)

    def without_dtype(a: Any, axis: Any = None, out: Any = None, keepdims: Any = _NONE, initial: Any = _NONE, where: Any = _NONE) -> Any:
        return reduce(a, axis, None, out, keepdims, initial, where)

    def logical(a: Any, axis: Any = None, out: Any = None, keepdims: Any = _NONE, *, where: Any = _NONE) -> Any:
        return reduce(a, axis, None, out, keepdims, _NONE, where)

    kinds = {np.add: reduce, np.multiply: reduce, np.logical_and: logical, np.logical_or: logical}
    return implements(*[getattr(np, name) for name in names])(kinds.get(ufunc, without_dtype))


sum = _reduction(np.add, "sum")
prod = _reduction(np.multiply, "prod")
max = _reduction(np.maximum, "max", "amax")
min = _reduction(np.minimum, "min", "amin")
all = _reduction(np.logical_and, "all")
any = _reduction(np.logical_or, "any")


def _strict_axes(axis: Any, ndim: int) -> tuple[int, ...]:
    """The axes of a mean: unlike a sum, it has no axis 0 of a scalar."""
    if ndim == 0 and axis is not None and axis != ():
        normalize_axis_tuple(axis, ndim)
    return axes_of(axis, ndim)


def _count(x: Any, axes: tuple[int, ...], where: Any, dtype: np.dtype) -> Any:
    """How many elements a mean is of: an int, or with `where` an array of this dtype with the reduced axes kept."""
    if where is not True:
        mask = wrap(broadcast(node_of(where), x.shape))
        return wrap(ew.as_node(node_of(sum(mask, axis=axes, keepdims=True)), np.dtype(dtype.char.lower())))
    count = 1
    for a in axes:
        count *= x.shape[a]
    return count


def _included(x: Any, where: Any) -> Callable[[Node], Node]:
    """A function that puts zeros where a reduction with `where` leaves elements out."""
    mask = broadcast(node_of(where), x.shape)
    return lambda node: ew.where(mask, node, constant(np.zeros((), node.dtype)))


def _has_other_dtype(out: Any, x: Any) -> bool:
    """Whether a mean is summed up in the dtype that an array and its output have in common."""
    return out is not None and getattr(out, "dtype", None) != _mean_dtype(x.dtype)


def _telling(values: Node, wrong: Node, message: str) -> Node:
    """The values; a warning in these words if `wrong` holds anywhere. (The root is NaN there.)"""
    root = operands.speaks(wrap(ew.sqrt(ew.where(wrong, -1.0, 0.0))), message)
    return ew.where(ew.logical_and(wrong, ew.isfinite(node_of(root))), ew.as_node(0, values.dtype), values)  # type: ignore[no-any-return]


@implements(np.mean)
def mean(a: Any, axis: Any = None, dtype: Any = None, out: Any = None, keepdims: Any = _NONE, *, where: Any = _NONE) -> Any:
    x = lifted(a)
    if dtype is None and _has_other_dtype(out, x):
        raise Unsupported
    axes = _strict_axes(axis, x.ndim)
    keep = keepdims is not _NONE and bool(keepdims)
    working = _mean_dtype(x.dtype) if dtype is None else np.dtype(dtype)
    if where is not _NONE and where is not True:
        total = OBJECTS[np.add].reduce(x, axes, working, None, True, where=where)
        count = _count(x, axes, where, working)
        result = wrap(_telling(node_of(total / count), ew.equal(node_of(count), 0), "Mean of empty slice"))
        if not keep:
            total = result = wrap(reshape_node(node_of(result), tuple([n for k, n in enumerate(result.shape) if k not in axes])))
    else:
        count = _count(x, axes, True, working)
        if count == 0:
            operands.warn(RuntimeWarning("Mean of empty slice"))
        total = OBJECTS[np.add].reduce(x, axes, working, None, keep)
        result = total / count
    kind = np.dtype(dtype) if dtype is not None else x.dtype if x.dtype == np.float16 else result.dtype
    return into(wrap_as(ew.as_node(node_of(result), kind), total), out, "unsafe")


def _mean_dtype(dtype: np.dtype) -> np.dtype:
    """Integers are averaged as float64, float16 in float32."""
    return np.dtype(np.float64) if dtype.kind in "bui" else np.dtype(np.float32) if dtype == np.float16 else dtype


@implements(np.var)
def var(
    a: Any,
    axis: Any = None,
    dtype: Any = None,
    out: Any = None,
    ddof: float = 0,
    keepdims: Any = _NONE,
    *,
    where: Any = _NONE,
    mean: Any = _NONE,
    correction: Any = _NONE,
) -> Any:
    """mean(abs(x - mean(x))**2), two passes. mean: the center instead, with the reduced axes kept."""
    if (correction is not _NONE and ddof != 0) or (dtype is not None and np.dtype(dtype).kind != "f"):
        raise Unsupported
    x = lifted(a)
    if (dtype is not None and x.dtype.kind == "c") or _has_other_dtype(out, x):
        raise Unsupported
    axes = _strict_axes(axis, x.ndim)
    ddof = ddof if correction is _NONE else correction
    working = _mean_dtype(x.dtype) if dtype is None else np.dtype(dtype)
    node = ew.as_node(node_of(x), working)
    included = (lambda n: n) if where is _NONE or where is True else _included(x, where)
    count = _count(x, axes, True if where is _NONE else where, working)
    center = red.keep_axes(node, red.reduce_add(included(node), axes), axes) / operand(count) if mean is _NONE else node_of(mean)
    off = ew.as_node(node - center, working) if mean is not _NONE else node - center
    if off.shape != node.shape:
        raise Unsupported
    squares = ew.real(off * ew.conjugate(off)) if off.dtype.kind == "c" else off * off
    total = red.reduce_add(included(squares), axes)
    if isinstance(count, int):
        if count - ddof <= 0:
            operands.warn(RuntimeWarning("Degrees of freedom <= 0 for slice"))
        total = total / float(np.maximum(count - ddof, 0))
    else:
        free = reshape_node(node_of(count - ddof), total.shape)
        total = _telling(total / ew.maximum(free, 0), ew.less_equal(free, 0), "Degrees of freedom <= 0 for slice")
    if keepdims is not _NONE and keepdims:
        total = red.keep_axes(node, total, axes)
    if x.dtype == np.float16 and dtype is None:
        total = ew.cast(total, to=np.dtype(np.float16))
    return into(wrap_reduced(total, x, axes, keepdims is not _NONE and bool(keepdims)), out)


@implements(np.std)
def std(
    a: Any,
    axis: Any = None,
    dtype: Any = None,
    out: Any = None,
    ddof: float = 0,
    keepdims: Any = _NONE,
    *,
    where: Any = _NONE,
    mean: Any = _NONE,
    correction: Any = _NONE,
) -> Any:
    x = lifted(a)
    if (dtype is not None and np.dtype(dtype).kind != "f") or _has_other_dtype(out, x):
        raise Unsupported
    squares = var(x, axis, dtype, None, ddof, keepdims, where=where, mean=mean, correction=correction)
    return into(wrap_as(node_of(root_of_squares(squares)), squares), out)


def root_of_squares(squares: Any) -> Any:
    """The square root of a sum of squares. Its derivative at 0, where there is none, is 0 by convention (that of the root is infinite)."""
    node = node_of(squares)
    if not tracing() or node.dtype.kind != "f":
        return OBJECTS[np.sqrt](squares)
    nothing = ew.equal(node, 0)
    return wrap_like(ew.where(nothing, 0, ew.sqrt(ew.where(nothing, 1, node))), squares)


@implements(np.ptp)
def ptp(a: Any, axis: Any = None, out: Any = None, keepdims: Any = _NONE) -> Any:
    return into(max(lifted(a), axis, keepdims=keepdims) - min(lifted(a), axis, keepdims=keepdims), out)


@implements(np.average)
def average(a: Any, axis: Any = None, weights: Any = None, returned: bool = False, *, keepdims: Any = _NONE) -> Any:
    x = lifted(a)
    if axis is not None:
        axis = normalize_axis_tuple(axis, x.ndim, argname="axis")
        axis = axis[0] if len(axis) == 1 else axis
    if weights is None:
        if returned or x.size == 0:
            raise Unsupported
        return mean(x, axis, keepdims=keepdims)
    w = lifted(weights)
    dtype = np.result_type(x.dtype, w.dtype, *([np.float64] if x.dtype.kind in "bui" else []))
    if returned or (w.shape != x.shape and not (w.ndim == 1 and isinstance(axis, (int, np.integer)) and w.size == x.shape[axis])):
        raise Unsupported
    if w.shape != x.shape:
        w = views.reshaped(w, tuple([n if k == axis % x.ndim else 1 for k, n in enumerate(x.shape)]))
        scale = sum(w, dtype=dtype)
    else:
        scale = sum(w, axis=axis, dtype=dtype, keepdims=keepdims)
    nothing = any(scale == 0)
    if tracing():
        hooks.doubt(node_of(nothing))
    elif nothing:
        raise ZeroDivisionError("Weights sum to zero, can't be normalized")
    return sum(x.astype(dtype) * w.astype(dtype), axis=axis, keepdims=keepdims) / scale


def _arg(function: Any, op: Any) -> Any:
    def lazy(a: Any, axis: Any = None, out: Any = None, *, keepdims: Any = _NONE) -> Any:
        if out is not None and getattr(out, "dtype", None) != np.intp:
            raise Unsupported
        x = node_of(a)
        kept = x
        if axis is None or x.ndim == 0:
            axes_of(axis, x.ndim)
            x = x if x.ndim == 1 else node_of(ravel(wrap(x)))
            result = op(x, 0)
            axes = tuple(range(kept.ndim))
        else:
            axes = axes_of(operator.index(axis), x.ndim)
            result = op(x, axes[0])
        if keepdims is not _NONE and keepdims:
            result = red.keep_axes(kept, result, axes)
        return into(wrap(result), out)

    return implements(function)(lazy)


argmax = _arg(np.argmax, red.argmax)
argmin = _arg(np.argmin, red.argmin)


def _running(function: Any, ufunc: np.ufunc) -> Any:
    def lazy(a: Any, axis: Any = None, dtype: Any = None, out: Any = None) -> Any:
        x = lifted(a)
        if out is Ellipsis:
            raise TypeError("output must be an array")
        if axis is None or x.ndim == 0:
            axes_of(axis, x.ndim)
            x, axis = ravel(x), 0
        return OBJECTS[ufunc].accumulate(x, operator.index(axis), dtype, out)

    return implements(function)(lazy)


cumsum = _running(np.cumsum, np.add)
cumprod = _running(np.cumprod, np.multiply)


def _array_api_running(name: str, running: Any) -> Any:
    """numpy.cumulative_sum and cumulative_prod, where NumPy has them."""

    def lazy(x: Any, /, *, axis: Any = None, dtype: Any = None, out: Any = None, include_initial: bool = False) -> Any:
        x = lifted(x)
        x = views.reshaped(x, (1,)) if x.ndim == 0 else x
        if (axis is None and x.ndim > 1) or isinstance(axis, tuple) or (include_initial and out is not None):
            raise Unsupported
        axis = normalize_axis_tuple(0 if axis is None else axis, x.ndim)[0]
        result = running(x, axis, dtype, out)
        if not include_initial:
            return result
        start = np.full(tuple([1 if k == axis else n for k, n in enumerate(x.shape)]), running is cumprod, result.dtype)
        return concatenate([start, result], axis)

    return implements(getattr(np, name))(lazy) if hasattr(np, name) else None


cumulative_sum = _array_api_running("cumulative_sum", cumsum)
cumulative_prod = _array_api_running("cumulative_prod", cumprod)


@implements(np.count_nonzero)
def count_nonzero(a: Any, axis: Any = None, *, keepdims: bool = False) -> Any:
    node = node_of(a)
    hit = ew.cast(ew.not_equal(node, ew.as_node(0, node.dtype)), to=np.dtype(np.intp))
    axes = axes_of(axis, node.ndim)
    total = red.reduce_add(hit, axes)
    return wrap_reduced(red.keep_axes(node, total, axes) if keepdims else total, a, axes, keepdims)


# --- ignoring NaN ---------------------------------------------------------------------------------------------------------


def _without_nan(a: Any, fill: float, where: Any = _NONE) -> tuple[Any, Any]:
    """(the values with another one instead of NaN and of what `where` leaves out, which those are not)."""
    node = node_of(a)
    if node.dtype.kind in "biu" and where is _NONE:
        return a, True
    if node.dtype.kind not in "fc":
        raise Unsupported
    missing = ew.isnan(node)
    if where is not _NONE and where is not True:
        missing = ew.logical_or(missing, ew.logical_not(broadcast(node_of(where), node.shape)))
    return wrap_like(ew.where(missing, ew.as_node(fill, node.dtype), node), a), wrap_like(ew.logical_not(missing), a)


@implements(np.nansum)
def nansum(
    a: Any, axis: Any = None, dtype: Any = None, out: Any = None, keepdims: Any = _NONE, initial: Any = _NONE, where: Any = _NONE
) -> Any:
    return sum(_without_nan(a, 0.0)[0], axis, dtype, out, keepdims, initial, where)


@implements(np.nanprod)
def nanprod(
    a: Any, axis: Any = None, dtype: Any = None, out: Any = None, keepdims: Any = _NONE, initial: Any = _NONE, where: Any = _NONE
) -> Any:
    return prod(_without_nan(a, 1.0)[0], axis, dtype, out, keepdims, initial, where)


def _is_inexact(out: Any) -> bool:
    """Whether the results of inexact numbers may be written there."""
    return out is None or out.dtype.kind in "fc"


@implements(np.nanmean)
def nanmean(a: Any, axis: Any = None, dtype: Any = None, out: Any = None, keepdims: Any = _NONE, *, where: Any = _NONE) -> Any:
    if lifted(a).dtype.kind in "biu":
        return mean(a, axis, dtype, out, keepdims, where=where)
    if dtype is not None or lifted(a).dtype == np.float16 or not _is_inexact(out):
        raise Unsupported
    values, present = _without_nan(a, 0.0, where)
    total = sum(values, axis, keepdims=keepdims)
    result = operands.speaks(total / sum(present, axis, keepdims=keepdims), "Mean of empty slice")
    return into(wrap_as(ew.cast(node_of(result), to=values.dtype), total), out)


def _nan_extremum(function: Any, ufunc: np.ufunc) -> Any:
    def lazy(a: Any, axis: Any = None, out: Any = None, keepdims: Any = _NONE, initial: Any = _NONE, where: Any = _NONE) -> Any:
        x = lifted(a)
        if x.dtype.kind not in "biufc" or x.size == 0 or (x.dtype.kind == "c" and not tracing()):
            raise Unsupported
        keep = keepdims is not _NONE and bool(keepdims)
        result = OBJECTS[ufunc].reduce(x, axis, None, None, keep, initial, True if where is _NONE else where)
        return into(invalid_where_nan(result) if x.dtype.kind in "fc" else result, out)

    return implements(function)(lazy)


def invalid_where_nan(x: Any) -> Any:
    """x again; its NaNs come from a square root of -1, which raises the flag that NumPy's warning needs."""
    if x.dtype.kind == "c":
        return x
    missing = ew.isnan(node_of(x))
    root = operands.speaks(
        wrap(ew.sqrt(ew.where(missing, ew.as_node(-1.0, x.dtype), ew.as_node(0.0, x.dtype)))), "All-NaN slice encountered"
    )
    return wrap_as(ew.where(missing, node_of(abs(root)), node_of(x)), x)


nanmax = _nan_extremum(np.nanmax, np.fmax)
nanmin = _nan_extremum(np.nanmin, np.fmin)


@implements(np.nanvar)
def nanvar(
    a: Any,
    axis: Any = None,
    dtype: Any = None,
    out: Any = None,
    ddof: float = 0,
    keepdims: Any = _NONE,
    *,
    where: Any = _NONE,
    mean: Any = _NONE,
    correction: Any = _NONE,
) -> Any:
    """Two passes over the values that are not NaN; NaN where fewer than ddof + 1 are left."""
    x = lifted(a)
    if x.dtype.kind in "biu" and mean is _NONE and correction is _NONE:
        return var(a, axis, dtype, out, ddof, keepdims, where=where)
    if dtype is not None or x.dtype.char not in "fdFD" or not _is_inexact(out) or (correction is not _NONE and ddof != 0):
        raise Unsupported
    real = np.dtype(x.dtype.char.lower())
    values, present = _without_nan(x, 0.0, where)
    count = wrap(ew.as_node(node_of(sum(present, axis, keepdims=True)), real))
    center = lifted(mean) if mean is not _NONE else operands.silent(sum(values, axis, keepdims=True) / count)
    off = wrap(ew.where(node_of(present), ew.as_node(node_of(values - center), x.dtype), ew.as_node(0.0, x.dtype)))
    squares = (off * OBJECTS[np.conjugate](off)).real if x.dtype.kind == "c" else off * off
    free = sum(wrap(ew.as_node(node_of(present), real)), axis, keepdims=keepdims) - (ddof if correction is _NONE else correction)
    enough = wrap(ew.as_node(ew.greater(node_of(free), 0), real))
    total = sum(squares, axis, keepdims=keepdims)
    result = operands.speaks(enough * total / (enough * free), "Degrees of freedom <= 0 for slice.")  # 0 / 0 is NaN, and tells
    return into(wrap_as(node_of(result), total), out)


@implements(np.nanstd)
def nanstd(
    a: Any,
    axis: Any = None,
    dtype: Any = None,
    out: Any = None,
    ddof: float = 0,
    keepdims: Any = _NONE,
    *,
    where: Any = _NONE,
    mean: Any = _NONE,
    correction: Any = _NONE,
) -> Any:
    if lifted(a).dtype.kind in "biu" and mean is _NONE and correction is _NONE:
        return std(a, axis, dtype, out, ddof, keepdims, where=where)
    if lifted(a).dtype.char not in "fdFD" or not _is_inexact(out):
        raise Unsupported
    squares = nanvar(lifted(a), axis, dtype, None, ddof, keepdims, where=where, mean=mean, correction=correction)
    return into(wrap_as(node_of(root_of_squares(squares)), squares), out)


def _nan_running(function: Any, ufunc: np.ufunc, fill: float) -> Any:
    def lazy(a: Any, axis: Any = None, dtype: Any = None, out: Any = None) -> Any:
        values = _without_nan(a, fill)[0]
        return (cumsum if ufunc is np.add else cumprod)(values, axis, dtype, out)

    return implements(function)(lazy)


nancumsum = _nan_running(np.nancumsum, np.add, 0.0)
nancumprod = _nan_running(np.nancumprod, np.multiply, 1.0)


# --- differences ------------------------------------------------------------------------------------------------------------


@implements(np.diff)
def diff(a: Any, n: int = 1, axis: int = -1, prepend: Any = _NONE, append: Any = _NONE) -> Any:
    x = lifted(a)
    if n < 0:
        raise ValueError("order must be non-negative but got " + repr(n))
    if x.ndim == 0:
        raise ValueError("diff requires input that is at least one dimensional")
    axis = normalize_axis_index(axis, x.ndim)
    ends = [e for e in (prepend, append) if e is not _NONE]
    if ends:
        shape = tuple([1 if k == axis else m for k, m in enumerate(x.shape)])
        wide = [e if lifted(e).ndim else wrap(broadcast(node_of(e), shape)) for e in ends]
        parts = ([wide[0]] if prepend is not _NONE else []) + [x] + ([wide[-1]] if append is not _NONE else [])
        x = concatenate(parts, axis)
    for _ in range(n):
        later = x[(slice(None),) * axis + (slice(1, None),)]
        earlier = x[(slice(None),) * axis + (slice(None, -1),)]
        x = later != earlier if x.dtype == bool else later - earlier
    return x


@implements(np.trapezoid)
def trapezoid(y: Any, x: Any = None, dx: float = 1.0, axis: int = -1) -> Any:
    y = lifted(y)
    if type(axis) is not int:
        raise Unsupported
    axis = axes_of(axis, y.ndim)[0]
    step: Any = dx
    if x is not None:
        x = lifted(x)
        step = diff(x, axis=axis if x.ndim == y.ndim else -1)
        if step.ndim == 1:
            step = _along(step, axis, y.ndim)
    head, tail = (slice(None),) * axis + (slice(1, None),), (slice(None),) * axis + (slice(None, -1),)
    return sum(step * (y[head] + y[tail]) / 2.0, axis=axis)


def _along(v: Any, axis: int, rank: int) -> Any:
    return views.reshaped(lifted(v), tuple([v.shape[0] if k == axis else 1 for k in range(rank)]))


@implements(np.gradient)
def gradient(f: Any, *varargs: Any, axis: Any = None, edge_order: int = 1) -> Any:
    f = lifted(f)
    axes = tuple(range(f.ndim)) if axis is None else normalize_axis_tuple(axis, f.ndim)
    if edge_order != 1 or (len(varargs) > 1 and len(varargs) != len(axes)) or builtins.any(lifted(v).ndim for v in varargs):
        raise Unsupported
    spacing = list(varargs) * (len(axes) if len(varargs) == 1 else 1) or [1.0] * len(axes)
    if f.dtype.kind in "ui":
        f = wrap(ew.cast(node_of(f), to=np.dtype(np.float64)))
    out = []
    for k, h in zip(axes, spacing, strict=True):
        if f.shape[k] < 2:
            raise ValueError("Shape of array too small to calculate a numerical gradient, at least (edge_order + 1) elements are required.")
        g = moveaxis(f, k, 0)
        inner = (g[2:] - g[:-2]) / (2.0 * h)
        whole = moveaxis(concatenate([(g[1:2] - g[0:1]) / h, inner, (g[-1:] - g[-2:-1]) / h], 0), 0, k)
        out.append(ordering.wrap_ordered(node_of(whole), ordering.order_of(f)))
    return out[0] if len(out) == 1 else tuple(out)


@implements(np.cov)
def cov(
    m: Any,
    y: Any = None,
    rowvar: bool = True,
    bias: bool = False,
    ddof: Any = None,
    fweights: Any = None,
    aweights: Any = None,
    *,
    dtype: Any = None,
) -> Any:
    if fweights is not None or aweights is not None or dtype is not None or (ddof is not None and ddof != int(ddof)):
        raise Unsupported
    x = lifted(m)
    x = _rows(x) if rowvar or x.ndim == 1 else _rows(x).T
    if y is not None:
        more = _rows(lifted(y))
        x = concatenate([x, more if rowvar or more.shape[0] == 1 else more.T], 0)
    ddof = (0 if bias else 1) if ddof is None else ddof
    x = wrap(ew.as_node(node_of(x), np.result_type(x.dtype, np.float64)))
    if x.shape[1] - ddof <= 0:
        operands.warn(RuntimeWarning("Degrees of freedom <= 0 for slice"))
    centered = x - mean(x, axis=1, keepdims=True)
    free = float(builtins.max(x.shape[1] - ddof, 0))
    if not free:
        operands.warn(RuntimeWarning("divide by zero encountered in divide"))
    return squeezed((centered @ OBJECTS[np.conjugate](centered.T)) * (1.0 / free if free else np.inf))


def squeezed(x: Any) -> Any:
    return views.reshaped(x, tuple([n for n in x.shape if n != 1]))


def _rows(x: Any) -> Any:
    """With one variable, one row. Raises Unsupported for more than two axes, and for none of what they count."""
    if x.ndim > 2 or 0 in x.shape[:-1]:
        raise Unsupported
    return views.reshaped(x, (1, x.size)) if x.ndim < 2 else x


@implements(np.corrcoef)
def corrcoef(x: Any, y: Any = None, rowvar: bool = True, *, dtype: Any = None) -> Any:
    c = cov(lifted(x), y, rowvar, dtype=dtype)
    if c.ndim == 0:
        return c / c
    d = OBJECTS[np.sqrt](diagonal(c).real)
    return clip_unit(c / d[:, None] / d[None, :])


def clip_unit(c: Any) -> Any:
    """Rounding must not leave [-1, 1]."""
    return OBJECTS[np.minimum](OBJECTS[np.maximum](c, -1), 1) if c.dtype.kind != "c" else c
