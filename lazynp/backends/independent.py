"""Loops whose turns do not depend on each other: none touches what another one writes, or all only add to it, in any order.

    independence(control, sizes) -> Independence | None

It is proved from the addresses of all loads and stores. With the loop's variable i an address is c * i + rest, and the rest stays between
bounds that follow from the inner loops; where the bounds of all accesses to a memory are closer together than c, turns never meet. An
address may be divided into digits first: `out[j, i]` is j * n + i, whose last digit in base n is i. An index that is read from data has no
bounds, a value that a turn hands to the next one has the same address in both: such loops are not independent.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from lazynp.backends.control import Control
from lazynp.backends.fuse import touched_memories
from lazynp.backends.lower import Memory, load, position
from lazynp.backends.nests import Nest, Store, polynomials, scalars
from lazynp.backends.polynomial import ZERO, Atom, Poly, Sizes, lower_bound, never_negative, poly, split, upper_bound, variable
from lazynp.ir.node import Node, dim, numbered_dim, toposort
from lazynp.ir.op import Op
from lazynp.ops import elementwise as ew
from lazynp.ops.structured import cond, loop, while_

_EXACT = (ew.add, ew.multiply, ew.maximum, ew.minimum, ew.bitwise_and, ew.bitwise_or, ew.bitwise_xor, ew.logical_or, ew.logical_and)
"""What integers and truth values are folded with in any order."""
_COMPARISONS = (ew.greater, ew.greater_equal, ew.less, ew.less_equal)
_MOST_PAIRS = 4096
"""Pairs of accesses that are compared at most: a proof must not take longer than what it saves."""


class Reduction(NamedTuple):
    """memory: one element, to which every turn adds with op; watched: of Python's integers, the truth value that is set where their sum may
    outgrow 64 bits."""

    memory: Memory
    op: Op
    watched: Memory | None


class Independence(NamedTuple):
    """own: memories of the arena that only live during a turn: every thread has its own."""

    own: set[Memory]
    reductions: list[Reduction]


class _Access(NamedTuple):
    memory: Memory
    address: Poly
    bounds: dict[Atom, tuple[Poly | None, Poly | None]]
    writes: bool


def independence(control: Control, sizes: Sizes) -> Independence | None:
    """What the threads that share a loop's turns need; None where the turns are not proved independent."""
    if control.kind is not loop or _is_ordered(control):
        return None
    step = control.limits[2]
    if not isinstance(step, Poly) or not step.constant:
        return None
    (atom,) = sizes(numbered_dim(control.index)).atoms()
    proof = _Proof(sizes, atom, abs(step.constant), _places(control))
    accesses = list(_accesses(control))
    own = _inside(control) - control.interface
    if any(memory.kind != "temp" for memory in own & {a.memory for a in accesses if a.writes}):
        return None
    shared: dict[Memory, list[_Access]] = {}
    for access in accesses:
        if access.memory not in own:
            shared.setdefault(access.memory, []).append(access)
    reductions = []
    for memory, found in shared.items():
        if not any(access.writes for access in found) or proof.never_meet(found):
            continue
        reduction = _reduction(control, memory, sizes)
        if reduction is None:
            return None
        reductions.append(reduction)
    flags = {r.memory for r in reductions}
    if any(r.watched is not None and r.watched not in flags for r in reductions):
        return None
    return Independence({m for m in own if m.kind == "temp"}, reductions)


def reach(memory: Memory, control: Control, sizes: Sizes, side: int) -> Poly | None:
    """The least (side 0) or the greatest (1) address that a turn touches of a memory, slope * i + rest in the loop's variable i, numbers
    both; None where there is none."""
    (atom,) = sizes(numbered_dim(control.index)).atoms()
    proof = _Proof(sizes, atom, 1, _places(control))
    slopes, ends = set(), []
    for access in _accesses(control):
        if access.memory is not memory:
            continue
        slope = access.address.coefficient(atom)
        if slope is None or slope.constant is None:
            return None
        rest = proof.extreme(access.address - slope * Poly({(atom,): 1}), access, side)
        if rest is None or rest.constant is None:
            return None
        slopes.add(slope.constant)
        ends.append(rest.constant)
    return Poly({(atom,): slopes.pop()}) + (max(ends) if side else min(ends)) if len(slopes) == 1 else None


class Outline(NamedTuple):
    """What a loop touches of the rows of an array, `pitch` elements long: the columns first ... last, numbers in the variable `row`. least,
    most: which row a turn begins and ends with, less the loop's variable."""

    pitch: int
    first: Poly
    last: Poly
    least: int
    most: int

    def holds(self, access: _Access) -> bool:
        """Whether a place, or some in one row, lie within it."""
        ends = [bound(access.address, access.bounds) for bound in (lower_bound, upper_bound)]
        if any(end is None or end.constant is None for end in ends):
            return False
        (row, first), (other, last) = [divmod(end.constant, self.pitch) for end in ends]  # type: ignore[union-attr]
        at = {_ROW: poly(row)}
        return row == other and never_negative(poly(first) - self.first.replaced(at)) and never_negative(self.last.replaced(at) - last)


(_ROW,) = variable("row").atoms()


def outline(memory: Memory, control: Control, sizes: Sizes) -> Outline | None:
    """The outline of what a loop along the rows touches of a memory, if it is slanted: a triangle, a band."""
    (atom,) = sizes(numbered_dim(control.index)).atoms()
    proof = _Proof(sizes, atom, 1, _places(control))
    found = [access for access in _accesses(control) if access.memory is memory]
    slopes = {access.address.coefficient(atom) for access in found}
    slope, size = slopes.pop() if len(slopes) == 1 else None, memory.size.constant
    pitch = slope.constant if slope is not None else None
    if not pitch or pitch < 2 or size is None or size % pitch:
        return None
    firsts, lasts, rows = [], [], []
    for access in found:
        rest = access.address - Poly({(atom,): pitch})
        first, last = [proof.extreme(rest, access, side, keep=True) for side in (0, 1)]
        low, high = [proof.extreme(rest, access, side) for side in (0, 1)]
        if first is None or last is None or low is None or high is None or low.constant is None or high.constant is None:
            return None
        row = low.constant // pitch
        if high.constant // pitch != row:
            return None
        at = {atom: variable("row") - row}
        firsts.append(first.replaced(at) - row * pitch)
        lasts.append(last.replaced(at) - row * pitch)
        rows.append(row)
    first, last = _least(firsts), _least([end * -1 for end in lasts])
    first, last = ZERO if first is None else first, poly(pitch - 1) if last is None else last * -1
    return None if first.constant is not None and last.constant is not None else Outline(pitch, first, last, min(rows), max(rows))


def _least(ends: list[Poly]) -> Poly | None:
    """The least of some numbers that differ by constants."""
    least = min(ends, key=lambda end: end.terms.get((), 0))
    return least if all((end - least).constant is not None for end in ends) and least.atoms() <= {_ROW} else None


def accesses_of(nest: Nest) -> list[_Access]:
    """The places that a nest writes and reads element by element."""
    return list(_of_nest(nest))


def _is_ordered(control: Control) -> bool:
    """Whether something inside must happen in the order of the turns, or has threads of its own: calls of Python, products of BLAS."""
    return any(part.kind not in (loop, while_, cond) for part in control.parts()) or any(
        item.nest.call is not None or item.nest.moves for item in control.items()
    )


def _inside(control: Control) -> set[Memory]:
    """Every memory that a turn knows."""
    found = {m for item in control.items() for m in touched_memories(item.nest)}
    return found.union(*[part.interface for part in control.parts()])


def _places(control: Control) -> set[int]:
    """The positions of the integers that a turn sets, without the loop's own variable."""
    found = set()
    for part in control.parts():
        found |= {position for position, _ in part.integers}
        if part is not control and part.index >= 0:
            found.add(part.index)
    return found


def _accesses(control: Control) -> Iterator[_Access]:
    for part in control.parts():
        integers = [memory for _, memory in part.integers]
        once = part is control  # the loop itself reads its limits once
        tested = integers if once else [*[m for m in (*part.limits, part.predicate) if isinstance(m, Memory)], *integers]
        yield from [_Access(m, ZERO, {}, writes=False) for m in tested]
    for item in control.items():
        yield from _of_nest(item.nest)


def _of_nest(nest: Nest) -> Iterator[_Access]:
    bounds: dict[Atom, tuple[Poly | None, Poly | None]] = {a.variable: (a.begin, a.end - 1) for a in nest.axes}
    for buffer, address in nest.targets():
        yield _Access(buffer.memory, address, bounds, writes=True)
    for node in scalars(nest.roots()):
        if node.op is load:
            yield _Access(node.buffer.memory, node.address, bounds, writes=False)


# --- addresses -------------------------------------------------------------------------------------------------------


class _Proof:
    """atom: the loop's variable, which differs by at least `step` between turns; inner: the positions of what varies within a turn."""

    def __init__(self, sizes: Sizes, atom: Atom, step: int, inner: set[int]) -> None:
        self.sizes = sizes
        self.atom = atom
        self.step = step
        self.inner = inner

    def never_meet(self, accesses: list[_Access]) -> bool:
        """Whether what one turn writes is touched by no other turn."""
        accesses = list({(a.address, tuple(a.bounds.items()), a.writes): a for a in accesses}.values())
        if len(accesses) * sum(a.writes for a in accesses) > _MOST_PAIRS:
            return False
        return any(self._apart(accesses, base) for base in (None, *self._bases(accesses)))

    def _bases(self, accesses: list[_Access]) -> Iterable[Poly]:
        """Strides along other variables, in which the loop's variable may be one digit."""
        found: dict[Poly, None] = {}
        for access in accesses:
            for atom in access.address.atoms() - {self.atom}:
                stride = access.address.coefficient(atom) if self._varies(atom, access) else None
                if stride is not None and len(stride.terms) == 1 and stride.constant != 1:
                    found[stride if next(iter(stride.terms.values())) > 0 else stride * -1] = None
        return found

    def _varies(self, atom: Atom, access: _Access, keep: bool = True) -> bool:
        if atom is self.atom:
            return not keep
        place = self.sizes.place_of(atom)
        return atom in access.bounds or atom.kind == "value" or place in self.inner or place in self.sizes.inner

    def _apart(self, accesses: list[_Access], base: Poly | None) -> bool:
        """Whether the addresses, or their last digits in a base, of different turns are different."""
        stride: Poly | None = None
        ranges: list[tuple[Poly, Poly, bool]] = []
        for access in accesses:
            digit = access.address if base is None else self._digit(access, base)
            slope = None if digit is None else digit.coefficient(self.atom)
            if digit is None or slope is None or slope == ZERO or (stride is not None and slope != stride):
                return False
            stride = slope
            rest = digit - slope * Poly({(self.atom,): 1})
            low, high = self.extreme(rest, access, 0), self.extreme(rest, access, 1)
            if low is None or high is None:
                return False
            ranges.append((low, high, access.writes))
        assert stride is not None
        least = (stride if never_negative(stride) else stride * -1) * self.step
        return all(
            never_negative(least - 1 - (other_high - low)) and never_negative(least - 1 - (high - other_low))
            for low, high, writes in ranges
            if writes
            for other_low, other_high, _ in ranges
        )

    def _digit(self, access: _Access, base: Poly) -> Poly | None:
        """The address modulo base, where that needs no division."""
        _, digit = split(access.address, base)
        low, high = [self.extreme(digit, access, side, also=self.atom) for side in (0, 1)]
        fits = low is not None and high is not None and never_negative(low) and never_negative(base - 1 - high)
        return digit if fits else None

    def extreme(self, p: Poly, access: _Access, side: int, also: Atom | None = None, keep: bool = False) -> Poly | None:
        """A polynomial free of what varies within a turn (and of `also`, and without `keep` of the loop's variable) that p never passes;
        None if none is found."""
        for _ in range(64):
            atom = next((a for a in p.atoms() if a is also or self._varies(a, access, keep) or a.kind in ("div", "mod")), None)
            if atom is None:
                return p
            limits = self._limits(atom, access)
            slope = p.coefficient(atom)
            if limits is None or slope is None:
                return None
            if never_negative(slope):
                end = limits[side]
            elif never_negative(slope * -1):
                end = limits[1 - side]
            else:
                return None
            if end is None:
                return None
            p = p - slope * Poly({(atom,): 1}) + slope * end
        return None

    def _limits(self, atom: Atom, access: _Access) -> tuple[Poly | None, Poly | None] | None:
        if atom in access.bounds:
            return access.bounds[atom]
        if atom.kind == "mod":
            return ZERO, poly(atom.args[1]) - 1
        return self.sizes.limits(atom)


# --- folds -----------------------------------------------------------------------------------------------------------


class _Own:
    """A number that turns may add to: its memory, and the integers of dims that stand for what is in it."""

    def __init__(self, memory: Memory, control: Control, sizes: Sizes) -> None:
        self.memory = memory
        self.places = {place for part in control.parts() for place, m in part.integers if m is memory}
        self.sizes = sizes

    def is_value(self, node: Node) -> bool:
        """Whether a node is what stands in the memory."""
        if node.op is load:
            return node.buffer.memory is self.memory and not node.guards
        return node.op is position and any(node.expression == self.sizes(numbered_dim(place)) for place in self.places)

    def is_read(self, nodes: Iterable[Node]) -> bool:
        return any((n.op is load and n.buffer.memory is self.memory) or self.is_used(polynomials(n)) for n in scalars(nodes))

    def is_used(self, polys: Iterable[Poly]) -> bool:
        """Whether an index, a size or a limit depends on it."""
        return bool(self.places) and any(not self.places.isdisjoint(self.sizes.loop_places(p)) for p in polys)

    def added(self, value: Node) -> _Added | None:
        """How a value is made of the old one; None where it is made of it otherwise than by adding."""
        if self.is_value(value):
            return _Added(None, [], [])
        if value.dtype != self.memory.dtype:
            return None
        if value.op is ew.where:
            return self._chosen(*value.args)
        if value.op is ew.subtract:
            return _together([self.added(value.args[0]), _Added(ew.add, [value.args[1]], [])])
        if value.op in _EXACT:
            for own, other in (value.args, value.args[::-1]):
                if (before := self.added(own)) is not None:
                    return _together([before, _Added(value.op, [other], [])])
        return None

    def _chosen(self, test: Node, first: Node, second: Node) -> _Added | None:
        """Python's `or`, `and`, max and min, and what is added under a condition."""
        if self.is_value(test) and self.is_value(first) != self.is_value(second):
            return _Added(ew.logical_or, [second], []) if self.is_value(first) else _Added(ew.logical_and, [first], [])
        if test.op in _COMPARISONS and set(test.args) == {first, second} and self.is_value(first) != self.is_value(second):
            greater = (test.op in (ew.greater, ew.greater_equal)) == (test.args[0] is first)
            return _Added(ew.maximum if greater else ew.minimum, [second if self.is_value(first) else first], [])
        return _together([self.added(first), self.added(second), _Added(None, [], [test])])


class _Added(NamedTuple):
    """op: what all additions are made with, None where there is none; values: what is added; conditions: on which it depends."""

    op: Op | None
    values: list[Node]
    conditions: list[Node]


def _together(parts: list[_Added | None]) -> _Added | None:
    """One after the other; None where ops differ."""
    known = [part for part in parts if part is not None]
    ops = {part.op for part in known if part.op is not None}
    if len(known) < len(parts) or len(ops) > 1:
        return None
    return _Added(next(iter(ops), None), [n for part in known for n in part.values], [n for part in known for n in part.conditions])


def _reduction(control: Control, memory: Memory, sizes: Sizes) -> Reduction | None:
    """How turns add to the memory, if all they do with it is that. A truth value that says that results are wrong may be read as well."""
    if memory.size.constant != 1 or memory.dtype.kind not in "biu":
        return None
    own = _Own(memory, control, sizes)
    parts = list(control.parts())
    if any(memory in (*part.limits, part.predicate) for part in parts) or own.is_used(_limits_of(control, sizes)):
        return None
    ops: set[Op] = set()
    watched: Memory | None = None
    free: list[Node] = []
    for item in control.items():
        nest = item.nest
        if any(b.memory is memory for b, _ in nest.targets()) and (nest.kind != "loops" or nest.axes or nest.folds):
            return None
        if own.is_used([p for a in nest.axes for p in (a.begin, a.end)]) or own.is_used([address for _, address in nest.targets()]):
            return None
        free += [f.value for f in nest.folds]
        for store in nest.stores:
            if store.buffer.memory is memory:
                added = own.added(store.value)
                if added is None:
                    return None
                ops |= {added.op} - {None}  # type: ignore[arg-type]
                free += added.values + added.conditions
            elif own.is_read([store.value]) and (doubts := _doubts(store, control, sizes)) is not None:
                watched = store.buffer.memory
                free += doubts.conditions
            else:
                free.append(store.value)
    op = next(iter(ops), None)
    if op is None or len(ops) > 1 or (watched is not None and op is not ew.add):
        return None
    if own.is_read(free) and not _only_doubts(control, memory, sizes):
        return None
    return Reduction(memory, op, watched)


def _limits_of(control: Control, sizes: Sizes) -> list[Poly]:
    """Limits of the loops, conditions of the branches, and what sizes of a turn are computed from."""
    polys = [p for part in control.parts() for p in (*part.limits, part.predicate) if isinstance(p, Poly)]
    return polys + [sizes(n) for node in sizes.inner.values() for n in toposort(node.args) if n.op is dim]


def _only_doubts(control: Control, memory: Memory, sizes: Sizes) -> bool:
    """Whether a truth value becomes true only where a result is not Python's: then all that was computed is thrown away."""
    stores = [store for item in control.items() for store in item.nest.stores if store.buffer.memory is memory]
    return all(_doubts(store, control, sizes) is not None for store in stores)


def _doubts(store: Store, control: Control, sizes: Sizes) -> _Added | None:
    """What a store of `itself or a doubt` adds; None for any other store."""
    if store.buffer.memory.dtype != bool or store.buffer.memory.size.constant != 1:
        return None
    added = _Own(store.buffer.memory, control, sizes).added(store.value)
    if added is None or added.op not in (None, ew.logical_or) or not all(value.op is ew.doubtful for value in added.values):
        return None
    return added
