"""Where along a loop the answer to a question about its variable changes: `i > 0`, `i == j`, an index `i - 1` that is negative once.

While a body is traced, every question that the limits of its loop leave open is noted here (`ask`). A loop that is cut where the answers
change has none of these questions in its parts: index set splitting (Griebl, Feautrier & Lengauer 2000).
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from lazynp.ir.node import Node, dim

Terms = dict[tuple[Node, ...], int]
"""A polynomial as in lazynp.ops.sizes."""


class _Watches(threading.local):
    """points: of each loop whose body is being traced its variable and the points, outermost first."""

    def __init__(self) -> None:
        self.points: dict[Node, list[Terms]] = {}


_watches = _Watches()


@contextmanager
def watched(leaf: Node) -> Iterator[list[Terms]]:
    """The points found inside: numbers p, made of the variables of loops around, for which an answer is another one from p on."""
    points: list[Terms] = []
    _watches.points[leaf] = points
    try:
        yield points
    finally:
        del _watches.points[leaf]


@contextmanager
def unnoted() -> Iterator[None]:
    """Inside, questions are none for which a loop should be cut."""
    points, _watches.points = _watches.points, {}
    try:
        yield
    finally:
        _watches.points = points


def ask(terms: Terms) -> None:
    """Note where along a loop a number, whose sign is not known, becomes negative or ceases to be."""
    if not _watches.points:
        return
    for leaf, points in _watches.points.items():
        factor = terms.get((leaf,), 0)
        if factor and sum(leaf in monomial for monomial in terms) == 1:
            point = _point(leaf, factor, {m: n for m, n in terms.items() if m != (leaf,)})
            if point is not None and point not in points:
                points.append(point)


def _point(leaf: Node, factor: int, rest: Terms) -> Terms | None:
    """The least value of the leaf from which factor * leaf + rest has another sign; None where more than outer loops' variables make it."""
    if set(rest) <= {()}:
        constant = rest.get((), 0)
        point = -(constant // factor) if factor > 0 else constant // -factor + 1
        return {(): point} if point else {}
    outer = list(_watches.points)[: list(_watches.points).index(leaf)]
    if abs(factor) != 1 or any(atom.op is not dim or atom not in outer for monomial in rest for atom in monomial):
        return None
    if factor > 0:
        return {m: -n for m, n in rest.items()}
    above = rest | {(): rest.get((), 0) + 1}
    return {m: n for m, n in above.items() if n}
