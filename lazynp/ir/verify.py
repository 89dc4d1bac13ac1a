"""What a well-formed graph is. `verify` is run between passes when `config.verify` is on; the tests run it on every graph."""

from typing import Any

from lazynp.errors import VerifyError
from lazynp.ir.body import bodies_of
from lazynp.ir.node import Graph, Node, dim, input_, toposort
from lazynp.ir.op import Kind
from lazynp.ir.types import LAZY_DTYPES, ArrayType

_INT64 = "int64"


def verify(graph: Graph) -> Graph:
    """The graph itself. Raises VerifyError naming the first node that breaks an invariant."""
    order = toposort((*graph.inputs, *graph.outputs))
    for node in order:
        _check_node(node)
    _check_inputs(graph, order)
    _check_aliases(graph)
    return graph


def _fail(node: Node, problem: str) -> None:
    raise VerifyError(f"{node!r}: {problem}" + (f" (created at {node.where})" if node.where is not None else ""))


def _check_node(node: Node) -> None:
    if len(node.attrs) != len(node.op.attrs):
        raise VerifyError(f"a node of op {node.op.name} has {len(node.attrs)} attributes, its op {len(node.op.attrs)}")
    for value in node.attrs:
        _check_attribute(node, value)
    for argument in node.args:
        if not isinstance(argument, Node):
            _fail(node, f"argument {argument!r} is no node")
    for body in bodies_of(node):
        verify(body)
    if node.op.kind is Kind.ELEMENTWISE and any(a.type.shape != node.args[0].type.shape for a in node.args):
        _fail(node, f"elementwise arguments of shapes {[a.type.shape for a in node.args]}")
    for type_ in node.type if type(node.type) is tuple else (node.type,):
        _check_type(node, type_)  # type: ignore[arg-type]
    try:
        inferred = node.op.infer_type(node.args, node.attrs)
    except (ValueError, TypeError) as error:
        _fail(node, f"type inference refuses it: {error}")
    if inferred != node.type:
        _fail(node, f"has type {node.type}, its op infers {inferred}")


def _check_attribute(node: Node, value: Any) -> None:
    try:
        hash(value)
    except TypeError:
        _fail(node, f"attribute {value!r} is not hashable")


def _check_type(node: Node, type_: ArrayType) -> None:
    if type_.dtype not in LAZY_DTYPES or not type_.dtype.isnative:
        _fail(node, f"dtype {type_.dtype!r} is none that graphs compute with")
    for n in type_.shape:
        if isinstance(n, Node):
            if n.type.shape != () or n.type.dtype != _INT64:
                _fail(node, f"size {n!r} is no 0-d int64 node")
        elif type(n) is not int or n < 0:
            _fail(node, f"size {n!r} is neither a node nor a non-negative int")


def _check_inputs(graph: Graph, order: list[Node]) -> None:
    given = set(graph.inputs)
    if len(given) != len(graph.inputs):
        raise VerifyError("an input is listed twice")
    for node in graph.inputs:
        if node.op is not input_ and node.op is not dim:
            _fail(node, "is listed as an input but is no leaf")
    for node in order:
        if node.op is input_ and node not in given:
            _fail(node, "is an input that the graph does not list")


def _check_aliases(graph: Graph) -> None:
    for output, source in graph.aliases:
        if not (0 <= output < len(graph.outputs) and 0 <= source < len(graph.inputs)):
            raise VerifyError(f"alias ({output}, {source}) of a graph with {len(graph.outputs)} outputs and {len(graph.inputs)} inputs")
        if graph.outputs[output].type != graph.inputs[source].type:
            _fail(graph.outputs[output], f"is written into {graph.inputs[source]!r} of another type")
    for position in (0, 1):
        ends = [pair[position] for pair in graph.aliases]
        if len(set(ends)) != len(ends):
            raise VerifyError(f"aliases {graph.aliases} use one {'output' if position == 0 else 'input'} twice")
