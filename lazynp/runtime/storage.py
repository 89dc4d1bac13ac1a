"""Storages: blocks of memory in time. Mutation happens here and nowhere else; the graph stays pure.

A storage is *clean* when its buffer holds its value, *pending* when its value is a node of the graph that has not run yet. Everything
pending waits in one queue; forcing any storage runs the whole queue as one program, so nobody can be left behind reading
memory that an in-place write has overwritten.
"""

import sys
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any
from weakref import WeakKeyDictionary, ref

import numpy as np

from lazynp.backends.base import Program, raised
from lazynp.backends.holding import Held
from lazynp.backends.pool import POOLED, Block, Lent, empty
from lazynp.config import settings
from lazynp.errors import CaptureError
from lazynp.ir import canonical
from lazynp.ir.canonical import Form
from lazynp.ir.node import Node, constant, dim, input_, new_input, toposort
from lazynp.ir.types import ArrayType, itemcount
from lazynp.native import ARRAYS, keeping, tracing_count
from lazynp.ops.indexing import update
from lazynp.ops.movement import Path
from lazynp.ops.sizes import hinted
from lazynp.runtime.evaluate import interpreted, is_interpreted, located, lock, prepare, work
from lazynp.runtime.flags import follow_up
from lazynp.runtime.nans import check_nans
from lazynp.runtime.short import is_short, largest

_bound: "WeakKeyDictionary[Node, np.ndarray]" = WeakKeyDictionary()
"""The memory behind each input leaf that is not an argument of a trace."""


class Storage:
    """shape, dtype: of the whole block, C order. node: the pending value, or None. buffer: the memory, None until somebody needs it.

    `exported`: somebody outside may hold NumPy views of the buffer and write to it.
    """

    __slots__ = ("__weakref__", "_leaf", "buffer", "dtype", "exported", "failure", "home", "node", "serial", "shape")
    unordered = False
    """Whether the order of the axes in memory, which NumPy's array would have, is known only when the program runs."""

    def __init__(self, shape: tuple[int, ...], dtype: np.dtype, node: Node | None, buffer: np.ndarray | None) -> None:
        self.shape = shape
        self.dtype = dtype
        self.node = node
        self.buffer = buffer
        self.exported = False
        self.failure: BaseException | None = None
        self._leaf: ref[Node] | None = None
        self.home = queue()
        if node is not None:
            self.home.add(self)

    def memory(self) -> np.ndarray:
        """The buffer; allocated here (untouched virtual memory) when the storage has none yet. Its contents may be stale."""
        if self.buffer is None:
            self.buffer = empty(hinted(self.shape), self.dtype)
        return self.buffer

    def value(self) -> Node:
        """The current contents as a node. A trace that reads a storage from outside notes it, to read it again at every call.

        Raises the error that computing them has met."""
        if self.failure is not None:
            raise self.failure
        here = queue()
        if self.home is not here and here.reads_from_outside(self):
            return here.outside(self)
        return self.node if self.node is not None else self.leaf()

    def leaf(self) -> Node:
        """The input that stands for the clean buffer's present contents; a private copy of them if others may write there."""
        assert self.buffer is not None
        if self.exported:
            if not _alone(self):
                return captured(self.buffer)
            self.exported = False
        leaf = self._leaf() if self._leaf is not None else None
        if leaf is None:
            leaf = new_input(ArrayType(self.shape, self.dtype))
            _bound[leaf] = self.buffer
            self._leaf = ref(leaf)
        return leaf

    @property
    def read_by_pending(self) -> bool:
        """Whether pending work still has to read the clean buffer's present contents."""
        return self._leaf is not None and self._leaf() is not None

    def write(self, node: Node) -> None:
        """Give the storage a new value: the whole contents, of the same type. Whoever holds a NumPy view of it sees it at once."""
        here = queue()
        here.count_write(node)
        if self.home is not here:
            here.before_write_outside(self)
        if self.node is None:
            self.node = node
            here.add(self)
        else:
            self.node = node
        if self.exported and not isinstance(here, TraceQueue):
            self.force()

    def force(self) -> np.ndarray:
        """The buffer with the current value in it. Runs everything that is pending. Raises what computing the value has met."""
        if self.failure is not None:
            raise self.failure
        if self.node is not None:
            queue().run(self)
        assert self.buffer is not None
        return self.buffer

    def settle_readers(self) -> None:
        """Before the clean buffer is written directly: let pending work read its old contents. What a trace has recorded runs later, and
        reads a copy."""
        if not self.read_by_pending:
            return
        if isinstance(queue(), TraceQueue):
            bind(self._leaf(), self.buffer.copy())  # type: ignore[misc, union-attr, arg-type]
            self._leaf = None
        else:
            queue().run(None)

    def outside_leaf(self) -> Node:
        """The leaf that stands for the contents in a trace, which reads them again at every call."""
        return borrowed(self.memory())

    def overwritten(self) -> None:
        """A program has written new contents into the buffer."""
        self._leaf = None

    def filled(self, buffer: np.ndarray) -> None:
        """The pending value has been computed into `buffer`."""
        self.buffer = buffer
        self.node = None
        self._leaf = None


class Unordered(Storage):
    """Memory of which a trace does not know in which order its axes lie: ways through branches or loops make it in this or in that one. It
    has C order here; who asks for an order cannot be compiled. region: the number that says it (lazynp.trace.regions)."""

    __slots__ = ("region",)
    unordered = True
    path: Path = ()

    def __init__(self, node: Node, region: "Storage | None" = None) -> None:
        super().__init__(node.type.shape, node.type.dtype, node, None)  # type: ignore[arg-type, union-attr]
        self.region = region

    def memory(self) -> np.ndarray:
        raise CaptureError(f"{UNORDERED_MEMORY}: copy it with .copy()")


UNORDERED_MEMORY = "the program asks how an array lies in memory (C or Fortran order), and that depends on traced values"


class Snapshot(Storage):
    """A copy that stands for memory which a trace cannot name: a view at a position known only at run time, an array that is one or another
    after a branch or a loop. NumPy's array would follow those it may share memory with (`sources`): a write to either after the other has
    been read cannot be traced. what: its description, for messages. origin: of a view of one array, that array, and where along which axes
    its elements are; region: the number that says where it lies (lazynp.trace.regions), of the view that `path` leads to."""

    __slots__ = ("origin", "path", "region", "seen", "unordered", "what")

    def __init__(self, node: Node, sources: Iterable[Storage], what: str, origin: Any = None, path: Path = ()) -> None:
        super().__init__(node.type.shape, node.type.dtype, node, None)  # type: ignore[arg-type]
        written = {s for source in sources for s in (source.seen if isinstance(source, Snapshot) else (source,))}
        self.seen = {source: source.value() for source in written}
        self.what = what
        self.origin = origin
        self.path = path
        self.region: Storage | None = None
        self.unordered = False

    def memory(self) -> np.ndarray:
        if self.unordered:
            raise CaptureError(f"{UNORDERED_MEMORY}: copy it with .copy()")
        return super().memory()

    def value(self) -> Node:
        here = queue()
        if any(source.value() is not seen if here is self.home else source in here.written for source, seen in self.seen.items()):  # type: ignore[attr-defined]
            raise CaptureError(f"{self.what} is read after that has changed: copy it with .copy()")
        return super().value()

    def write(self, node: Node) -> None:
        raise CaptureError(f"{self.what} is written to")


def tells_later(warning: Warning, where: Any) -> bool:
    """Note a warning that the program under way is to tell when it runs. Returns whether somebody does that."""
    scope: Any = queue()
    while getattr(scope, "parent", None) is not None and not getattr(scope, "is_test", False):
        scope = scope.parent
    if getattr(scope, "told", None) is None:
        return False
    if (str(warning), where) not in scope.told:
        with trace_scope(scope):
            scope.told[str(warning), where] = warning, Storage((), np.dtype(bool), constant(False), None)
    scope.told[str(warning), where][1].write(constant(True))
    return True


def _references(holder: Any) -> tuple[int, int]:
    """How many references there are to a holder's buffer and, if it is a view, to the array whose memory it shows."""
    buffer = holder.buffer
    base = buffer.base
    if base is None:
        return sys.getrefcount(buffer), 0
    foreign = type(base) is not Block and type(base) is not Lent and (type(base) not in ARRAYS or base.base is not None)
    return sys.getrefcount(buffer), 1 << 30 if foreign else sys.getrefcount(base)


class _Sample:
    """A holder like a storage, to measure what `_references` says when nobody else knows the buffer."""

    def __init__(self, buffer: np.ndarray) -> None:
        self.buffer = buffer


_ALONE_OWNER = _references(_Sample(np.empty(2)))
_ALONE_VIEW = _references(_Sample(np.empty(2).reshape(1, 2)))
_ALONE_POOLED = _references(_Sample(empty((POOLED,), np.dtype(np.uint8))))


def _alone(storage: Storage) -> bool:
    """Whether nobody outside can reach the storage's memory any more."""
    return _references(storage) in (_ALONE_OWNER, _ALONE_VIEW, _ALONE_POOLED)


def owns_memory(array: np.ndarray) -> bool:
    """Whether an array is all that there is of its memory: no view, or the only view of an array that nobody holds."""
    return _references(_Sample(array))[1] <= _ALONE_VIEW[1]


def shared_outside(storage: Storage) -> bool:
    """Whether somebody may hold NumPy views of the storage's memory."""
    return storage.exported and not _alone(storage)


def captured(array: np.ndarray) -> Node:
    """A leaf over a private copy of a NumPy array: later writes to the array must not reach pending results."""
    copy = keeping(np.array, array, order="C")
    leaf = new_input(ArrayType(copy.shape, copy.dtype))
    _bound[leaf] = copy
    return leaf


def borrowed(array: np.ndarray) -> Node:
    """A leaf over a NumPy array itself, C-contiguous: for callers that run before anyone can write to it."""
    leaf = new_input(ArrayType(array.shape, array.dtype))
    _bound[leaf] = array
    return leaf


def bind(leaf: Node, array: np.ndarray) -> None:
    """Give a leaf its memory."""
    _bound[leaf] = array


def bound(leaf: Node) -> np.ndarray | None:
    """The memory of a leaf; None for the argument of a trace."""
    return _bound.get(leaf)


_SHORT_TURN, _TOGETHER = 3, 24
"""Iterations of so few operations, like the terms of a sum over shifted slices, run together until they are so many operations (a sum of
five terms: 11 -> 3 ms of 2.4 million elements)."""


class Queue:
    """The pending storages of a thread of control, in order of creation."""

    derives = False
    """Whether a derivative is taken of what is recorded here, or around it."""
    concrete = False
    """Whether that derivative has values, so that everything recorded here can be computed at once."""

    def __init__(self) -> None:
        self._pending: list[ref[Storage]] = []
        self.serial = 0
        self.nodes = 0
        self.bytes = 0
        self.positions: dict[Any, int] = {}
        """Where the operations since the last run were recorded -> the number of the last one."""
        self.noted = 0
        self.writes_parts = False
        self.short: dict[Any, int] = {}
        """Positions whose work costs more to record than NumPy takes for it -> the most elements that an array had there."""
        self.runs = 0

    def count_write(self, node: Node) -> None:
        """A storage is about to get a new value."""
        self.writes_parts |= node.op is update

    def add(self, storage: Storage) -> None:
        self.serial += 1
        storage.serial = self.serial
        self._pending.append(ref(storage))
        self.nodes += 1
        self.bytes += itemcount(storage.shape) * storage.dtype.itemsize

    def alive(self) -> list[Storage]:
        """The storages that have been given a value here since the last run and that somebody still holds."""
        return [storage for storage in [entry() for entry in self._pending] if storage is not None]

    def reads_from_outside(self, storage: Storage) -> bool:
        """Whether the storage belongs to somebody whose work this queue must not mix with its own."""
        return False

    def before_write_outside(self, storage: Storage) -> None:
        """A storage that was created elsewhere gets a value here."""

    def looks_at(self, storage: Storage) -> None:
        """The present contents of a storage are read, as values."""

    def differentiates(self, node: Node) -> bool:
        """Whether a derivative by something that the node depends on is being taken."""
        return False

    def note(self, key: Any) -> None:
        """Called before an operation is recorded. A position seen before is a loop's next iteration: what is pending runs now, so that
        every iteration has the same graph and finds its program in the cache; so do bounds on nodes and bytes. Short iterations run
        several at a time unless they write parts of arrays: those programs do not fuse."""
        before = self.positions.get(key)
        again = before is not None and (self.noted - before > _SHORT_TURN or self.noted >= _TOGETHER or self.writes_parts)
        if again or self.nodes >= settings.pending_nodes or self.bytes >= settings.pending_bytes:
            self.run(None)
        self.positions[key] = self.noted
        self.noted += 1

    def run(self, wanted: Storage | None) -> None:
        """Compute everything pending and alive in one program, into the storages' own memory."""
        with lock:
            self.runs += 1
            storages = [s for s in self.alive() if s.node is not None and s.failure is None]
            positions, noted = tuple(self.positions), self.noted
            self._reset()
            if wanted is not None and wanted.node is not None and all(s is not wanted for s in storages):
                storages.append(wanted)
            while storages:
                try:
                    form = run_storages(storages, noted)
                    if form is not None and settings.lazy_threshold > 0 and is_short(form, noted):
                        self._note_short(positions, form)
                    return
                except BaseException as error:
                    failed = _failed(storages, error)
                    storages = [s for s in storages if s not in failed]
                    if wanted in failed or not failed:
                        for s in storages:
                            self.add(s)
                        raise

    def _note_short(self, positions: tuple[Any, ...], form: Form) -> None:
        if len(self.short) > _MOST_SHORT:
            self.short.clear()
        self.short |= dict.fromkeys(positions, largest(form))

    def _reset(self) -> None:
        self._pending.clear()
        self.positions.clear()
        self.noted = self.nodes = self.bytes = 0
        self.writes_parts = False


class TraceQueue(Queue):
    """What a trace records. Values that depend on the trace's arguments cannot be had; others are computed alone.

    `outside`: the leaf for each storage or NumPy array that the trace reads but did not create (`sources` maps back);
    `written`: the storages it did not create but gave a new value to, with the value they had. `doubt`: a truth value that, where it is
    true, says that the results do not count. `printed`: stands for what the program has printed so far. `data_sizes`: integers computed
    from data that stand in attributes -> the sizes that stand for them; `binds_sizes`: whether who traces makes loops of these (see
    trace/closing.py). `taken`: storages and arrays from outside of which Python has got values, which the trace takes for granted.
    """

    runs_once = False
    """Whether what is recorded is computed now and never again: then a random draw is done, not recorded."""

    def __init__(self) -> None:
        super().__init__()
        self.sources: dict[Node, Any] = {}
        self.leaves: dict[int, Node] = {}
        self.written: dict[Storage, Node] = {}
        self.writes = 0
        self.most_writes: int | None = None
        self.doubt: Storage | None = None
        self.told: dict[Any, tuple[Any, Storage]] | None = None
        """Warnings of the program, by text and position: with a truth value that says whether a run came there. None: told at once."""
        self.regions: list[Any] = []
        """Where in memory results of branches and loops may lie (lazynp.trace.regions)."""
        self.printed: Storage | None = None
        self.data_sizes: dict[Node, Node] = {}
        self.binds_sizes = False
        self.taken: list[Any] = []

    def looks_at(self, storage: Storage) -> None:
        if not isinstance(storage.home, TraceQueue):
            self.taken.append(storage)

    def takes(self, nodes: Iterable[Node]) -> None:
        """Python gets the values of nodes."""
        self.taken += [self.sources[leaf] for leaf in toposort(nodes) if leaf in self.sources]

    def count_write(self, node: Node) -> None:
        """Raises CaptureError for a loop over elements or slices that is being written out: compiling it would take minutes."""
        self.writes += 1
        if self.most_writes is not None and self.writes > self.most_writes:
            raise CaptureError(
                f"more than {self.most_writes} writes into arrays were recorded: a loop over elements or slices is being written out; "
                "make it a lazynp.scan.fori_loop, or raise lazynp.config.unroll_writes"
            )

    def note(self, key: Any) -> None:
        pass

    def add(self, storage: Storage) -> None:
        storage.serial = 0
        traced_count.values += 1

    def reads_from_outside(self, storage: Storage) -> bool:
        return storage not in self.written and not isinstance(storage.home, TraceQueue)

    def outside(self, storage: Storage) -> Node:
        """The leaf that stands for a storage of the surrounding program; what it is pending on runs first."""
        leaf = self.leaves.get(id(storage))
        if leaf is None:
            if storage.node is not None:
                storage.home.run(storage)
            leaf = self.leaves[id(storage)] = storage.outside_leaf()
            self.sources[leaf] = storage
        return leaf

    def outside_array(self, array: np.ndarray) -> Node:
        """The leaf that stands for a NumPy array of the surrounding program, read again at every call.

        If it has changed since it was read here, the trace itself is writing to it, and its present contents are a constant.
        """
        leaf = self.leaves.get(id(array))
        if leaf is None:
            leaf = self.leaves[id(array)] = captured(array)
            self.sources[leaf] = array
        elif not same_contents(_bound[leaf], array):
            self.sources.pop(leaf, None)
            return captured(array)
        return leaf

    def forget_temporaries(self) -> None:
        """NumPy arrays that only the trace knows are constants: the function made them anew, and nobody can write to them."""
        for leaf in list(self.sources):
            holder = _Sample(self.sources.pop(leaf))
            if isinstance(holder.buffer, Storage) or _references(holder) != _ALONE_OWNER:
                self.sources[leaf] = holder.buffer

    def before_write_outside(self, storage: Storage) -> None:
        if storage not in self.written and not isinstance(storage.home, TraceQueue):
            self.written[storage] = self.outside(storage)

    def restore(self) -> None:
        """Give the storages of the surrounding program back the values they had before the trace."""
        for storage in self.written:
            storage.node = None

    def run(self, wanted: Storage | None) -> None:
        if wanted is None:
            return
        assert wanted.node is not None
        if depends_on_arguments(wanted.node):
            raise CaptureError(
                "the value of a traced array is needed here (float(), bool(), item(), a data-dependent size or a NumPy call), "
                "but inside a trace it is not known yet"
            )
        self.takes([wanted.node])
        old = wanted._leaf() if wanted._leaf is not None else None
        if old is not None:
            _bound[old] = wanted.memory().copy()
            wanted._leaf = None
        run_storages([wanted], once=True)


_COMPARED = 1 << 15


def same_contents(known: np.ndarray, array: np.ndarray) -> bool:
    """Whether two arrays of one type hold the same bytes; without copies of a contiguous one."""
    parts = [x.reshape(-1).view(np.uint8) for x in (known, np.ascontiguousarray(array))]
    return all(np.array_equal(*[p[k : k + _COMPARED] for p in parts]) for k in range(0, parts[0].size, _COMPARED))


def depends_on_arguments(node: Node) -> bool:
    """Whether some leaf below is the argument of a trace."""
    return any((n.op is input_ and n not in _bound) or n.op is dim for n in toposort([node]))


def _failed(storages: list[Storage], error: BaseException) -> set[Storage]:
    """The storages whose values need the node that raised. They keep the error for whoever reads them; the others must not suffer."""
    culprit = getattr(error, "lazynp_node", None)
    failed = {s for s in storages if culprit is not None and s.node is not None and culprit in toposort([s.node])}
    for storage in failed:
        storage.failure = error
    return failed


_MOST_SHORT = 4096


def run_storages(storages: list[Storage], operations: int = 0, once: bool = False) -> Form | None:
    """One program for the values of these storages. A storage whose old contents it reads is overwritten in place. operations: how many
    recorded them; once: the graph will not come again; NumPy computes it. The graph's form, if NumPy computed it."""
    outputs = tuple([s.node for s in storages])
    aliases = {}
    for position, storage in enumerate(storages):
        old = storage._leaf() if storage._leaf is not None else None
        if old is not None:
            aliases[position] = old
    form = canonical.take_apart(outputs, aliases)  # type: ignore[arg-type]
    if once:
        traced_count.values += 20 + work(form) // 100_000
        ready = interpreted(canonical.specific(form))
    else:
        ready = prepare(form, True, operations)
    arrays = [_bound[leaf] for leaf in form.leaves]
    if settings.debug_nans:
        check_nans(form, arrays)
    try:
        if aliases:
            with Held(), _kept(ready.program, [storages[position] for position in aliases], len(storages) > 1):
                _fill(storages, ready.run(arrays, [s.buffer for s in storages]))
        else:
            _fill(storages, ready.run(arrays, [s.buffer for s in storages]))
    except Exception as error:
        raise located(error, form) from None
    if raised:
        follow_up(ready.program, form, arrays)
    return form if is_interpreted(ready) else None


def _fill(storages: list[Storage], results: list[np.ndarray]) -> None:
    for storage, result in zip(storages, results, strict=True):
        storage.filled(result)


@contextmanager
def _kept(program: Program, overwritten: list[Storage], others: bool) -> Iterator[None]:
    """What a program overwrites is put back if it ends in the middle: after a signal, or by an error that may not concern all that it
    computes. others: whether it computes more than one value."""
    copied = program.ends_early or (others and program.may_fail)
    before = [storage.memory().copy() for storage in overwritten] if copied else []
    try:
        yield
    except BaseException:
        for storage, contents in zip(overwritten, before, strict=False):
            storage.memory()[...] = contents
        raise


_main_queue = Queue()
_local = threading.local()


def queue() -> Queue:
    """The queue of this thread: a trace's while it traces, else the one that all threads share."""
    if not tracing_count.depth:
        return _main_queue
    stack = getattr(_local, "stack", None)
    return stack[-1] if stack else _main_queue


class _Traced:
    """`values`: how many values traces have recorded so far, in all threads. One that is computed while tracing counts as many."""

    values = 0


traced_count = _Traced()


def tracing() -> bool:
    """Whether this thread is inside a trace."""
    return tracing_count.depth > 0 and bool(getattr(_local, "stack", None))


def has_value(scope: Queue, node: Node) -> bool:
    """Whether a value that is recorded here can be computed at once: made of no argument, or in a derivative outside of jit."""
    return (scope.derives and scope.concrete) or not depends_on_arguments(node)


@contextmanager
def trace_scope(scope: TraceQueue | None = None) -> Iterator[TraceQueue]:
    """Inside, everything is lazy, and what is recorded waits in the trace's own queue: a new one, or the given one."""
    if not hasattr(_local, "stack"):
        _local.stack = []
    scope = TraceQueue() if scope is None else scope
    _local.stack.append(scope)
    tracing_count.depth += 1
    try:
        yield scope
    finally:
        _local.stack.pop()
        tracing_count.depth -= 1
