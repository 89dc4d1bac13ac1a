"""Updates in place that read their neighbours: one pass over memory, the new rows written as soon as nobody reads the old ones.

`u[1:-1] += f(u)` is lowered to a nest that computes into a temporary and a second one that copies the temporary to u. Joined, each
row of results waits in one of a few rows of the temporary, which stay in the first-level cache, until the rows that read its old
contents are done. Rows at the ends of a chunk, which the neighbouring chunk's thread may still read, are copied when all chunks are done.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

from lazynp.backends.fuse import Touched
from lazynp.backends.lower import Axis, Memory, load
from lazynp.backends.nests import Moves, Nest, Store, loads
from lazynp.backends.polynomial import Poly, lower_bound, never_negative, upper_bound
from lazynp.backends.schedule import Scheduled

_MOST_ROWS, _MOST_ELEMENTS = 8, 64
"""The most rows that a result may wait, and the most elements where the array is one row (lines.py)."""
_MOST_PARTS, _UNKNOWN = 32, 1 << 20
"""Nests that make parts of what one copy moves; what a size that only the run knows counts for."""
_LONG = 1 << 13
"""Elements from which on such a row does not stay in the first-level cache together with its results."""


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
        added = [item]
        if _may_move(item.nest) and not any(outlives(m) or users[m] != 1 for m in mine.reads):
            place = _maker(item.nest, mine, done, touched)
            joined = None if place is None else _joined(done[place].nest, item.nest)
            if place is not None and joined is not None:
                done[place], touched[place], added = Scheduled(joined, False), Touched(joined), []
            elif (parts := _in_parts(item.nest, mine, done, touched)) is not None:
                first, nests = parts
                added = [Scheduled(nest, False) for nest in nests]
                del done[first:], touched[first:]
        done += added
        touched += [Touched(one.nest) for one in added]
    return done


def _may_move(copy: Nest) -> bool:
    if copy.kind != "loops" or copy.folds or copy.moves or not copy.axes or not all(map(_is_copy, copy.stores)):
        return False
    return len(copy.axes) > 1 or (copy.axes[0].size.constant or _LONG) >= _LONG


def _in_parts(copy: Nest, mine: Touched, done: list[Scheduled], touched: list[Touched]) -> tuple[int, list[Nest]] | None:
    """(which of the last nests is the first that makes a part of what is copied, what takes their place): the small parts, the large one
    joined with its part of the copy, the rest of the copy. What sees the other end of an array (`numpy.roll`) is a part of its own."""
    first = len(done)
    while first and len(done) - first < _MOST_PARTS and _makes_part(done[first - 1].nest, touched[first - 1], copy, mine):
        first -= 1
    nests = [item.nest for item in done[first:]]
    if len(nests) < 2 or not _covers([nest.axes for nest in nests], copy.axes):
        return None
    place = max(range(len(nests)), key=lambda k: _volume(nests[k].axes))
    largest, others = touched[first + place], [t for k, t in enumerate(touched[first:]) if k != place]
    if any(not (largest.reads.keys().isdisjoint(t.writes) and largest.writes.keys().isdisjoint(t.reads)) for t in others):
        return None
    copies = [replace(copy, axes=nest.axes) for nest in nests]
    joined = _joined(nests[place], copies[place])
    if joined is None:
        return None
    small = [k for k in range(len(nests)) if k != place]
    return first, [*[nests[k] for k in small], joined, *[copies[k] for k in small]]


def _makes_part(nest: Nest, touched: Touched, copy: Nest, mine: Touched) -> bool:
    """Whether a nest makes a part of what is copied, and nothing else."""
    plain = nest.kind == "loops" and not (nest.folds or nest.moves or nest.call) and len(nest.axes) == len(copy.axes)
    alike = plain and all(a.variable is b.variable for a, b in zip(nest.axes, copy.axes, strict=True))
    return alike and touched.writes.keys() == mine.reads.keys()


def _covers(parts: list[tuple[Axis, ...]], whole: tuple[Axis, ...]) -> bool:
    """Whether boxes are the whole one, each point once."""
    if not whole:
        return len(parts) == 1
    slabs: dict[tuple[Poly, Poly], list[tuple[Axis, ...]]] = {}
    for axis, *rest in parts:
        slabs.setdefault((axis.begin, axis.end), []).append(tuple(rest))
    ends, at, seen = dict(slabs.keys()), whole[0].begin, 0
    while at in ends and at != whole[0].end:
        at, seen = ends[at], seen + 1
    return at == whole[0].end and seen == len(slabs) and all(_covers(slab, whole[1:]) for slab in slabs.values())


def _volume(axes: tuple[Axis, ...]) -> int:
    return math.prod([_UNKNOWN if axis.size.constant is None else axis.size.constant for axis in axes])


def _maker(copy: Nest, mine: Touched, done: list[Scheduled], touched: list[Touched]) -> int | None:
    """The nest that makes all the temporaries that this one only copies, if the copy may move up to it."""
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
        later, sooner = _rows(maker, written.stride, written.high - old.low), _rows(maker, written.stride, old.high - written.low)
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


def _rows(nest: Nest, stride: Poly, reach: Poly) -> int | None:
    """The least n for which rows more than n apart are out of reach."""
    most = _MOST_ROWS if len(nest.axes) > 1 else _MOST_ELEMENTS
    return next((n for n in range(most + 1) if never_negative(stride * (n + 1) - 1 - reach)), None)
