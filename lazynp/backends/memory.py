"""The memory plan: temporaries get places in one arena; those that never live at the same time share one."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from lazynp.backends.lower import Memory
from lazynp.backends.polynomial import Poly

ALIGNMENT = 64


class Arena(NamedTuple):
    """offsets: memory -> C text of its offset; size: text of the total size in bytes, valid C and valid Python."""

    offsets: dict[Memory, str]
    size: str


class _Block:
    """A piece of the arena; size in bytes."""

    __slots__ = ("offset", "size")

    def __init__(self, size: Poly, offset: str) -> None:
        self.size = size
        self.offset = offset


def plan_arena(uses: Iterable[Iterable[Memory]]) -> Arena:
    """uses: for each kernel in order the temporaries that it touches."""
    last: dict[Memory, int] = {}
    listed = [list(dict.fromkeys(memories)) for memories in uses]
    for number, memories in enumerate(listed):
        for memory in memories:
            last[memory] = number
    dying: dict[int, list[Memory]] = {}
    for memory, number in last.items():
        dying.setdefault(number, []).append(memory)
    blocks = _Blocks()
    where: dict[Memory, _Block] = {}
    for number, memories in enumerate(listed):
        for memory in memories:
            if memory not in where:
                where[memory] = blocks.take(memory.size * memory.dtype.itemsize)
        for memory in dying.get(number, ()):
            blocks.give(where[memory])
    return Arena({memory: block.offset for memory, block in where.items()}, blocks.total())


class _Blocks:
    """First the free block that fits best; sizes known only at run time fit only their like."""

    def __init__(self) -> None:
        self.ends: list[str] = []
        self.fixed = 0
        self.free: dict[Poly, list[_Block]] = {}

    def take(self, size: Poly) -> _Block:
        wanted = self._fitting(size)
        if wanted is not None:
            return self.free[wanted].pop()
        block = _Block(size, self.total())
        if size.constant is None:
            self.ends.append(f"(({size.text()} + {ALIGNMENT - 1}) & -{ALIGNMENT})")
        else:
            self.fixed += (size.constant + ALIGNMENT - 1) & -ALIGNMENT
        return block

    def _fitting(self, size: Poly) -> Poly | None:
        if self.free.get(size):
            return size
        if size.constant is None:
            return None
        large = [
            s for s, blocks in self.free.items() if blocks and s.constant is not None and size.constant <= s.constant <= 2 * size.constant
        ]
        return min(large, key=lambda s: s.constant or 0, default=None)

    def give(self, block: _Block) -> None:
        self.free.setdefault(block.size, []).append(block)

    def total(self) -> str:
        return " + ".join([str(self.fixed), *self.ends])
