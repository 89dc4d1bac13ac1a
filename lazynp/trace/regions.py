"""Where an array lies that a branch or loop has made one or another, as a number that the program computes beside its value.

`y = x[:1] if c else x[1:2]; return y`: NumPy returns a view of x. A program returns a new array, and this number, from which the call makes
the view: which of the regions that the trace has met (memory and strides), and the offset of the first element. A value that is new in
each turn, or on each way, has the number OWN, or another negative one that tells the order of its axes in memory.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from lazynp import array as arrays
from lazynp import ordering
from lazynp.errors import CaptureError
from lazynp.ir.node import Node, const, constant
from lazynp.ir.types import ArrayType
from lazynp.layout import Axes
from lazynp.ops import elementwise as ew
from lazynp.ops.movement import Step, follow_numpy, permute, reshape, slice_
from lazynp.ops.sizes import hinted, size_node
from lazynp.runtime.storage import UNORDERED_MEMORY, Snapshot, Storage, Unordered, trace_scope
from lazynp.trace import queues

OWN, _UNKNOWN, _ORDERED = -1, -2, -3
"""Instead of a region: memory that nobody else knows, in C order; a view that has no such number, or memory in an unknown order; from here
downwards memory that nobody else knows in another order."""
_AXIS, _MOST_AXES = 5, 12
"""The bits of an axis in such a number."""
_BITS, _ZERO = 48, 1 << 47
"""Of an offset in bytes, and which of them means none: strides of an argument may be negative."""
_INT64 = np.dtype(np.int64)


class Region(NamedTuple):
    """Elements of a storage at these distances, in bytes."""

    storage: Storage
    strides: tuple[int, ...]


def region_of(leaf: Any) -> Node:
    """The number of an array's region, in the scope that records now."""
    storage = leaf._storage
    if type(storage) is Unordered:
        number = None if leaf._path or storage.region is None else storage.region.value()
    elif not isinstance(storage, Snapshot):
        number = _number(storage, leaf._path) if type(storage) is Storage else None
    elif leaf._path != storage.path:
        number = None
    elif storage.region is not None:
        return storage.region.value()
    elif storage.origin is not None and type(storage.origin[0]._storage) is Storage:
        view, indices, axes = storage.origin
        number = _number(view._storage, view._path, indices, axes)
    else:
        number = None
    if number is None:
        _regions_met().append(None)
        return constant(_UNKNOWN)
    return number


def own(leaf: Any) -> Node:
    """The number of memory that nobody else knows."""
    order = ordering.order_of(leaf)
    if order is ordering.UNORDERED:
        return region_of(leaf)
    return constant(own_number(order))


def own_number(order: Axes | None) -> int:
    """The same for its axes in this order, outermost first; None: C order."""
    if order is None:
        return OWN
    return _UNKNOWN if len(order) > _MOST_AXES else _ORDERED - sum([axis << _AXIS * k for k, axis in enumerate(order)])


def order_of_strides(strides: Sequence[int]) -> Axes | None:
    axes = sorted(range(len(strides)), key=lambda axis: -abs(strides[axis]))
    return None if axes == sorted(axes) else tuple(axes)


def in_order(array: np.ndarray, number: int) -> np.ndarray:
    """The array with its axes in memory in the order of such a number."""
    if number > _ORDERED:
        return array
    axes = [(_ORDERED - number) >> _AXIS * k & 31 for k in range(array.ndim)]
    laid = array.transpose(axes)
    return array if laid.flags.c_contiguous else laid.copy().transpose(np.argsort(axes))


def _regions_met() -> list[Any]:
    """Of the whole trace. None among them: there are views without numbers."""
    return list(queues.traces_around())[-1].regions  # type: ignore[no-any-return]


def _number(storage: Storage, path: Sequence[Step], indices: Sequence[Node] = (), axes: Sequence[int] = ()) -> Node | None:
    """The number of a view; indices: of single elements along axes of it."""
    view, offset, moving = storage.memory(), 0, []
    for step in path:
        if step.op is slice_:
            for start, stride in zip(step.attrs[0], view.strides, strict=True):
                if type(start) is int:
                    offset += start * stride
                else:
                    moving.append((size_node(start), stride))
        elif step.op not in (permute, reshape):
            return None
        view = follow_numpy(view, (Step(step.op, hinted(step.attrs)),))
    for index, axis in zip(indices, axes, strict=True):
        place = ew.as_node(index, _INT64)
        moving.append((ew.where(ew.less(place, 0), place + view.shape[axis], place), view.strides[axis]))
    strides = tuple([stride for axis, stride in enumerate(view.strides) if axis not in axes])
    number: Any = constant((_known(Region(storage, strides)) << _BITS) + _ZERO + offset, _INT64)
    for place, stride in moving:
        number = number + place * stride
    return number  # type: ignore[no-any-return]


def _known(region: Region) -> int:
    """The number of a region among those that the whole trace has met."""
    regions = _regions_met()
    for k, other in enumerate(regions):
        if other is not None and other.storage is region.storage and other.strides == region.strides:
            return k
    regions.append(region)
    return len(regions) - 1


def is_followed(leaf: Any) -> bool:
    """Whether a leaf of a tree is an array of whose memory somebody may ask."""
    return getattr(leaf, "_storage", None) is not None and not leaf._scalar


class Followed:
    """The regions of the carried arrays of a loop, which its turns pass on like values. scope: that of a turn."""

    def __init__(self, scope: queues.BodyQueue, initial: Sequence[Any], places: dict[int, bool]) -> None:
        """places: the positions of the arrays that are followed, and whether they may lie in memory of others."""
        self.scope = scope
        self.numbers: dict[int, Storage] = {}
        if queues.compiles():
            with trace_scope(scope.parent):  # type: ignore[arg-type]
                for k, is_shared in places.items():
                    first = constant(OWN)
                    if is_followed(initial[k]):
                        first = region_of(initial[k]) if is_shared else own(initial[k])
                    self.numbers[k] = number_of(first)

    def pass_on(self, given: Sequence[Any], returned: Sequence[Any]) -> None:
        """The regions of what a turn returns that was given these."""
        if not self.numbers:
            return
        with trace_scope(self.scope):
            stand_ins = {leaf._storage for leaf in given if is_followed(leaf) and not isinstance(leaf._storage, Snapshot)}
            found = {k: self._of(returned[k], stand_ins) for k in self.numbers}
            for k, number in found.items():
                self.numbers[k].write(number)

    def _of(self, leaf: Any, stand_ins: set[Storage]) -> Node:
        if not is_followed(leaf):
            return constant(OWN)
        storage = leaf._storage
        is_new = storage.home is self.scope and not isinstance(storage, Snapshot)
        return own(leaf) if is_new else constant(OWN) if storage in stand_ins else region_of(leaf)

    def named(self, k: int, storage: Any) -> Any:
        """The memory with the region of the array at a position."""
        storage.region = self.numbers.get(k)
        return storage


def number_of(node: Node) -> Storage:
    """What passes a number from scope to scope."""
    return Storage((), _INT64, node, None)


def of_branch(leaf: Any, scope: queues.BodyQueue) -> Storage | None:
    """The region of what a branch returns, where that branch runs; None: memory that it has made, in C order."""
    if not is_followed(leaf):
        return None
    is_new = leaf._storage.home is scope and not isinstance(leaf._storage, Snapshot)
    if is_new and ordering.order_of(leaf) is None:
        return None
    found = own(leaf) if is_new else region_of(leaf)
    with trace_scope(scope.parent):  # type: ignore[arg-type]
        number = number_of(constant(OWN))
    number.write(found)
    return number


def chosen(test: Node, yes: Storage | None, no: Storage | None) -> Storage:
    """The region of the one or the other."""
    numbers = [constant(OWN) if number is None else number.value() for number in (yes, no)]
    return number_of(numbers[0] if numbers[0] is numbers[1] else ew.where(test, *numbers))


def returned(snapshot: Any) -> Storage:
    """The region of a result, which the program hands out beside it. Raises CaptureError where it is certainly a view that has none; if it
    turns out to be one, the program's results do not count."""
    node = region_of(arrays.handle(snapshot, snapshot.path, ArrayType(snapshot.shape, snapshot.dtype), None))
    unknown = int(node.value.array) == _UNKNOWN if node.op is const else None in _regions_met()
    if unknown and (node.op is const or not queues.doubt(ew.equal(node, constant(_UNKNOWN)))):
        if type(snapshot) is Unordered:
            raise CaptureError(f"{UNORDERED_MEMORY} (its strides are those of a result): return a .copy()")
        raise CaptureError(f"{snapshot.what} is returned, which shares its memory: copy it with .copy()")
    return number_of(node)


def taken_apart(number: int) -> tuple[int, int]:
    """(position of the region, offset in bytes); a negative position: none."""
    return (-1, 0) if number < 0 else (number >> _BITS, (number & ((1 << _BITS) - 1)) - _ZERO)


def view_at(memory: np.ndarray, shape: tuple[int, ...], strides: tuple[int, ...], offset: int) -> np.ndarray:
    """The elements of an array that begin `offset` bytes behind its first one."""
    start = memory.__array_interface__["data"]
    place = {"data": (start[0] + offset, start[1]), "shape": shape, "strides": strides, "typestr": memory.dtype.str, "version": 3}
    return np.asarray(_Memory(memory, place))


class _Memory:
    """Keeps an array alive whose memory a view shows."""

    def __init__(self, owner: np.ndarray, interface: dict[str, Any]) -> None:
        self.owner = owner
        self.__array_interface__ = interface
