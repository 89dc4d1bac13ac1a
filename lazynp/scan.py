"""Explicit control flow: `scan`, `fori_loop`, `while_loop`, `cond`, `switch`, `map`, `associative_scan`.

Outside a trace each turn runs as ordinary lazy NumPy and the queue flushes at the loop boundary, so all turns share one compiled program.
Inside a trace (jit, grad, vmap) a loop is one node of the graph, compiled once for all its turns: a loop in C. Bodies may write in place
to arrays of the surroundings, index and slice with the loop variable, and contain further loops. Loops of at most `config.unroll` turns
are written out. Inside jit, loops and branches in the functions given are captured. What cannot be compiled raises CaptureError, and jit
then runs the function in lazy mode.
"""

from collections.abc import Callable, Sequence
from math import isqrt
from typing import Any

from lazynp import array as arrays
from lazynp import operands
from lazynp.api import along, creation, selecting, shaping
from lazynp.array import ndarray
from lazynp.errors import CaptureError
from lazynp.ir.types import Symbolic
from lazynp.ops.elementwise import filled
from lazynp.runtime.storage import trace_scope, tracing
from lazynp.trace import bodies, queues, trees
from lazynp.trace.collecting import Stacks
from lazynp.trace.control import captured_under_jit, turn_of
from lazynp.trace.markers import stop_gradient
from lazynp.trace.places import Journal

Function = Callable[..., Any]


def fori_loop(lower: Any, upper: Any, body: Callable[[Any, Any], Any], init: Any, step: int = 1, checkpoint: bool | int = False) -> Any:
    """value = init; for i in range(lower, upper, step): value = body(i, value). init: a pytree of arrays and Python numbers.

    lower, upper: ints, or in a trace 0-d integer arrays and numbers made of loop variables around this one. checkpoint: for derivatives
    backwards keep the values of every k-th turn only and compute those between them again; True: k is the square root of the number of
    turns, which must be known (Chen et al. 2016, section 4.1)."""

    def turn_by_turn() -> Any:
        value = init
        for i in range(int(lower), int(upper), int(step)):
            value = body(i, value)
        return value

    def structured() -> Any:
        if checkpoint:
            return _in_segments(int(lower), int(upper), int(step), _pure(body), init, checkpoint)
        return bodies.traced_for(_limit(lower), _limit(upper), _limit(step), _pure(body), init)

    return _compiled(structured, turn_by_turn)


along.hooks.loop, along.hooks.captured = fori_loop, captured_under_jit


def _compiled(structured: Callable[[], Any], turn_by_turn: Callable[[], Any]) -> Any:
    """In a trace the structured form. A derivative that is taken outside of jit has all values at hand: what cannot be captured there is
    written out, as before there were structured forms."""
    if not tracing():
        return turn_by_turn()
    try:
        return structured()
    except CaptureError:
        if queues.under_jit():
            raise
        return turn_by_turn()


def _pure(f: Function) -> Function:
    """The user's function as a part of a graph, its own loops and branches captured. Raises CaptureError where it changes Python objects,
    or calls what may: a compiled loop would do that once."""

    def body(*args: Any) -> Any:
        with Journal() as journal:
            result = turn_of(f)(*args)
        if journal.found():
            raise CaptureError("a function given to lazynp.scan changes variables: return what they become")
        return result

    return body


def _in_segments(lower: int, upper: int, step: int, body: Callable[[Any, Any], Any], init: Any, checkpoint: bool | int) -> Any:
    count = len(range(lower, upper, step))
    length = max(1, isqrt(count) if checkpoint is True else min(checkpoint, count))

    def segment(k: Any, value: Any) -> Any:
        return bodies.traced_for(0, length, 1, lambda t, v: body(lower + step * (k * length + t), v), value, again=True)

    value = bodies.traced_for(0, count // length, 1, segment, init)
    return bodies.traced_for(lower + step * (count - count % length), upper, step, body, value)


def _limit(n: Any) -> Any:
    """A limit of a loop: a plain int where Python knows it."""
    return n if type(n) is ndarray or isinstance(n, Symbolic) else int(n)


def while_loop(condition: Callable[[Any], Any], body: Callable[[Any], Any], init: Any, limit: int | None = None) -> Any:
    """value = init; while condition(value): value = body(value), at most `limit` times. Without a limit, reverse-mode derivatives run
    the loop once more, to count its turns."""

    def turn_by_turn() -> Any:
        value, turns = init, 0
        while turns != limit and condition(value):
            value, turns = body(value), turns + 1
        return value

    return _compiled(lambda: bodies.traced_while(_pure(condition), _pure(body), init, limit), turn_by_turn)


def cond(predicate: Any, true_branch: Function, false_branch: Function, *operands: Any) -> Any:
    """One of the branches, applied to the operands; the other one is not evaluated."""
    return _compiled(
        lambda: bodies.traced_cond(predicate, _pure(true_branch), _pure(false_branch), operands),
        lambda: true_branch(*operands) if predicate else false_branch(*operands),
    )


def switch(index: Any, branches: Sequence[Function], *operands: Any) -> Any:
    """branches[index], the index clipped into range, applied to the operands."""
    if type(index) is not ndarray and not isinstance(index, Symbolic):
        return captured_under_jit(branches[min(max(int(index), 0), len(branches) - 1)])(*operands)
    if not tracing():
        return switch(int(index), branches, *operands)
    first, *rest = branches
    if not rest:
        return captured_under_jit(first)(*operands)
    return cond(index <= 0, first, lambda *values: switch(index - 1, rest, *values), *operands)


# --- scans -----------------------------------------------------------------------------------------------------------


def scan(
    f: Callable[[Any, Any], tuple[Any, Any]],
    init: Any,
    xs: Any = None,
    length: int | None = None,
    reverse: bool = False,
    unroll: int = 1,
    checkpoint: bool | int = False,
    until: Callable[[Any, Any], Any] | None = None,
    truncate: int | None = None,
) -> Any:
    """carry, ys = scan(f, init, xs): f(carry, x) -> (carry, y) over the first axis of the leaves of xs; the ys are stacked.

    xs: pytree of arrays of equal first size n, or None with `length` given. reverse: from the last x to the first; ys stay in the order of
    xs. unroll: turns that one turn of the compiled loop does. checkpoint: as for fori_loop. With n == 0 the ys are empty arrays of the
    right types. until: the first turn after which until(carry, y) is true is the last one, and carry, ys, turns are returned; there is room
    for n ys, and those of turns that were not done are zeros. truncate: derivatives see the last `truncate` turns only; to them all before
    is constant (Williams & Peng 1990)."""
    n = _length(xs, length)
    if n == 0:
        ys = _empty(f, init, xs)
        return (init, ys) if until is None else (init, ys, 0)
    if until is not None:
        return _compiled(
            lambda: _scan_until(_pure(f), init, xs, n, reverse, _pure(until), truncate), lambda: _until(f, init, xs, n, reverse, until)
        )
    if truncate is not None and truncate < n and tracing():
        return _truncated(f, init, xs, n, reverse, unroll, checkpoint, truncate)

    def turn_by_turn() -> Any:
        carry = init
        ys: list[Any] = [None] * n
        for i in range(n - 1, -1, -1) if reverse else range(n):
            carry, ys[i] = f(carry, _at(xs, i))
        return carry, _stacked(ys)

    return _compiled(lambda: _traced_scan(_pure(f), init, xs, n, reverse, unroll, checkpoint), turn_by_turn)


def _traced_scan(f: Function, init: Any, xs: Any, n: int, reverse: bool, unroll: int, checkpoint: bool | int) -> tuple[Any, Any]:
    stacks = Stacks(n)

    def turn(t: Any, carry: Any) -> Any:
        i = n - 1 - t if reverse else t
        carry, y = f(carry, _at(xs, i))
        stacks.put(i, y)
        return carry

    def turns(t: Any, carry: Any) -> Any:
        for k in range(unroll):
            carry = turn(t * unroll + k, carry)
        return carry

    whole = n // unroll if unroll > 1 else 0
    carry = fori_loop(0, whole, turns, init, 1, checkpoint) if whole else init
    carry = fori_loop(whole * unroll, n, turn, carry, 1, checkpoint and not whole)
    return carry, stacks.tree()


def _truncated(
    f: Function, init: Any, xs: Any, n: int, reverse: bool, unroll: int, checkpoint: bool | int, truncate: int
) -> tuple[Any, Any]:
    """The scan in two parts, of which the first one is a constant to derivatives."""
    before = slice(truncate, n) if reverse else slice(0, n - truncate)
    since = slice(0, truncate) if reverse else slice(n - truncate, n)
    carry, early = stop_gradient(scan(f, init, _at(xs, before), n - truncate, reverse, unroll, checkpoint))
    carry, late = scan(f, carry, _at(xs, since), truncate, reverse, unroll, checkpoint)
    return carry, trees.map_leaves(lambda *ys: shaping.concatenate(ys), *((late, early) if reverse else (early, late)))


def _scan_until(f: Function, init: Any, xs: Any, n: int, reverse: bool, until: Function, truncate: int | None) -> tuple[Any, Any, Any]:
    """A while loop whose turns collect what they find."""
    if truncate == 0:
        return stop_gradient(_scan_until(f, init, xs, n, reverse, until, None))  # type: ignore[no-any-return]
    stacks = Stacks(n)
    first = -1 if truncate is None else stop_gradient(_scan_until(f, init, xs, n, reverse, until, None)[2]) - truncate

    def turn(state: Any) -> Any:
        turns, _, carry = state
        i = n - 1 - turns if reverse else turns
        if truncate is not None:
            carry = trees.map_leaves(lambda c: selecting.where(turns == first, stop_gradient(c), c), carry)
        carry, y = f(carry, _at(xs, i))
        done = _truth(until(carry, y))
        stacks.put(i, y if truncate is None else trees.map_leaves(lambda v: selecting.where(turns < first, stop_gradient(v), v), y))
        return turns + 1, done, carry

    turns, _, carry = while_loop(lambda state: ~state[1], turn, (0, _truth(False), init), limit=n)
    return carry, stacks.tree(), turns


def _until(f: Function, init: Any, xs: Any, n: int, reverse: bool, until: Function) -> tuple[Any, Any, int]:
    carry, done, turns = init, False, 0
    ys: list[Any] = []
    while not done and turns < n:
        carry, y = f(carry, _at(xs, n - 1 - turns if reverse else turns))
        done, turns = until(carry, y), turns + 1
        ys.append(y)
    ys += [trees.map_leaves(creation.zeros_like, ys[0])] * (n - turns)
    return carry, _stacked(ys[::-1] if reverse else ys), turns


def _truth(value: Any) -> Any:
    return arrays.wrap(bodies.truth(value))


def _empty(f: Function, init: Any, xs: Any) -> Any:
    """The ys of no turn: f is traced once for their types."""
    with trace_scope() as scope:
        try:
            elements = trees.map_leaves(lambda x: arrays.wrap(filled(x.shape[1:], 0, x.dtype)), xs)
            leaves, structure = trees.flatten(captured_under_jit(f)(init, elements)[1])
            types = [operands.node_of(leaf).type for leaf in leaves]
        finally:
            scope.restore()
    return trees.unflatten(structure, [creation.zeros((0, *t.shape), t.dtype) for t in types])


def map(f: Function, xs: Any) -> Any:
    """The stack of f(x) over the first axis of the leaves of xs."""
    return scan(lambda carry, x: (carry, captured_under_jit(f)(x)), (), xs)[1]


def associative_scan(f: Callable[[Any, Any], Any], xs: Any, reverse: bool = False) -> Any:
    """The running results of an associative f over the first axis of the leaves of xs, in a number of steps that grows with log(n).

    f(a, b) works on whole stacks: trees like xs whose leaves have any first size. Blelloch 1990, section 1.4."""
    if reverse:
        xs = trees.map_leaves(lambda x: x[::-1], xs)
    f, n = captured_under_jit(f), _length(xs, None)
    results = _running(f, xs, n) if n else xs
    return trees.map_leaves(lambda x: x[::-1], results) if reverse else results


def _running(f: Callable[[Any, Any], Any], xs: Any, n: int) -> Any:
    """Pairs are combined, their running results found, and those of the places between filled in."""
    if n == 1:
        return xs
    pairs = f(trees.map_leaves(lambda x: x[0 : n - 1 : 2], xs), trees.map_leaves(lambda x: x[1:n:2], xs))
    odd = _running(f, pairs, n // 2)
    count = (n - 1) // 2
    even = f(trees.map_leaves(lambda x: x[:count], odd), trees.map_leaves(lambda x: x[2::2], xs)) if count else None

    def merged(x: Any, odds: Any, *evens: Any) -> Any:
        out = creation.zeros((n, *odds.shape[1:]), odds.dtype)
        out[0] = x[0]
        out[1::2] = odds
        if evens:
            out[2::2] = evens[0]
        return out

    return trees.map_leaves(merged, xs, odd, *([even] if count else []))


def _length(xs: Any, length: int | None) -> int:
    sizes = {leaf.shape[0] for leaf in trees.flatten(xs)[0]}
    if length is not None:
        sizes.add(int(length))
    if len(sizes) != 1:
        raise ValueError(f"lazynp.scan: the leaves of xs and `length` must agree on one number of turns, got {sorted(sizes)}")
    if length is not None and length < 0:
        raise ValueError(f"lazynp.scan: `length` must not be negative, got {length}")
    return sizes.pop()


def _at(xs: Any, i: Any) -> Any:
    return trees.map_leaves(lambda leaf: (leaf if type(leaf) is ndarray or not tracing() else _array(leaf))[i], xs)


def _array(leaf: Any) -> Any:
    return arrays.wrap(operands.node_of(leaf))


def _stacked(ys: list[Any]) -> Any:
    if not ys:
        return None
    return trees.map_leaves(lambda *parts: shaping.stack(parts), ys[0], *ys[1:])
