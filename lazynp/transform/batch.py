"""Batching of graphs: the same computation for many examples at once, as one graph with one more axis in front.

One rule per kind of op. A value that does not depend on the example is shared: it stays as it is, without the axis. Sizes are
concrete: batching happens where functions are traced, before graphs become size-generic.
"""

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from lazynp.errors import CaptureError
from lazynp.ir.body import bodies_of, canonical_bodies, mentions, own_dims, rename
from lazynp.ir.node import Graph, Node, constant, dim, new_input, toposort
from lazynp.ir.op import Kind, Op
from lazynp.ir.types import ArrayType
from lazynp.ops.batching import Given, lifted, moved_first, moved_from_first, spread, spread_all
from lazynp.ops.contraction import contract
from lazynp.ops.custom import checkpointed
from lazynp.ops.indexing import gather, positions, scatter, update
from lazynp.ops.movement import after, broadcast, reshape
from lazynp.ops.sizes import hooks, simplify_size
from lazynp.ops.structured import CONTROL, item, without_calls
from lazynp.transform import checkpoints
from lazynp.transform.batched_loops import batched_control
from lazynp.transform.origins import Origins


def batch(outputs: Sequence[Node], batched: Mapping[Node, Node], size: int, guarded: bool = False) -> list[Node | None]:
    """For each output its batched form, or None where it is the same for all examples.

    batched: for some nodes (variables) the values for all examples: shape (size, *shape), same dtype. guarded: some examples do not do
    this themselves; an index of theirs may be wrong. Linear in the graph."""
    places = list(batched)
    roots = without_calls([*outputs, *places])
    outputs, places = roots[: len(outputs)], roots[len(outputs) :]
    known: dict[Node, Any] = dict(zip(places, batched.values(), strict=True))
    order = toposort(outputs, stop=lambda node: node in known)
    origins = Origins(order)
    dims = [place for place in places if place.op is dim]
    for node in order:
        if node in known:
            continue
        same = _with_numbers_as_arguments(node, [d for d in dims if d in own_dims(node)])
        if any(a in known for a in same.args):
            made = known[node] = _batched(same, [known.get(a) for a in same.args], size, guarded)
            for part in made if isinstance(made, tuple) else (made,):
                origins.mark(part, node.where)
    return [known.get(output) for output in outputs]


def _with_numbers_as_arguments(node: Node, dims: Sequence[Node]) -> Node:
    """The same node with integers that differ between the examples as arguments, where it mentions them in bodies. Raises CaptureError
    where they are indices or sizes."""
    if not dims:
        return node
    leaves = {d: new_input(ArrayType((), np.dtype(np.int64))) for d in dims}
    bodies = bodies_of(node)
    if node.op not in CONTROL or any(mentions(body.outputs, dims) for body in bodies):
        raise CaptureError("an index or a size differs between the examples")
    graphs = [Graph((*body.inputs, *leaves.values()), tuple(rename(body.outputs, leaves))) for body in bodies]
    made = iter(canonical_bodies(graphs, simplify_size))
    attrs = {name: next(made) if isinstance(value, Graph) else value for name, value in node.attributes.items()}
    return node.op.make((*node.args, *dims), **attrs)


def _batched(node: Node, given: Given, size: int, guarded: bool) -> Any:
    """One node for all examples; a tuple where an op with several outputs had to be taken apart."""
    if guarded and node.op.kind in (Kind.GATHER, Kind.UPDATE) and any(g is not None for g in given[_FIRST_INDEX[node.op.kind] :]):
        if not hooks.doubt(constant(False)):  # then an error repeats the call in lazy mode
            raise CaptureError("an index differs between the examples, of which some do not come there")
    if node.op.batch is not None:
        return node.op.batch(node, given, size)
    if node.op in CONTROL:
        return batched_control(node, given, size, functools.partial(batch, guarded=guarded))
    if node.op is checkpointed:
        return checkpoints.batched(node, given, size, functools.partial(batch, guarded=guarded))
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


_FIRST_INDEX = {Kind.GATHER: 1, Kind.UPDATE: 2}
"""At which argument the indices begin."""

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
