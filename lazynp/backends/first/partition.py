"""Which values are stored in memory. Everything starts fused; a value is stored when it must be, or when recomputing it costs more.

`prepare` first rewrites what loops and BLAS cannot take as it stands; `partition` then decides.
"""

from typing import Any, NamedTuple

import numpy as np

from lazynp.backends import prelude
from lazynp.ir.node import Graph, Node, const, dim, input_, toposort, transform
from lazynp.ir.op import Kind, Op
from lazynp.ir.types import itemcount
from lazynp.ops import elementwise as ew
from lazynp.ops import reduction as red
from lazynp.ops.contraction import contract, reorder
from lazynp.ops.indexing import gather, iota, scatter, update
from lazynp.ops.movement import broadcast, broadcast_axes, diagonal, embed_diagonal, join, pad, permute, reshape, slice_, window
from lazynp.ops.structured import call, inline, item

MAX_FUSED = 160
"""Scalar operations in one loop nest; longer chains are cut, so that gcc's time stays linear."""
RECOMPUTE = 8.0
"""A value used in several nests is stored when computing it costs more additions than this (about a load from the second cache)."""
SMALL_CONTRACTION = 4096
"""Multiplications below which generated loops beat a call of BLAS (measured: gemm of 16 x 16 x 16)."""

_BLAS_DTYPES = frozenset(np.dtype(c) for c in "fdFD")
_LOOPED = (Kind.ELEMENTWISE, Kind.MOVE, Kind.GATHER)


def is_leaf(node: Node) -> bool:
    """Whether a node is memory before the program starts."""
    return node.op is input_


def has_c(node: Node) -> bool:
    """Whether generated code can compute the node."""
    op = node.op
    if op.kind is Kind.ELEMENTWISE:
        return op in _SPECIAL or prelude.has(prelude.helper(op.name, node.args[0].dtype))
    if op.kind is Kind.REDUCE or op.kind is Kind.ACCUMULATE:
        return _folds(op, node.args[0].dtype)
    if op is scatter:
        return node.combine is None or prelude.has(prelude.helper(node.combine.name, node.dtype))
    return op in _MOVES or op is gather or op is update or op is contract


_SPECIAL = (ew.where, ew.cast, ew.real, ew.imag, ew.make_complex)
_MOVES = (permute, reshape, broadcast, slice_, pad, diagonal, embed_diagonal, window, join)


def _folds(op: Op, dtype: np.dtype) -> bool:
    scalar = op.scalar
    assert scalar is not None
    if dtype.kind == "c":
        return scalar in (ew.add, ew.multiply)
    if op in (red.argmax, red.argmin):
        return True
    return prelude.has(prelude.helper(scalar.name, dtype))


# --- prepare -----------------------------------------------------------------------------------------------------------


def prepare(graph: Graph) -> Graph:
    """The same graph with calls inlined and contractions either in the form BLAS takes or as reductions of products."""

    def visit(node: Node, args: tuple[Node, ...]) -> Node:
        node = node.with_args(args)
        if node.op is item and node.args[0].op is call:
            return inline(node.args[0])[node.index]
        if node.op is contract:
            return _keep_origin(_contraction(node), node)
        return node

    return graph._replace(outputs=tuple(transform(graph.outputs, visit)))


def _keep_origin(new: Node, old: Node) -> Node:
    for node in toposort([new], stop=lambda n: n in old.args):
        if node.where is None:
            node.where = old.where
    return new


class Gemm(NamedTuple):
    """A contraction as BLAS sees it: axis groups of batch, rows, columns and the summed ones; whether x, y are stored transposed."""

    batch: tuple[int, ...]
    rows: tuple[int, ...]
    columns: tuple[int, ...]
    summed: tuple[int, ...]
    x_transposed: bool
    y_transposed: bool


def _groups(node: Node) -> tuple[tuple[int, ...], ...]:
    xs, ys, out = node.xs, node.ys, node.out
    batch = tuple([a for a in out if a in xs and a in ys])
    rows = tuple([a for a in out if a in xs and a not in ys])
    columns = tuple([a for a in out if a in ys and a not in xs])
    summed = tuple([a for a in xs if a in ys and a not in out])
    return batch, rows, columns, summed


def gemm_form(node: Node) -> Gemm | None:
    """The groups, if the operands' axes already stand as BLAS wants them."""
    batch, rows, columns, summed = _groups(node)
    if node.out != batch + rows + columns:
        return None
    x_transposed = node.xs == batch + summed + rows and bool(rows) and bool(summed)
    y_transposed = node.ys == batch + columns + summed and bool(columns) and bool(summed)
    if not x_transposed and node.xs != batch + rows + summed:
        return None
    if not y_transposed and node.ys != batch + summed + columns:
        return None
    return Gemm(batch, rows, columns, summed, x_transposed, y_transposed)


def _contraction(node: Node) -> Node:
    x, y = node.args
    xs, ys = node.xs, node.ys
    x, xs = _sum_own(x, xs, ys, node.out)
    y, ys = _sum_own(y, ys, xs, node.out)
    node = contract(x, y, xs, ys, node.out)
    batch, rows, columns, summed = _groups(node)
    if node.dtype not in _BLAS_DTYPES or not summed or not (rows or columns) or _is_small(node):
        return _as_loops(node)
    if gemm_form(node) is not None:
        return node
    x_sorted = _is_sorted(xs, batch, rows, summed)
    y_sorted = _is_sorted(ys, batch, columns, summed)
    if not x_sorted:
        x, xs = reorder(x, xs, batch + rows + summed), batch + rows + summed
    if not y_sorted:
        y, ys = reorder(y, ys, batch + summed + columns), batch + summed + columns
    straight = contract(x, y, xs, ys, batch + rows + columns)
    if gemm_form(straight) is None:
        x, xs = reorder(x, xs, batch + rows + summed), batch + rows + summed
        y, ys = reorder(y, ys, batch + summed + columns), batch + summed + columns
        straight = contract(x, y, xs, ys, batch + rows + columns)
    return reorder(straight, batch + rows + columns, node.out)


def _is_sorted(labels: tuple[int, ...], batch: tuple[int, ...], own: tuple[int, ...], summed: tuple[int, ...]) -> bool:
    return labels in (batch + own + summed, batch + summed + own)


def _sum_own(x: Node, xs: tuple[int, ...], other: tuple[int, ...], out: tuple[int, ...]) -> tuple[Node, tuple[int, ...]]:
    """Labels of one operand alone that are summed away: a reduction before the product."""
    lost = tuple([axis for axis, label in enumerate(xs) if label not in other and label not in out])
    if not lost:
        return x, xs
    return red.reduce_add(x, lost), tuple([label for axis, label in enumerate(xs) if axis not in lost])


def _is_small(node: Node) -> bool:
    sizes = dict(zip(node.xs, node.args[0].shape, strict=True)) | dict(zip(node.ys, node.args[1].shape, strict=True))
    return all(type(n) is int for n in sizes.values()) and itemcount(tuple(sizes.values())) < SMALL_CONTRACTION


def _as_loops(node: Node) -> Node:
    """A contraction as the sum of a broadcast product; the summed axes stand before the last kept one, so that loops run along rows."""
    x, y = node.args
    batch, rows, columns, summed = _groups(node)
    order = batch + rows + summed + columns if columns else batch + summed + rows if rows and _last(x, node.xs, rows) else batch + rows + summed
    sizes = dict(zip(node.xs, x.shape, strict=True)) | dict(zip(node.ys, y.shape, strict=True))
    shape = tuple([sizes[label] for label in order])
    half = node.dtype == np.float16
    factors = [_spread(a, labels, order, shape) for a, labels in ((x, node.xs), (y, node.ys))]
    product = ew.multiply(*[ew.cast(f, to=np.float32) if half else f for f in factors])
    total = red.reduce_add(product, tuple([order.index(label) for label in summed])) if summed else product
    if half:
        total = ew.cast(total, to=np.float16)
    return reorder(total, tuple([label for label in order if label not in summed]), node.out)


def _last(x: Node, xs: tuple[int, ...], rows: tuple[int, ...]) -> bool:
    return bool(xs) and xs[-1] in rows


def _spread(x: Node, labels: tuple[int, ...], order: tuple[int, ...], shape: tuple[Any, ...]) -> Node:
    present = tuple([label for label in order if label in labels])
    x = reorder(x, labels, present)
    x = reshape(x, tuple([n if label in labels else 1 for label, n in zip(order, shape, strict=True)]))
    return broadcast(x, shape)


# --- partition ---------------------------------------------------------------------------------------------------------


def partition(graph: Graph) -> tuple[list[Node], set[Node]]:
    """The nodes in order, and those that are stored (leaves not counted)."""
    order = toposort(graph.outputs)
    stored: set[Node] = {o for o in graph.outputs if not is_leaf(o)}
    users: dict[Node, list[Node]] = {}
    for node in order:
        for argument in node.args:
            users.setdefault(argument, []).append(node)
    for node in order:
        if _must_store(node):
            stored.add(node)
        stored.update([a for a in _stored_operands(node) if not is_leaf(a)])
    weight: dict[Node, float] = {}
    length: dict[Node, int] = {}
    for node in order:
        inner = [a for a in node.args if a not in stored and not is_leaf(a)]
        weight[node] = sum([weight[a] for a in inner]) + _cost(node)
        length[node] = sum([length[a] for a in inner]) + 1
        if node not in stored and node.op.kind in _LOOPED:
            if length[node] > MAX_FUSED or (weight[node] > RECOMPUTE and _moved_apart(node, users)):
                stored.add(node)
    _store_shared(order, stored, users, weight)
    return order, stored


def _must_store(node: Node) -> bool:
    op = node.op
    if op.kind in (Kind.REDUCE, Kind.ACCUMULATE, Kind.CONTRACT, Kind.UPDATE, Kind.LIBRARY, Kind.STRUCTURED):
        return True
    if op is join:
        return True
    return op.kind in (Kind.ELEMENTWISE, Kind.MOVE) and not has_c(node)


def _stored_operands(node: Node) -> tuple[Node, ...]:
    """Arguments that a node wants in memory: those of routines, the base of an update, what a gather reads from."""
    op = node.op
    if op.kind in (Kind.CONTRACT, Kind.LIBRARY, Kind.STRUCTURED) or not has_c(node) and op.kind is not Kind.LEAF:
        return node.args
    if op is update or op is gather:
        return (node.args[0],)
    if op is scatter:
        return node.args
    return ()


def _cost(node: Node) -> float:
    if node.op.kind is Kind.ELEMENTWISE:
        return node.op.cost
    if node.op is gather:
        return RECOMPUTE
    if node.op is pad or node.op is embed_diagonal:
        return 2.0
    if node.op is reshape:
        return 1.0
    return 0.0


def _moved_apart(node: Node, users: dict[Node, list[Node]]) -> bool:
    """Whether fusing would compute the value several times: read through several movements, repeated along an outer axis, or windowed."""
    mine = users.get(node, [])
    if sum(1 for u in mine if u.op.kind is Kind.MOVE) > 1:
        return True
    for user in mine:
        if user.op is window:
            return True
        if user.op is broadcast and node.ndim:
            repeated = broadcast_axes(node.shape, user.out_shape)
            if any(axis < len(user.out_shape) - 1 for axis in repeated) and not _all_ones(node):
                return True
    return False


def _all_ones(node: Node) -> bool:
    return all(type(n) is int and n == 1 for n in node.shape)


_MANY = object()


def _store_shared(order: list[Node], stored: set[Node], users: dict[Node, list[Node]], weight: dict[Node, float]) -> None:
    """Store what several loop nests would each compute. A nest is told by the node it stores; maps of one shape count as one nest."""
    nest: dict[Node, Any] = {}
    for node in reversed(order):
        found: Any = None
        for user in users.get(node, ()):
            theirs = _nest_of(user) if user in stored else nest[user]
            found = theirs if found is None or found == theirs else _MANY
        nest[node] = found
        if found is _MANY and node not in stored and node.op.kind in _LOOPED and weight[node] > RECOMPUTE:
            stored.add(node)


def _nest_of(node: Node) -> Any:
    if node.op.kind in (Kind.ELEMENTWISE, Kind.MOVE, Kind.GATHER):
        return ("map", node.shape)
    return node


def needs_memory(node: Node) -> bool:
    """Whether a node outside of `stored` is worth a name in code: constants and positions are not."""
    return node.op not in (const, dim, iota)
