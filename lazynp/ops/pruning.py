"""Loops and branches without what nobody reads: dead carried values, unused arguments and outputs, values that no turn changes."""

from __future__ import annotations

import weakref
from collections.abc import Iterable
from typing import Any

from lazynp.ir.body import canonical_bodies, own_dims
from lazynp.ir.node import Graph, Node, const, substitute, toposort, transform
from lazynp.ir.op import Kind
from lazynp.ir.types import ArrayType
from lazynp.ops.elementwise import doubtful, greater, less, logical_and, logical_not, logical_or, where
from lazynp.ops.sizes import simplify_size
from lazynp.ops.structured import CONTROL, cond, item, loop, while_

_SELECT = 12.0
"""The most additions that a branch over single numbers may cost to be computed on both sides."""

_TEST = 10.0
"""The most additions that a test may cost for both branches to be computed without waiting for it."""

_REMOTE = 1 << 52
"""Integers of this magnitude are seldom met."""


def prune(graph: Graph) -> Graph:
    """The same outputs; branches over a few operations on numbers become selections."""
    order = toposort(graph.outputs)
    read: dict[Node, set[int]] = {}
    for node in order:
        if node.op is item and node.args[0].op in CONTROL:
            read.setdefault(node.args[0], set()).add(node.index)
    results: dict[Node, dict[int, Node]] = {}

    def visit(node: Node, args: tuple[Node, ...]) -> Node:
        if node.op is item and node.args[0] in results:
            return results[node.args[0]][node.index]
        fresh = node.with_args(args)
        if node.op in CONTROL:
            results[node] = _pruned(fresh, read.get(node, set()))
        return fresh

    return graph._replace(outputs=tuple(transform(graph.outputs, visit)))


def _pruned(node: Node, read: set[int]) -> dict[int, Node]:
    """The node that stands for each output that is read."""
    if node.op is cond:
        return _pruned_branches(node, read)
    first = 1 if node.op is loop else 0
    limits = node.args[:3] if node.op is loop else ()
    arguments = node.args[len(limits) :]
    inputs, outputs = node.body.inputs, node.body.outputs
    tests = node.condition.outputs if node.op is while_ else ()
    carried = inputs[first : first + len(outputs)]
    still = {k for k, (leaf, output) in enumerate(zip(carried, outputs, strict=True)) if leaf is output}
    live = _live(outputs, carried, tests, read - still) - still
    kept = sorted(live)
    if not kept and node.op is loop:
        return {k: arguments[k] for k in still & read}
    roots = prune(Graph(inputs, (*tests, *[outputs[k] for k in kept]))).outputs
    needed = _leaves(roots)
    rest = [k for k in range(len(arguments)) if k not in live and inputs[first + k] in needed]
    found = {k: arguments[k] for k in still & read}
    if len(kept) + len(rest) == len(arguments) and len(kept) == len(outputs) and roots == (*tests, *outputs):
        return found | {k: item(node, index=k) for k in read - still}
    leaves = (*inputs[:first], *[inputs[first + k] for k in (*kept, *rest)])
    chosen = [arguments[k] for k in (*kept, *rest)]
    body = Graph(leaves, roots[len(tests) :])
    fresh = rebuilt(node, limits, chosen, [Graph(leaves, roots[: len(tests)]), body] if tests else [body])
    return found | {k: item(fresh, index=position) for position, k in enumerate(kept) if k in read}


def rebuilt(node: Node, limits: tuple[Node, ...], arguments: list[Node], graphs: list[Graph]) -> Node:
    """The loop with other bodies and arguments."""
    graphs = canonical_bodies(graphs, simplify_size)
    if node.op is loop:
        fresh = loop(*limits, *arguments, body=graphs[0], again=node.again)
    elif node.op is while_:
        fresh = while_(*arguments, condition=graphs[0], body=graphs[1], limit=node.limit)
    else:
        fresh = cond(*limits, *arguments, yes=graphs[0], no=graphs[1])
    fresh.where = fresh.where or node.where
    return fresh  # type: ignore[no-any-return]


def _leaves(roots: Iterable[Node]) -> set[Node]:
    """What values are computed from, also through sizes and bodies; of a loop or branch what this one of its results needs."""
    return _visit(roots, set())


def _visit(roots: Iterable[Node], found: set[Node]) -> set[Node]:
    """Adds what values are computed from to what has been found, and returns what is new: each node is visited once."""
    new: set[Node] = set()
    waiting = list(roots)
    while waiting:
        node = waiting.pop()
        if node in found:
            continue
        found.add(node)
        mentioned = own_dims(node)
        if node.op is item and node.args[0].op in CONTROL:
            mentioned |= own_dims(node.args[0])
            waiting += [node.args[0].args[k] for k in _read_for(node.args[0], node.index)]
        else:
            waiting += node.args
        found |= mentioned
        new |= {node} | mentioned
    return new


def _read_for(node: Node, index: int) -> tuple[int, ...]:
    """The positions of the arguments that a result of a loop or branch depends on."""
    known = _reads.setdefault(node, {})
    if index not in known:
        if node.op is cond:
            needed = _leaves([branch.outputs[index] for branch in (node.yes, node.no)])
            known[index] = (0, *[1 + k for k, leaf in enumerate(node.yes.inputs) if leaf in needed])
        else:
            first, limits = (1, 3) if node.op is loop else (0, 0)
            inputs, outputs = node.body.inputs, node.body.outputs
            tests = node.condition.outputs if node.op is while_ else ()
            live = _live(outputs, inputs[first : first + len(outputs)], tests, {index})
            needed = _leaves([*tests, *[outputs[k] for k in live]])
            carried = [limits + k for k, leaf in enumerate(inputs[first:]) if k in live or leaf in needed]
            known[index] = (*range(limits), *carried)
    return known[index]


_reads: weakref.WeakKeyDictionary[Node, dict[int, tuple[int, ...]]] = weakref.WeakKeyDictionary()


def _live(outputs: Any, carried: Any, tests: Any, wanted: set[int]) -> set[int]:
    """The carried values on which the wanted ones and the tests depend, in any number of turns."""
    place = {leaf: k for k, leaf in enumerate(carried)}
    live: set[int] = set()
    waiting = [outputs[k] for k in wanted] + list(tests)
    live |= wanted
    found: set[Node] = set()
    while waiting:
        for leaf in _visit([waiting.pop()], found):
            k = place.get(leaf)
            if k is not None and k not in live:
                live.add(k)
                waiting.append(outputs[k])
    return live


def _pruned_branches(node: Node, read: set[int]) -> dict[int, Node]:
    inputs = node.yes.inputs
    found: dict[int, Node] = {}
    for k in read:
        if node.yes.outputs[k] is node.no.outputs[k] and node.yes.outputs[k] in inputs:
            found[k] = node.args[1 + inputs.index(node.yes.outputs[k])]
    kept = sorted(read - found.keys())
    if not kept:
        return found
    if _is_select(node, kept):
        given = dict(zip(inputs, node.args[1:], strict=True))
        sides = [substitute([branch.outputs[k] for k in kept], given) for branch in (node.yes, node.no)]
        return found | {k: _chosen(node.args[0], one, other) for k, one, other in zip(kept, *sides, strict=True)}
    roots_of = [prune(Graph(inputs, tuple([branch.outputs[k] for k in kept]))).outputs for branch in (node.yes, node.no)]
    needed = _leaves([root for roots in roots_of for root in roots])
    chosen = [k for k, leaf in enumerate(inputs) if leaf in needed]
    if len(kept) == len(node.type) and len(chosen) == len(inputs) and roots_of == [node.yes.outputs, node.no.outputs]:
        return found | {k: item(node, index=k) for k in kept}
    leaves = tuple([inputs[k] for k in chosen])
    graphs = [Graph(leaves, tuple(roots)) for roots in roots_of]
    fresh = rebuilt(node, node.args[:1], [node.args[1 + k] for k in chosen], graphs)
    return found | {k: item(fresh, index=position) for position, k in enumerate(kept)}


def _chosen(test: Node, one: Node, other: Node) -> Node:
    """one where test, else other; a doubt of one side is no choice, but a truth value that joins the doubts."""
    for side, rest, taken in ((one, other, test), (other, one, logical_not(test))):
        if (wrong := _own_doubt(side, rest)) is not None:
            return logical_or(rest, doubtful(wrong if _is_remote(wrong) else logical_and(taken, wrong)))
    return where(test, one, other)


def _own_doubt(side: Node, rest: Node) -> Node | None:
    """x where side is `rest or doubtful(x)`."""
    if side.op is logical_or:
        for known, new in (side.args, side.args[::-1]):
            if known is rest and new.op is doubtful:
                return new.args[0]
    return None


def _is_remote(wrong: Node) -> bool:
    """Whether a doubt asks for integers that hardly any program has. Then it may be asked where its side is not taken: the choice between
    the sides stays one instruction, and is not guessed (Collatz: 425 -> 305 us)."""
    tests = wrong.args if wrong.op is logical_or else (wrong,)
    return all(t.op in (less, greater) and t.args[1].op is const and abs(int(t.args[1].value.array)) >= _REMOTE for t in tests)


def _is_select(node: Node, kept: list[int]) -> bool:
    """Whether both branches are a few operations on single numbers: then doing both costs less than a wrong guess. Not
    where the test takes long: the processor goes on with its guess meanwhile (Newton's method: 0.66 -> 0.52 ms)."""
    if sum([n.op.cost for n in toposort(node.args[:1]) if n.args and n.op.kind is Kind.ELEMENTWISE]) > _TEST:
        return False
    order = toposort([branch.outputs[k] for branch in (node.yes, node.no) for k in kept])
    if any(n.shape or (n.args and n.op.kind is not Kind.ELEMENTWISE) for n in order if isinstance(n.type, ArrayType)):
        return False
    doubts = {
        n for k in kept for one, rest in _sides(node, k) if (wrong := _own_doubt(one, rest)) is not None for n in (one, *toposort([wrong]))
    }
    return all(isinstance(n.type, ArrayType) for n in order) and sum([n.op.cost for n in order if n.args and n not in doubts]) <= _SELECT


def _sides(node: Node, k: int) -> list[tuple[Node, Node]]:
    """An output of both branches, each beside the other one."""
    one, other = node.yes.outputs[k], node.no.outputs[k]
    return [(one, other), (other, one)]
