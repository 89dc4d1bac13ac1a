"""Derivatives and batches of checkpointed calls: the way back is a checkpointed call too, of the same arguments and the cotangents."""

from collections.abc import Callable, Sequence
from typing import Any

from lazynp.ir.node import Graph, Node, new_input
from lazynp.ops.batching import spread
from lazynp.ops.custom import checkpointed
from lazynp.ops.movement import after
from lazynp.ops.structured import item

Rule = Callable[..., Any]


def pulled_back(node: Node, cotangents: Sequence[Node | None], active: Callable[[Node], bool], pullback: Rule) -> list[Node | None]:
    """The cotangents of the arguments. The call is done again once its results' cotangents are there, and not before: `after`."""
    body: Graph = node.body
    wanted = [k for k, argument in enumerate(node.args) if active(argument)]
    given = [k for k, ct in enumerate(cotangents) if ct is not None]
    seeds = [new_input(body.outputs[k].type) for k in given]
    found = pullback([body.outputs[k] for k in given], seeds, [body.inputs[k] for k in wanted])
    passed: list[Any] = [cotangents[k] for k in given]
    again = [after(argument, passed[0]) for argument in node.args]
    back = Graph((*body.inputs, *seeds), tuple([f for f in found if f is not None]))
    made = checkpointed.make((*again, *passed), body=back)
    results = iter([item(made, k) for k in range(len(back.outputs))])
    out: list[Node | None] = [None] * len(node.args)
    for k, f in zip(wanted, found, strict=True):
        out[k] = None if f is None else next(results)
    return out


def pushed_forward(node: Node, tangents: Sequence[Node | None], pushforward: Rule) -> tuple[Node | None, ...]:
    """The tangents of the results: results of the call that computes both."""
    body: Graph = node.body
    moved = {leaf: new_input(leaf.type) for leaf, t in zip(body.inputs, tangents, strict=True) if t is not None}
    found = pushforward(list(body.outputs), list(moved), list(moved.values()))
    both = Graph((*body.inputs, *moved.values()), tuple([f for f in found if f is not None]))
    made = checkpointed.make((*node.args, *[t for t in tangents if t is not None]), body=both)
    results = iter([item(made, k) for k in range(len(both.outputs))])
    return tuple([None if f is None else next(results) for f in found])


def batched(node: Node, given: Sequence[Node | None], size: int, batch: Rule) -> tuple[Node, ...]:
    """The results for all examples, of one call."""
    body: Graph = node.body
    leaves = {leaf: new_input(g.type) for leaf, g in zip(body.inputs, given, strict=True) if g is not None}
    found = batch(list(body.outputs), leaves, size)
    outputs = tuple([spread(shared, every, size) for shared, every in zip(body.outputs, found, strict=True)])
    inputs = tuple([leaves.get(leaf, leaf) for leaf in body.inputs])
    arguments = tuple([a if g is None else g for a, g in zip(node.args, given, strict=True)])
    made = checkpointed.make(arguments, body=Graph(inputs, outputs))
    return tuple([item(made, k) for k in range(len(outputs))])
