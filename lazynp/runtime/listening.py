"""Which operation in the bodies of loops and branches it is that divides by zero, overflows or is invalid: they run again through NumPy,
node by node, and NumPy calls back where a flag of the processor is raised."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from lazynp.backends import reference
from lazynp.ir.node import Graph, Node, dim, toposort
from lazynp.ops.printing import printed
from lazynp.ops.structured import CONTROL


class Listener:
    """hears(node, text, around): an operation in a loop or branch has met what NumPy calls "divide by zero", "overflow", "underflow" or
    "invalid value"."""

    def __init__(self, hears: Callable[[Node, str, Node], None]) -> None:
        self._hears = hears
        self._node: Node | None = None
        self._around: Node | None = None
        self._orders: dict[Graph, list[Node]] = {}

    def control(self, node: Node, known: dict[Node, Any]) -> Any:
        """The values of a loop or branch."""
        self._around = node
        with np.errstate(all="call", call=self._called):
            return self._control(node, known)

    def _called(self, text: str, flag: int) -> None:
        assert self._node is not None and self._around is not None
        self._hears(self._node, text, self._around)

    def _control(self, node: Node, known: dict[Node, Any]) -> Any:
        attributes = {name: reference.resolve(value, known) for name, value in node.attributes.items()}
        dims = {n: value for n, value in known.items() if n.op is dim}
        return node.op.numpy(*[known[a] for a in node.args], **attributes, dims=dims, run=self._body)

    def _body(self, body: Graph, values: Sequence[Any], dims: dict[Node, Any]) -> list[Any]:
        known: dict[Node, Any] = dict(zip(body.inputs, values, strict=True)) | dims
        if body not in self._orders:
            self._orders[body] = toposort(body.outputs)
        for node in self._orders[body]:
            if node in known:
                continue
            if node.op is printed:
                known[node] = np.int64(0)  # it has been printed
            elif node.op in CONTROL:
                known[node] = self._control(node, known)
            else:
                self._node = node
                known[node] = reference.compute(node, [known[a] for a in node.args], known)
        return [known[output] for output in body.outputs]
