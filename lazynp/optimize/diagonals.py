"""Products with diagonal matrices and rows of the identity, diagonals of products: none of them needs a product of matrices.

The zeros of such a matrix are not multiplied with anything. Zero times an infinity or NaN is NaN, though: where another element of the sum
is not finite, the result is NaN, as that of the product of matrices.
"""

from collections.abc import Iterator

import numpy as np

from lazynp.ir.node import Node, constant
from lazynp.ir.rewrite import Rules, scalar_value
from lazynp.ops import elementwise as ew
from lazynp.ops.contraction import Labels, contract, reorder
from lazynp.ops.indexing import gather, update
from lazynp.ops.movement import Step, broadcast, diagonal, embed_diagonal, reshape, slice_
from lazynp.ops.reduction import reduce_add

diagonals = Rules("diagonals", level="stable")


def _diagonal_of(matrix: Node) -> Node | None:
    """The diagonal of a matrix that has nothing beside it: `np.diag(d)`, as it is recorded, the identity, positive multiples of them."""
    if matrix.op is ew.multiply and matrix.dtype.kind in "iuf":
        for number, other in (matrix.args, matrix.args[::-1]):
            factor, inner = scalar_value(number), _diagonal_of(other) if other.op is not ew.multiply else None
            if factor is not None and inner is not None and inner.dtype == matrix.dtype and 0 < factor < np.inf:
                return ew.multiply(inner, broadcast(constant(factor, inner.dtype), inner.shape))
        return None
    if matrix.ndim != 2 or matrix.dtype.kind not in "iufc":
        return None
    if matrix.op is embed_diagonal:
        return matrix.args[0]
    if matrix.op is not update or scalar_value(matrix.args[0]) != 0:
        return None
    n, m = matrix.shape
    flat = (Step(reshape, ((n * n,),)), Step(slice_, ((0,), (n + 1,), (n,)))) if type(n) is int and n == m else None
    return matrix.args[1] if matrix.path == flat else None


def _sums_over_one(node: Node) -> Iterator[tuple[Node, int, int, Node, Labels]]:
    """(matrix, its summed label, its other label, the other operand, its labels) where a matrix has one label that is summed with the other
    operand's, and one of its own."""
    for (x, xs), (y, ys) in (((node.args[0], node.xs), (node.args[1], node.ys)), ((node.args[1], node.ys), (node.args[0], node.xs))):
        for summed, kept in (xs, xs[::-1]) if len(xs) == 2 else ():
            if summed in ys and summed not in node.out and kept in node.out and kept not in ys:
                yield x, summed, kept, y, ys


def _renamed(labels: Labels, old: int, new: int) -> Labels:
    return tuple([new if label == old else label for label in labels])


def _with_zeros(value: Node, of: Node, other: Node, labels: Labels, summed: int, out: Labels) -> Node:
    """The value that one term of a sum gives, with the terms of zero times the others. of: which elements of that term are not finite, as
    integers; labels: of the other operand, whose label `summed` is another one in `out`."""
    if value.dtype.kind not in "fc":
        return value
    rest = tuple([label for label in labels if label != summed])
    counted = reduce_add(_doubtful(other), (labels.index(summed),))
    inner = tuple([label for label in out if label in rest])
    sizes = dict(zip(rest, counted.shape, strict=True))
    counted = reshape(reorder(counted, rest, inner), tuple([sizes.get(label, 1) for label in out]))
    spread = ew.less(of, broadcast(counted, value.shape))
    return ew.where(spread, constant(np.nan, value.dtype), ew.add(value, constant(0.0, value.dtype)))


def _doubtful(x: Node) -> Node:
    """1 where a number is not finite, else 0."""
    return ew.as_node(ew.logical_not(ew.isfinite(x)), np.dtype(np.int64))


@diagonals.on(contract)
def diagonal_factor(node: Node) -> Node | None:
    """diag(d) @ a is d[:, None] * a."""
    for matrix, summed, kept, other, labels in _sums_over_one(node):
        d = _diagonal_of(matrix)
        if d is not None:
            own = _renamed(labels, summed, kept)
            return _with_zeros(
                contract(d, other, (kept,), own, node.out), reorder(_doubtful(other), own, node.out), other, labels, summed, node.out
            )
    return None


@diagonals.on(contract)
def one_hot_factor(node: Node) -> Node | None:
    """eye(n)[i] @ a is a[i]."""
    for matrix, summed, kept, other, labels in _sums_over_one(node):
        if matrix.op is not gather or len(matrix.args) != 2 or matrix.axes != (0,) or matrix.position != 0 or other.dtype != node.dtype:
            continue
        own = (node.xs if matrix is node.args[0] else node.ys)[0]
        d = _diagonal_of(matrix.args[0])
        if own == kept and d is not None and scalar_value(d) == 1:
            axis, renamed = labels.index(summed), _renamed(labels, summed, kept)
            rows, doubts = [gather(x, matrix.args[1], axes=(axis,), position=axis) for x in (other, _doubtful(other))]
            return _with_zeros(reorder(rows, renamed, node.out), reorder(doubts, renamed, node.out), other, labels, summed, node.out)
    return None


@diagonals.on(diagonal)
def diagonal_of_product(node: Node) -> Node | None:
    """The diagonal of a @ b is (a * b.T).sum(1): n * n products instead of n * n * n."""
    product = node.args[0]
    if product.op is not contract:
        return None
    xs, ys, out = product.xs, product.ys, product.out
    row, column = out[node.axis1], out[node.axis2]
    if (row in xs) == (row in ys) or (column in xs) == (column in ys) or (row in xs) == (column in xs):
        return None
    rest = tuple([label for label in out if label not in (row, column)])
    return contract(*product.args, _renamed(xs, column, row), _renamed(ys, column, row), (*rest, row))
