"""Bodies as graphs: what they read of the surroundings becomes inputs, and sizes that they compute from data become loop variables.

`x[: int(n[k])]` needs an integer that may stand in attributes, and such integers are those of loops (docs/decisions.md). So everything in
a body that depends on that size becomes the body of a loop of one turn, `for size in range(n[k], n[k] + 1)`.
"""

from __future__ import annotations

from collections.abc import Sequence

from lazynp.errors import CaptureError
from lazynp.ir.body import canonical_bodies, own_dims
from lazynp.ir.node import Graph, Node, const, constant, dim, input_, new_input, substitute, toposort
from lazynp.ir.types import ArrayType
from lazynp.ops import elementwise as ew
from lazynp.ops import structured
from lazynp.ops.movement import broadcast
from lazynp.ops.sizes import hooks, is_size, new_size, simplify_size
from lazynp.runtime.storage import TraceQueue, queue
from lazynp.trace import queues


def closed_graphs(inputs: list[Node], outputs: list[list[Node]], others: dict[Node, Node]) -> tuple[list[Graph], list[Node]]:
    """Canonical graphs over one list of inputs, and the arguments beyond the carried ones. Constants move inside."""
    outputs, more = _closed(outputs, {*inputs, *others})
    others = others | more
    used = set(toposort([node for nodes in outputs for node in nodes]))
    others = {leaf: node for leaf, node in others.items() if leaf in used}
    constants = {leaf: node for leaf, node in others.items() if _is_constant(node)}
    rest = {leaf: node for leaf, node in others.items() if leaf not in constants}
    leaves = (*inputs, *rest)
    graphs = [Graph(leaves, tuple(substitute(nodes, constants))) for nodes in outputs]
    return canonical_bodies(graphs, simplify_size), list(rest.values())


def _closed(outputs: list[list[Node]], own: set[Node]) -> tuple[list[list[Node]], dict[Node, Node]]:
    """The outputs with what Python numbers of the surroundings (SymInt, SymFloat) have brought in replaced by leaves, and those leaves."""
    nodes = toposort([node for part in outputs for node in part], stop=own.__contains__)
    inside: set[Node] = set()
    foreign: set[Node] = set()
    for node in nodes:
        if node in own or any(a in inside for a in node.args):
            inside.add(node)
        elif node.op is input_ or any(a in foreign for a in node.args) or queues.is_around(node):
            foreign.add(node)
    if not foreign:
        return outputs, {}
    wanted = {a for node in inside if node not in own for a in node.args} | {node for part in outputs for node in part}
    leaves = {node: new_input(node.type) for node in nodes if node in foreign and node in wanted}
    return [substitute(part, leaves) for part in outputs], {leaf: node for node, leaf in leaves.items()}


def _is_constant(node: Node) -> bool:
    while node.op is broadcast:
        node = node.args[0]
    return node.op is const


# --- sizes from data ---------------------------------------------------------------------------------------------------


def data_size(node: Node) -> Node:
    """A size in the place of an integer that is computed from data. Raises CaptureError where nobody binds it."""
    scope = queue()
    if not isinstance(scope, TraceQueue) or not scope.binds_sizes or getattr(scope, "is_test", False):
        raise CaptureError("a slice bound or a size that is computed from traced values cannot be compiled here")
    known = scope.data_sizes.get(node)
    if known is None:
        known = scope.data_sizes[node] = new_size(2)
    return known


hooks.data_size = data_size


def with_data_sizes(scope: TraceQueue, outputs: list[Node]) -> list[Node]:
    """The outputs of a body with what depends on sizes from data inside loops of one turn. Raises CaptureError where a size leaves it."""
    for value, size in reversed(scope.data_sizes.items()):
        outputs = _bound(value, size, outputs)
    return outputs


def _bound(value: Node, size: Node, outputs: list[Node]) -> list[Node]:
    inside = _dependent(outputs, size)
    wanted = [o for o in dict.fromkeys(outputs) if o in inside]
    if not wanted:
        return outputs
    if any(size in toposort([n]) for o in wanted for n in o.type.shape if isinstance(n, Node)):
        raise CaptureError("an array whose size is computed from traced values outlives a turn")
    starts, origins = _starts(wanted, inside)
    leaves = [new_input(o.type) for o in wanted]
    carried = {origin: leaves[k] for origin, k in origins.items()}
    outside = {a: new_input(a.type) for node in inside for a in node.args if a not in inside and a not in carried and not is_size(a)}
    bodies = [substitute(wanted, {**outside, **carried})]
    (graph,), rest = closed_graphs([size, *leaves], bodies, {leaf: node for node, leaf in outside.items()})
    limits = (value, ew.add(value, constant(1)), constant(1))
    node = queues.made(structured.loop, *limits, *starts, *rest, body=graph, again=False)
    places = {o: structured.item(node, index=k) for k, o in enumerate(wanted)}
    return [places.get(o, o) for o in outputs]


def _dependent(outputs: Sequence[Node], size: Node) -> dict[Node, None]:
    """The nodes that depend on a size, in order."""
    found: dict[Node, None] = {}
    for node in toposort(outputs):
        if node is size or any(a in found for a in node.args) or (node.op is not dim and size in own_dims(node)):
            found[node] = None
    return found


def _starts(wanted: Sequence[Node], inside: dict[Node, None]) -> tuple[list[Node], dict[Node, int]]:
    """For each result what it is carried from, and of which it takes the place: the array of which regions are written, so that they are
    written in place, else anything of its type."""
    starts: list[Node] = []
    origins: dict[Node, int] = {}
    for k, output in enumerate(wanted):
        origin = structured.origin_of(output)
        if origin in inside or origin in origins or origin.type != output.type:
            assert isinstance(output.type, ArrayType)
            starts.append(ew.filled(output.type.shape, 0, output.type.dtype))
        else:
            origins[origin] = k
            starts.append(origin)
    return starts, origins
