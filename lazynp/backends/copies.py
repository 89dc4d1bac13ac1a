"""Copies that a loop makes on its way: `best = t.copy()` before a loop that goes through the rows of `best`.

As it is written the array goes through the caches twice. Here a turn first copies what it touches, and the loop's end what no turn has
touched. Of a triangle or a band the rest of the rows is not copied if nobody reads it: the largest sum down a triangle of 300 rows
31.8 -> 28.6 us, without the other half 15.8. Constants that fill an array are copies too. arrivals.py finds them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from lazynp.backends.polynomial import Poly, poly
from lazynp.backends.render import kernel_of
from lazynp.backends.schedule import Scheduled
from lazynp.ir.node import numbered_dim

if TYPE_CHECKING:
    from lazynp.backends.control import Control
    from lazynp.backends.independent import Outline
    from lazynp.backends.loops import Turns


class Arrival(NamedTuple):
    """item: the copy, one loop from 0 to the array's size; end: the last element that a turn touches, or where turns go down the first;
    outline: what turns touch of the rows, where nobody reads the rest of those."""

    item: Scheduled
    end: Poly
    downwards: bool
    outline: Outline | None = None


def copied(turns: Turns, control: Control, arrival: Arrival, by_turns: bool) -> tuple[list[str], list[str], list[str]]:
    """(before a loop, at the start of each turn, after the loop) the lines of a copy; by_turns: whether turns come one by one."""
    if not by_turns:
        return kernel_of(turns.text, 0, arrival.item, turns.writer, inline=True).block(), [], []
    writer, down, outline = turns.writer, arrival.downwards, arrival.outline
    done, upto = writer.fresh("copied"), writer.fresh("upto")
    (axis,) = arrival.item.nest.axes
    end = arrival.end if down else arrival.end + 1
    size = axis.size
    if outline is not None:
        end = turns.sizes(numbered_dim(control.index)) + (outline.least if down else outline.most + 1)
        size = poly(size.terms[()] // outline.pitch)
    beyond = "<" if down else ">"
    first, last = (writer.poly(size), "0") if down else ("0", writer.poly(size))
    between = (upto, done) if down else (done, upto)
    during = [
        f"int64_t {upto} = {writer.poly(end)};",
        f"if ({upto} {beyond} {done}) {{",
        f"if ({upto} {beyond} {last}) {upto} = {last};",
        *(_piece(turns, arrival, *between) if outline is None else _rows(turns, arrival, outline, *between)),
        *[f"{done} = {upto};", "}"],
    ]
    left = done if outline is None else f"{done} * {outline.pitch}"
    rest = ("0", left) if down else (left, writer.poly(axis.size))
    return [f"int64_t {done} = {first};"], during, _piece(turns, arrival, *rest)


def _rows(turns: Turns, arrival: Arrival, outline: Outline, begin: str, end: str) -> list[str]:
    """The copy of what turns touch of some rows."""
    first, last = [turns.writer.poly(column) for column in (outline.first, outline.last + 1)]
    return [
        f"for (int64_t row = {begin}; row < {end}; row++) {{",
        f"const int64_t first = {first} > 0 ? {first} : 0, last = {last} < {outline.pitch} ? {last} : {outline.pitch};",
        *_piece(turns, arrival, f"row * {outline.pitch} + first", f"row * {outline.pitch} + last"),
        "}",
    ]


def _piece(turns: Turns, arrival: Arrival, begin: str, end: str) -> list[str]:
    """The copy of the elements from `begin` to `end`."""
    kernel = kernel_of(turns.text, 0, arrival.item, turns.writer, inline=True)
    return ["{", f"const int64_t begin = {begin}, end = {end};", *kernel.body(), "}"]
