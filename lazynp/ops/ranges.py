"""Between which limits an integer of a trace certainly lies: by its dtype, the loops it is counted by, masks, remainders, comparisons.

NumPy refuses what does not fit an integer dtype, when it is Python's (`o[i] = i * 100` into uint8). A compiled program asks, where the
limits leave it open; whether it asks costs nothing where they do not.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from lazynp.ir.node import Node, const, constant, dim
from lazynp.ir.types import Symbolic
from lazynp.ops import elementwise as ew
from lazynp.ops.sizes import SymFloat, SymInt, bounds_of, hooks, is_manageable, never_negative

Limits = tuple[int, int]
"""The least and the greatest value."""

_DEEPEST = 8
_INT64 = np.dtype(np.int64)


def limits_of(node: Node) -> Limits:
    """The limits of a node of integers or truth values."""
    return _limits(node, {}, _DEEPEST)


def _limits(node: Node, known: dict[Node, Limits], depth: int) -> Limits:
    found = known.get(node)
    if found is None:
        widest = _of_dtype(node.dtype)
        found = known[node] = widest if depth == 0 else _within(_of_op(node, known, depth - 1), widest)
    return found


def _of_dtype(dtype: np.dtype) -> Limits:
    if dtype.kind == "b":
        return 0, 1
    return int(np.iinfo(dtype).min), int(np.iinfo(dtype).max)


def _within(found: Limits | None, widest: Limits) -> Limits:
    """What an operation gives; what may be too large for its dtype is anything there."""
    return widest if found is None or found[0] < widest[0] or found[1] > widest[1] else found


def _of_op(node: Node, known: dict[Node, Limits], depth: int) -> Limits | None:
    if node.op is const:
        values = node.value.array
        return (int(values.min()), int(values.max())) if values.size else None
    if node.op is dim:
        low, high = bounds_of(node)
        return (low, high) if type(low) is int and type(high) is int else None
    rule = _RULES.get(node.op)
    if rule is None or any(a.dtype.kind not in "biu" for a in node.args):
        return None
    return rule(*[_limits(a, known, depth) for a in node.args])


def _of_all(*values: int) -> Limits:
    return min(values), max(values)


def _remainder(a: Limits, b: Limits) -> Limits | None:
    if b[0] <= 0:
        return None
    return a if a[0] >= 0 and a[1] < b[0] else (0, b[1] - 1)


def _quotient(a: Limits, b: Limits) -> Limits | None:
    return _of_all(*[x // y for x in a for y in b]) if b[0] > 0 else None


def _masked(a: Limits, b: Limits) -> Limits | None:
    least = [x[1] for x in (a, b) if x[0] >= 0]
    return (0, min(least)) if least else None


def _merged_bits(a: Limits, b: Limits) -> Limits | None:
    return (0, (1 << max(a[1], b[1]).bit_length()) - 1) if a[0] >= 0 and b[0] >= 0 else None


def _shifted(a: Limits, b: Limits) -> Limits | None:
    return _of_all(*[x >> y for x in a for y in b]) if b[0] >= 0 and b[1] < 64 else None


def _raised(a: Limits, b: Limits) -> Limits | None:
    return _of_all(*[x << y for x in a for y in b]) if b[0] >= 0 and b[1] < 64 else None


_RULES: dict[Any, Callable[..., Limits | None]] = {
    ew.cast: lambda a: a,
    ew.add: lambda a, b: (a[0] + b[0], a[1] + b[1]),
    ew.subtract: lambda a, b: (a[0] - b[1], a[1] - b[0]),
    ew.multiply: lambda a, b: _of_all(*[x * y for x in a for y in b]),
    ew.negative: lambda a: (-a[1], -a[0]),
    ew.absolute: lambda a: (max(0, a[0], -a[1]), max(-a[0], a[1])),
    ew.sign: lambda a: (max(-1, min(1, a[0])), max(-1, min(1, a[1]))),
    ew.minimum: lambda a, b: (min(a[0], b[0]), min(a[1], b[1])),
    ew.maximum: lambda a, b: (max(a[0], b[0]), max(a[1], b[1])),
    ew.where: lambda test, a, b: (min(a[0], b[0]), max(a[1], b[1])),
    ew.remainder: _remainder,
    ew.floor_divide: _quotient,
    ew.bitwise_and: _masked,
    ew.bitwise_or: _merged_bits,
    ew.bitwise_xor: _merged_bits,
    ew.right_shift: _shifted,
    ew.left_shift: _raised,
}
"""op -> (limits of the arguments...) -> those of the result without overflow; None: nothing is known."""


def lost(node: Node, dtype: np.dtype) -> Node | None:
    """Whether a number without axes is none of an integer dtype's, after its fraction is cut off; None: it always is."""
    low, high = _of_dtype(dtype)
    if node.dtype.kind == "f":
        number = ew.cast(node, to=np.dtype(float))
        if high - low >= 1 << 62:
            wrong = ew.outgrows(number)
            return wrong if low else ew.logical_or(wrong, ew.less_equal(number, constant(-1.0)))
        inside = ew.logical_and(ew.greater(number, constant(low - 1.0)), ew.less(number, constant(high + 1.0)))
        return ew.logical_not(inside)
    least, greatest = limits_of(node)
    is_below = least < low and not _is_never_below(node, low)
    is_above = greatest > high and not _is_never_below(constant(high, _INT64) - node, 0)
    if (is_below or is_above) and node.dtype.itemsize > dtype.itemsize:
        return ew.not_equal(ew.cast(ew.cast(node, to=dtype), to=node.dtype), node)
    if is_below:
        return ew.less(node, constant(low, node.dtype))
    return ew.greater(node, constant(high, node.dtype)) if is_above else None


def _is_never_below(node: Node, low: int) -> bool:
    """Whether that follows from how the limits of loops depend on each other."""
    return node.dtype == _INT64 and is_manageable(node) and never_negative(node - low)


def doubt_lost(node: Node, dtype: np.dtype) -> None:
    """Where a number without axes is none of an integer dtype's, the program's results do not count: NumPy raises an error."""
    wrong = lost(node, dtype)
    if wrong is not None:
        hooks.doubt(wrong)


def _must_fit(self: Symbolic, dtype: np.dtype) -> None:
    if dtype.kind in "iu":
        doubt_lost(self.node, dtype)


SymInt.must_fit = SymFloat.must_fit = _must_fit  # type: ignore[method-assign]
