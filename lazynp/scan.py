"""Explicit control flow: `scan`, `fori_loop`, `while_loop`, `cond`, `switch`, `map`.

Outside a trace each turn runs as ordinary lazy NumPy and the queue flushes at the loop boundary, so all turns share one compiled program.
Inside a trace (jit, grad) loops of a known length are unrolled; a condition that depends on traced values raises CaptureError, and
jit then runs the function in lazy mode.
"""

from collections.abc import Callable, Sequence
from typing import Any

from lazynp.api import shaping
from lazynp.trace import trees


def scan(f: Callable[..., Any], init: Any, xs: Any = None, length: int | None = None, reverse: bool = False) -> tuple[Any, Any]:
    """carry, ys = scan(f, init, xs): f(carry, x) -> (carry, y) over the first axis of the leaves of xs; the ys are stacked.

    xs: pytree of arrays of equal first size n, or None with `length` given. Zero turns give (init, xs's empty stack: None)."""
    n = _length(xs, length)
    order = range(n - 1, -1, -1) if reverse else range(n)
    carry = init
    ys: list[Any] = [None] * n
    for i in order:
        carry, ys[i] = f(carry, _at(xs, i))
    return carry, _stacked(ys)


def map(f: Callable[..., Any], xs: Any) -> Any:
    """The stack of f(x) over the first axis of the leaves of xs."""
    return _stacked([f(_at(xs, i)) for i in range(_length(xs, None))])


def fori_loop(lower: int, upper: int, body: Callable[[int, Any], Any], init: Any) -> Any:
    """value = init; for i in range(lower, upper): value = body(i, value)."""
    value = init
    for i in range(int(lower), int(upper)):
        value = body(i, value)
    return value


def while_loop(condition: Callable[[Any], Any], body: Callable[[Any], Any], init: Any) -> Any:
    """value = init; while condition(value): value = body(value)."""
    value = init
    while condition(value):
        value = body(value)
    return value


def cond(predicate: Any, true_branch: Callable[..., Any], false_branch: Callable[..., Any], *operands: Any) -> Any:
    """One of the branches, applied to the operands; the other one is not evaluated."""
    return true_branch(*operands) if predicate else false_branch(*operands)


def switch(index: Any, branches: Sequence[Callable[..., Any]], *operands: Any) -> Any:
    """branches[index], the index clipped into range, applied to the operands."""
    return branches[min(max(int(index), 0), len(branches) - 1)](*operands)


def _length(xs: Any, length: int | None) -> int:
    sizes = {leaf.shape[0] for leaf in trees.flatten(xs)[0]}
    if length is not None:
        sizes.add(int(length))
    if len(sizes) != 1:
        raise ValueError(f"lazynp.scan: the leaves of xs and `length` must agree on one number of turns, got {sorted(sizes)}")
    return sizes.pop()


def _at(xs: Any, i: int) -> Any:
    return trees.map_leaves(lambda leaf: leaf[i], xs)


def _stacked(ys: list[Any]) -> Any:
    if not ys:
        return None
    return trees.map_leaves(lambda *parts: shaping.stack(parts), ys[0], *ys[1:])
