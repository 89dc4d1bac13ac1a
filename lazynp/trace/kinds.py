"""What the leaves of a tree are as values that a loop carries: Python numbers or arrays, what holds two of them, and whose memory they may
share."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np

from lazynp import operands, ordering
from lazynp.array import ndarray
from lazynp.ir.node import Node, new_input
from lazynp.ir.types import LAZY_DTYPES, ArrayType, Symbolic
from lazynp.layout import Axes
from lazynp.ops import elementwise as ew
from lazynp.ops.movement import broadcast, permute
from lazynp.ops.sizes import SymBool, SymFloat, SymInt, new_size, number
from lazynp.runtime.storage import Snapshot, Storage

INT64 = np.dtype(np.int64)


class Carried(NamedTuple):
    """kind: int, float or bool (a Python number), or None for an array of that type; scalar: NumPy would have handed out a scalar; order:
    of its axes in memory, outermost first, None: C order, ordering.UNORDERED: one or another."""

    kind: Any
    type: ArrayType
    scalar: bool = False
    order: Axes | None = None

    @property
    def laid(self) -> bool:
        """Whether it goes through loops and branches with its axes in another order."""
        return self.order is not None and self.order is not ordering.UNORDERED


def described(leaf: Any) -> Carried | None:
    """What a leaf is as a carried value; None for what only Python knows."""
    kind = type(leaf)
    if kind is int or kind is SymInt:
        return Carried(int, ArrayType((), INT64))
    if kind is float or kind is SymFloat:
        return Carried(float, ArrayType((), np.dtype(float)))
    if kind is bool or kind is SymBool:
        return Carried(bool, ArrayType((), np.dtype(bool)))
    if kind is complex:
        return Carried(None, ArrayType((), np.dtype(kind)), True)
    if kind is ndarray:
        type_ = leaf._type if leaf._storage is not None else ArrayType(leaf.shape, leaf.dtype)
        return Carried(None, type_, leaf._scalar, ordering.order_of(leaf))
    if isinstance(leaf, (np.ndarray, np.generic)) and leaf.dtype in LAZY_DTYPES:
        scalar = isinstance(leaf, np.generic)
        return Carried(None, ArrayType(leaf.shape, leaf.dtype), scalar, None if scalar else ordering.order_of(leaf))
    return None


def joined(a: Carried, b: Carried, ordered: bool = False) -> Carried | None:
    """What holds both without changing what either means; None where nothing does. ordered: arrays in two orders have none that is known;
    else the result is in C order."""
    if a == b:
        return a
    if a.kind is not None and b.kind is not None:
        return None if bool in (a.kind, b.kind) else a if a.kind is float else b
    if a.kind is not None or b.kind is not None:
        weak, other = (a, b) if a.kind is not None else (b, a)
        dtype = np.result_type(other.type.dtype, weak.kind(0))
        return None if other.type.shape else Carried(None, ArrayType((), dtype), other.scalar)
    if a.type.shape != b.type.shape:
        return None
    order = a.order if a.order == b.order else ordering.UNORDERED if ordered else None
    if a.type.dtype == b.type.dtype:
        return a._replace(scalar=a.scalar and b.scalar, order=order)
    dtype = np.result_type(a.type.dtype, b.type.dtype)
    exact = all(d.kind in "biu" or d == dtype for d in (a.type.dtype, b.type.dtype))
    return Carried(None, ArrayType(a.type.shape, dtype), a.scalar, order) if exact else None


def same(given: Any, returned: Any) -> bool:
    """Whether a leaf that came back is the one that went in: the same memory seen the same way, or an equal Python value."""
    if given is returned:
        return True
    if type(given) is not type(returned):
        return False
    if type(given) is ndarray:
        return given._storage is not None and given._storage is returned._storage and given._path == returned._path
    if isinstance(given, Symbolic):
        return given.node is returned.node
    if isinstance(given, (np.ndarray, np.generic)):
        return False
    return bool(given == returned) and repr(given) == repr(returned)


def stand_in(carried: Carried, initial: Any) -> tuple[Any, Node]:
    """A value of the body without a value, and its leaf."""
    if carried.kind is int:
        leaf = new_size(initial if type(initial) is int and initial > 1 else 2)
        return SymInt(leaf), leaf
    leaf = new_input(permute.infer(carried.type, carried.order) if carried.laid else carried.type)
    return handed_out(leaf, carried), leaf


def value_of(leaf: Any, carried: Carried) -> Node:
    """A leaf as a node of the carried type, its axes as they lie in memory."""
    return laid(operands.node_of(leaf), carried)


def laid(value: Node, carried: Carried) -> Node:
    """The same of the value of a leaf."""
    node = ew.as_node(value, carried.type.dtype)
    node = node if node.shape == carried.type.shape else broadcast(node, carried.type.shape)
    return permute(node, carried.order) if carried.laid else node


def handed_out(node: Node, carried: Carried, sources: Iterable[Storage] | None = None) -> Any:
    """What Python gets for a value of a loop or a branch, as `value_of` makes it. sources: whose memory an array may be; None: its own."""
    if carried.kind is int:
        return number(node)
    if carried.kind is not None:
        return (SymFloat if carried.kind is float else SymBool)(node)
    value = ordering.wrap_laid(node, carried.order) if carried.laid else ordering.wrap_ordered(node, carried.order)  # type: ignore[arg-type]
    if sources is not None and not carried.scalar:
        value._storage = merged(value, sources)
    value._scalar = carried.scalar
    return value


def merged(x: Any, sources: Iterable[Storage]) -> Snapshot:
    """The memory of an array that may be that of the sources."""
    found = Snapshot(x._storage.node, sources, MERGED, path=x._path)
    found.unordered = x._storage.unordered
    return found


MERGED = "an array that a loop or branch over traced values has made one or another"


def storage_of(leaf: Any) -> Storage | None:
    """The memory that a write to the leaf would change."""
    return leaf._storage if type(leaf) is ndarray and not leaf._scalar else None


def _is_made_in(storage: Storage, scope: Any) -> bool:
    """Whether a storage was made in a scope, or in a loop or branch there."""
    home: Any = storage.home
    while home is not None and home is not scope:
        home = getattr(home, "parent", None)
    return home is scope


class Sharing:
    """Whose memory each carried array of a loop may be beside its own: `outer` storages of the surroundings, `inner` other carried values
    (by position). own: handles whose memory nobody else knows before the loop."""

    def __init__(self, initial: Sequence[Any], own: frozenset[int] | None) -> None:
        self.asked = own is not None
        own = own or frozenset()
        self.before = [storage_of(leaf) if id(leaf) not in own else None for leaf in initial]
        self.outer: list[set[Storage]] = [set() for _ in initial]
        self.inner: list[set[int]] = [set() for _ in initial]

    def learn(self, body: Any, returned: Sequence[Any]) -> bool:
        """Note what a turn returns; whether that was news."""
        if not self.asked:
            return False
        size = sum(map(len, self.outer)) + sum(map(len, self.inner))
        stand_ins = {storage_of(given): k for k, given in enumerate(body.given) if body.leaves[k] is not None}
        holders: dict[Storage, list[int]] = {}
        for k, leaf in enumerate(returned):
            storage = storage_of(leaf)
            if storage is None:
                continue
            for source in (storage, *(storage.seen if isinstance(storage, Snapshot) else ())):
                if source in stand_ins or _is_made_in(source, body.scope):
                    holders.setdefault(source, []).append(k)
                elif body.leaves[k] is not None:
                    self.outer[k].add(source)
                if source in body.scope.known_elsewhere and body.leaves[k] is not None:
                    self.inner[k].add(k)
        for together in holders.values():
            for k in together:
                self.inner[k] |= set(together) - {k}
        return size != sum(map(len, self.outer)) + sum(map(len, self.inner))

    def around(self, k: int, values: Sequence[Any], first: bool) -> set[Storage] | None:
        """The storages with which the value at position k may share memory, among `values` and the surroundings; None: its memory is its
        own. first: it may also be what it was before the first turn."""
        found = self.outer[k] | {s for j in self.inner[k] if (s := storage_of(values[j])) is not None}
        before = self.before[k]
        if self.asked and first and before is not None:
            found.add(before)
        return found if found or self.inner[k] else None
