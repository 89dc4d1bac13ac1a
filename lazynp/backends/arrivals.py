"""Which copies a loop makes on its way (copies.py): they leave the block in which they stand before the loop."""

from __future__ import annotations

from lazynp.backends.control import Block, Control
from lazynp.backends.copies import Arrival
from lazynp.backends.fuse import touched_memories
from lazynp.backends.independent import Outline, accesses_of, independence, outline, reach
from lazynp.backends.lower import Memory, load
from lazynp.backends.nests import Nest, scalars
from lazynp.backends.polynomial import Poly, Sizes, variable
from lazynp.backends.rowwise import rowwise
from lazynp.backends.schedule import Scheduled
from lazynp.ir.node import const
from lazynp.ops.structured import loop

_LARGE, _ROW = 1 << 16, 1 << 9
"""Bytes of an array that does not stay in the first-level cache; bytes that a turn goes on at least: its question costs a nanosecond."""


def arrivals(block: Block, sizes: Sizes, alone: bool) -> None:
    """Give such copies to the loops of a block that is in no loop itself. alone: whether it is all of the program."""
    for place, part in enumerate(block.parts[1:]):
        before = block.parts[place]
        while isinstance(part, Control) and isinstance(before, list) and before:
            found = _arrival(before[-1], part, sizes)
            if found is None:
                break
            before.pop()
            if alone and (part_of_rows := _outline(block, part, found, sizes)) is not None:
                found = found._replace(outline=part_of_rows)
            part.arrivals.append(found)
            part.interface |= touched_memories(found.item.nest)
    block.parts = [part for part in block.parts if part != []]


def _arrival(group: list[Scheduled], control: Control, sizes: Sizes) -> Arrival | None:
    """How a loop makes a copy; None where it is none, where it would have to be made at once, and where the loop's turns share threads."""
    if len(group) != 1 or control.kind is not loop or not _is_copy(group[0].nest):
        return None
    (store,), step = group[0].nest.stores, control.limits[2]
    memory = store.buffer.memory
    read = {n.buffer.memory for n in scalars([store.value]) if n.op is load}
    if not isinstance(step, Poly) or not step.constant or not read.isdisjoint(_written(control)) or memory in read:
        return None
    downwards = step.constant < 0
    end = reach(memory, control, sizes, 0 if downwards else 1)
    if end is None or max(end.terms.values()) * abs(step.constant) * memory.dtype.itemsize < _ROW:
        return None
    return None if independence(control, sizes) or rowwise(control, sizes) else Arrival(group[0], end, downwards)


def _outline(block: Block, control: Control, arrival: Arrival, sizes: Sizes) -> Outline | None:
    """What the loop touches of the rows of the copy; None where that is all, or somebody else reads more. The copy left the block."""
    memory = arrival.item.nest.stores[0].buffer.memory
    found = outline(memory, control, sizes)
    if found is None:
        return None
    others = [part for part in block.parts if part is not control]
    if any(memory in part.memories() for part in others if isinstance(part, Control)):
        return None
    nests = [item.nest for part in others if not isinstance(part, Control) for group in part for item in group]
    readers = [nest for nest in nests if memory in touched_memories(nest)]
    if any(nest.kind != "loops" or nest.moves or nest.call is not None for nest in readers):
        return None
    return found if all(found.holds(a) for nest in readers for a in accesses_of(nest) if a.memory is memory) else None


def _is_copy(nest: Nest) -> bool:
    """Whether a nest sets a large temporary to a constant, or to the elements of another array in their order."""
    if nest.kind != "loops" or len(nest.axes) != 1 or len(nest.stores) != 1 or nest.folds or nest.moves or nest.call:
        return False
    (store,), (axis,) = nest.stores, nest.axes
    memory, index = store.buffer.memory, variable(axis.variable.name)
    size = memory.size.constant
    if memory.kind != "temp" or size is None or size * memory.dtype.itemsize < _LARGE:
        return False
    if axis.begin.constant != 0 or axis.end != memory.size or store.address != index:
        return False
    if store.value.op is load:
        return store.value.address == index and not store.value.guards
    return store.value.op is const


def _written(control: Control) -> set[Memory]:
    """The memories that a loop writes."""
    return {buffer.memory for item in control.items() for buffer, _ in item.nest.targets()}
