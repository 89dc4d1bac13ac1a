"""Graphs inside nodes: the bodies of loops and branches. What they mention from outside, and how they get a form of their own.

A body's inputs are leaves: `input` for arrays, `dim` for integers that may stand in attributes (a loop variable). Its attributes may also
mention the dims of the loops around it; these are free. Everything else from outside is passed as an argument.
"""

from collections.abc import Iterable, Mapping
from typing import Any
from weakref import WeakKeyDictionary

from lazynp.ir.node import Graph, Node, dim, input_, loop_dim, make_node, numbered_input, toposort
from lazynp.ir.types import ArrayType

_free: "WeakKeyDictionary[Node, frozenset[Node]]" = WeakKeyDictionary()


def bodies_of(node: Node) -> tuple[Graph, ...]:
    """The graphs among a node's attributes."""
    return tuple([value for value in node.attrs if isinstance(value, Graph)])


def own_dims(node: Node) -> frozenset[Node]:
    """The dims that a node itself mentions: as a leaf, in its attributes, or free in its bodies."""
    if node.op is dim:
        return frozenset((node,))
    if not node.attrs or (not node.op.dims and not bodies_of(node)):
        return frozenset()
    known = _free.get(node)
    if known is None:
        found: set[Node] = set()
        _collect(node.attrs, found)
        known = _free[node] = frozenset(found)
    return known


def _collect(value: Any, found: set[Node]) -> None:
    if isinstance(value, Graph):
        found |= free_dims(value)
    elif isinstance(value, Node):
        found.update([n for n in toposort([value]) if n.op is dim])
    elif isinstance(value, tuple):
        for v in value:
            _collect(v, found)


def mentions(outputs: Iterable[Node], dims: Iterable[Node]) -> bool:
    """Whether a graph has some of the dims in attributes or bodies, beside their use as numbers."""
    wanted = set(dims)
    return bool(wanted) and any(n.op is not dim and not wanted.isdisjoint(own_dims(n)) for n in toposort(outputs))


def free_dims(graph: Graph) -> set[Node]:
    """The dims that a body mentions and does not bind."""
    found: set[Node] = set()
    for node in toposort((*graph.inputs, *graph.outputs)):
        found |= own_dims(node)
        if node.op is input_:
            _collect(node.type.shape, found)
    return found - set(graph.inputs)


def height(graph: Graph) -> int:
    """How deep bodies are nested in a graph; more than the levels by which bodies inside it name their own dims, also where what made these
    deep has been simplified away: a dim of the graph must never have the name of one of theirs."""
    return max([max(height(body), _level(body)) + 1 for node in toposort(graph.outputs) for body in bodies_of(node)], default=0)


def _level(graph: Graph) -> int:
    """The level in the names of a body's own dims."""
    return max([leaf.key[1] for leaf in graph.inputs if leaf.op is dim and type(leaf.key) is tuple and leaf.key[0] == "loop"], default=0)


def rename(outputs: Iterable[Node], replacements: Mapping[Node, Node], simplify: Any = None) -> list[Node]:
    """The outputs with leaves replaced, also inside attributes and the bodies there. simplify: applied to each size that changed.

    A replaced input may have another type, if every op's `infer` agrees."""
    done: dict[Node, Node] = dict(replacements)
    sizes: dict[Node, Any] = {}

    def size(value: Node) -> Any:
        if value not in sizes:
            changed = rename([value], replacements)[0]
            sizes[value] = changed if simplify is None or changed is value else simplify(changed)
        return sizes[value]

    def changed(value: Any) -> Any:
        if isinstance(value, Node):
            return size(value)
        if isinstance(value, Graph):
            return rename_body(value, replacements, simplify)
        if isinstance(value, tuple):
            parts = [changed(v) for v in value]
            return type(value)._make(parts) if hasattr(value, "_make") else tuple(parts)  # type: ignore[attr-defined]
        return value

    outputs = list(outputs)
    for node in toposort(outputs, stop=lambda n: n in done):
        if node in done:
            continue
        deep = bool(own_dims(node)) and node.op is not dim
        if node.op is input_ and any(isinstance(n, Node) for n in node.type.shape):
            fresh = make_node(input_, (), (node.key, ArrayType(changed(node.type.shape), node.type.dtype)))
        elif deep:
            fresh = make_node(node.op, tuple([done[a] for a in node.args]), tuple([changed(v) for v in node.attrs]))
        else:
            fresh = node.with_args(tuple([done[a] for a in node.args]))
        if fresh.where is None:
            fresh.where = node.where
        done[node] = fresh
    return [done[o] for o in outputs]


def rename_body(graph: Graph, replacements: Mapping[Node, Node], simplify: Any = None) -> Graph:
    """A body with its free dims replaced."""
    kept = {leaf: new for leaf, new in replacements.items() if leaf.op is dim and leaf not in graph.inputs}
    if not kept or kept.keys().isdisjoint(free_dims(graph)):
        return graph
    nodes = rename((*graph.inputs, *graph.outputs), kept, simplify)
    return Graph(tuple(nodes[: len(graph.inputs)]), tuple(nodes[len(graph.inputs) :]), graph.aliases)


def canonical_bodies(graphs: list[Graph], simplify: Any = None) -> list[Graph]:
    """Bodies over the same inputs in a form that depends on nothing but their structure: equal bodies are equal graphs."""
    inputs = graphs[0].inputs
    level = _free_level(graphs)
    dims = {leaf: loop_dim(level, position) for position, leaf in enumerate(inputs) if leaf.op is dim}
    leaves: dict[Node, Node] = dict(dims)
    for position, leaf in enumerate(inputs):
        if leaf.op is input_:
            shape = rename_shape(leaf.type.shape, dims, simplify)
            leaves[leaf] = numbered_input(position, ArrayType(shape, leaf.type.dtype))
    fresh = tuple([leaves[leaf] for leaf in inputs])
    return [Graph(fresh, tuple(rename(graph.outputs, leaves, simplify)), graph.aliases) for graph in graphs]


def _free_level(graphs: list[Graph]) -> int:
    """The level by which bodies name their own dims: above those of the bodies inside, and not that of a loop around, where a
    derivative has made more loops inside it than there were."""
    level = max([height(graph) for graph in graphs])
    around = {leaf.key[1] for graph in graphs for leaf in free_dims(graph) if type(leaf.key) is tuple and leaf.key[0] == "loop"}
    while level in around:
        level += 1
    return level


def rename_shape(shape: tuple[Any, ...], dims: Mapping[Node, Node], simplify: Any) -> tuple[Any, ...]:
    return tuple([n if type(n) is int else _renamed(n, dims, simplify) for n in shape])


def _renamed(size: Node, dims: Mapping[Node, Node], simplify: Any) -> Any:
    fresh = rename([size], dims)[0]
    return fresh if simplify is None or fresh is size else simplify(fresh)
