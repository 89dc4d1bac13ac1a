"""The NumPy interpreter: the meaning of every graph, oracle of every other backend."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from lazynp.errors import with_origin
from lazynp.ir.node import Graph, Node, const, dim, input_, toposort
from lazynp.ir.op import Kind
from lazynp.ops.structured import interpreter, item


def evaluate(graph: Graph, values: "list[Any] | tuple[Any, ...]", dims: Mapping[Node, int] | None = None) -> list[Any]:
    """The outputs as NumPy arrays. values: one array per graph input; dims: values of `dim` leaves and nodes made of them.
    Without floating-point warnings: those belong to the user's line, not to an interpreter's step."""
    with np.errstate(all="ignore"):
        return interpret(graph, values, dims)


def interpret(graph: Graph, values: "list[Any] | tuple[Any, ...]", dims: Mapping[Node, int] | None = None) -> list[Any]:
    """The same under the numpy.errstate of the caller."""
    known: dict[Node, Any] = dict(zip(graph.inputs, values, strict=True))
    known |= {node: np.int64(n) for node, n in (dims or {}).items()}
    for node in toposort(graph.outputs, stop=lambda n: n in known):
        if node not in known:
            known[node] = compute(node, [known[a] for a in node.args], known)
    return [known[o] for o in graph.outputs]


def compute(node: Node, args: list[Any], known: dict[Node, Any]) -> Any:
    """One node's value from its arguments' values; a failure names the line that created the node."""
    attrs = {name: resolve(value, known) for name, value in node.attributes.items()}
    try:
        if node.op.kind is Kind.STRUCTURED and node.op is not item:
            return node.op.numpy(*args, **attrs, dims={n: v for n, v in known.items() if n.op is dim})
        value = node.op.numpy(*args, **attrs)
    except (ValueError, IndexError, TypeError, ArithmeticError, np.linalg.LinAlgError) as error:
        if isinstance(node.where, int):  # a canonical graph: the runtime knows the user's line
            error.lazynp_origin = node.where  # type: ignore[attr-defined]
            raise
        raise with_origin(error, node.where) from None
    return value if isinstance(value, tuple) else np.asarray(value)


def resolve(value: Any, known: dict[Node, Any]) -> Any:
    """An attribute with the sizes that are nodes replaced by their values."""
    if isinstance(value, Node):
        return int(size_value(value, known))
    if type(value) is tuple:
        return tuple([resolve(v, known) for v in value])
    if isinstance(value, tuple) and hasattr(value, "_make") and not isinstance(value, Graph):
        return value._make([resolve(v, known) for v in value])
    return value


def size_value(node: Node, known: dict[Node, Any]) -> Any:
    """The value of a size: an expression over dims."""
    if node not in known:
        for part in toposort([node], stop=lambda n: n in known):
            if part not in known:
                assert part.op is not dim and part.op is not input_, f"{part} has no value"
                known[part] = part.value.array if part.op is const else part.op.numpy(*[known[a] for a in part.args], **part.attributes)
    return known[node]


interpreter.evaluate = interpret
