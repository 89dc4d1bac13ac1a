"""The kernels of a program: the loops of each, the bytes that it reads and writes, and why it is not one with the next."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from lazynp.backends.c import parts_of
from lazynp.backends.control import Block, Control
from lazynp.backends.fuse import Touched, obstacle
from lazynp.backends.lower import Memory
from lazynp.backends.polynomial import Poly, product
from lazynp.backends.schedule import Scheduled
from lazynp.ir.node import Graph, Node
from lazynp.ir.show import where_text


class Kernel(NamedTuple):
    """where: `file:line` of what it stores last; loops: their sizes, or the routine that is called; turns: how often a loop around runs it
    (None: known only at run time); read, written: bytes of one run; apart: why the next kernel is another one, "" if there is none."""

    where: str
    loops: str
    turns: int | None
    read: int
    written: int
    apart: str

    def __str__(self) -> str:
        times = "" if self.turns == 1 else "  (every turn)" if self.turns is None else f"  ({self.turns} turns)"
        return f"{self.loops}  reads {quantity(self.read)}, writes {quantity(self.written)}{times}  {self.where}".rstrip()


class Traffic(NamedTuple):
    """moved: bytes that the kernels read and write, where the number of turns is known; least: arguments and results once."""

    kernels: tuple[Kernel, ...]
    moved: int
    least: int


def traffic(graph: Graph, origins: Sequence[Node] = ()) -> Traffic:
    """The kernels of an optimised graph of known sizes. origins: the user's operations by number."""
    plan, parts = parts_of(graph)
    kernels: list[Kernel] = []
    for part in parts:
        if isinstance(part, Block):
            kernels += _of_block(part, 1, origins)
        else:
            step = sum([_size(buffer.memory) for buffer in part.reads.values()]), sum([_size(t.memory) for t in part.targets])
            kernels.append(Kernel(where_text(part.node, origins), f"{part.node.op.name} through NumPy", 1, *step, "NumPy runs a step"))
    if kernels:
        kernels[-1] = kernels[-1]._replace(apart="")
    moved = sum([(k.read + k.written) * k.turns for k in kernels if k.turns is not None])
    inputs = {memory for memory in plan.inputs if memory is not None}
    return Traffic(tuple(kernels), moved, sum(map(_size, inputs)) + sum(map(_size, dict.fromkeys(plan.outputs))))


def quantity(count: int) -> str:
    """A number of bytes for people."""
    for unit, scale in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= scale:
            return f"{count / scale:.3g} {unit}"
    return f"{count} B"


def _of_block(block: Block, turns: int | None, origins: Sequence[Node]) -> Iterator[Kernel]:
    groups: list[tuple[list[Scheduled], Kernel]] = []
    for part in block.parts:
        if isinstance(part, Control):
            yield from _last_for(groups, "a loop or branch comes in between")
            groups = []
            for inner in part.blocks:
                yield from _of_block(inner, _turns(part, turns), origins)
            continue
        groups += [(group, _kernel(group, turns, origins)) for group in part]
    yield from _last_for(groups, "the loop or branch around it ends")


def _last_for(groups: list[tuple[list[Scheduled], Kernel]], after: str) -> Iterator[Kernel]:
    """Kernels in a row, each with what keeps it apart from the next one; after: what follows the last one."""
    for number, (group, kernel) in enumerate(groups, 1):
        last = number == len(groups)
        yield kernel._replace(apart=after if last else obstacle(group[-1].nest, groups[number][0][0].nest))


def _turns(control: Control, around: int | None) -> int | None:
    limits = [limit.constant if isinstance(limit, Poly) else None for limit in control.limits]
    if len(limits) != 3 or around is None:
        return around if not limits else None
    start, stop, step = limits
    return around * len(range(start, stop, step)) if start is not None and stop is not None and step else None


def _kernel(group: list[Scheduled], turns: int | None, origins: Sequence[Node]) -> Kernel:
    read = written = 0
    fresh: set[Memory] = set()
    for item in group:
        touched = Touched(item.nest)
        points = product([a.size for a in item.nest.axes]).constant
        read += sum([_size(m, points, len(places)) for m, places in touched.reads.items() if m not in fresh and m not in touched.events])
        written += sum([_size(m, points, len(places)) for m, places in touched.writes.items()])
        fresh.update(touched.writes)
    nest = group[-1].nest
    targets = [b.node for b, _ in nest.targets()] if nest.call is None else [b.node for b in nest.call.writes]
    shape = " x ".join([a.size.text() for a in nest.axes]) or "one point"
    name = shape if nest.call is None else "a call of a library"
    banded = f", {len(group)} loops by bands of rows" if len(group) > 1 else ""
    return Kernel(where_text(targets[-1], origins) if targets else "", name + banded, turns, read, written, "")


def _size(memory: Memory, points: int | None = None, places: int = 0) -> int:
    """The bytes of a memory, or of that part of it which so many points can touch."""
    count = memory.size.constant or 0
    return (min(count, points * places) if points is not None and places else count) * memory.dtype.itemsize
