"""Products of windows, one part of them after the other: a BLAS routine wants every window as a row of a matrix, and all of them together
are many times as large as the array that they show. A convolution of 8 pictures by 5 x 5 windows: 21 -> 6.8 MB held, 1.8 -> 1.6 ms."""

from __future__ import annotations

from lazynp.ir.body import canonical_bodies
from lazynp.ir.node import Graph, Node, constant, new_dim, new_input, substitute
from lazynp.ir.types import itemcount
from lazynp.ops.contraction import contract
from lazynp.ops.indexing import unset, update
from lazynp.ops.movement import Step, broadcast, permute, reshape, slice_, window
from lazynp.ops.sizes import simplify_size
from lazynp.ops.structured import item, loop

_VIEWS = (broadcast, permute, reshape, slice_, window)
_LARGE, _REPEATED, _ROWS = 2 << 20, 2, 256
"""Bytes of all windows, and their multiple of the array's, from which they are made in turns: what a turn makes should stay in a cache;
windows of a turn at least: fewer are not worth a call of BLAS."""


def in_turns(node: Node) -> Node | None:
    """A product as a loop over the first axis of the result; None where no operand of it repeats an array, or where it is small."""
    if not all(part.type.static for part in (node, *node.args)) or not node.out or node.shape[0] < 2:
        return None
    for place, labels in enumerate((node.xs, node.ys)):
        whole = node.args[place]
        source = _source(whole)
        others = (node.ys, node.xs)[place]
        rows = [n for label, n in zip(node.out[1:], node.shape[1:], strict=True) if label in labels and label not in others]
        if source is not None and node.out[0] in labels and node.out[0] not in others and itemcount(tuple(rows)) >= _ROWS:
            return _looped(node, place, labels.index(node.out[0]), source)
    return None


def _source(operand: Node) -> Node | None:
    """The array of which an operand shows windows that are much larger together."""
    source, windows = operand, False
    while source.op in _VIEWS:
        windows = windows or source.op is window
        source = source.args[0]
    size = itemcount(operand.shape)
    fits = source.type.static and size * operand.dtype.itemsize >= _LARGE and size >= _REPEATED * itemcount(source.shape)
    return source if windows and fits else None


def _looped(node: Node, place: int, axis: int, source: Node) -> Node:
    whole, other = node.args[place], node.args[1 - place]
    index, shown, result = new_dim(), new_input(source.type), new_input(node.type)
    beside = new_input(other.type)
    (view,) = substitute((whole,), {source: shown})
    starts = tuple([index if k == axis else 0 for k in range(view.ndim)])
    part = slice_.make((view,), starts=starts, steps=(1,) * view.ndim, sizes=(*view.shape[:axis], 1, *view.shape[axis + 1 :]))
    operands = (part, beside) if place == 0 else (beside, part)
    product = contract.make(operands, xs=node.xs, ys=node.ys, out=node.out)
    row = Step(slice_, ((index, *(0,) * (node.ndim - 1)), (1,) * node.ndim, (1, *node.shape[1:])))
    (body,) = canonical_bodies([Graph((index, result, shown, beside), (update(result, product, path=(row,)),))], simplify_size)
    empty = unset.make((), out_shape=node.shape, to=node.dtype)
    made = loop(constant(0), constant(node.shape[0]), constant(1), empty, source, other, body=body)
    return item(made, index=0)
