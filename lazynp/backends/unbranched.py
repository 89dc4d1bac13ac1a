"""Branches of a loop's turn that become selections: what is stored is chosen, not whether.

A processor guesses branches, and a wrong guess costs it as much as twenty additions. So a branch whose sides store a few sums to elements
that are there in any case computes both, and stores for the side that is not taken what stood there before. Nothing may fail or raise a
flag that the program would not have raised, nor read or write where it might be out of range. Bubble sort of 400 numbers: 256 -> 120 us.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from lazynp.backends.lower import Buffer, Memory, checked, load, position
from lazynp.backends.nests import Nest, Store, loads, scalars
from lazynp.backends.polynomial import ZERO, Poly, Sizes, never_negative
from lazynp.ir.node import Node, const, transform
from lazynp.ops import elementwise as ew
from lazynp.ops.structured import cond

if TYPE_CHECKING:
    from lazynp.backends.control import Control

_MOST = 12.0
"""The most additions that both sides together may cost."""
_LONG = 4.0
"""Additions that an operation of a test costs, from which on processors go on with a guess meanwhile (Metropolis: 1127 -> 1025 us)."""
_CHEAP = 1.0
"""The most additions that one operation may cost: divisions and roots take long, and raise flags."""


def selection(control: Control) -> Nest | None:
    """A branch as a nest that computes both sides; None where they must not be."""
    blocks = [block.parts for block in control.blocks]
    if control.kind is not cond or control.integers or not isinstance(control.predicate, Memory):
        return None
    if not all(isinstance(part, list) for parts in blocks for part in parts):
        return None
    yes, no = [[item.nest for item in block.items()] for block in control.blocks]
    return unbranched(control.predicate, (yes, no), control.sizes)


def unbranched(predicate: Memory, sides: tuple[list[Nest], list[Nest]], sizes: Sizes) -> Nest | None:
    """The branches of `predicate` as one nest; None where both sides must not be computed. sides: the nests of (yes, no)."""
    if any(len(side) > 1 or not all(map(_is_point, side)) for side in sides):
        return None
    stores = [side[0].stores if side else [] for side in sides]
    if not _agree(*stores) or not all(_is_safe(nest, sizes) for side in sides for nest in side):
        return None
    nodes = scalars([node for side in sides for nest in side for node in nest.computed()])
    if sum([n.op.cost for n in nodes if n.args]) > _MOST:
        return None
    test = _element(Buffer(None, (), predicate), ZERO)  # type: ignore[arg-type]
    yes, no = [{(s.buffer.memory, s.address): s for s in part} for part in stores]
    chosen = []
    for place, store in (yes | no).items():
        old = _element(store.buffer, store.address)
        one, other = [part[place].value if place in part else old for part in (yes, no)]
        chosen.append(store._replace(value=one if one is other else ew.where.make((test, one, other))))
    return Nest("loops", (), chosen)


def takes_long(tests: list[Node]) -> bool:
    """Whether the results of some tests are late."""
    return any(node.op.cost >= _LONG for node in scalars(tests) if node.args)


def with_one_load(nest: Nest) -> Nest:
    """A single point that reads every element once: versions of an array's contents that lie at one place are the same before it stores."""
    if nest.kind != "loops" or nest.axes or not nest.stores:
        return nest
    first: dict[tuple[Memory, Poly], Node] = {}
    found = {n: first.setdefault((n.buffer.memory, n.address), n) for n in loads(nest.computed()) if not n.guards}
    if len(first) == len(found):
        return nest
    values = transform([s.value for s in nest.stores], lambda node, args: found.get(node) or (node.with_args(args) if args else node))
    return replace(nest, stores=[s._replace(value=value) for s, value in zip(nest.stores, values, strict=True)])


def _element(buffer: Buffer, address: Poly) -> Node:
    return load.make((), buffer=buffer, address=address, guards=(), to=buffer.memory.dtype)


def _is_point(nest: Nest) -> bool:
    """Whether it is a few stores at one point."""
    return nest.kind == "loops" and not (nest.axes or nest.folds or nest.scattered or nest.events or nest.moves or nest.call)


def _agree(yes: list[Store], no: list[Store]) -> bool:
    """Whether storing what stood there is no store over what the other side has stored: an array is written by one side, or by both at
    the same places in one order."""
    for memory in {s.buffer.memory for s in (*yes, *no)}:
        one, other = [[s.address for s in side if s.buffer.memory is memory] for side in (yes, no)]
        if memory.size.constant != 1 and one and other and one != other:
            return False
    return True


def _is_safe(nest: Nest, sizes: Sizes) -> bool:
    """Whether a nest may be computed where its side is not taken."""
    for node in scalars(nest.computed()):
        if node.op is checked or node.op is ew.doubtful or node.dtype.kind not in "biuf":
            return False
        if node.op not in (const, load, position) and node.op.cost > _CHEAP:
            return False
        if node.op is load and (node.guards or not in_range(node.buffer.memory, node.address, sizes)):
            return False
    return all(in_range(s.buffer.memory, s.address, sizes) for s in nest.stores)


def in_range(memory: Memory, address: Poly, sizes: Sizes) -> bool:
    """Whether an element is certainly there."""
    low, high = sizes.lower(address), sizes.upper(address - memory.size + 1)
    return low is not None and high is not None and never_negative(low) and never_negative(high * -1)
