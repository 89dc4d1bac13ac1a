"""Ops that contain graphs or take values apart: `item` of a multi-output op, `call` of a graph."""

from typing import Any

from lazynp.ir.node import Graph, Node, substitute
from lazynp.ir.op import Kind, Op, register
from lazynp.ir.types import ArrayType


def _item_infer(x: Any, index: int) -> ArrayType:
    return x[index]


item = register(
    Op(
        name="item",
        kind=Kind.STRUCTURED,
        attrs=("index",),
        infer=_item_infer,
        numpy=lambda values, index: values[index],
        door=lambda op, x, index: op.make((x,), index=index),
    )
)
"""One output of an op that has several."""


def _call_infer(*types: ArrayType, body: Graph) -> tuple[ArrayType, ...]:
    return tuple([o.type for o in body.outputs])


def _call_numpy(*values: Any, body: Graph) -> Any:
    raise LookupError("call is interpreted by the backend, which runs the body")


call = register(Op(name="call", kind=Kind.STRUCTURED, attrs=("body",), infer=_call_infer, numpy=_call_numpy))
"""call(*args, body): the outputs of a graph for these inputs, kept as one node."""


def inline(node: Node) -> tuple[Node, ...]:
    """The outputs of a `call` as nodes of the caller's graph."""
    body: Graph = node.body
    return tuple(substitute(body.outputs, dict(zip(body.inputs, node.args, strict=True))))
