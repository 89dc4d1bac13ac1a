"""Reductions, accumulations and arg-reductions: one factory makes them from any binary elementwise op that can be folded."""

from typing import Any

import numpy as np

from lazynp.ir.node import Node
from lazynp.ir.op import Kind, Op, register
from lazynp.ir.types import ArrayType
from lazynp.ops import elementwise as ew
from lazynp.ops.indexing import add_along, positions, take_along
from lazynp.ops.movement import broadcast, join, permute, reshape, slice_
from lazynp.ops.sizes import doubt_empty


def keep_axes(x: Node, reduced: Node, axes: tuple[int, ...]) -> Node:
    """A reduced value with its axes put back at size 1, so that it broadcasts against x."""
    return reshape(reduced, tuple([1 if axis in axes else n for axis, n in enumerate(x.shape)]))


def _drop(x: ArrayType, axes: tuple[int, ...]) -> tuple[Any, ...]:
    return tuple([n for axis, n in enumerate(x.shape) if axis not in axes])


def _reduce_infer(x: ArrayType, axes: tuple[int, ...], scalar: Op) -> ArrayType:
    dtype = ew.loop_dtypes(scalar.ufunc, (x.dtype, x.dtype))[2]  # type: ignore[arg-type]
    return ArrayType(_drop(x, axes), dtype)


def _reduce_door(op: Op, x: Node, axes: tuple[int, ...] | None = None) -> Node:
    axes = tuple(range(x.ndim)) if axes is None else tuple(sorted(a % x.ndim for a in axes))
    scalar = op.scalar
    assert scalar is not None
    x = _in_loop_dtype(scalar, x)
    if not axes and (scalar.name not in _LOGICAL or x.dtype == bool):
        return x
    single = all(type(x.shape[a]) is int and x.shape[a] == 1 for a in axes)
    if single and scalar in (ew.hypot, ew.gcd):  # NumPy folds the one element with 0: the sign goes
        return reshape(ew.absolute(x), _drop(x.type, axes))
    if single and scalar is ew.add and x.dtype.kind in "fc":  # and adds it to 0: the sign of -0.0 goes
        return reshape(x + np.zeros((), x.dtype), _drop(x.type, axes))
    if single and scalar.name not in _LOGICAL:
        return reshape(x, _drop(x.type, axes))
    if scalar.identity is None and any(type(x.shape[a]) is int and x.shape[a] == 0 for a in axes):
        raise ValueError(f"zero-size array to reduction operation {scalar.name} which has no identity")
    if scalar.identity is None:
        for axis in axes:
            doubt_empty(x.shape[axis])
    return op.make((x,), axes=axes)


def _in_loop_dtype(scalar: Op, x: Node) -> Node:
    """x in the dtype of the scalar's loop: logaddexp folds integers as floats. Raises UFuncTypeError. Logical loops take any dtype."""
    result = ew.loop_dtypes(scalar.ufunc, (x.dtype, x.dtype))[2]  # type: ignore[arg-type]
    return x if scalar.name in _LOGICAL else ew.as_node(x, result)


def _repeat(ct: Node, node: Node) -> Node:
    x = node.args[0]
    return broadcast(keep_axes(x, ct, node.axes), x.shape)


def _extremum_vjp(ct: Node, node: Node, index: int) -> Node:
    """The cotangent goes to the extreme elements, in equal shares (the symmetric subgradient, as for `maximum`)."""
    return _repeat(ct, node) * _shares(node)


def _shares(node: Node) -> Node:
    x = node.args[0]
    hit = ew.cast(ew.equal(x, broadcast(keep_axes(x, node, node.axes), x.shape)), to=x.dtype)
    count = broadcast(keep_axes(x, reduce_add(hit, node.axes), node.axes), x.shape)
    return hit / count


def _product_vjp(ct: Node, node: Node, index: int) -> Node:
    """Product of all the others along the axes, by products from both sides: right with zeros, to any order."""
    others = _others(node)
    return _repeat(ct, node) * (ew.conjugate(others) if others.dtype.kind == "c" else others)


def _others(node: Node) -> Node:
    x, axes = node.args[0], node.axes
    if any(type(n) is int and n == 0 for n in x.shape):
        return x
    rest = tuple([a for a in range(x.ndim) if a not in axes])
    line = reshape(permute(x, (*rest, *axes)), (*[x.shape[a] for a in rest], _count(x, axes)))
    product = exclusive_products(line)
    shaped = reshape(product, (*[x.shape[a] for a in rest], *[x.shape[a] for a in axes]))
    order = (*rest, *axes)
    return permute(shaped, tuple([order.index(a) for a in range(x.ndim)]))


def _count(x: Node, axes: tuple[int, ...]) -> Any:
    total: Any = 1
    for a in axes:
        total = total * x.shape[a]
    return total


def exclusive_products(line: Node) -> Node:
    """(..., n) -> (..., n): for each element the product of all the others on its line."""
    axis = line.ndim - 1
    before = shifted(accumulate_multiply(line, axis), axis, 1)
    after = flip(shifted(accumulate_multiply(flip(line, axis), axis), axis, 1), axis)
    return before * after


def shifted(x: Node, axis: int, fill: Any, by: int = 1) -> Node:
    """The fill value moved in from the left: [a, b, c] -> [fill, a, b] for by = 1. 0 < by <= the size of the axis."""
    sizes = tuple([n - by if a == axis else n for a, n in enumerate(x.shape)])
    ends = tuple([by if a == axis else n for a, n in enumerate(x.shape)])
    from_left = slice_(x, (0,) * x.ndim, (1,) * x.ndim, sizes)
    return join(ew.filled(ends, fill, x.dtype), from_left, axis=axis)


def _product_jvp(tangents: tuple[Node, ...], node: Node) -> Node:
    return reduce_add(tangents[0] * _others(node), node.axes)


def _logaddexp_vjp(ct: Node, node: Node, index: int) -> Node:
    return _repeat(ct, node) * _softmax(node)


def _softmax(node: Node) -> Node:
    x = node.args[0]
    base = ew.exp if node.op.scalar is ew.logaddexp else ew.exp2
    return base(ew.below(x, broadcast(keep_axes(x, node, node.axes), x.shape)))


def _weighted_jvp(weights: Any) -> Any:
    return lambda tangents, node: reduce_add(tangents[0] * weights(node), node.axes)


def _hypot_weights(node: Node) -> Node:
    x = node.args[0]
    return x / broadcast(keep_axes(x, ew.where(ew.equal(node, 0), 1, node), node.axes), x.shape)


def folded(scalar: Op, x: Any, axes: tuple[int, ...], dtype: np.dtype) -> Any:
    """The fold of an array whose elements are converted to a dtype as they are folded."""
    ufunc = scalar.ufunc
    assert ufunc is not None
    if scalar.commutative and scalar.associative and _several_axes(ufunc):
        return ufunc.reduce(x, axis=axes, dtype=dtype if scalar.name not in _LOGICAL else None)
    for axis in sorted(axes, reverse=True):
        x = ufunc.reduce(x, axis=axis, dtype=dtype)
    return x


def reducer(scalar: Op, **facts: Any) -> Op:
    """numpy.<scalar>.reduce over several axes; the axes are dropped (`keep_axes` puts them back)."""

    def numpy(x: Any, axes: tuple[int, ...]) -> Any:
        return folded(scalar, x, axes, x.dtype)

    return register(
        Op(
            name=f"{scalar.name}.reduce",
            kind=Kind.REDUCE,
            attrs=("axes",),
            scalar=scalar,
            identity=scalar.identity,
            infer=lambda x, axes: _reduce_infer(x, axes, scalar),
            numpy=numpy,
            door=_reduce_door,
            **facts,
        )
    )


_LOGICAL = ("logical_and", "logical_or", "logical_xor")


def _several_axes(ufunc: np.ufunc) -> bool:
    """Whether NumPy lets this ufunc reduce over several axes at once (it asks that it be reorderable)."""
    return ufunc not in (np.logaddexp, np.logaddexp2, np.hypot, np.gcd, np.lcm)


reduce_add = reducer(ew.add, transpose=lambda ct, node, index: _repeat(ct, node))
reduce_multiply = reducer(ew.multiply, vjp=_product_vjp, jvp=_product_jvp)
reduce_maximum = reducer(ew.maximum, vjp=_extremum_vjp, jvp=_weighted_jvp(_shares))
reduce_minimum = reducer(ew.minimum, vjp=_extremum_vjp, jvp=_weighted_jvp(_shares))
reduce_fmax = reducer(ew.fmax, vjp=_extremum_vjp, jvp=_weighted_jvp(_shares))
reduce_fmin = reducer(ew.fmin, vjp=_extremum_vjp, jvp=_weighted_jvp(_shares))
reduce_logaddexp = reducer(ew.logaddexp, vjp=_logaddexp_vjp, jvp=_weighted_jvp(_softmax))
reduce_logaddexp2 = reducer(ew.logaddexp2, vjp=_logaddexp_vjp, jvp=_weighted_jvp(_softmax))
reduce_hypot = reducer(ew.hypot, vjp=lambda ct, node, index: _repeat(ct, node) * _hypot_weights(node), jvp=_weighted_jvp(_hypot_weights))
reduce_logical_and = reducer(ew.logical_and)
reduce_logical_or = reducer(ew.logical_or)
reduce_logical_xor = reducer(ew.logical_xor)
reduce_bitwise_and = reducer(ew.bitwise_and)
reduce_bitwise_or = reducer(ew.bitwise_or)
reduce_bitwise_xor = reducer(ew.bitwise_xor)
reduce_gcd = reducer(ew.gcd)
reduce_lcm = reducer(ew.lcm)

REDUCTIONS: dict[np.ufunc, Op] = {
    op.scalar.ufunc: op  # type: ignore[misc,union-attr]
    for op in list(globals().values())
    if isinstance(op, Op) and op.kind is Kind.REDUCE
}


# --- accumulate ------------------------------------------------------------------------------------------------------


def _accumulate_door(op: Op, x: Node, axis: int) -> Node:
    assert op.scalar is not None
    return op.make((_in_loop_dtype(op.scalar, x),), axis=axis % x.ndim)


def accumulator(scalar: Op, **facts: Any) -> Op:
    """numpy.<scalar>.accumulate along one axis, in the dtype of x."""
    ufunc = scalar.ufunc
    assert ufunc is not None

    def numpy(x: Any, axis: int) -> Any:
        return ufunc.accumulate(x, axis=axis, dtype=None if scalar.name in _LOGICAL else x.dtype)

    return register(
        Op(
            name=f"{scalar.name}.accumulate",
            kind=Kind.ACCUMULATE,
            attrs=("axis",),
            scalar=scalar,
            infer=lambda x, axis: ArrayType(x.shape, _reduce_infer(x, (), scalar).dtype),
            numpy=numpy,
            door=_accumulate_door,
            **facts,
        )
    )


def flip(x: Node, axis: int) -> Node:
    """x backwards along an axis."""
    starts = tuple([x.shape[a] - 1 if a == axis else 0 for a in range(x.ndim)])
    return slice_(x, starts, tuple([-1 if a == axis else 1 for a in range(x.ndim)]), x.shape)


def _cumsum_transpose(ct: Node, node: Node, index: int) -> Node:
    return flip(accumulate_add(flip(ct, node.axis), node.axis), node.axis)


def recurrence(factors: Node, terms: Node, axis: int) -> Node:
    """y[i] = factors[i] * y[i-1] + terms[i] along an axis, y[-1] = 0; all three of one shape and dtype.

    By doubling: log2(n) rounds that compose neighbouring steps. No division, so a factor may be zero.
    Kogge & Stone 1973, "A parallel algorithm for the efficient solution of a general class of recurrence equations"."""
    by, n = 1, factors.shape[axis]
    while by < n:
        terms = terms + factors * shifted(terms, axis, 0, by)
        factors = factors * shifted(factors, axis, 1, by)
        by *= 2
    return terms


def _backward_recurrence(factors: Node, terms: Node, axis: int) -> Node:
    """The transpose of `recurrence` in its terms: c[i] = terms[i] + factors[i+1] * c[i+1]."""
    return flip(recurrence(shifted(flip(factors, axis), axis, 1), flip(terms, axis), axis), axis)


def _folded(weights: Any) -> dict[str, Any]:
    """Derivatives of an accumulation with dy[i] = before[i] * dy[i-1] + own[i] * dx[i], from weights(node) -> (before, own)."""

    def vjp(ct: Node, node: Node, index: int) -> Node:
        if _empty(node, node.axis):
            return ct
        before, own = [ew.conjugate(w) if w.dtype.kind == "c" else w for w in weights(node)]
        return own * _backward_recurrence(before, ct, node.axis)

    def jvp(tangents: tuple[Node, ...], node: Node) -> Node:
        if _empty(node, node.axis):
            return tangents[0]
        before, own = weights(node)
        return recurrence(before, own * tangents[0], node.axis)

    return {"vjp": vjp, "jvp": jvp}


def _empty(x: Node, axis: int) -> bool:
    n = x.shape[axis]
    return type(n) is int and n == 0


def _product_weights(node: Node) -> tuple[Node, Node]:
    return node.args[0], shifted(node, node.axis, 1)


def _logaddexp_weights(node: Node) -> tuple[Node, Node]:
    """How much the sum before, and the own element, weigh in each running sum: both at most 1."""
    base = ew.exp if node.op.scalar is ew.logaddexp else ew.exp2
    return base(ew.below(shifted(node, node.axis, -np.inf), node)), base(ew.below(node.args[0], node))


def _record(node: Node) -> Node:
    """For each running extremum the position of the element that set it: the last one before which the value changed."""
    changed = ew.not_equal(node, shifted(node, node.axis, 0))
    place = positions(node.shape, node.axis)
    return accumulate_maximum(ew.where(changed, place, 0), node.axis)


def _extremum_folded() -> dict[str, Any]:
    def vjp(ct: Node, node: Node, index: int) -> Node:
        return ct if _empty(node, node.axis) else add_along(node.shape, ct, _record(node), node.axis)

    def jvp(tangents: tuple[Node, ...], node: Node) -> Node:
        return tangents[0] if _empty(node, node.axis) else take_along(tangents[0], _record(node), node.axis)

    return {"vjp": vjp, "jvp": jvp}


accumulate_add = accumulator(ew.add, transpose=_cumsum_transpose)
accumulate_multiply = accumulator(ew.multiply, **_folded(_product_weights))
accumulate_maximum = accumulator(ew.maximum, **_extremum_folded())
accumulate_minimum = accumulator(ew.minimum, **_extremum_folded())
accumulate_fmax = accumulator(ew.fmax, **_extremum_folded())
accumulate_fmin = accumulator(ew.fmin, **_extremum_folded())
accumulate_logaddexp = accumulator(ew.logaddexp, **_folded(_logaddexp_weights))
accumulate_logaddexp2 = accumulator(ew.logaddexp2, **_folded(_logaddexp_weights))
accumulate_logical_and = accumulator(ew.logical_and)
accumulate_logical_or = accumulator(ew.logical_or)
accumulate_logical_xor = accumulator(ew.logical_xor)
accumulate_bitwise_and = accumulator(ew.bitwise_and)
accumulate_bitwise_or = accumulator(ew.bitwise_or)
accumulate_bitwise_xor = accumulator(ew.bitwise_xor)

ACCUMULATIONS: dict[np.ufunc, Op] = {
    op.scalar.ufunc: op  # type: ignore[misc,union-attr]
    for op in list(globals().values())
    if isinstance(op, Op) and op.kind is Kind.ACCUMULATE
}

# --- argmax, argmin --------------------------------------------------------------------------------------------------


def _arg_door(op: Op, x: Node, axis: int) -> Node:
    axis = axis % x.ndim
    if type(x.shape[axis]) is int and x.shape[axis] == 0:
        raise ValueError(f"attempt to get {op.name} of an empty sequence")
    doubt_empty(x.shape[axis])
    return op.make((x,), axis=axis)


def _arg_reducer(name: str, scalar: Op) -> Op:
    return register(
        Op(
            name=name,
            kind=Kind.REDUCE,
            attrs=("axis",),
            scalar=scalar,
            infer=lambda x, axis: ArrayType(_drop(x, (axis,)), np.dtype(np.intp)),
            numpy=lambda x, axis: getattr(np, name)(x, axis),
            door=_arg_door,
        )
    )


argmax = _arg_reducer("argmax", ew.maximum)
argmin = _arg_reducer("argmin", ew.minimum)
"""The first position of the extremum along one axis; NaN counts as the extremum, as in NumPy."""
