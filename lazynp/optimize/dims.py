"""Sizes known only at run time, as polynomials: `n - 1 + 1` becomes `n`, so that equal sizes are one node."""

from typing import Any

from lazynp.ir.node import Graph, Node, dim, input_, make_node, toposort
from lazynp.ir.rewrite import Listener
from lazynp.ir.types import Dim
from lazynp.ops.sizes import simplify_size


def simplify_sizes(graph: Graph, level: str, listener: Listener | None) -> Graph:
    """The graph with every size and offset in normal form, leaves untouched."""
    order = toposort(graph.outputs)
    if not any(_has_sizes(node.attrs) for node in order):
        return graph
    known: dict[Node, Dim] = {}
    done: dict[Node, Node] = {}
    for node in order:
        done[node] = _rebuilt(node, tuple([done[a] for a in node.args]), known)
    return graph._replace(outputs=tuple([done[o] for o in graph.outputs]))


def _has_sizes(value: Any) -> bool:
    return isinstance(value, Node) or (isinstance(value, tuple) and not isinstance(value, Graph) and any(_has_sizes(v) for v in value))


def _rebuilt(node: Node, args: tuple[Node, ...], known: dict[Node, Dim]) -> Node:
    if node.op is input_ or node.op is dim:
        return node
    fresh = make_node(node.op, args, tuple([_simplified(v, known) for v in node.attrs]))
    if fresh.where is None:
        fresh.where = node.where
    return fresh


def _simplified(value: Any, known: dict[Node, Dim]) -> Any:
    if isinstance(value, Node):
        if value not in known:
            known[value] = simplify_size(value)
        return known[value]
    if not isinstance(value, tuple) or not _has_sizes(value):
        return value
    parts = [_simplified(v, known) for v in value]
    return type(value)._make(parts) if hasattr(value, "_make") else tuple(parts)  # type: ignore[attr-defined]
