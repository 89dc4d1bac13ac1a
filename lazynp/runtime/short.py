"""Lines whose work is shorter than its recording: what NumPy would take more for a graph than a program of its own, by count of work.

Nothing is timed: whether the last bits are NumPy's or a program's must not depend on how busy the machine is. NumPy's results of such sizes
lie in kept memory (`native.keeping`), so that what it takes is the traffic between its temporaries and, for a few functions, loops without
vectors; a program reads its leaves, writes its outputs, and computes in between."""

import sys

from numpy._core._multiarray_umath import __cpu_features__

from lazynp.ir.canonical import Form
from lazynp.ir.node import Node, const, input_
from lazynp.ir.op import Kind
from lazynp.ir.types import ArrayType, itemcount
from lazynp.ops import elementwise as ew
from lazynp.ops.indexing import gather, update
from lazynp.ops.library import searchsorted, sort
from lazynp.ops.movement import broadcast, join

_TURN_US, _RECORD_US, _NODE_US = 120.0, 40.0, 15.0
"""What it takes to take a graph apart, to find its program and to call it; to record an operation; and to make each node of one that is
composed of many (a convolution with seven weights: 52 nodes, 1 ms)."""
_CALL_US = 1.0
"""What a call of NumPy's takes beside its loop."""
_BYTE_NS = 0.015
"""Reading or writing a byte in a cache that holds few of a graph's arrays (90,000 float64: a sum of two takes 35 us, of which 3 are more
than a copy of as many bytes)."""
_MOST = 1 << 22
"""Bytes of the largest array whose memory NumPy's results find kept (_results.c). Work on larger ones is always worth a program."""

_VECTORS = sys.platform == "linux" and bool(__cpu_features__.get("AVX512_SKX"))
"""Whether NumPy computes most functions by vectors, as programs do."""
_SLOWER = {
    ew.sin: 5.5, ew.cos: 5.5,
    ew.remainder: 9.0, ew.fmod: 9.0, ew.floor_divide: 13.0, ew.hypot: 15.0, ew.logaddexp: 10.0, ew.logaddexp2: 10.0,
    ew.arctan2: 0.5, ew.where: 0.4, searchsorted: 30.0,
}  # fmt: skip
"""Nanoseconds per element of float64 that NumPy's loops take more than a program's. A choice is a branch for each element; where most go
the same way, as masks of real data do, it takes less than where they are drawn (3.5)."""
_KINDS = {Kind.ACCUMULATE: 2.0, Kind.GATHER: 0.3}
_GRID, _WHOLE_POWER, _SORTED_COLUMN = 2.5, 20.0, 10.0
"""The same for the indices of gathers by more than one, whatever stands at each (2.9 for a number, 20 for a row of 80), whole powers (45 of
negative numbers, 2 of positive ones), ranks in columns."""
_REDUCED_ROW_NS, _SPREAD_ROW_NS = 13.0, 4.0
"""What each row takes that NumPy reduces, or computes with something that is broadcast along other axes."""
_FUNCTION, _SLOW_FUNCTION = 10.0, 0.3
"""Other elementwise operations of so many additions, and what they take more for each, where NumPy has no vectors."""
_COMPLEX = 2.0


def is_short(form: Form, operations: int) -> bool:
    """Whether NumPy takes less for a graph that was recorded by so many operations than recording it again would cost."""
    if max([_bytes(node) for node in form.order], default=0) > _MOST:
        return False
    made = sum([bool(node.args) for node in form.order])
    return saved(form) < _TURN_US + max(_RECORD_US * operations, _NODE_US * made)


def saved(form: Form) -> float:
    """Microseconds that a graph takes less as a program than operation by operation."""
    moved, loops, calls = 0, 0.0, 0
    for node in form.order:
        if node.op is input_:
            moved -= _bytes(node)
        elif node.args and isinstance(node.type, ArrayType) and (node.op.kind is not Kind.MOVE or node.op is join):
            calls += 1
            moved += _traffic(node)
            loops += _slower(node) * itemcount(node.type.shape) + _rows(node)
    moved -= sum([_bytes(node) for node in form.outputs])
    return calls * _CALL_US + 1e-3 * (_BYTE_NS * moved + loops)


def _traffic(node: Node) -> int:
    """Bytes that an operation reads and writes; of an array that is written in part the part, once: who made it has written it there."""
    if node.op is update:
        return _bytes(_spread(node.args[1]))
    return _bytes(node) + sum([_bytes(_spread(a)) for a in node.args])


def _is_whole(exponent: Node) -> bool:
    """Whether an exponent is a number for which NumPy does not multiply."""
    if exponent.op is not const or exponent.value.array.ndim:
        return False
    return float(exponent.value.array.real).is_integer() and exponent.value.array not in (-1, 0, 1, 2)


def _rows(node: Node) -> float:
    """Nanoseconds for the rows of an operation that NumPy does row by row."""
    if node.op.kind is Kind.REDUCE:
        shape = node.args[0].type.shape
        return 0.0 if len(shape) < 2 or not node.type.shape else _REDUCED_ROW_NS * itemcount(shape[:-1])
    if node.op is gather and len(node.args) > 2:
        return _GRID * itemcount(node.args[1].type.shape)
    spread = [a.args[0].type.shape for a in node.args if a.op is broadcast and itemcount(a.args[0].type.shape) > 1]
    if node.op.kind is Kind.ELEMENTWISE and spread:
        return _SPREAD_ROW_NS * itemcount(_outer(node.type.shape, spread))
    return 0.0


def _outer(shape: tuple[int, ...], spread: list[tuple[int, ...]]) -> tuple[int, ...]:
    """The axes of a result around those that NumPy runs through as one: the last ones, along which the same operands are spread."""
    known = [(1,) * (len(shape) - len(source)) + source for source in spread]
    stretched = [tuple([source[axis] != size for source in known]) for axis, size in enumerate(shape)]
    first = len(shape) - 1
    while first > 0 and (stretched[first - 1] == stretched[-1] or shape[first - 1] == 1):
        first -= 1
    return shape[:first]


def _spread(node: Node) -> Node:
    """What is read where a node is: of what is broadcast less than it seems."""
    while node.op is broadcast:
        node = node.args[0]
    return node


def _bytes(node: Node) -> int:
    return itemcount(node.type.shape) * node.type.dtype.itemsize if isinstance(node.type, ArrayType) else 0


def _slower(node: Node) -> float:
    """Nanoseconds per element."""
    kind = node.type.dtype.kind
    if node.op.kind is not Kind.ELEMENTWISE:
        further = _SORTED_COLUMN * (node.op is sort and node.axis < node.ndim - 1)
        return _SLOWER.get(node.op, _KINDS.get(node.op.kind, 0.0)) + further
    if node.op is ew.power and _is_whole(_spread(node.args[1])):
        return _WHOLE_POWER
    if node.op in _SLOWER and (kind in "fc" or node.op is ew.where):
        return _SLOWER[node.op]
    if kind in "biu":
        return 0.0
    cost = 0.0 if node.op.cost < _FUNCTION or _VECTORS else _SLOW_FUNCTION * node.op.cost
    return cost + _COMPLEX if kind == "c" else cost


def largest(form: Form) -> int:
    """The elements of the largest array of a graph."""
    return max([itemcount(node.type.shape) for node in form.order if isinstance(node.type, ArrayType)], default=0)
