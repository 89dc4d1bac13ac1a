"""Loops that collect: of an array of which the last row alone is read one row is kept; loops over the same turns of which one reads, row by
row, what another one collects are one loop; what every turn overwrites is not filled before.
"""

from __future__ import annotations

from collections.abc import Iterable

from lazynp.ir.body import rename
from lazynp.ir.node import Graph, Node, const, constant, dim, new_input, substitute, toposort
from lazynp.ir.types import Dim
from lazynp.ops.elementwise import filled
from lazynp.ops.indexing import unset, update
from lazynp.ops.movement import broadcast, reshape, slice_
from lazynp.ops.pruning import prune, rebuilt
from lazynp.ops.sizes import simplify_size, size_
from lazynp.ops.structured import item, loop


def collecting(graph: Graph) -> Graph:
    """Fuse neighbours, shorten what is left, and begin with nothing."""
    if not any(node.op is loop for node in toposort(graph.outputs)):
        return graph
    return unfilled(shorten(fuse(graph)))


# --- what a turn writes ------------------------------------------------------------------------------------------------


def _rows(node: Node) -> dict[int, tuple[Dim, Node]]:
    """For each carried array to which a turn does nothing but write one whole row: the row's index and its new value."""
    body = node.body
    users = _user_counts(body.outputs)
    found: dict[int, tuple[Dim, Node]] = {}
    for k, output in enumerate(body.outputs):
        leaf = body.inputs[1 + k]
        if output.op is not update or output.args[0] is not leaf or users[leaf] != 1 or users[output] != 1 or not output.path:
            continue
        (op, attrs), *rest = output.path
        if op is slice_ and _is_row(attrs, leaf.shape) and (not rest or [step[0] for step in rest] == [reshape]):
            found[k] = attrs[0][0], output.args[1]
    return found


def _is_row(attrs: tuple[tuple[Dim, ...], ...], shape: tuple[Dim, ...]) -> bool:
    starts, steps, sizes = attrs
    return sizes == (1, *shape[1:]) and all(type(s) is int and s == 0 for s in starts[1:]) and all(s == 1 for s in steps)


def _user_counts(outputs: Iterable[Node]) -> dict[Node, int]:
    """How often each node is an argument or an output."""
    counts: dict[Node, int] = {}
    for node in toposort(outputs):
        counts.setdefault(node, 0)
        for a in node.args:
            counts[a] = counts.get(a, 0) + 1
    for output in outputs:
        counts[output] += 1
    return counts


# --- what it began with ------------------------------------------------------------------------------------------------


def unfilled(graph: Graph) -> Graph:
    """out = zeros(n), of which the turns write every row before any is read: nothing is stored before the loop (50,000 steps of a filter:
    a fortieth of the time)."""
    replaced: dict[Node, Node] = {}
    for node in toposort(graph.outputs):
        if node.op is loop:
            dead = {k for k, (place, _) in _rows(node).items() if node.args[3 + k].op is broadcast and _covers(node, k, place)}
            if dead:
                arguments = [unset(a.shape, a.dtype) if k in dead else a for k, a in enumerate(node.args[3:])]
                replaced[node] = loop(*node.args[:3], *arguments, body=node.body, again=node.again)
                replaced[node].where = node.where
    return graph._replace(outputs=tuple(substitute(graph.outputs, replaced))) if replaced else graph


def _covers(node: Node, k: int, place: Dim) -> bool:
    """Whether the turns go through all rows of a carried array, upwards or downwards."""
    size, (start, stop, step) = node.args[3 + k].shape[0], map(_size, node.args[:3])
    if place is not node.body.inputs[0]:
        return False
    if type(size) is int:
        return (start, stop, step) in ((0, size, 1), (size - 1, -1, -1))
    return (start, step) == (0, 1) and stop is size


def _size(node: Node) -> Dim:
    return node.value if node.op is size_ else node if (known := _number(node)) is None else known


# --- the last row --------------------------------------------------------------------------------------------------------


def shorten(graph: Graph) -> Graph:
    """ys[-1] of a scan: its turns keep one row, not all of them."""
    readers: dict[Node, list[Node]] = {}
    for node in toposort(graph.outputs):
        for a in node.args:
            readers.setdefault(a, []).append(node)
    for output in graph.outputs:
        readers.setdefault(output, []).append(output)
    replaced: dict[Node, Node] = {}
    for node in list(readers):
        if node.op is loop:
            replaced |= _shortened(node, readers)
    return graph._replace(outputs=tuple(substitute(graph.outputs, replaced))) if replaced else graph


def _shortened(node: Node, readers: dict[Node, list[Node]]) -> dict[Node, Node]:
    last = _last_turn(node)
    items = {one.index: one for one in readers[node]}
    kept = {} if last is None else _rows(node)
    chosen = {k: row for k, row in kept.items() if k in items and _reads_only(readers[items[k]], items[k], _at(row[0], node, last))}
    if not chosen:
        return {}
    inputs, outputs, arguments = list(node.body.inputs), list(node.body.outputs), list(node.args[3:])
    for k, (_, value) in chosen.items():
        inputs[1 + k], outputs[k], arguments[k] = new_input(value.type), value, filled(value.shape, 0, value.dtype)
    fresh = rebuilt(node, node.args[:3], arguments, [Graph(tuple(inputs), tuple(outputs))])
    replaced: dict[Node, Node] = {one: item(fresh, index=k) for k, one in items.items() if k not in chosen}
    for k in chosen:
        row = reshape(item(fresh, index=k), (1, *items[k].shape[1:]))
        replaced |= {r: slice_(row, (0, *r.starts[1:]), r.steps, r.sizes) for r in readers[items[k]]}
    return replaced


def _reads_only(readers: list[Node], array: Node, row: int | None) -> bool:
    """Whether all that is read of an array lies in one row."""
    return row is not None and all(r.op is slice_ and r is not array and r.sizes[0] == 1 and r.starts[0] == row for r in readers)


def _last_turn(node: Node) -> int | None:
    """The index of the last turn, if it is known that there is one."""
    limits = [_number(limit) for limit in node.args[:3]]
    if None in limits or not limits[2]:
        return None
    turns = range(*limits)  # type: ignore[arg-type]
    return turns[-1] if turns else None


def _number(node: Node) -> int | None:
    if node.op is const:
        return int(node.value.array)
    return node.value if node.op is size_ and type(node.value) is int else None


def _at(place: Dim, node: Node, turn: int | None) -> int | None:
    """The value of a size of the body in one turn; None where other things decide it too."""
    if isinstance(place, Node):
        place = simplify_size(rename([place], {node.body.inputs[0]: constant(turn)})[0])
    return place if type(place) is int else None


# --- neighbours ------------------------------------------------------------------------------------------------------------


def fuse(graph: Graph) -> Graph:
    """What one loop collects another one reads in the same turn: both in one loop."""
    while True:
        pair = _neighbours(graph)
        if pair is None:
            return graph
        graph = prune(_fused(graph, *pair))


def _neighbours(graph: Graph) -> tuple[Node, Node] | None:
    order = [node for node in toposort(graph.outputs) if node.op is loop]
    for later in order:
        sources = dict.fromkeys([a.args[0] for a in later.args[3:] if a.op is item and a.args[0].op is loop])
        for earlier in sources:
            if earlier.args[:3] == later.args[:3] and _may_join(earlier, later):
                return earlier, later
    return None


def _may_join(earlier: Node, later: Node) -> bool:
    """Whether the later loop needs of the earlier one nothing but, in each turn, the rows that this one writes in it."""
    if earlier.again != later.again or any(_integers(node) for node in (earlier, later)):
        return False
    rows, count = _rows(earlier), len(later.type)
    body = later.body
    readers: dict[Node, list[Node]] = {}
    for node in toposort(body.outputs):
        for a in node.args:
            readers.setdefault(a, []).append(node)
    for position, argument in enumerate(later.args[3:]):
        if argument.op is item and argument.args[0] is earlier:
            leaf = body.inputs[1 + position]
            if position < count or argument.index not in rows or leaf in body.outputs:
                return False
            wanted = _renamed(rows[argument.index][0], earlier.body.inputs[0], body.inputs[0])
            if not all(r.op is slice_ and r.starts[0] == wanted and r.sizes[0] == 1 for r in readers.get(leaf, [])):
                return False
        elif earlier in toposort([argument]):
            return False
    return True


def _renamed(place: Dim, index: Node, other: Node) -> Dim:
    return rename([place], {index: other})[0] if isinstance(place, Node) else place


def _integers(node: Node) -> bool:
    """Whether a turn carries integers that may stand in attributes."""
    return any(leaf.op is dim for leaf in node.body.inputs[1:])


def _fused(graph: Graph, earlier: Node, later: Node) -> Graph:
    first, second = earlier.body, later.body
    rows, counts = _rows(earlier), (len(earlier.type), len(later.type))
    leaves: dict[Node, Node] = {second.inputs[0]: first.inputs[0]}
    values: dict[Node, Node] = {}
    more: list[tuple[Node, Node]] = []
    for position, argument in enumerate(later.args[3:]):
        leaf = second.inputs[1 + position]
        leaves[leaf] = fresh = new_input(leaf.type)
        if argument.op is item and argument.args[0] is earlier:
            values[fresh] = rows[argument.index][1]
        else:
            more.append((fresh, argument))
    outputs = rename(second.outputs, leaves, simplify_size)
    swapped: dict[Node, Node] = {}
    for node in toposort(outputs):
        if node.op is slice_ and node.args[0] in values:
            row = reshape(values[node.args[0]], (1, *node.args[0].shape[1:]))
            swapped[node] = slice_(row, (0, *node.starts[1:]), node.steps, node.sizes)
    outputs = substitute(outputs, swapped)
    carried, others = more[: counts[1]], more[counts[1] :]
    own, theirs = first.inputs[1 : 1 + counts[0]], first.inputs[1 + counts[0] :]
    inputs = (first.inputs[0], *own, *[leaf for leaf, _ in carried], *theirs, *[leaf for leaf, _ in others])
    arguments = [*earlier.args[3 : 3 + counts[0]], *[a for _, a in carried], *earlier.args[3 + counts[0] :], *[a for _, a in others]]
    joined = rebuilt(earlier, earlier.args[:3], arguments, [Graph(inputs, (*first.outputs, *outputs))])
    replaced: dict[Node, Node] = {}
    for node in toposort(graph.outputs):
        if node.op is item and node.args[0] in (earlier, later):
            replaced[node] = item(joined, index=node.index + (counts[0] if node.args[0] is later else 0))
    return graph._replace(outputs=tuple(substitute(graph.outputs, replaced)))
