"""Loops whose turns leave the rows of all arrays apart: a band of rows runs through all turns while it is in the cache, then the next one.

    rowwise(control, sizes) -> Rowwise | None     whether a loop is like that, and how many rows a band has
    printed(printer, control, found)              its function: bands of rows outside, turns inside; threads take bands

`for k in range(50): z[m] = z[m] ** 2 + c[m]` on a grid, tridiagonal systems along an axis, many particles through time: as it is written
every turn reads and writes whole arrays. Each element goes through the same operations in the same order, so no bit of a result changes.
A band whose mask has become false everywhere is done (Mandelbrot's set 11.5 -> 7.8 ms).
"""

from __future__ import annotations

import math
from typing import NamedTuple

from lazynp.backends.bands import has_rows, same_rows
from lazynp.backends.chunks import function
from lazynp.backends.control import Control
from lazynp.backends.fuse import Touched
from lazynp.backends.loops import Printer
from lazynp.backends.lower import checked
from lazynp.backends.maps import SKIPPED, Map
from lazynp.backends.nests import scalars
from lazynp.backends.polynomial import Poly, Sizes, product
from lazynp.backends.render import kernel_of
from lazynp.backends.schedule import Scheduled
from lazynp.backends.writer import Writer
from lazynp.ops.structured import loop

_CACHED = 1 << 17
"""Bytes of the rows of a band: they stay in the second-level cache with room for the rest."""
_LEAST, _GUESS = 4096, 64
"""Points of a turn below which all of it is in the cache anyway; elements of a row where nobody knows."""
_MANY_TURNS, _MANY_POINTS = 4096, 1 << 28
"""Longer loops look for signals, which bands do not."""
_LANES, _LEAST_LANES = 16, 8
_LINE, _SETS, _WAYS = 64, 64, 8
"""The first-level cache: bytes of a line, sets, lines of a set. Tridiagonal systems along a last axis of 64: rows are 512 bytes apart, so
a turn over 32 rows of six arrays had 192 lines in 8 sets, and read each again for every element: 13.0 -> 9.2 ms."""


class Rowwise(NamedTuple):
    """items: the nests of a turn in order; rows: of a band; turns: of the loop, roughly."""

    items: list[Scheduled]
    rows: int
    turns: int


def rowwise(control: Control, sizes: Sizes) -> Rowwise | None:
    """None where a turn may read what another row's turn has written, where an index may be out of range, and where it is not worth it."""
    if control.kind is not loop or control.integers or any(isinstance(part, Control) for part in control.blocks[0].parts):
        return None
    items = list(control.items())
    turns = _turns(control)
    if not items or turns is None or turns < 2 or not all(map(has_rows, items)) or sizes.inner:
        return None
    row = items[0].nest.axes[0]
    points = sizes.upper(product([a.size for a in items[0].nest.axes]))
    if points is None or (points.constant is not None and not _LEAST <= points.constant <= _MANY_POINTS // turns):
        return None
    if any(item.nest.axes[0] != row for item in items) or any(n.op is checked for item in items for n in scalars(item.nest.roots())):
        return None
    touched = [Touched(item.nest) for item in items]
    written = {memory for one in touched for memory in one.writes}
    width, far = 0, []
    for memory in {memory for one in touched for memory in one.memories()}:
        uses = [(item, a) for item, one in zip(items, touched, strict=True) for m in (one.reads, one.writes) for a in m.get(memory, ())]
        if memory in written and (any(memory in one.inside for one in touched) or not same_rows(row.variable, uses, sizes)):
            return None
        stride = uses[0][1].coefficient(row.variable) if uses else None
        width += memory.dtype.itemsize * (_GUESS if stride is None or stride.constant is None else abs(stride.constant))
        if stride is not None and stride.constant is not None and (step := abs(stride.constant) * memory.dtype.itemsize) >= _LINE:
            far.append(step)
    rows = max(_CACHED // max(width, 1), 1)
    if all(len(item.nest.axes) == 1 for item in items):
        rows = min(rows, _rows_of_lines(far))
    return Rowwise(items, rows // _LANES * _LANES or rows, turns)


def _rows_of_lines(steps: list[int]) -> int:
    """How many rows have their lines in the first-level cache, until the turn that reads the next element of each. steps: the bytes from
    row to row in every array of which a turn touches one element a row."""
    sets = min([_SETS // min(math.gcd(step // _LINE, _SETS) if step % _LINE == 0 else 1, _SETS) for step in steps], default=_SETS)
    return max(sets * _WAYS // max(len(steps), 1) // _LEAST_LANES * _LEAST_LANES, _LEAST_LANES)


def _turns(control: Control) -> int | None:
    """The most turns; None where they are too many, or not known."""
    if not all(isinstance(p, Poly) for p in control.limits):
        return None
    start, stop, step = [p for p in control.limits if isinstance(p, Poly)]
    if not step.constant or {a for p in (start, stop) for a in p.atoms()}:
        return None
    span = (stop - start) * (1 if step.constant > 0 else -1)
    assert span.constant is not None
    turns = -(-span.constant // abs(step.constant))
    return turns if turns <= _MANY_TURNS else None


def printed(printer: Printer, control: Control, found: Rowwise) -> tuple[str, str, bool]:
    """(definition, call, False: the work does not end there)."""
    writer = Writer(printer.text)
    number = printer.number()
    members = [kernel_of(printer.text, number, item, writer) for item in found.items]
    (first, *others), rows = members, found.rows
    if isinstance(first, Map) and not others and len(first.nest.axes) == 1:
        first.turned = True
    blocks = [line for member in members for line in ("{", *member.body(), "}")]
    rests = isinstance(first, Map) and first.turned and first.rests
    if rests:
        rows = min(rows, SKIPPED)
    widest = max(members, key=lambda m: len(m.nest.axes))
    widest.values.cost = sum(m.values.cost for m in members) * found.turns
    widest.chunk = found.rows
    start, stop, step = [p.constant for p in control.limits if isinstance(p, Poly)]
    assert step is not None
    writer.sizes = {a for a in writer.sizes if control.sizes.place_of(a) != control.index}
    name = f"n{control.index}"
    lines = [
        "const int64_t first_row = begin, last_row = end;",
        f"for (int64_t row = first_row; row < last_row; row += {rows}) {{",
        f"const int64_t begin = row, end = last_row - row < {rows} ? last_row : row + {rows};",
        *(["uint8_t rests = 0;"] if rests else []),
        f"for (int64_t {name} = {start}; {'!rests && ' if rests else ''}{name} {'<' if step > 0 else '>'} {stop}; {name} += {step}) {{",
        *blocks,
        "}",
        "}",
    ]
    volume = printer.volume(found.items[0])
    if volume is not None:
        printer.volumes.add(volume * found.turns)
    return *function(widest, lines), False
