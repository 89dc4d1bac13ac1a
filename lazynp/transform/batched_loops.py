"""Batching of loops and branches: their bodies are batched once, for all turns.

What is carried gets the batch axis if any turn makes it depend on the example. A loop until a condition runs until it fails for every
example, and keeps the values of those that are done; a branch that depends on the example becomes both branches and a selection.

The rules get `batch` of the file above as an argument; it and these rules call each other.
"""

import functools
from collections.abc import Callable, Sequence
from typing import Any

from lazynp.errors import CaptureError
from lazynp.ir.body import canonical_bodies, mentions, rename
from lazynp.ir.node import Graph, Node, dim, new_input
from lazynp.ir.types import ArrayType
from lazynp.ops import elementwise as ew
from lazynp.ops.batching import Given, spread, unrolled
from lazynp.ops.movement import broadcast, reshape
from lazynp.ops.reduction import reduce_logical_or
from lazynp.ops.sizes import simplify_size
from lazynp.ops.structured import cond, item, loop, while_

Batch = Callable[..., list[Node | None]]


def batched_control(node: Node, given: Given, size: int, batch: Batch) -> tuple[Node, ...]:
    """The outputs of a loop or branch for all examples. A loop whose limits differ between them becomes one loop for each."""
    if node.op is cond:
        return _selected(node, given, size, batch) if given[0] is not None else _branched(node, given, size, batch)
    return _looped(node, given, size, batch) if node.op is loop else _while(node, given, size, batch)


def _with_axis(leaf: Node, size: int) -> Node:
    return new_input(ArrayType((size, *leaf.type.shape), leaf.type.dtype))


def _per_example(test: Node, like: Node) -> Node:
    """A boolean per example in the shape of a batched value."""
    return broadcast(reshape(test, (test.shape[0], *(1,) * (like.ndim - 1))), like.shape)


# --- branches --------------------------------------------------------------------------------------------------------


def _selected(node: Node, given: Given, size: int, batch: Batch) -> tuple[Node, ...]:
    """Both branches, and for each example the one that it takes."""
    arguments = node.args[1:]
    numbers = [leaf for leaf, a in zip(node.yes.inputs, arguments, strict=True) if leaf.op is dim and a.op is not dim]
    if any(mentions(branch.outputs, numbers) for branch in (node.yes, node.no)):
        raise CaptureError("an index or a size in a branch differs between the examples")
    places = {a: g for a, g in zip(arguments, given[1:], strict=True) if g is not None}
    branches = [rename(branch.outputs, dict(zip(branch.inputs, arguments, strict=True))) for branch in (node.yes, node.no)]
    found = [[spread(o, b, size) for o, b in zip(outputs, batch(outputs, places, size, guarded=True), strict=True)] for outputs in branches]
    assert given[0] is not None
    return tuple([ew.where(_per_example(given[0], yes), yes, no) for yes, no in zip(*found, strict=True)])


def _branched(node: Node, given: Given, size: int, batch: Batch) -> tuple[Node, ...]:
    """The same branch for all examples."""
    fresh = {leaf: _with_axis(leaf, size) for leaf, g in zip(node.yes.inputs, given[1:], strict=True) if g is not None}
    found = [[spread(o, b, size) for o, b in zip(g.outputs, batch(g.outputs, fresh, size), strict=True)] for g in (node.yes, node.no)]
    inputs = tuple([fresh.get(leaf, leaf) for leaf in node.yes.inputs])
    yes, no = canonical_bodies([Graph(inputs, tuple(outputs)) for outputs in found], simplify_size)
    arguments = [a if g is None else g for a, g in zip(node.args, given, strict=True)]
    result = cond(*arguments, yes=yes, no=no)
    return tuple([item(result, index=k) for k in range(len(found[0]))])


# --- loops -----------------------------------------------------------------------------------------------------------


def _settled(body: Graph, first: int, given: Given, size: int, batch: Batch) -> tuple[dict[Node, Node], list[Any]]:
    """(leaf -> its form with the batch axis, the body's outputs in the form of what is carried). given: for the leaves from `first` on."""
    count = len(body.outputs)
    leaves = body.inputs[first:]
    fresh = {leaf: _with_axis(leaf, size) for leaf, g in zip(leaves, given, strict=True) if g is not None}
    while True:
        found = batch(body.outputs, fresh, size)
        more = [leaf for leaf, out in zip(leaves[:count], found, strict=True) if out is not None and leaf not in fresh]
        if not more:
            break
        fresh |= {leaf: _with_axis(leaf, size) for leaf in more}
    pairs = zip(leaves[:count], body.outputs, found, strict=True)
    return fresh, [spread(out, b, size) if leaf in fresh else out for leaf, out, b in pairs]


def _arguments(leaves: Sequence[Node], arguments: Sequence[Node], given: Given, fresh: dict[Node, Node], size: int) -> list[Node]:
    return [spread(a, g, size) if leaf in fresh else a for leaf, a, g in zip(leaves, arguments, given, strict=True)]


def _results(result: Node, leaves: Sequence[Node], fresh: dict[Node, Node], size: int) -> tuple[Node, ...]:
    found = [item(result, index=k) for k in range(len(leaves))]
    return tuple([out if leaf in fresh else spread(out, None, size) for leaf, out in zip(leaves, found, strict=True)])


def _looped(node: Node, given: Given, size: int, batch: Batch) -> tuple[Node, ...]:
    if any(limit is not None for limit in given[:3]):
        return unrolled(node, given, size)  # type: ignore[no-any-return]
    body, rest = node.body, given[3:]
    fresh, outputs = _settled(body, 1, rest, size, batch)
    inputs = tuple([fresh.get(leaf, leaf) for leaf in body.inputs])
    (made,) = canonical_bodies([Graph(inputs, tuple(outputs))], simplify_size)
    arguments = _arguments(body.inputs[1:], node.args[3:], rest, fresh, size)
    return _results(loop(*node.args[:3], *arguments, body=made), body.inputs[1 : 1 + len(outputs)], fresh, size)


def _while(node: Node, given: Given, size: int, batch: Batch) -> tuple[Node, ...]:
    body, condition = node.body, node.condition
    fresh, outputs = _settled(body, 0, given, size, batch)
    (test,) = batch(condition.outputs, _standing_for(condition, body, fresh), size)
    if test is not None:
        batch = functools.partial(batch, guarded=True)
        fresh, outputs = _settled(body, 0, given, size, batch)
        (test,) = batch(condition.outputs, _standing_for(condition, body, fresh), size)
        assert test is not None
        return _while_each(node, given, size, fresh, outputs, test)
    inputs = tuple([fresh.get(leaf, leaf) for leaf in body.inputs])
    first, second = canonical_bodies([Graph(inputs, condition.outputs), Graph(inputs, tuple(outputs))], simplify_size)
    arguments = _arguments(body.inputs, node.args, given, fresh, size)
    result = while_(*arguments, condition=first, body=second, limit=node.limit)
    return _results(result, body.inputs[: len(outputs)], fresh, size)


def _while_each(node: Node, given: Given, size: int, fresh: dict[Node, Node], outputs: list[Node], test: Node) -> tuple[Node, ...]:
    """Every example stops for itself, and its values stay. Values that are the same for all examples (the number of the turn, which may
    be an index) go on, and beside each of them is carried what every example has stopped with. Carried last: which examples go on."""
    body = node.body
    count = len(outputs)
    carried = body.inputs[:count]
    common = [k for k, leaf in enumerate(carried) if leaf not in fresh]
    kept = [_with_axis(carried[k], size) for k in common]
    going = new_input(ArrayType((size,), test.dtype))
    active = ew.logical_and(going, test)

    def stopping(new: Node, old: Node) -> Node:
        return ew.where(_per_example(active, old), new, old)

    after = [stopping(out, fresh[leaf]) if leaf in fresh else out for leaf, out in zip(carried, outputs, strict=True)]
    after += [stopping(spread(outputs[k], None, size), old) for k, old in zip(common, kept, strict=True)]
    inputs = tuple([fresh.get(leaf, leaf) for leaf in body.inputs])
    inputs = (*inputs[:count], *kept, going, *inputs[count:])
    graphs = [Graph(inputs, (reduce_logical_or(active, (0,)),)), Graph(inputs, (*after, active))]
    first, second = canonical_bodies(graphs, simplify_size)
    arguments = _arguments(body.inputs, node.args, given, fresh, size)
    before = [spread(node.args[k], None, size) for k in common]
    arguments = [*arguments[:count], *before, ew.filled((size,), True, test.dtype), *arguments[count:]]
    result = while_(*arguments, condition=first, body=second, limit=node.limit)
    places = {k: count + position for position, k in enumerate(common)}
    return tuple([item(result, index=places.get(k, k)) for k in range(count)])


def _standing_for(condition: Graph, body: Graph, fresh: dict[Node, Node]) -> dict[Node, Node]:
    """The same for the condition, whose leaves stand at the same places."""
    return {mine: fresh[leaf] for mine, leaf in zip(condition.inputs, body.inputs, strict=True) if leaf in fresh}
