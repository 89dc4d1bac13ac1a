"""What the turns of a loop collect: the ys of a scan, and what is appended to lists with which a loop does nothing else."""

import sys
from collections.abc import Sequence
from types import CellType, FunctionType
from typing import Any

from lazynp import array as arrays
from lazynp import operands
from lazynp.array import ndarray
from lazynp.errors import CaptureError
from lazynp.ir.types import ArrayType
from lazynp.ops.elementwise import filled
from lazynp.ops.movement import Step, reshape, slice_
from lazynp.runtime.storage import Queue, Snapshot, Storage, queue, trace_scope
from lazynp.trace import queues, trees

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
        self.lists: list[list[Any]] = [cells[n].cell_contents for n in names if n in cells and _holds_own_list(cells[n])]
        self.stacks: list[Stacks | None] = [None] * len(self.lists)
        self.scalars: list[list[bool]] = [[] for _ in self.lists]
        self.home = queue()
        self.sources: set[Storage] = set()

    def put(self, turn: Any, count: int | None, appended: list[list[Any]]) -> None:
        """Collect what a turn has appended to each list. Raises CaptureError for what is not an array of the turn's own."""
        for k, values in enumerate(appended):
            if values and count is None:
                raise CaptureError("a loop appends to a list as often as only the data say")
            self.scalars[k] = [self._look(value) for value in values]
            stacks = self.stacks[k]
            if stacks is None:
                stacks = self.stacks[k] = Stacks(count or 0, self.home)
            stacks.put(turn, values)

    def _look(self, value: Any) -> bool:
        """Whether a value is a scalar; notes whose memory it may be."""
        if type(value) is not ndarray or value._storage is None:
            raise CaptureError("a loop appends to a list what is neither a traced array nor a NumPy scalar")
        storage, body = value._storage, queue()
        if not value._scalar:
            if not isinstance(body, queues.BodyQueue) or storage.home is not body:
                raise CaptureError("a loop appends to a list an array that is known elsewhere too")
            body.known_elsewhere.add(storage)
            if isinstance(storage, Snapshot):
                self.sources |= {s for s in storage.seen if s.home is not body}
        return bool(value._scalar)

    def finish(self, count: int | None) -> None:
        """Extend the lists by the rows."""
        for known, stacks, scalars in zip(self.lists, self.stacks, self.scalars, strict=True):
            bases = [Snapshot(operands.node_of(array), self.sources, _WHAT) for array in (stacks.tree() if stacks is not None else ())]
            rows = [_rows(base, scalar) for base, scalar in zip(bases, scalars, strict=True)]
            known.extend([column[k] for k in range(count or 0) for column in rows])


def _rows(base: Storage, scalar: bool) -> list[Any]:
    """The rows of a storage as handles."""
    _, *sizes = base.shape
    zeros, ones, type_ = [0] * len(sizes), (1,) * len(base.shape), ArrayType(tuple(sizes), base.dtype)
    flat = Step(reshape, (tuple(sizes),))
    rows = [arrays.handle(base, (Step(slice_, ((k, *zeros), ones, (1, *sizes))), flat), type_, None) for k in range(base.shape[0])]
    for row in rows:
        row._scalar = scalar
    return rows


def rows_of_one(values: Any) -> Any:
    """The array whose rows, all of them and in order, a list holds; None for other lists."""
    if type(values) is not list or not values or type(values[0]) is not ndarray or not isinstance(values[0]._storage, Snapshot):
        return None
    base = values[0]._storage
    if len(base.shape) == 0 or base.shape[0] != len(values):
        return None
    expected = _rows(base, values[0]._scalar)
    if any(type(v) is not ndarray or v._storage is not base or v._path != e._path for v, e in zip(values, expected, strict=True)):
        return None
    return arrays.wrap(base.value())


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
