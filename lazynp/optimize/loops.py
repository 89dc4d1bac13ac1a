"""Loops and branches: bodies lose what nobody reads, what does not change moves out, and a loop that another one repeats disappears.

prune     dead carried values, unused arguments, outputs of branches that nobody reads; carried values that never change
hoist     what a turn computes from arguments that no turn changes is computed once, before the loop
merge     two loops over the same range, of which one carries all that the other carries, are one
forget    a truth value that says that nothing has changed yet is found from what there was before the first turn
"""

from __future__ import annotations

from collections.abc import Callable

from lazynp.ir.body import own_dims, rename
from lazynp.ir.node import Graph, Node, const, make_node, new_input, substitute, toposort, transform
from lazynp.ir.op import Kind
from lazynp.ir.rewrite import Listener, scalar_value
from lazynp.ir.types import ArrayType
from lazynp.ops.custom import checkpointed
from lazynp.ops.elementwise import logical_and, logical_not, where
from lazynp.ops.movement import broadcast
from lazynp.ops.pruning import prune, rebuilt
from lazynp.ops.sizes import simplify_size
from lazynp.ops.structured import CONTROL, item, loop, while_

_WITH_BODIES = CONTROL | {checkpointed}
_WORTH = 2.0
"""What costs no more than so many additions per element is computed again at every turn rather than stored before the loop."""
_ASKED_TWICE = 8.0
"""The most additions that a condition may cost to be asked once more of what there was before the loop."""


def map_bodies(graph: Graph, change: Callable[[Graph], Graph]) -> Graph:
    """The graph with every body of its loops, branches and checkpointed regions changed."""
    if not any(node.op in _WITH_BODIES for node in toposort(graph.outputs)):
        return graph

    def visit(node: Node, args: tuple[Node, ...]) -> Node:
        if node.op not in _WITH_BODIES:
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
    return forget(merge(hoist(prune(graph))))


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
    return rebuilt(node, limits, [*node.args[len(limits) :], *values], graphs)


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


# --- whether anything has changed ------------------------------------------------------------------------------------


def forget(graph: Graph) -> Graph:
    """In `if v > m: m, same = v, False` a turn asks v > m as long as `same` is true, and so long m is what it was before the loop: `same`
    depends on no other turn's m, and both are folds that vectors can do (the largest of 100,000 integers, and whether there was any). Of
    loops in loops the outermost only: sweeps do the rows of an inner one in another order."""

    def visit(node: Node, args: tuple[Node, ...]) -> Node:
        fresh = node.with_args(args)
        return _forgotten(fresh) if node.op is loop else fresh

    return graph._replace(outputs=tuple(transform(graph.outputs, visit)))


def _forgotten(node: Node) -> Node:
    inputs, outputs = node.body.inputs, list(node.body.outputs)
    carried, initial = inputs[1 : 1 + len(outputs)], node.args[3 : 3 + len(outputs)]
    first: dict[Node, Node] = {}
    for k, (flag, output) in enumerate(zip(carried, outputs, strict=True)):
        kept = _kept_while(output, flag) if _is_true(initial[k]) else []
        asked = {n for n in toposort(kept) if n in carried}
        steady = {m: n for m, n, after in zip(carried, initial, outputs, strict=True) if m in asked and _is_kept(after, m, kept)}
        if steady and sum([n.op.cost for n in toposort(kept) if n.op.kind is Kind.ELEMENTWISE]) <= _ASKED_TWICE:
            before = {m: n if n.op is const else first.setdefault(n, new_input(n.type)) for m, n in steady.items()}
            outputs[k] = substitute([output], before)[0]
    if outputs == list(node.body.outputs):
        return node
    body = Graph((*inputs, *first.values()), tuple(outputs))
    return rebuilt(node, node.args[:3], [*node.args[3:], *first], [body])


def _is_true(node: Node) -> bool:
    return node.dtype == bool and bool(scalar_value(node))


def _kept_while(output: Node, flag: Node) -> list[Node]:
    """The conditions under which a turn leaves a truth value as it was, if all it can do else is to clear it."""
    terms, waiting = [], [output]
    while waiting:
        node = waiting.pop()
        if node.op is logical_and:
            waiting += node.args
        else:
            terms.append(node)
    return [t for t in terms if t is not flag] if terms.count(flag) == 1 else []


def _is_kept(output: Node, leaf: Node, kept: list[Node]) -> bool:
    """Whether a turn leaves a carried value as it was where all the conditions hold."""
    while output is not leaf:
        if output.op is not where:
            return False
        test, yes, no = output.args
        if test in kept:
            output = yes
        elif any(t.op is logical_not and t.args[0] is test for t in kept):
            output = no
        else:
            return False
    return True
