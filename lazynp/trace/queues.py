"""What the bodies of loops and branches record, and what they tell the program around them: doubts, and what is to be printed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any
from weakref import WeakKeyDictionary, ref

import numpy as np

from lazynp import operands
from lazynp.errors import CaptureError, recording_position
from lazynp.ir.node import Node, constant, input_, new_input, toposort
from lazynp.ops import elementwise as ew
from lazynp.ops.printing import printed
from lazynp.ops.sizes import hooks
from lazynp.runtime.prints import printed_here, taking_turns
from lazynp.runtime.storage import Queue, Storage, TraceQueue, bound, queue, trace_scope


def made(op: Any, *args: Node, **attrs: Any) -> Node:
    """A loop or branch, as part of what is recorded now."""
    node = op(*args, **attrs)
    if (printed_so_far := printed_here()) is not None:
        node = taking_turns(node, printed_so_far)
    if node.where is None:
        node.where = recording_position()[0]
    if not is_around(node):
        _homes[node] = ref(queue())
    return node  # type: ignore[no-any-return]


_homes: WeakKeyDictionary[Node, Callable[[], Any]] = WeakKeyDictionary()
"""The queue that has recorded a loop or branch first, if it is still there."""


def is_around(node: Node) -> bool:
    """Whether a node is a loop or branch that is recorded already, here or in the queues around."""
    home = _homes.get(node)
    return home is not None and any(scope is home() for scope in traces_around())


class BodyQueue(TraceQueue):
    """What a body records. sources: the leaf of each thing read from the surroundings -> its node there; known_elsewhere: arrays that
    somebody keeps beside the values that the body returns; turns: whether it is done more than once."""

    def __init__(self, parent: Queue, turns: bool = False) -> None:
        super().__init__()
        self.parent = parent
        self.turns = turns
        self.looked_at: set[Storage] = set()
        self.derives = parent.derives
        self.before: dict[Storage, Node | None] = {}
        self.kept: list[Any] = []
        self.known_elsewhere: set[Storage] = set()
        self.is_test = False
        """Whether it records the condition of a while loop, which can write nothing: then doubts are only noted."""
        self.doubted = False
        self.binds_sizes = True

    def reads_from_outside(self, storage: Storage) -> bool:
        return storage.home is not self and storage not in self.written

    def outside(self, storage: Storage) -> Node:
        leaf = self.leaves.get(id(storage))
        if leaf is None:
            with trace_scope(self.parent):
                node = storage.value()
            leaf = self._leaf(id(storage), storage, node)
        return leaf

    def outside_array(self, array: np.ndarray) -> Node:
        leaf = self.leaves.get(id(array))
        if leaf is None:
            with trace_scope(self.parent):
                node = operands.capture(array)
            leaf = self._leaf(id(array), array, node)
        return leaf

    def _leaf(self, key: int, source: Any, node: Node) -> Node:
        leaf = self.leaves[key] = new_input(node.type)
        self.sources[leaf] = node
        self.kept.append(source)
        return leaf

    def looks_at(self, storage: Storage) -> None:
        if storage.home is not self:
            if self.turns:
                self.looked_at.add(storage)
            self.parent.looks_at(storage)

    def takes(self, nodes: Iterable[Node]) -> None:
        self.parent.takes([self.sources[leaf] for leaf in toposort(nodes) if leaf in self.sources])

    def before_write_outside(self, storage: Storage) -> None:
        """Raises CaptureError where a turn has looked at the values that were there before the first turn, and changes them."""
        if storage in self.looked_at:
            raise CaptureError("the values of an array are needed here that the loop writes to")
        if storage not in self.written and storage.home is not self:
            self.written[storage] = self.outside(storage)
            self.before[storage] = storage.node

    def differentiates(self, node: Node) -> bool:
        """Whether it is made of values from outside that are, or of carried ones, which then may be."""
        below = toposort([node], stop=lambda n: n.op is ew.stop_gradient)
        leaves = [leaf for leaf in below if leaf.op is input_ and bound(leaf) is None]
        carried = any(leaf not in self.sources for leaf in leaves)
        sources = self.sources.values() if carried else [self.sources[leaf] for leaf in leaves]
        return any(self.parent.differentiates(source) for source in sources)

    def restore(self) -> None:
        """Give the storages of the surroundings back the values they had."""
        while self.before:
            storage, node = self.before.popitem()
            storage.node = node


def traces_around() -> Iterator[Any]:
    """The queues around the place where values are recorded, from the inside."""
    scope: Any = queue()
    while scope is not None:
        yield scope
        scope = getattr(scope, "parent", None)


def under_jit() -> bool:
    """Whether the values of this trace are known only when a compiled program runs: inside jit, or inside a body."""
    return any(type(scope) is TraceQueue or isinstance(scope, BodyQueue) for scope in traces_around())


def compiles() -> bool:
    """Whether what is recorded becomes part of a compiled program as it is: no derivative or batch is taken of it."""
    return all(type(scope) is TraceQueue or isinstance(scope, BodyQueue) for scope in traces_around())


def doubt(wrong: Node) -> bool:
    """Inside jit, where a 0-d boolean is true, the program's results do not count: Python would have raised an error, or computed with
    integers of more than 64 bits. Returns whether this is noted: not outside of jit."""
    scopes = list(traces_around())
    test = next((scope for scope in scopes if getattr(scope, "is_test", False)), None)
    if test is not None:
        test.doubted = True
        return True
    outermost = scopes[-1]
    if type(outermost) is not TraceQueue:
        return False
    if outermost.doubt is None:
        with trace_scope(outermost):
            outermost.doubt = Storage((), wrong.dtype, constant(False), None)
    outermost.doubt.write(ew.logical_or(outermost.doubt.value(), ew.doubtful(wrong)))
    return True


hooks.doubt = doubt


def is_doubt(storage: Storage) -> bool:
    """Whether a storage holds what the program doubts."""
    return storage is getattr(list(traces_around())[-1], "doubt", None)


class Prints(BaseException):
    """A trace has come to its first print: it begins again, and what may raise an error keeps its place among the prints. No Exception, so
    that a user's `except Exception` does not take it for the program's own."""


def record_print(pieces: tuple[Any, ...], values: Sequence[Node], end: str, flush: bool) -> None:
    """The compiled program prints here: see lazynp.ops.printing. Raises CaptureError outside of jit, Prints
    in a trace that does not expect it."""
    outermost = list(traces_around())[-1]
    if type(outermost) is not TraceQueue:
        raise CaptureError("print() in a loop or branch outside of jit")
    if outermost.printed is None:
        raise Prints
    outermost.printed.write(made(printed, outermost.printed.value(), *values, pieces=pieces, end=end, flush=flush))
