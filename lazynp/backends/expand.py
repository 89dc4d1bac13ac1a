"""Graph to graph, before partition: calls are inlined, contractions become fused products and sums or matrix products for BLAS, linear
algebra of single precision is computed in double precision as in numpy.linalg."""

from __future__ import annotations

from typing import Any

import numpy as np

from lazynp import choices
from lazynp.backends import lapack
from lazynp.backends.extremes import extreme_by_folds
from lazynp.backends.turns import in_turns
from lazynp.ir.node import Graph, Node, transform
from lazynp.ir.op import Kind
from lazynp.ir.types import itemcount
from lazynp.ops import elementwise as ew
from lazynp.ops import reduction
from lazynp.ops.contraction import contract, reorder
from lazynp.ops.movement import broadcast, reshape
from lazynp.ops.structured import call, inline, item


def expand(graph: Graph) -> Graph:
    """The same outputs, made of ops that partition knows."""
    inlined: dict[Node, tuple[Node, ...]] = {}
    narrow: dict[Node, Node] = {}

    def visit(node: Node, args: tuple[Node, ...]) -> Node:
        fresh = node.with_args(args)
        if node.op is call:
            inlined[fresh] = tuple(transform(inline(fresh), visit))
        elif node.op is item and args[0] in inlined:
            fresh = inlined[args[0]][node.index]
        elif node.op is item and args[0] in narrow:
            fresh = ew.recast(node.with_args((narrow[args[0]],)), node.dtype)
        elif node.op.kind is Kind.LIBRARY and lapack.has(fresh) and (wide := lapack.widened(fresh)) is not None:
            in_double = node.op.make(tuple([ew.recast(a, wide) for a in args]), **node.attributes)
            fresh = ew.recast(in_double, node.dtype) if type(node.type) is not tuple else _noted(narrow, fresh, in_double)
            in_double.where = node.where
        elif node.op is contract:
            fresh = _attributed(_contraction(fresh), node)
        elif node.op in (reduction.argmax, reduction.argmin) and (folds := extreme_by_folds(fresh)) is not None:
            fresh = _attributed(folds, node)
        return fresh

    return graph._replace(outputs=tuple(transform(graph.outputs, visit)))


def _noted(narrow: dict[Node, Node], fresh: Node, wide: Node) -> Node:
    narrow[fresh] = wide
    return fresh


def _attributed(node: Node, source: Node) -> Node:
    """New nodes belong to the user's line of the node that they replace."""
    stack = [node]
    while stack:
        current = stack.pop()
        if current.where is None and current.args:
            current.where = source.where
            stack.extend(current.args)
    return node


class _Labels:
    """The labels of a contraction by role: batch (in both and in the result), rows (of x), columns (of y), inner (summed)."""

    def __init__(self, node: Node) -> None:
        xs, ys, out = node.xs, node.ys, node.out
        self.batch = tuple([label for label in out if label in xs and label in ys])
        self.rows = tuple([label for label in out if label not in ys])
        self.columns = tuple([label for label in out if label not in xs])
        self.inner = tuple([label for label in dict.fromkeys((*xs, *ys)) if label not in out])
        self.sizes: dict[int, Any] = dict(zip((*xs, *ys), (*node.args[0].shape, *node.args[1].shape), strict=True))
        self.lonely = any((label in xs) != (label in ys) for label in self.inner)

    def count(self, labels: tuple[int, ...]) -> Any:
        total: Any = 1
        for label in labels:
            total = self.sizes[label] * total
        return total


def _contraction(node: Node) -> Node:
    labels = _Labels(node)
    if node.dtype == np.float16 and labels.inner:  # as NumPy's: only the sum is rounded
        wide = tuple([ew.recast(x, np.dtype(np.float32)) for x in node.args])
        return ew.recast(_contraction(contract.make(wide, **node.attributes)), node.dtype)
    if _for_blas(node, labels):
        return in_turns(node) or _matrix_product(node, labels)
    return _fused(node, labels)


def _for_blas(node: Node, labels: _Labels) -> bool:
    if node.dtype.char not in "fdFD" or labels.lonely or not (labels.rows and labels.columns and labels.inner):
        return False
    shape = tuple([labels.sizes[label] for label in (*labels.rows, *labels.columns, *labels.inner)])
    return not all(type(n) is int for n in shape) or itemcount(shape) > choices.value("blas")


def _fused(node: Node, labels: _Labels) -> Node:
    """Both operands broadcast over all labels, multiplied and summed: partition fuses this into one loop nest."""
    x, y = node.args
    space = (*node.out, *labels.inner)
    product = ew.multiply.make((_spread(x, node.xs, space, labels), _spread(y, node.ys, space, labels)))
    axes = tuple(range(len(node.out), len(space)))
    if not axes:
        return product
    fold = reduction.reduce_logical_or if node.dtype == np.bool_ else reduction.reduce_add
    return fold.make((product,), axes=axes)


def _spread(x: Node, own: tuple[int, ...], space: tuple[int, ...], labels: _Labels) -> Node:
    wanted = tuple([label for label in space if label in own])
    x = reorder(x, own, wanted)
    x = reshape(x, tuple([labels.sizes[label] if label in own else 1 for label in space]))
    return broadcast(x, tuple([labels.sizes[label] for label in space]))


def _matrix_product(node: Node, labels: _Labels) -> Node:
    """batch x (rows, inner) times (inner, columns), each group one axis; an operand whose groups are swapped is passed as transposed."""
    (x, y), xs, ys = node.args, node.xs, node.ys
    rows, columns = labels.rows, labels.columns
    if node.out == labels.batch + columns + rows:
        (x, xs, rows), (y, ys, columns) = (y, ys, columns), (x, xs, rows)
    inner = _inner_order(xs, labels)
    left, left_labels = _as_matrix(x, xs, labels, rows, inner, (0, 1))
    right, right_labels = _as_matrix(y, ys, labels, inner, columns, (1, 2))
    out: tuple[int, ...] = (0, 2)
    batch: tuple[int, ...] = ()
    if labels.batch:
        batch = (3,)
        out = (3, 0, 2)
    product = contract.make((left, right), xs=batch + left_labels, ys=batch + right_labels, out=out)
    full = labels.batch + rows + columns
    product = reshape(product, tuple([labels.sizes[label] for label in full]))
    return reorder(product, full, node.out)


def _inner_order(xs: tuple[int, ...], labels: _Labels) -> tuple[int, ...]:
    return tuple([label for label in xs if label in labels.inner])


def _as_matrix(
    x: Node, own: tuple[int, ...], labels: _Labels, first: tuple[int, ...], second: tuple[int, ...], names: tuple[int, int]
) -> tuple[Node, tuple[int, ...]]:
    """x as (batch,) first, second, or with the two swapped if it lies in memory like that."""
    swapped = own == labels.batch + second + first and own != labels.batch + first + second
    groups = (second, first) if swapped else (first, second)
    order = labels.batch + groups[0] + groups[1]
    x = reorder(x, own, order)
    shape = [labels.count(labels.batch)] if labels.batch else []
    shape += [labels.count(group) for group in groups]
    return reshape(x, tuple(shape)), tuple(reversed(names)) if swapped else names
