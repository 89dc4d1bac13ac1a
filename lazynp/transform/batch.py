"""Batching of graphs: the same computation for many examples at once, as one graph with one more axis in front.

One rule per kind of op. A value that does not depend on the example is shared: it stays as it is, without the axis. Sizes are
concrete: batching happens where functions are traced, before graphs become size-generic.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from lazynp.errors import CaptureError
from lazynp.ir.node import Node, toposort
from lazynp.ir.op import Kind, Op
from lazynp.ops.batching import Given, lifted, moved_first, moved_from_first, spread, spread_all
from lazynp.ops.contraction import contract
from lazynp.ops.custom import checkpointed
from lazynp.ops.indexing import gather, positions, scatter, update
from lazynp.ops.movement import after, broadcast, reshape
from lazynp.ops.structured import CONTROL, item, without_calls
from lazynp.transform import checkpoints
from lazynp.transform.batched_loops import batched_control
from lazynp.transform.origins import Origins


def batch(outputs: Sequence[Node], batched: Mapping[Node, Node], size: int) -> list[Node | None]:
    """For each output its batched form, or None where it is the same for all examples.

    batched: for some nodes (variables) the values for all examples: shape (size, *shape), same dtype. Linear in the graph."""
    places = list(batched)
    roots = without_calls([*outputs, *places])
    outputs, places = roots[: len(outputs)], roots[len(outputs) :]
    known: dict[Node, Any] = dict(zip(places, batched.values(), strict=True))
    order = toposort(outputs, stop=lambda node: node in known)
    origins = Origins(order)
    for node in order:
        if node not in known and any(a in known for a in node.args):
            made = known[node] = _batched(node, [known.get(a) for a in node.args], size)
            for part in made if isinstance(made, tuple) else (made,):
                origins.mark(part, node.where)
    return [known.get(output) for output in outputs]


def _batched(node: Node, given: Given, size: int) -> Any:
    """One node for all examples; a tuple where an op with several outputs had to be taken apart."""
    if node.op.batch is not None:
        return node.op.batch(node, given, size)
    if node.op in CONTROL:
        return batched_control(node, given, size, batch)
    if node.op is checkpointed:
        return checkpoints.batched(node, given, size, batch)
    rule = _OF_OP.get(node.op) or _OF_KIND[node.op.kind]
    return rule(node, given, size)


def _lifting(node: Node, given: Given, size: int) -> Node:
    """The same op, its axes one further."""
    return node.op.make(spread_all(node, given, size), **lifted(node.op, node.attrs, size))


def _elementwise(node: Node, given: Given, size: int) -> Node:
    return node.op.make(spread_all(node, given, size), **node.attributes)


def _broadcast(node: Node, given: Given, size: int) -> Node:
    (x,), source = given, node.args[0].shape
    assert x is not None
    new = len(node.out_shape) - len(source)
    return broadcast(reshape(x, (size, *(1,) * new, *source)), (size, *node.out_shape))


def _contract(node: Node, given: Given, size: int) -> Node:
    """A new label that only the batched arguments have: a shared matrix stays one matrix."""
    label = 1 + max((*node.xs, *node.ys), default=0)
    x, y = [argument if g is None else g for argument, g in zip(node.args, given, strict=True)]
    xs, ys = [labels if g is None else (label, *labels) for labels, g in zip((node.xs, node.ys), given, strict=True)]
    return contract.make((x, y), xs=xs, ys=ys, out=(label, *node.out))


def _example_numbers(shape: Sequence[int], size: int) -> Node:
    return positions((size, *shape), 0)


def _gather(node: Node, given: Given, size: int) -> Node:
    x, *indices = node.args
    base, *picked = given
    if all(i is None for i in picked):
        assert base is not None
        return gather.make((base, *indices), axes=tuple([a + 1 for a in node.axes]), position=node.position + 1)
    many = [spread(i, p, size) for i, p in zip(indices, picked, strict=True)]
    if base is None:
        return moved_first(gather.make((x, *many), axes=node.axes, position=node.position), node.position)
    axes = (0, *[a + 1 for a in node.axes])
    found = gather.make((base, _example_numbers(indices[0].shape, size), *many), axes=axes, position=node.position)
    return moved_first(found, node.position)


def _scatter(node: Node, given: Given, size: int) -> Node:
    base, new, *indices = node.args
    picked = given[2:]
    bases, values = spread(base, given[0], size), spread(new, given[1], size)
    if all(i is None for i in picked):
        axes = tuple([a + 1 for a in node.axes])
        return scatter.make((bases, values, *indices), axes=axes, position=node.position + 1, combine=node.combine)
    many = [_example_numbers(indices[0].shape, size), *[spread(i, p, size) for i, p in zip(indices, picked, strict=True)]]
    axes = (0, *[a + 1 for a in node.axes])
    values = moved_from_first(values, node.position)
    return scatter.make((bases, values, *many), axes=axes, position=node.position, combine=node.combine)


def _item(node: Node, given: Given, size: int) -> Node:
    (values,) = given
    return values[node.index] if isinstance(values, tuple) else item(values, node.index)


def _after(node: Node, given: Given, size: int) -> Node:
    (x, event), (many, _) = node.args, given
    return after(spread(x, many, size), event if given[1] is None else given[1])


def _no_rule(node: Node, given: Given, size: int) -> Node:
    raise CaptureError(f"{node.op.name} has no batching rule (Op.batch of its entry in the op table)")


Rule = Callable[[Node, Given, int], Any]

_OF_KIND: dict[Kind, Rule] = {
    Kind.LEAF: _no_rule,
    Kind.ELEMENTWISE: _elementwise,
    Kind.REDUCE: _lifting,
    Kind.ACCUMULATE: _lifting,
    Kind.MOVE: _lifting,
    Kind.CONTRACT: _contract,
    Kind.GATHER: _gather,
    Kind.UPDATE: _no_rule,
    Kind.LIBRARY: _lifting,
    Kind.STRUCTURED: _no_rule,
}

_OF_OP: dict[Op, Rule] = {broadcast: _broadcast, update: _lifting, scatter: _scatter, item: _item, after: _after}
"""Ops whose arguments need more than a further axis."""
