"""A graph as text: one numbered line per value; or as Graphviz dot."""

import os
from collections.abc import Sequence
from typing import Any

from lazynp.errors import Where
from lazynp.ir.node import Graph, Literal, Node, const, dim, input_, toposort
from lazynp.ir.op import Kind, Op

_COLOURS = {
    Kind.LEAF: "#d9ead3", Kind.REDUCE: "#fce5cd", Kind.ACCUMULATE: "#fce5cd", Kind.CONTRACT: "#f4cccc",
    Kind.LIBRARY: "#ead1dc", Kind.UPDATE: "#fff2cc", Kind.MOVE: "#eeeeee",
}  # fmt: skip
_DETAILED = 64
"""Arrays with more elements are shown by their shape only."""


def show_graph(graph: Graph, origins: Sequence[Node] = ()) -> str:
    """`%2 = add(%0, %1)  float64[3, 4]  # program.py:12` for every value, then the line of outputs.

    origins: the nodes whose positions a canonical graph's `where` numbers."""
    names = _names(graph)
    lines: list[str] = []
    for node in names:
        if node.op is not const or node.type.shape:
            lines.append(_line(node, names, origins))
            lines += _body_lines(node)
    lines.append(f"return {', '.join([names[o] for o in graph.outputs])}")
    lines += [f"output {o} is written into {names[graph.inputs[i]]}" for o, i in graph.aliases]
    return "\n".join(lines)


def _body_lines(node: Node) -> list[str]:
    """The bodies of a loop or branch, indented below it: `body(i0, %0, %1):` and its lines."""
    lines = []
    for name, value in node.attributes.items():
        if isinstance(value, Graph):
            names = _names(value)
            lines.append(f"    {name}({', '.join([names[leaf] for leaf in value.inputs])}):")
            lines += [f"        {line}" for line in show_graph(value).split("\n") if not _is_leaf_line(line)]
    return lines


def _is_leaf_line(line: str) -> bool:
    """Whether a line only says that an input is an input: the head of a body lists them."""
    return line.partition(" = ")[2].lstrip().startswith(("input", "int "))


def show_node(node: Node, depth: int = 3) -> str:
    """One node as a formula, its arguments to that depth: `log(add(1, %))`."""
    if node.op is const:
        return repr(node.value)
    if node.op is input_:
        return f"input{_key(node.key)}"
    if depth == 0:
        return "…"
    inner = [show_node(a, depth - 1) for a in node.args]
    if node.op.name == "broadcast" and not node.args[0].type.shape:
        return inner[0]
    return f"{node.op.name}({', '.join([*inner, *_attributes(node, {})])})"


def dot(graph: Graph) -> str:
    """The graph in Graphviz's language."""
    names = _names(graph)
    number = {node: i for i, node in enumerate(names)}
    lines = ["digraph lazynp {", "  node [shape=box, style=filled, fontname=monospace];"]
    for node, i in number.items():
        label = "\\n".join([_call_text(node, {}), _type_text(node)]).replace('"', "'")
        lines.append(f'  n{i} [label="{label}", fillcolor="{_COLOURS.get(node.op.kind, "#cfe2f3")}"];')
        lines += [f"  n{number[a]} -> n{i};" for a in node.args]
    for position, output in enumerate(graph.outputs):
        lines.append(f'  out{position} [label="output {position}", shape=ellipse];')
        lines.append(f"  n{number[output]} -> out{position};")
    return "\n".join([*lines, "}"])


def _names(graph: Graph) -> dict[Node, str]:
    """A name for each node, in order of computation; scalar constants are their own names."""
    names: dict[Node, str] = {}
    number = 0
    for node in toposort((*graph.inputs, *graph.outputs)):
        if node.op is const and not node.type.shape:
            names[node] = repr(node.value)
        elif node.op is dim:
            names[node] = size_text(node)
        else:
            names[node] = f"%{number}"
            number += 1
    return names


def _line(node: Node, names: dict[Node, str], origins: Sequence[Node]) -> str:
    text = f"{names[node]:<5} = {_call_text(node, names)}"
    return f"{text:<64} {_type_text(node)}{_comment(node, origins)}".rstrip()


def _call_text(node: Node, names: dict[Node, str]) -> str:
    if node.op is input_:
        return f"input{_key(node.key)}"
    if node.op is const:
        return f"const {_value_text(node.value)}"
    if node.op is dim:
        return "int"
    return f"{node.op.name}({', '.join([*[names.get(a, '') for a in node.args if names], *_attributes(node, names)])})"


def _attributes(node: Node, names: dict[Node, str]) -> list[str]:
    return [f"{name}={_value_text(value, names)}" for name, value in node.attributes.items() if not isinstance(value, Graph)]


def _value_text(value: Any, names: dict[Node, str] | None = None) -> str:
    """An attribute: sizes as expressions, ops by name, inner graphs by their outline."""
    if isinstance(value, Node):
        return (names or {}).get(value) or size_text(value)
    if isinstance(value, Graph):
        return f"graph({len(value.inputs)} inputs, {len(value.outputs)} outputs)"
    if isinstance(value, Literal):
        return repr(value) if value.array.size > _DETAILED or value.array.ndim == 0 else repr(value.array.tolist())
    if isinstance(value, Op):
        return value.name
    if isinstance(value, tuple):
        inner = ", ".join([_value_text(v, names) for v in value])
        return f"({inner},)" if len(value) == 1 else f"({inner})"
    return str(value)


def size_text(size: Any) -> str:
    """A size as a formula over n0, n1, ...: `(n0 - 1)`."""
    if not isinstance(size, Node):
        return str(size)
    if size.op is dim:
        return _dim_text(size.key)
    if size.op is const:
        return repr(size.value)
    symbol = _SYMBOLS.get(size.op.name)
    inner = [size_text(a) for a in size.args]
    return f"({f' {symbol} '.join(inner)})" if symbol else f"{size.op.name}({', '.join(inner)})"


def _dim_text(key: Any) -> str:
    """n0, n1, ... for the sizes of a program; i0, i1, ... for loop variables, inner loops first."""
    if isinstance(key, tuple) and key[0] == "loop":
        return f"i{key[1]}" + (f"_{key[2]}" if key[2] else "")
    return f"n{_key(key)}"


_SYMBOLS = {"add": "+", "subtract": "-", "multiply": "*", "floor_divide": "//"}


def _key(key: Any) -> str:
    return str(key[1]) if isinstance(key, tuple) and len(key) == 2 else str(key)


def _type_text(node: Node) -> str:
    types = node.type if type(node.type) is tuple else (node.type,)
    return ", ".join([f"{t.dtype.name}[{', '.join([size_text(n) for n in t.shape])}]" for t in types])  # type: ignore[attr-defined]


def _comment(node: Node, origins: Sequence[Node]) -> str:
    text = where_text(node, origins)
    return f"  # {text}" if text else ""


def where_text(node: Node, origins: Sequence[Node] = ()) -> str:
    """The user's `file:line` of a node, "" where unknown. origins: as in `show_graph`."""
    where: Any = node.where
    if isinstance(where, int) and where < len(origins):
        where = origins[where].where
    return f"{os.path.basename(where.filename)}:{where.line}" if isinstance(where, Where) else ""
