"""Copies that a loop makes on its way: `best = t.copy()` before a loop that goes through the rows of `best`.

As it is written the array goes through the caches twice. Here a turn first copies what it touches, and the loop's end what no turn has
touched: the largest sum down a triangle of 300 rows 31.8 -> 28.6 us. Constants that fill an array are copies too. arrivals.py finds them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from lazynp.backends.polynomial import Poly
from lazynp.backends.render import kernel_of
from lazynp.backends.schedule import Scheduled

if TYPE_CHECKING:
    from lazynp.backends.loops import Turns


class Arrival(NamedTuple):
    """item: the copy, one loop from 0 to the array's size; end: the last element that a turn touches, or where turns go down the first."""

    item: Scheduled
    end: Poly
    downwards: bool


def copied(turns: Turns, arrival: Arrival, by_turns: bool) -> tuple[list[str], list[str], list[str]]:
    """(before a loop, at the start of each turn, after the loop) the lines of a copy; by_turns: whether turns come one by one."""
    if not by_turns:
        return kernel_of(turns.text, 0, arrival.item, turns.writer, inline=True).block(), [], []
    writer, down = turns.writer, arrival.downwards
    done, upto = writer.fresh("copied"), writer.fresh("upto")
    (axis,) = arrival.item.nest.axes
    size, beyond = writer.poly(axis.size), "<" if down else ">"
    first, last = (size, "0") if down else ("0", size)
    during = [
        f"int64_t {upto} = {writer.poly(arrival.end if down else arrival.end + 1)};",
        f"if ({upto} {beyond} {done}) {{",
        f"if ({upto} {beyond} {last}) {upto} = {last};",
        *_piece(turns, arrival, (upto, done)),
        *[f"{done} = {upto};", "}"],
    ]
    return [f"int64_t {done} = {first};"], during, _piece(turns, arrival, (last, done))


def _piece(turns: Turns, arrival: Arrival, ends: tuple[str, str]) -> list[str]:
    """The copy between the end that is reached now and what was copied before."""
    kernel = kernel_of(turns.text, 0, arrival.item, turns.writer, inline=True)
    body = kernel.body()
    begin, end = ends if arrival.downwards else ends[::-1]
    return ["{", f"const int64_t begin = {begin}, end = {end};", *body, "}"]
