"""What the turns of a loop collect: the ys of a scan, and what is appended to lists with which a loop does nothing else."""

import sys
from collections.abc import Sequence
from types import CellType, FunctionType
from typing import Any
from weakref import WeakKeyDictionary

from lazynp import array as arrays
from lazynp import operands
from lazynp.array import ndarray
from lazynp.errors import CaptureError
from lazynp.ir.node import Node
from lazynp.ir.types import ArrayType
from lazynp.ops.elementwise import filled
from lazynp.ops.movement import Step, reshape, slice_
from lazynp.ops.sizes import SymFloat
from lazynp.runtime.storage import Queue, Snapshot, Storage, queue, trace_scope
from lazynp.trace import queues, trees
from lazynp.trace.either import Either
from lazynp.trace.places import touch_contents

_WHAT = "an array that a loop over traced values has appended to a list"


class Stacks:
    """The arrays in which a traced scan collects its ys: made in the surroundings when the first y is seen, and when its type changes."""

    def __init__(self, n: int, home: Queue | None = None) -> None:
        self.n = n
        self.home = queue() if home is None else home
        self.arrays: list[Any] = []
        self.structure: Any = None

    def put(self, i: Any, y: Any) -> None:
        leaves, self.structure = trees.flatten(y)
        nodes = [operands.node_of(leaf) for leaf in leaves]
        wanted = [((self.n, *node.shape), node.dtype) for node in nodes]
        if wanted != [(a._type.shape, a._type.dtype) for a in self.arrays]:
            with trace_scope(self.home):  # type: ignore[arg-type]
                self.arrays = [arrays.wrap(filled(shape, 0, dtype)) for shape, dtype in wanted]
        for array, node in zip(self.arrays, nodes, strict=True):
            array[i] = arrays.wrap(node)

    def tree(self) -> Any:
        return trees.unflatten(self.structure, self.arrays)


class Collection:
    """lists: those of the variables that hold a list which nobody else knows, so that nobody can have read it in a turn."""

    def __init__(self, turn: FunctionType, names: Sequence[str]) -> None:
        cells = dict(zip(turn.__code__.co_freevars, turn.__closure__ or (), strict=True))
        self.cells = [cells[n] for n in names if n in cells and _holds_own_list(cells[n])]
        self.lists: list[list[Any]] = [cell.cell_contents for cell in self.cells]
        self.stacks: list[Stacks | None] = [None] * len(self.lists)
        self.kinds: list[list[tuple[int, Any]]] = [[] for _ in self.lists]
        self.home = queue()
        self.sources: set[Storage] = set()

    def put(self, turn: Any, count: int | None, appended: list[list[Any]]) -> None:
        """Collect what a turn has appended to each list. Raises CaptureError for what is not an array of the turn's own."""
        for k, values in enumerate(appended):
            if values and count is None:
                raise CaptureError("a loop appends to a list as often as only the data say")
            found = [_stacked(value) for value in values]
            for array, _, _ in found:
                self._look(array)
            self.kinds[k] = [(depth, scalar) for _, depth, scalar in found]
            stacks = self.stacks[k]
            if stacks is None:
                stacks = self.stacks[k] = Stacks(count or 0, self.home)
            stacks.put(turn, [array for array, _, _ in found])

    def _look(self, value: Any) -> None:
        """Notes whose memory a value may be."""
        if type(value) is not ndarray or value._storage is None:
            raise CaptureError("a loop appends to a list what is neither a traced array nor a scalar")
        storage, body = value._storage, queue()
        if not value._scalar:
            if not isinstance(body, queues.BodyQueue) or storage.home is not body:
                raise CaptureError("a loop appends to a list an array that is known elsewhere too")
            body.known_elsewhere.add(storage)
            if isinstance(storage, Snapshot):
                self.sources |= {s for s in storage.seen if s.home is not body}

    def finish(self, count: int | None) -> None:
        """Extend the lists by the rows."""
        for cell, known, stacks, kinds in zip(self.cells, self.lists, self.stacks, self.kinds, strict=True):
            bases = [Snapshot(operands.node_of(array), self.sources, _WHAT) for array in (stacks.tree() if stacks is not None else ())]
            rows = [_items(base, 1 + depth, scalar) for base, (depth, scalar) in zip(bases, kinds, strict=True)]
            touch_contents(cell)
            known.extend([column[k] for k in range(count or 0) for column in rows])


def _items(base: Storage, depth: int, scalar: Any, index: tuple[int, ...] = ()) -> list[Any]:
    """The parts of a storage along its first axes as handles, in lists of this depth."""
    here = len(index)
    if here + 1 < depth:
        return [_items(base, depth, scalar, (*index, k)) for k in range(base.shape[here])]
    sizes = base.shape[depth:]
    zeros, ones, type_ = (0,) * len(sizes), (1,) * len(base.shape), ArrayType(tuple(sizes), base.dtype)
    flat = Step(reshape, (tuple(sizes),))
    steps = [Step(slice_, ((*index, k, *zeros), ones, (*[1] * depth, *sizes))) for k in range(base.shape[here])]
    items = [arrays.handle(base, (step, flat), type_, None) for step in steps]
    if scalar is SymFloat:
        return [_number_of(base, k, item) for k, item in enumerate(items)]
    for item in items:
        item._scalar = scalar
    return items


_numbers: WeakKeyDictionary[Node, tuple[Storage, int]] = WeakKeyDictionary()
"""Of numbers that loops have appended to lists: the storage that they were collected in, and where."""


def _number_of(base: Storage, position: int, item: Any) -> Any:
    """A collected item as a Python number."""
    number = SymFloat(operands.node_of(item))
    _numbers[number.node] = base, position
    return number


def _stacked(value: Any) -> tuple[Any, int, Any]:
    """What a turn appends: an array, how deep the lists are that its first axes were, and what lies in them: False: arrays, True: NumPy's
    scalars, SymFloat: Python's."""
    value = value.settled() if type(value) is Either else value
    depth, first = _first(value)
    if type(value) is SymFloat:
        return arrays.wrap(value.node), 0, SymFloat
    return (value if not depth else rows_of_one(value)), depth, bool(type(first) is ndarray and first._scalar)


def _first(values: Any) -> tuple[int, Any]:
    """How deep lists in lists are, and the first value in the innermost one."""
    depth = 0
    while type(values) is list and values:
        values, depth = values[0], depth + 1
    return depth, values


def rows_of_one(values: Any) -> Any:
    """The array whose rows, all of them and in order, a list (of lists) holds; None for other lists."""
    depth, first = _first(values)
    if type(first) is SymFloat:
        return _array_of_numbers(values)
    if not depth or type(first) is not ndarray or not isinstance(first._storage, Snapshot):
        return None
    base = first._storage
    if len(base.shape) < depth or not _same_items(values, _items(base, depth, first._scalar)):
        return None
    return arrays.wrap(base.value())


def _array_of_numbers(values: Any) -> Any:
    """The same of a list of numbers."""
    places = [_numbers.get(v.node) if type(v) is SymFloat else None for v in values]
    base = places[0][0] if places[0] is not None else None
    if base is None or base.shape != (len(values),) or places != [(base, k) for k in range(len(values))]:
        return None
    return arrays.wrap(base.value())


def _same_items(values: Any, expected: Any) -> bool:
    if type(expected) is list:
        return type(values) is list and len(values) == len(expected) and all(map(_same_items, values, expected))
    return type(values) is ndarray and values._storage is expected._storage and values._path == expected._path


def in_one_list(lists: list[Any]) -> list[Any]:
    """The values of a list of lists, one after the other."""
    array = rows_of_one(lists)
    depth, first = _first(lists)
    if array is None or depth < 2:
        return [value for values in lists for value in values]
    node = operands.node_of(array)
    joined = Snapshot(reshape(node, (node.shape[0] * node.shape[1], *node.shape[2:])), (first._storage,), _WHAT)
    return _items(joined, depth - 1, first._scalar)


def _holds_own_list(cell: CellType) -> bool:
    try:
        held = cell.cell_contents
    except ValueError:
        return False
    return type(held) is list and sys.getrefcount(held) == _OWN


def _references_of_its_own() -> int:
    cell = CellType([])
    held = cell.cell_contents
    return sys.getrefcount(held)


_OWN = _references_of_its_own()
