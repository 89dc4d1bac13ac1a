"""Updates in place of one long row that read their neighbours: `u[1:-1] += f(u)`, in one pass (slide.py).

A block of results waits in a part of the temporary that stays in the first-level cache, and is moved when all is computed that reads what
it replaces, but for its last few elements, which wait for the next block. A million numbers: 1.12 -> 0.30 ms, 0.65 with two arrays that
change places.
"""

from __future__ import annotations

from lazynp.backends.maps import Map
from lazynp.backends.nests import Moves, Store
from lazynp.backends.polynomial import Poly, variable
from lazynp.backends.schedule import Scheduled
from lazynp.backends.writer import Program, Writer

_BLOCK = 1024
"""Elements of a block."""


class Line(Map):
    """One loop, whose results wait in a block of the temporaries, or at the ends of the chunk in their own places."""

    def __init__(self, program: Program, number: int, scheduled: Scheduled, writer: Writer | None = None, inline: bool = False) -> None:
        super().__init__(program, number, scheduled, writer, inline)
        assert self.nest.moves is not None
        self.moves: Moves = self.nest.moves
        self.near_by = {store.value.buffer.memory for store in self.moves.stores}

    def loops(self) -> list[str]:
        self.chunked = self.nest.axes[0]
        self._check_later()
        _, behind, ahead = self.moves
        bounds = [f"int64_t low = begin + {ahead}, high = end - {behind};", f"if (high - low < {_BLOCK + behind}) low = high = begin;"]
        self.edges = ["{", *bounds, *self._moved("begin", "low", "0"), *self._moved("high", "end", "0"), "}"]
        kept = [f"{self._waiting(s, 'low + k')} = {self._waiting(s, 'low + k + upto - from')};" for s in self.moves.stores]
        return [
            *self.values.statements[0],
            *bounds,
            "for (int64_t from = begin, upto; from < end; from = upto) {",
            f"upto = from < low ? low : from >= high ? end : high - from < {_BLOCK} ? high : from + {_BLOCK};",
            f"const int64_t waits = low + {behind} - from, shift = from < low || from >= high ? 0 : waits;",
            "{",
            "const int64_t begin = from, end = upto;",
            *self._row_loops(0),
            "}",
            "if (low < high && from >= low) {",
            f"const int64_t first = from - {behind} > low ? from - {behind} : low, until = from < high ? upto - {behind} : high;",
            *self._moved("first", "until", "waits"),
            *([f"if (from < high) for (int64_t k = 0; k < {behind}; k++) {{", *kept, "}"] if behind else []),
            "}",
            "}",
        ]

    def _moved(self, first: str, last: str, shift: str) -> list[str]:
        """The copies of some elements, which wait `shift` behind their own places."""
        v = self.nest.axes[0].variable
        lines = ["#pragma omp simd", f"for (int64_t k = {first}; k < {last}; k++) {{"]
        for store in self.moves.stores:
            target = self.at(store.buffer.memory, store.address.replaced({v: variable("k")}))
            lines.append(f"{target} = {self._waiting(store, 'k' if shift == '0' else f'k + {shift}')};")
        return [*lines, "}"]

    def _waiting(self, store: Store, place: str) -> str:
        """What waits at a place, or where it does."""
        at = store.value.address.replaced({self.nest.axes[0].variable: variable(place)})
        return self.at(store.value.buffer.memory, at)

    def address(self, store: Store) -> Poly:
        """In the temporary, where the block's results wait."""
        v = self.nest.axes[0].variable
        return store.address.replaced({v: variable(v.name) + variable("shift")}) if store.buffer.memory in self.near_by else store.address
