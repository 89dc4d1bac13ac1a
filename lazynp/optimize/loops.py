"""Loops and branches: bodies lose what nobody reads, what does not change moves out, and a loop that another one repeats disappears.

prune     dead carried values, unused arguments, outputs of branches that nobody reads; carried values that never change
hoist     what a turn computes from arguments that no turn changes is computed once, before the loop (invariants.py)
merge     two loops over the same range, of which one carries all that the other carries, are one
forget    a truth value that says that nothing has changed yet is found from what there was before the first turn (changes.py)
"""

from __future__ import annotations

from collections.abc import Callable

from lazynp.ir.body import rename
from lazynp.ir.node import Graph, Node, make_node, substitute, toposort, transform
from lazynp.ir.rewrite import Listener
from lazynp.ops.custom import checkpointed
from lazynp.ops.pruning import prune
from lazynp.ops.sizes import simplify_size
from lazynp.ops.structured import CONTROL, item, loop
from lazynp.optimize.changes import forget
from lazynp.optimize.invariants import hoist

_WITH_BODIES = CONTROL | {checkpointed}


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
    """Prune, hoist, merge, forget at this level; the bodies have had their turn."""
    if not any(node.op in CONTROL for node in toposort(graph.outputs)):
        return graph
    pruned = prune(graph)
    hoisted = hoist(pruned)
    return forget(merge(hoisted if hoisted.outputs == pruned.outputs else prune(hoisted)))


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
