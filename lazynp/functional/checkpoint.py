"""`checkpoint`: the derivative backwards computes a function's inner values again instead of keeping them.

Inside a derivative a call is recorded in a scope of its own and becomes one node: a graph of what it reads from outside. Its results, and
what it writes to arrays from outside, are the node's.
"""

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from lazynp.functional.run import Scope
from lazynp.ir.node import Graph, Node, input_, new_input, substitute, toposort
from lazynp.ops.custom import checkpointed
from lazynp.ops.structured import item
from lazynp.runtime.storage import Storage, queue, trace_scope

Function = Callable[..., Any]


def checkpoint(f: Function) -> Function:
    """f, whose inner values a reverse pass computes again when it needs them; between the passes only what f reads is kept.

    Of a chain of n such calls the memory is that of the n arguments and of the inside of one call, for one more evaluation of f.
    Values, aliasing and in-place writes are those of f; derivatives of any order and mode, under jit, vmap and scan. Outside
    of derivatives f is called as it is."""
    if not callable(f):
        raise TypeError(f"lazynp.checkpoint expects a function, got {f!r}")

    @functools.wraps(f, updated=())
    def region(*args: Any, **kwargs: Any) -> Any:
        if not queue().derives:
            return f(*args, **kwargs)
        scope = _Region(queue())
        with trace_scope(scope):
            try:
                result = f(*args, **kwargs)
            finally:
                writes = scope.take_back()
        scope.hand_over(writes)
        return result

    return region


class _Region(Scope):
    """What one call records. border: what it has read from outside."""

    def __init__(self, parent: Any) -> None:
        super().__init__(parent)
        self.border: dict[Node, None] = {}

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

    def hand_over(self, writes: Sequence[tuple[Storage, Node]]) -> None:
        """The arrays that the call made become the surroundings', and what it wrote to theirs reaches them: results of one node."""
        made = [s for s in self.pending.values() if s.home is self and s.node is not None]
        outputs: list[Node] = [*[s.node for s in made], *[node for _, node in writes]]  # type: ignore[list-item]
        results = self._as_call(outputs)
        for storage, node in zip(made, results, strict=False):
            storage.node = node
            storage.home = self.parent
            self.parent.add(storage)
        for (storage, _), node in zip(writes, results[len(made) :], strict=True):
            storage.write(node)

    def _as_call(self, outputs: Sequence[Node]) -> list[Node]:
        """The same values as results of one checkpointed call."""
        order = toposort(outputs, stop=self.border.__contains__)
        leaves = {node: new_input(node.type) for node in order if node in self.border or node.op is input_}
        if not leaves:
            return list(outputs)
        made = checkpointed.make(tuple(leaves), body=Graph(tuple(leaves.values()), tuple(substitute(outputs, leaves))))
        return [item(made, k) for k in range(len(outputs))]
