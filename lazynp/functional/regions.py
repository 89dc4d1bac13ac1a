"""A call recorded in a scope of its own, inside a derivative: what it reads from outside, and how its results become the surroundings'."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from lazynp.functional.run import Scope
from lazynp.ir.node import Node, input_, toposort
from lazynp.ops.movement import reshape, slice_
from lazynp.runtime.storage import Storage, queue, trace_scope
from lazynp.trace.control import captured_under_jit

Nodes = list[Node]


class Region(Scope):
    """What one call records. border: what it has read from outside."""

    def __init__(self) -> None:
        super().__init__(queue())
        self.border: dict[Node, None] = {}
        self.taken_back: list[tuple[Storage, Node]] = []

    def run_in(self, f: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """f's result, recorded here; its writes to arrays from outside are taken back and noted."""
        with trace_scope(self):
            try:
                return captured_under_jit(f)(*args, **kwargs)
            finally:
                self.taken_back = self.take_back()

    def reads_from_outside(self, storage: Storage) -> bool:
        return storage.home is not self and storage not in self.before

    def outside(self, storage: Storage) -> Node:
        with trace_scope(self.parent):  # type: ignore[arg-type]
            return self._noted(storage.value())

    def outside_array(self, array: np.ndarray) -> Node:
        return self._noted(super().outside_array(array))

    def _noted(self, node: Node) -> Node:
        self.border[node] = None
        return node

    def read_by(self, outputs: Sequence[Node]) -> Nodes:
        """What the outputs are made of: the border, and leaves that were reached past it. Of an array of which slices are read, the slices:
        then a derivative by it touches no more than they."""
        order = toposort(outputs, stop=self.border.__contains__)
        outside = {node for node in order if node in self.border or node.op is input_}
        slices: set[Node] = set()
        for node in order:
            if node not in outside and node.op in (slice_, reshape) and node.args[0] in (self.border if node.op is slice_ else slices):
                slices.add(node)
        outside |= slices
        read = {argument for node in order if node not in outside for argument in node.args} | set(outputs)
        return [node for node in order if node in outside and node in read]

    def hand_over(self, change: Callable[[Nodes], Nodes]) -> None:
        """The arrays that the call made become the surroundings', and what it wrote to theirs reaches them, as `change` makes them."""
        made = [s for s in self.alive() if s.home is self and s.node is not None]
        results = change([*[s.node for s in made], *[node for _, node in self.taken_back]])  # type: ignore[list-item]
        for storage, node in zip(made, results, strict=False):
            storage.node = node
            storage.home = self.parent
            self.parent.add(storage)
        for (storage, _), node in zip(self.taken_back, results[len(made) :], strict=True):
            storage.write(node)
