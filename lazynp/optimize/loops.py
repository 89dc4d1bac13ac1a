"""Loops and branches: bodies lose what nobody reads, what does not change moves out, and a loop that another one repeats disappears.

prune     dead carried values, unused arguments, outputs of branches that nobody reads; carried values that never change
hoist     what a turn computes from arguments that no turn changes is computed once, before the loop
merge     two loops over the same range, of which one carries all that the other carries, are one
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from lazynp.ir.body import canonical_bodies, own_dims, rename
from lazynp.ir.node import Graph, Node, const, make_node, new_input, substitute, toposort, transform
from lazynp.ir.op import Kind
from lazynp.ir.rewrite import Listener
from lazynp.ir.types import ArrayType
from lazynp.ops.elementwise import where
from lazynp.ops.movement import broadcast
from lazynp.ops.sizes import simplify_size
from lazynp.ops.structured import CONTROL, cond, item, loop, while_

_SELECT = 12.0
"""The most additions that a branch over single numbers may cost to be computed on both sides."""
_WORTH = 2.0
"""What costs no more than so many additions per element is computed again at every turn rather than stored before the loop."""


def map_bodies(graph: Graph, change: Callable[[Graph], Graph]) -> Graph:
    """The graph with every body of its loops and branches changed."""
    if not any(node.op in CONTROL for node in toposort(graph.outputs)):
        return graph

    def visit(node: Node, args: tuple[Node, ...]) -> Node:
        if node.op not in CONTROL:
            return node.with_args(args)
        attrs = tuple([change(value) if isinstance(value, Graph) else value for value in node.attrs])
        fresh = make_node(node.op, args, attrs)
        fresh.where = fresh.where or node.where
        return fresh

    return graph._replace(outputs=tuple(transform(graph.outputs, visit)))


def simplify_loops(graph: Graph, level: str = "", listener: Listener | None = None) -> Graph:
    """Prune, hoist, merge at this level; the bodies have had their turn."""
    if not any(node.op in CONTROL for node in toposort(graph.outputs)):
        return graph
    return merge(hoist(prune(graph)))


# --- what nobody reads -----------------------------------------------------------------------------------------------


def prune(graph: Graph) -> Graph:
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
    needed = set()
    for root in [*tests, *[outputs[k] for k in kept]]:
        needed.update(_leaves(root))
    rest = [k for k in range(len(arguments)) if k not in live and inputs[first + k] in needed]
    found = {k: arguments[k] for k in still & read}
    if not kept and node.op is loop:
        return found
    if len(kept) + len(rest) == len(arguments) and len(kept) == len(outputs):
        return found | {k: item(node, index=k) for k in read - still}
    leaves = (*inputs[:first], *[inputs[first + k] for k in (*kept, *rest)])
    chosen = [arguments[k] for k in (*kept, *rest)]
    body = Graph(leaves, tuple([outputs[k] for k in kept]))
    fresh = _rebuilt(node, limits, chosen, [Graph(leaves, tests), body] if tests else [body])
    return found | {k: item(fresh, index=position) for position, k in enumerate(kept) if k in read}


def _rebuilt(node: Node, limits: tuple[Node, ...], arguments: list[Node], graphs: list[Graph]) -> Node:
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


def _leaves(root: Node) -> set[Node]:
    """What a value is computed from, also through sizes and bodies."""
    found: set[Node] = set()
    for node in toposort([root]):
        found.add(node)
        found |= own_dims(node)
    return found


def _live(outputs: Any, carried: Any, tests: Any, wanted: set[int]) -> set[int]:
    """The carried values on which the wanted ones and the tests depend, in any number of turns."""
    place = {leaf: k for k, leaf in enumerate(carried)}
    live: set[int] = set()
    waiting = [outputs[k] for k in wanted] + list(tests)
    live |= wanted
    while waiting:
        for leaf in _leaves(waiting.pop()):
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
        return found | {k: where(node.args[0], one, other) for k, one, other in zip(kept, *sides, strict=True)}
    needed = {leaf for branch in (node.yes, node.no) for k in kept for leaf in _leaves(branch.outputs[k])}
    chosen = [k for k, leaf in enumerate(inputs) if leaf in needed]
    if len(kept) == len(node.type) and len(chosen) == len(inputs):
        return found | {k: item(node, index=k) for k in kept}
    leaves = tuple([inputs[k] for k in chosen])
    graphs = [Graph(leaves, tuple([branch.outputs[k] for k in kept])) for branch in (node.yes, node.no)]
    fresh = _rebuilt(node, node.args[:1], [node.args[1 + k] for k in chosen], graphs)
    return found | {k: item(fresh, index=position) for position, k in enumerate(kept)}


def _is_select(node: Node, kept: list[int]) -> bool:
    """Whether both branches are a few operations on single numbers: then doing both costs less than a jump that is guessed wrong."""
    order = toposort([branch.outputs[k] for branch in (node.yes, node.no) for k in kept])
    if any(n.shape or (n.args and n.op.kind is not Kind.ELEMENTWISE) for n in order if isinstance(n.type, ArrayType)):
        return False
    return all(isinstance(n.type, ArrayType) for n in order) and sum([n.op.cost for n in order if n.args]) <= _SELECT


# --- what does not change --------------------------------------------------------------------------------------------


def hoist(graph: Graph) -> Graph:
    def visit(node: Node, args: tuple[Node, ...]) -> Node:
        fresh = node.with_args(args)
        return _hoisted(fresh) if node.op is loop or node.op is while_ else fresh

    return graph._replace(outputs=tuple(transform(graph.outputs, visit)))


def _hoisted(node: Node) -> Node:
    first = 1 if node.op is loop else 0
    limits = node.args[:3] if node.op is loop else ()
    inputs, outputs = node.body.inputs, node.body.outputs
    tests = node.condition.outputs if node.op is while_ else ()
    others = dict(zip(inputs[first + len(outputs) :], node.args[len(limits) + len(outputs) :], strict=True))
    moved = _invariant((*outputs, *tests), set(others), set(inputs))
    if not moved:
        return node
    leaves = {value: new_input(value.type) for value in moved}
    values = [rename([value], others, simplify_size)[0] for value in moved]
    fresh = (*inputs, *leaves.values())
    body = Graph(fresh, tuple(substitute(outputs, leaves)))
    graphs = [Graph(fresh, tuple(substitute(tests, leaves))), body] if tests else [body]
    return _rebuilt(node, limits, [*node.args[len(limits) :], *values], graphs)


def _invariant(outputs: tuple[Node, ...], others: set[Node], inputs: set[Node]) -> list[Node]:
    """The largest values that depend on `others` alone and are worth computing once."""
    order = toposort(outputs)
    fixed: dict[Node, float] = dict.fromkeys(others, 0.0)
    for node in order:
        known = node in fixed or node.op is const
        if known or not node.args or not isinstance(node.type, ArrayType) or not _harmless(node):
            continue
        if all(a in fixed or a.op is const for a in node.args) and inputs.isdisjoint(own_dims(node)):
            fixed[node] = _effort(node) + sum([fixed.get(a, 0.0) for a in node.args])
    wanted: dict[Node, None] = {}
    for node in order:
        if node not in fixed:
            for a in node.args:
                _add_source(a, fixed, others, wanted)
    for output in outputs:
        _add_source(output, fixed, others, wanted)
    return list(wanted)


def _add_source(node: Node, fixed: dict[Node, float], others: set[Node], wanted: dict[Node, None]) -> None:
    """The value below views: what is broadcast is stored before it is broadcast."""
    while node.op is broadcast or node.op.kind is Kind.MOVE:
        if node not in fixed:
            return
        node = node.args[0]
    if node in fixed and node not in others and (fixed[node] > _WORTH or not node.shape):
        wanted[node] = None


def _harmless(node: Node) -> bool:
    """Whether an op raises nothing: a loop without turns must not fail because of what moved out of it."""
    return node.op.kind in (Kind.ELEMENTWISE, Kind.MOVE, Kind.REDUCE, Kind.ACCUMULATE, Kind.CONTRACT)


def _effort(node: Node) -> float:
    return node.op.cost if node.op.kind is Kind.ELEMENTWISE else 0.0 if node.op.kind is Kind.MOVE else 2 * _WORTH


# --- loops that another one repeats ----------------------------------------------------------------------------------


def merge(graph: Graph) -> Graph:
    """A derivative's loop carries what the loop itself carries: then one of them is enough."""
    groups: dict[tuple[Node, ...], list[Node]] = {}
    for node in toposort(graph.outputs):
        if node.op is loop:
            groups.setdefault(node.args[:3], []).append(node)
    replaced: dict[Node, Node] = {}
    for nodes in groups.values():
        for small in nodes:
            for large in sorted(nodes, key=lambda n: -len(n.type)):
                places = _inside(small, large) if large is not small and large not in replaced else None
                if places is not None:
                    replaced[small] = large
                    replaced.update({item(small, index=k): item(large, index=m) for k, m in enumerate(places)})
                    break
    return graph._replace(outputs=tuple(substitute(graph.outputs, replaced))) if replaced else graph


def _inside(small: Node, large: Node) -> list[int] | None:
    """For each value that the small loop carries the position of the same one in the large loop; None if it has other ones."""
    count, more = len(small.type), len(large.type)
    if count > more or (count == more and small.args == large.args) or small in toposort(large.args):
        return None
    places: list[int] = []
    for k in range(count):
        begin = places[-1] + 1 if places else 0
        place = next((m for m in range(begin, more) if large.args[3 + m] is small.args[3 + k]), None)
        if place is None:
            return None
        places.append(place)
    leaf_of = dict(zip(large.args[3 + more :], large.body.inputs[1 + more :], strict=True))
    leaves = {small.body.inputs[0]: large.body.inputs[0]}
    leaves |= {small.body.inputs[1 + k]: large.body.inputs[1 + m] for k, m in enumerate(places)}
    for argument, leaf in zip(small.args[3 + count :], small.body.inputs[1 + count :], strict=True):
        if argument not in leaf_of:
            return None
        leaves[leaf] = leaf_of[argument]
    renamed = rename(small.body.outputs, leaves, simplify_size)
    same = all(node is large.body.outputs[m] for node, m in zip(renamed, places, strict=True))
    return places if same else None
