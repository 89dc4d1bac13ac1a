"""Functions of a symmetric matrix that are spelled out, `(v * f(w)) @ v.T` with w, v = eigh(a), have derivatives at equal eigenvalues.

The derivatives of w and v do not hold what such a function needs there: f'(w) between vectors of one value. So the product is found as a
whole before a derivative is taken, and has the rule of Daleckii and Krein (Higham 2008, theorem 3.11): V (K * (V' dA V)) V', where K has
the divided differences of f, and f' where two values are equal. First order only: K itself is differentiated as if gaps were gaps.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from lazynp.ir.node import Graph, Node, new_input, toposort, transform
from lazynp.ir.op import Kind
from lazynp.ops import elementwise as ew
from lazynp.ops.contraction import contract, matmul, reorder
from lazynp.ops.custom import custom
from lazynp.ops.factors import adjoint, inverse_gaps, scale_columns
from lazynp.ops.library import eigh
from lazynp.ops.movement import broadcast, diagonal, permute, reshape
from lazynp.ops.structured import item
from lazynp.transform.derive import pushforward

Axes = tuple[int, ...]


class _Factor(NamedTuple):
    """One operand of a product. axes: the vectors' axis that each of its axes is; scale: (..., n), what multiplies the vectors."""

    vectors: Node
    axes: Axes
    scale: Node | None


def with_matrix_functions(outputs: Sequence[Node]) -> list[Node]:
    """The outputs with every product that is a function of a symmetric matrix as one node with a rule."""
    if not any(node.op is eigh for node in toposort(outputs)):
        return list(outputs)
    return transform(outputs, _as_matrix_function)


def _as_matrix_function(node: Node, args: tuple[Node, ...]) -> Node:
    node = node.with_args(args)
    if node.op is not contract or node.dtype.kind != "f":
        return node
    left, right = [_factor(a) for a in node.args]
    if left is None or right is None or left.vectors is not right.vectors or (left.scale is None) == (right.scale is None):
        return node
    scale = left.scale if right.scale is None else right.scale
    labels = _labels(node, left, right)
    assert scale is not None
    if labels is None or not _is_elementwise(scale, left.vectors.args[0]):
        return node
    return reorder(_made(left.vectors, scale), labels, node.out)


def _labels(node: Node, left: _Factor, right: _Factor) -> Axes | None:
    """Those of the batch, the rows of the left and of the right operand, if the product sums over the eigenvalues and nothing else."""
    of_left, of_right = dict(zip(left.axes, node.xs, strict=True)), dict(zip(right.axes, node.ys, strict=True))
    last = len(of_left) - 1
    batch = tuple([of_left[k] for k in range(last - 1)])
    rows = (of_left[last - 1], of_right[last - 1])
    same = of_left[last] == of_right[last] and batch == tuple([of_right[k] for k in range(last - 1)])
    return (*batch, *rows) if same and sorted(node.out) == sorted((*batch, *rows)) and len(set(rows)) == 2 else None


def _factor(x: Node) -> _Factor | None:
    """The eigenvectors that an operand is made of by transposing them and multiplying them with a number for each."""
    axes = tuple(range(x.ndim))
    found: tuple[Node, Axes] | None = None
    while True:
        if x.op is permute:
            axes = tuple([x.axes[a] for a in axes])
            found = found and (found[0], tuple([x.axes[a] for a in found[1]]))
            x = x.args[0]
        elif x.op is ew.multiply and found is None and broadcast in (x.args[0].op, x.args[1].op):
            which = 0 if x.args[0].op is broadcast else 1
            found, x = (x.args[which], tuple(range(x.ndim))), x.args[1 - which]
        elif x.op is ew.divide and found is None and x.args[1].op is broadcast:
            found, x = (broadcast(1.0 / x.args[1].args[0], x.shape), tuple(range(x.ndim))), x.args[0]
        elif x.op is contract and found is None and x.xs == x.out and x.ys == (*x.xs[:-2], x.xs[-1]):  # einsum("ij,j->ij", v, w)
            columns = reshape(x.args[1], (*x.shape[:-2], 1, x.shape[-1]))
            found, x = (broadcast(columns, x.shape), tuple(range(x.ndim))), x.args[0]
        else:
            break
    if x.op is not item or x.args[0].op is not eigh or x.index != 1 or x.dtype.kind != "f":
        return None
    scale = None if found is None else _per_vector(*found)
    return None if found is not None and scale is None else _Factor(x, axes, scale)


def _per_vector(spread: Node, axes: Axes) -> Node | None:
    """What was broadcast over the rows, (..., n); None if it has rows. axes: the vectors' axis that each axis is."""
    (x,), ndim = spread.args, spread.ndim
    shape = (*(1,) * (ndim - x.ndim), *x.shape)
    row, column = axes.index(ndim - 2), axes.index(ndim - 1)
    lead = [axes.index(k) for k in range(ndim - 2)]
    if shape[row] != 1 or lead != list(range(ndim - 2)):
        return None
    return broadcast(reshape(x, (*shape[: ndim - 2], shape[column])), (*spread.shape[: ndim - 2], spread.shape[column]))


def _is_elementwise(scale: Node, decomposition: Node) -> bool:
    """Whether each number depends on no other eigenvalue than its own, and on no vector."""
    moved: set[Node] = set()
    for node in toposort([scale]):
        if node.op is item and node.args[0] is decomposition:
            if node.index != 0:
                return False
            moved.add(node)
        elif any(a in moved for a in node.args):
            if node.op.kind is not Kind.ELEMENTWISE and not (node.op in (reshape, broadcast) and node.shape == node.args[0].shape):
                return False
            moved.add(node)
    return True


def _made(vectors: Node, scale: Node) -> Node:
    decomposition = vectors.args[0]
    values = item(decomposition, 0)
    slope = pushforward([scale], [values], [ew.filled(values.shape, 1, values.dtype)])[0]
    scale = ew.as_node(scale, vectors.dtype)
    slope = ew.filled(scale.shape, 0, scale.dtype) if slope is None else ew.as_node(slope, scale.dtype)
    args = (decomposition.args[0], values, vectors, scale, slope)
    leaves = tuple([new_input(a.type) for a in args])
    body = Graph(leaves, (matmul(scale_columns(leaves[2], leaves[3]), adjoint(leaves[2])),))
    return item(custom.make(args, body=body, rule=_RULE), 0)


class _Rule:
    """Of a node (matrix, values, vectors, scale, slope): by the matrix at a fixed scale, and by the scale."""

    def vjp_one(self, cts: tuple[Node | None, ...], node: Node, index: int) -> Node | None:
        if cts[0] is None or index not in (0, 3):
            return None
        vectors = node.args[2]
        inner = matmul(matmul(adjoint(vectors), cts[0]), vectors)
        if index == 3:
            return _diagonal(inner)
        found = matmul(matmul(vectors, _divided_differences(node) * inner), adjoint(vectors))
        return (found + adjoint(found)) * 0.5

    def jvp(self, tangents: tuple[Node | None, ...], node: Node) -> tuple[Node | None, ...]:
        vectors, total = node.args[2], None
        if tangents[0] is not None:
            moved = (tangents[0] + adjoint(tangents[0])) * 0.5
            inner = _divided_differences(node) * matmul(matmul(adjoint(vectors), moved), vectors)
            total = matmul(matmul(vectors, inner), adjoint(vectors))
        if tangents[3] is not None:
            part = matmul(scale_columns(vectors, tangents[3]), adjoint(vectors))
            total = part if total is None else total + part
        return (total,)


_RULE = _Rule()


def _diagonal(a: Node) -> Node:
    return diagonal(a, axis1=a.ndim - 2, axis2=a.ndim - 1)


def _divided_differences(node: Node) -> Node:
    """(f(w_i) - f(w_j)) / (w_i - w_j), between equal values the mean of the slopes; 0 on the diagonal, which the scale accounts for."""
    _, values, _, scale, slope = node.args
    shape = (*values.shape, values.shape[-1])
    inverse = inverse_gaps(values)
    between = ew.where(ew.equal(inverse, 0), _means(slope, shape), _gaps(scale, shape) * inverse)
    return between * broadcast(ew.constant(1.0 - np.eye(shape[-1])), shape)


def _rows(x: Node, shape: Any) -> Node:
    return broadcast(reshape(x, (*x.shape, 1)), shape)


def _columns(x: Node, shape: Any) -> Node:
    return broadcast(reshape(x, (*x.shape[:-1], 1, x.shape[-1])), shape)


def _gaps(x: Node, shape: Any) -> Node:
    return _columns(x, shape) - _rows(x, shape)


def _means(x: Node, shape: Any) -> Node:
    return (_columns(x, shape) + _rows(x, shape)) * 0.5
