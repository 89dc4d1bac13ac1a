"""Graph to graph, before partition: what a region of an output is given is read from there by those who also read what lies around it.

`v[1:-1] = f(u); u[1:-1] = f(v)`: the rules make `v[1:-1]` the value that was stored, for those who read nothing else of v need not wait for
the store then. Who reads v[2:] and v[:-2] too comes after it, and would compute the value again, from a u that it overwrites.
"""

from __future__ import annotations

from lazynp.ir.node import Graph, Node, toposort
from lazynp.ir.op import Kind
from lazynp.ops.indexing import update
from lazynp.ops.movement import follow

_MOST = 16
"""Outputs of which it is asked: each takes a walk over the graph."""
_THROUGH = (Kind.ELEMENTWISE, Kind.MOVE)


def read_back(graph: Graph) -> Graph:
    """The same outputs."""
    for node in [output for output in graph.outputs if output.op is update][:_MOST]:
        if node in graph.outputs and node.args[1].op.kind is Kind.ELEMENTWISE:
            graph = _read_back(graph, node)
    return graph


def _read_back(graph: Graph, written: Node) -> Graph:
    value, region = written.args[1], follow(written, written.path)
    if region.type != value.type:
        return graph
    again: dict[Node, Node] = {value: region}
    """What is computed from the value alone and from what does not depend on the output -> the same of what is read back."""
    later: dict[Node, Node] = {written: written}
    """What depends on the output -> the same, reading back."""
    for node in toposort(graph.outputs):
        if node in later or node in again:
            continue
        if not later.keys().isdisjoint(node.args):
            later[node] = node.with_args(tuple([later.get(a) or again.get(a, a) for a in node.args]))
        elif node.op.kind in _THROUGH and not again.keys().isdisjoint(node.args):
            again[node] = node.with_args(tuple([again.get(a, a) for a in node.args]))
    return graph._replace(outputs=tuple([later.get(output, output) for output in graph.outputs]))
