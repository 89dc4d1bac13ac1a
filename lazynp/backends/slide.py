"""Updates in place that read their neighbours: one pass over memory, the new rows written as soon as nobody reads the old ones.

`u[1:-1] += f(u)` is lowered to a nest that computes into a temporary and a second one that copies the temporary to u. Joined, each
row of results waits in one of a few rows of the temporary, which stay in the first-level cache, until the rows that read its old
contents are done. Rows at the ends of a chunk, which the neighbouring chunk's thread may still read, are copied when all chunks are done.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

from lazynp.backends.fuse import Touched
from lazynp.backends.lower import Memory, load
from lazynp.backends.nests import Moves, Nest, Store, loads
from lazynp.backends.polynomial import Poly, lower_bound, never_negative, upper_bound
from lazynp.backends.schedule import Scheduled

_MOST_ROWS = 8
"""The most rows that a result may wait."""


class _Stretch(NamedTuple):
    """The addresses of one row: stride * row + low ... stride * row + high."""

    stride: Poly
    low: Poly
    high: Poly


def slide(items: list[Scheduled], outlives: Callable[[Memory], bool]) -> list[Scheduled]:
    """The nests with each copy of a temporary into what its maker reads joined to the maker. outlives: memories read elsewhere."""
    done: list[Scheduled] = []
    touched: list[Touched] = []
    users: dict[Memory, int] = {}
    for item in items:
        for memory in Touched(item.nest).reads:
            users[memory] = users.get(memory, 0) + 1
    for item in items:
        mine = Touched(item.nest)
        place = _maker(item.nest, mine, done, touched)
        joined = None
        if place is not None and not any(outlives(m) or users[m] != 1 for m in mine.reads):
            joined = _joined(done[place].nest, item.nest)
        if joined is None:
            done.append(item)
            touched.append(mine)
        else:
            assert place is not None
            done[place] = Scheduled(joined, False)
            touched[place] = Touched(joined)
    return done


def _maker(copy: Nest, mine: Touched, done: list[Scheduled], touched: list[Touched]) -> int | None:
    """The nest that makes all the temporaries that this one only copies, if the copy may move up to it."""
    if copy.kind != "loops" or copy.folds or copy.moves or len(copy.axes) < 2 or not all(map(_is_copy, copy.stores)):
        return None
    for place in range(len(done) - 1, -1, -1):
        nest = done[place].nest
        if mine.reads.keys() <= touched[place].writes.keys():
            return place if nest.kind == "loops" and not nest.folds and not nest.moves and nest.axes == copy.axes else None
        if touched[place].conflicts(mine):
            return None
    return None


def _is_copy(store: Store) -> bool:
    value = store.value
    return value.op is load and not value.guards and value.buffer.memory.kind == "temp" and value.dtype == store.buffer.memory.dtype


def _joined(maker: Nest, copy: Nest) -> Nest | None:
    """The nest that moves its results itself; None where a result would have to wait too long, or nobody can say how long."""
    made = {s.buffer.memory: s.address for s in maker.stores}
    if len(made) != len(maker.stores) or any(made[s.value.buffer.memory] != s.value.address for s in copy.stores):
        return None
    targets = {s.buffer.memory: _stretch(copy, s.address) for s in copy.stores}
    if len(targets) != len(copy.stores) or not targets.keys().isdisjoint(made):
        return None
    if any(_stretch(maker, made[s.value.buffer.memory]) is None for s in copy.stores):
        return None
    behind = ahead = 0
    for read in loads(maker.roots()):
        if read.buffer.memory not in targets:
            continue
        written, old = targets[read.buffer.memory], _stretch(maker, read.address)
        if written is None or old is None or written.stride != old.stride:
            return None
        later, sooner = _rows(written.stride, written.high - old.low), _rows(written.stride, old.high - written.low)
        if later is None or sooner is None:
            return None
        behind, ahead = max(behind, later), max(ahead, sooner)
    moves = Moves(tuple(copy.stores), behind, ahead)
    return replace(maker, moves=moves)


def _stretch(nest: Nest, address: Poly) -> _Stretch | None:
    row = nest.axes[0].variable
    stride = address.coefficient(row)
    if stride is None or stride.variables or not stride.terms or not never_negative(stride - 1):
        return None
    rest = address - Poly({(row,): 1}) * stride
    bounds = {a.variable: (a.begin, a.end - 1) for a in nest.axes}
    low, high = lower_bound(rest, bounds), upper_bound(rest, bounds)
    return None if low is None or high is None else _Stretch(stride, low, high)


def _rows(stride: Poly, reach: Poly) -> int | None:
    """The least n for which rows more than n apart are out of reach."""
    return next((n for n in range(_MOST_ROWS + 1) if never_negative(stride * (n + 1) - 1 - reach)), None)
