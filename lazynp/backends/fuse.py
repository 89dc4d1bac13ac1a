"""Fusion of finished nests: equal loops become one nest, values are forwarded instead of reloaded, stores that nobody reads disappear,
and a temporary that dies where an output is written lives in that output's memory.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

from lazynp.backends.lower import Memory, load, variables_of
from lazynp.backends.nests import Nest, Store, changed, index_values, loads, scalars
from lazynp.backends.polynomial import Atom, Poly, all_atoms, never_equal, value_atom
from lazynp.backends.schedule import ordered
from lazynp.ir.node import Node

_LOOK_BACK = 12
"""How many nests back a partner is looked for: linear time."""
_MOST_SCALARS = 400
_MOST_STRANGERS = 24
"""So many memories one nest may touch that is made of nests with none in common: only the loop is shared then, and compilers take time
that grows with the square of the pointers."""


class Touched:
    """The memories that a nest reads and writes, with the addresses; `inside`: memories read in order to compute an index."""

    __slots__ = ("count", "events", "folded", "inside", "reads", "writes")

    def __init__(self, nest: Nest) -> None:
        self.reads: dict[Memory, set[Poly]] = {}
        self.writes: dict[Memory, set[Poly]] = {}
        self.folded: set[Memory] = {part.memory for part in (*[f.buffer for f in nest.folds], *nest.scattered)}
        nodes = scalars(nest.roots())
        self.count = len(nodes)
        indices = scalars([n for node in nodes for n in index_values(node)])
        self.inside = {n.buffer.memory for n in indices if n.op is load}
        for node in nodes:
            if node.op is load:
                self.reads.setdefault(node.buffer.memory, set()).add(node.address)
        for buffer, address in nest.targets():
            self.writes.setdefault(buffer.memory, set()).add(address)
        if nest.call is not None:
            self.reads = {buffer.memory: set() for buffer in nest.call.reads}
            self.writes = {buffer.memory: set() for buffer in nest.call.writes}
        for memory in [buffer.memory for buffer in nest.scattered]:
            self.reads.setdefault(memory, set())
        self.events = nest.events
        for memory in nest.events:
            self.reads.setdefault(memory, set())

    def memories(self) -> set[Memory]:
        return self.reads.keys() | self.writes.keys()

    def conflicts(self, later: Touched) -> bool:
        """Whether the order of the two matters."""
        return (
            not self.writes.keys().isdisjoint(later.reads)
            or not self.writes.keys().isdisjoint(later.writes)
            or not self.reads.keys().isdisjoint(later.writes)
        )


def fuse(nests: list[Nest]) -> list[Nest]:
    """Nests with equal loops merged into the earlier one, where no dependency forbids it."""
    done: list[Nest] = []
    touched: list[Touched] = []
    for nest in nests:
        mine = Touched(nest)
        place = _partner(nest, mine, done, touched)
        if place is None:
            done.append(nest)
            touched.append(mine)
        else:
            done[place] = _merged(done[place], nest)
            touched[place] = Touched(done[place])
    return done


def _partner(nest: Nest, mine: Touched, done: list[Nest], touched: list[Touched]) -> int | None:
    if nest.kind not in ("loops", "scatter"):
        return None
    for place in range(len(done) - 1, max(-1, len(done) - 1 - _LOOK_BACK), -1):
        if _mergeable(done[place], touched[place], nest, mine):
            return place
        if touched[place].conflicts(mine):
            return None
    return None


def _mergeable(first: Nest, one: Touched, second: Nest, two: Touched) -> bool:
    return not _obstacle(first, one, second, two)


def obstacle(first: Nest, second: Nest) -> str:
    """Why two nests, of which the second follows the first, are not one, in words; "" if they could be."""
    return _obstacle(first, Touched(first), second, Touched(second))


def _obstacle(first: Nest, one: Touched, second: Nest, two: Touched) -> str:
    if first.call is not None or second.call is not None:
        return "a call of a library"
    if first.kind != second.kind or first.kind not in ("loops", "scatter") or first.moves:
        return "an accumulation, a scatter or a sliding window stands alone"
    if first.axes != second.axes:
        sizes = [" x ".join([a.size.text() for a in nest.axes]) or "one point" for nest in (first, second)]
        return f"their loops differ: {sizes[0]} and {sizes[1]}" if sizes[0] != sizes[1] else "their loops begin or are ordered differently"
    if one.count + two.count > _MOST_SCALARS:
        return f"together they have more than {_MOST_SCALARS} operations"
    if first.folds and second.folds and first.reduced != second.reduced:
        return "they reduce different axes"
    if first.folds and second.folds and ordered(first).rows != ordered(second).rows:
        return "one would jump through memory where the other one walks along it"
    memories = one.memories(), two.memories()
    if memories[0].isdisjoint(memories[1]) and len(memories[0]) + len(memories[1]) > _MOST_STRANGERS:
        return "they share no array, and together have too many"
    for memory, addresses in one.writes.items():
        if memory in two.writes and (memory in one.folded or memory in two.folded or not _apart(addresses, two.writes[memory])):
            return "both write to one array"
        if memory in two.inside and not two.reads[memory] <= addresses:
            return "the second takes an index from what the first writes"
        if memory in two.reads and (memory in one.folded or not _same_or_apart(two.reads[memory], addresses)):
            if memory in two.events and not two.reads[memory] and memory not in one.folded:
                continue
            return f"the second reads {'a reduction of the first' if memory in one.folded else 'at other places what the first writes'}"
    for memory, addresses in two.writes.items():
        if memory in one.reads and (memory in two.folded or memory in one.inside or not _same_or_apart(one.reads[memory], addresses)):
            return "the second overwrites what the first reads at other places"
    return ""


def _apart(some: set[Poly], others: set[Poly]) -> bool:
    """Whether no point visits, by one of these addresses, what any point visits by one of those."""
    return all(never_equal(a, b) for a in some for b in others)


def _same_or_apart(read: set[Poly], written: set[Poly]) -> bool:
    """Whether what a point reads is written by that point, or by none."""
    return bool(read) and all(a == b or never_equal(a, b) for a in read for b in written)


def _merged(first: Nest, second: Nest) -> Nest:
    forward = _Forward({(s.buffer.memory, s.address): s.value for s in first.stores})
    forward.walk(second.roots())
    stores = [s._replace(address=forward.index(s.address), value=forward.done[s.value]) for s in second.stores]
    folds = [f._replace(value=forward.done[f.value]) for f in second.folds]
    events = first.events | second.events - {buffer.memory for buffer, _ in first.targets()}
    return replace(
        first,
        stores=[*first.stores, *stores],
        folds=[*first.folds, *folds],
        reduced=first.reduced | second.reduced,
        scattered=first.scattered | second.scattered,
        events=events,
    )


class _Forward:
    """Loads of what the same point of the nest has just computed become that value, also in indices. known: what it has stored where."""

    def __init__(self, known: dict[tuple[Memory, Poly], Node]) -> None:
        self.known = known
        self.done: dict[Node, Node] = {}
        self._atoms: dict[Node, Poly] = {}

    def walk(self, roots: list[Node]) -> None:
        for node in scalars(roots):
            stored = self.known.get((node.buffer.memory, node.address)) if node.op is load else None
            if stored is None:
                args = tuple([self.done[a] for a in node.args])
                attrs = {name: changed(value, self.index) for name, value in node.attributes.items()}
                stored = node.op.make(args, **attrs) if args or attrs else node
            self.done[node] = stored

    def index(self, p: Poly) -> Poly:
        """An address in which values are forwarded."""
        moved = {a: self._value(a) for a in all_atoms(p) if a.kind == "value" and self.done[a.args[0]] is not a.args[0]}
        return p.replaced(moved) if moved else p

    def _value(self, atom: Atom) -> Poly:
        node = self.done[atom.args[0]]
        if node not in self._atoms:
            self._atoms[node] = value_atom(node, variables_of(node))
        return self._atoms[node]


def touched_memories(nest: Nest) -> set[Memory]:
    """The memories that a nest reads or writes."""
    touched = Touched(nest)
    return touched.reads.keys() | touched.writes.keys() | touched.inside


def drop_dead_stores(nests: list[Nest], lengths: list[int], outlives: Callable[[Memory], bool] = lambda memory: False) -> list[list[Nest]]:
    """Without stores into temporaries that nobody reads any more. lengths: of the segments that stand one after the other in `nests`;
    outlives: whether a memory is read elsewhere."""
    users: dict[Memory, int] = {}
    for nest in nests:
        for memory in Touched(nest).reads:
            users[memory] = users.get(memory, 0) + 1
    segments: list[list[Nest]] = []
    end = len(nests)
    for length in reversed(lengths):
        kept = [_alive(nest, users, outlives) for nest in reversed(nests[end - length : end])]
        segments.append([nest for nest in reversed(kept) if nest.stores or nest.folds or nest.call is not None])
        end -= length
    return segments[::-1]


def _alive(nest: Nest, users: dict[Memory, int], outlives: Callable[[Memory], bool]) -> Nest:
    """The nest without its dead stores; what only they read loses a user."""
    stores = [s for s in nest.stores if s.buffer.memory.kind != "temp" or users.get(s.buffer.memory) or outlives(s.buffer.memory)]
    if len(stores) == len(nest.stores):
        return nest
    alive = replace(nest, stores=stores)
    for memory in Touched(nest).reads.keys() - Touched(alive).reads.keys():
        users[memory] -= 1
    return alive


# --- temporaries in the memory of outputs ----------------------------------------------------------------------------


def share_outputs(nests: list[Nest], kept: set[Memory]) -> dict[Memory, Memory]:
    """Where an output's only store reads, at the same address, a temporary of its size that dies there, the temporary moves in.
    kept: memories that loops before these nests touch. Returns temporary -> output."""
    last: dict[Memory, int] = {}
    users: dict[Memory, list[int]] = {}
    seen = [Touched(nest) for nest in nests]
    for number, touched in enumerate(seen):
        for memory in {**touched.reads, **touched.writes}:
            last[memory] = number
            users.setdefault(memory, []).append(number)
    moved: dict[Memory, Memory] = {}
    for number, nest in enumerate(nests):
        for store in nest.stores:
            memory = store.buffer.memory
            free = memory.kind == "output" and memory not in kept and users[memory] == [number] and memory not in moved.values()
            guest = _guest(store, seen[number], last, number, moved) if nest.kind == "loops" and free else None
            if guest is not None:
                moved[guest] = memory
    return moved


def _guest(store: Store, touched: Touched, last: dict[Memory, int], number: int, moved: dict[Memory, Memory]) -> Memory | None:
    host = store.buffer.memory
    if len(touched.writes[host]) != 1:
        return None
    for memory, addresses in touched.reads.items():
        fits = memory.kind == "temp" and memory.size == host.size and memory.dtype == host.dtype and memory not in moved
        if fits and last[memory] == number and memory not in touched.writes and addresses == {store.address}:
            return memory
    return None


def move(nests: Iterable[Nest], moved: dict[Memory, Memory]) -> None:
    """Let what lies in some memories lie in others."""
    for nest in nests:
        buffers = [n.buffer for n in loads(nest.roots())] + [buffer for buffer, _ in nest.targets()]
        buffers += [*nest.call.reads, *nest.call.writes] if nest.call is not None else []
        for buffer in buffers:
            buffer.memory = moved.get(buffer.memory, buffer.memory)
