"""Loops in parts: cut where the answers to questions about the loop variable change (lazynp.ops.turning), so that no part asks them.

`for k in range(n): if k > 0: ... x[k - 1] ...` becomes its first turn and a loop of the others, without a branch, an index that may be
negative or what stands in their way.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from lazynp.errors import CaptureError
from lazynp.ir.node import Node, constant
from lazynp.ir.types import Dim
from lazynp.ops.elementwise import subtract
from lazynp.ops.sizes import SymInt, is_size, never_negative, number, simplify_size
from lazynp.trace.elements import Elements

FEW = 2
"""Turns of a part that are written out."""
_MOST_PARTS = 5
_MOST_RECORDED = 200
"""Values that all parts record together: each of them is traced, optimised and compiled as the whole loop was."""


class Cut(CaptureError):
    """A loop has to be traced again, in these parts."""

    def __init__(self, parts: list[Elements]) -> None:
        super().__init__("a loop is traced in parts")
        self.parts = parts


def turns_of(part: Elements) -> int | None:
    """How many turns a part has, if that is known: at a limit that an outer loop gives it may be one."""
    if part.count is not None:
        return part.count
    limits = [_dim(part.lower), _dim(part.upper)]
    if None in limits or abs(part.step) != 1:
        return None
    room = _distance(*limits) if part.step > 0 else _distance(*limits[::-1])  # type: ignore[arg-type]
    return max(room, 0) if type(room) is int else None


def check(elements: Elements, points: Sequence[Dim], recorded: int) -> None:
    """Raises Cut where a loop is better done in parts. recorded: what one turn has recorded."""
    lower, upper = _dim(elements.lower), _dim(elements.upper)
    if lower is None or upper is None or type(elements.step) is not int:
        return
    places: list[Dim] = []
    for point in points:
        place = _first_after(lower, elements.step, point)
        if place is not None:
            _insert(places, place, lower, upper, elements.step)
    limits = [elements.lower, *[number(place) for place in places], elements.upper]
    parts = [Elements(a, b, elements.step, elements.at) for a, b in zip(limits, limits[1:], strict=False)]
    traced = sum([1 if turns is None or turns > FEW else turns for turns in map(turns_of, parts)])
    if 1 < len(parts) <= _MOST_PARTS and traced * recorded <= _MOST_RECORDED:
        raise Cut(parts)


def _dim(n: Any) -> Dim | None:
    """A limit as a size; None for one that is computed from data."""
    if type(n) is int:
        return n
    return n.node if type(n) is SymInt and is_size(n.node) else None


def _distance(a: Dim, b: Dim) -> Dim:
    return simplify_size(subtract(*[n if isinstance(n, Node) else constant(n) for n in (b, a)]))


def _first_after(lower: Dim, step: int, point: Dim) -> Dim | None:
    """The index of the first turn on the other side of a point."""
    if abs(step) == 1:
        return point if step == 1 else _distance(1, point)
    if type(lower) is not int or type(point) is not int:
        return None
    turns = -((lower - point) // step) if step > 0 else (lower - point) // -step + 1
    return lower + max(turns, 0) * step


def _insert(places: list[Dim], place: Dim, lower: Dim, upper: Dim, step: int) -> None:
    """Put a place where it stands among the others, if that is certain, and if it lies between the limits."""
    limits = [lower, *places, upper]
    if place in (lower, upper) or any(place is known or place == known for known in places):
        return
    before = [_in_order(limit, place, step) for limit in limits]
    after = [_in_order(place, limit, step) for limit in limits]
    count = sum(before)
    if before[:count] == [True] * count and all(after[count:]) and 0 < count < len(limits):
        places.insert(count - 1, place)


def _in_order(a: Dim, b: Dim, step: int) -> bool:
    return never_negative(_distance(a, b) if step > 0 else _distance(b, a))
