"""Loops of independent turns, each of which goes round a while loop over a few numbers: some turns abreast, in vectors.

Newton's method for every element, bisections, the points of Mandelbrot's set: what one element does waits for what it did before, so a
processor computes one number at a time. Here 32 elements take their turns together until hardly any of them is left; what an element that
is done would compute is thrown away. Every element goes through the same operations as alone (functions are our own, of which vectors have
the bits of a single number), so results are bit-equal. Where they have raised a flag of the processor (one that was done may have divided
by zero), they are computed again one by one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from lazynp.backends import prelude
from lazynp.backends.choices import BRANCH
from lazynp.backends.fuse import touched_memories
from lazynp.backends.lower import Memory, checked, load, position
from lazynp.backends.nests import Nest, scalars
from lazynp.backends.polynomial import Poly, Sizes, all_atoms
from lazynp.backends.render import kernel_of
from lazynp.backends.schedule import Scheduled
from lazynp.backends.unbranched import in_range, selection
from lazynp.backends.values import ALIKE, shifted
from lazynp.ir.node import Node, const
from lazynp.ops import elementwise as ew
from lazynp.ops.structured import while_

if TYPE_CHECKING:
    from lazynp.backends.control import Block, Control
    from lazynp.backends.independent import Independence
    from lazynp.backends.loops import Turns

LANES = 32
"""Elements that take their turns together: four vectors of 512 bits. One vector waits for its own results (10,000 bisections: 744, 408 and
240 us with one, two and four), more wait for the slowest of more elements."""
_FEW = 4
"""Elements that go on one by one: a turn of all takes about as long as so many alone."""
_WASTED = 3
"""Blocks that are computed twice, or in which few lanes go on for long, before none is tried for a while."""
_OFTEN = 256
"""Calls of the function after which one more block is tried: a thread has the counts for itself, and chunks of a loop are calls."""
_BUSY, _BUSY_OF_SUMS = 12, 28
"""Elements, in the mean of all turns of a block, that make up for the others. A processor that guesses well has several elements in work
by itself, where a turn is nothing but sums and products: Mandelbrot's set on a coarse grid took 203 us in lanes, 155 alone."""
_VECTORS = {
    ew.add, ew.subtract, ew.multiply, ew.divide, ew.negative, ew.absolute, ew.square, ew.reciprocal, ew.sqrt, ew.where,
    ew.less, ew.less_equal, ew.greater, ew.greater_equal, ew.equal, ew.not_equal, ew.logical_and, ew.logical_or, ew.logical_not,
    ew.bitwise_and, ew.bitwise_or, ew.bitwise_xor, ew.invert, ew.cast, ew.doubtful, ew.isfinite, ew.isnan, ew.isinf,
}  # fmt: skip
"""What vectors compute to the last bit as single numbers do; functions (ALIKE) too."""
_DTYPES = tuple(map(np.dtype, ("f8", "i8", "?")))


class Laned(NamedTuple):
    """A loop that runs in lanes: what comes before the while loop in a turn, and what comes after it; test, body: of the while loop, where
    branches are selections. own: what every lane has for itself;
    watched: truth values that say of all results whether they are Python's; alike: whether the while loop calls functions, which must then
    have the same bits for one element alone."""

    before: list[Scheduled]
    inner: Control
    after: list[Scheduled]
    test: list[Scheduled]
    body: list[Scheduled]
    own: set[Memory]
    watched: set[Memory]
    count: str
    busy: int
    alike: bool


def laned(control: Control, found: Independence, sizes: Sizes) -> Laned | None:
    """The loop, whose turns are independent, as lanes; None where it has another form, or computes what vectors do not."""
    parts = control.blocks[0].parts
    step = control.limits[2]
    inner = [part for part in parts if not isinstance(part, list)]
    if len(inner) != 1 or inner[0].kind is not while_ or not isinstance(step, Poly) or step.constant != 1:
        return None
    (repeated,) = inner
    test, body = [_without_branches(block) for block in repeated.blocks]
    if test is None or body is None:
        return None
    place = parts.index(repeated)
    before, after = [[item for part in some for group in part for item in group] for some in (parts[:place], parts[place + 1 :])]  # type: ignore[union-attr]
    looped = [item.nest for item in (*test, *body)]
    touched = {m for nest in (*looped, *[item.nest for item in before]) for m in touched_memories(nest)}
    watched = {r.memory for r in found.reductions if r.memory in touched}
    private = found.own | watched
    if any(m.dtype != bool for m in watched) or not all(m.size.constant == 1 and m.dtype in _DTYPES for m in private):
        return None
    if not all(_is_own(nest, private) for nest in (*looped, *[item.nest for item in before])):
        return None
    places = {place for place, _ in repeated.integers}
    nodes = [node for nest in looped for node in scalars(nest.computed())]
    if not all(_is_vector(node, private, places, sizes) for node in nodes):
        return None
    count = "LZ_LANES" if any(map(_is_wide, nodes)) else "LZ_PLAIN_LANES"
    late = any(n.op is ew.where or n.op.cost > 1.0 for n in nodes if n.args)
    alike = any(n.op in ALIKE for n in nodes)
    return Laned(before, repeated, after, test, body, private, watched, count, _BUSY if late else _BUSY_OF_SUMS, alike)


def _without_branches(block: Block) -> list[Scheduled] | None:
    """The points of a turn, of branches both sides; None where it has something else, or sides that must not be computed."""
    found = []
    for part in block.parts:
        if isinstance(part, list):
            found += [item for group in part for item in group]
        elif (nest := selection(part)) is not None:
            found.append(Scheduled(nest, rows=False))
        else:
            return None
    return found


def _is_wide(node: Node) -> bool:
    """Whether vectors of 256 bits have no instruction for it: products and shifts of integers, their conversion to floating point."""
    integers = any(a.dtype.kind == "i" for a in node.args)
    return integers and (
        node.op in (ew.multiply, ew.square, ew.absolute, ew.right_shift) or node.op is ew.cast or shifted(node) is not None
    )


def _is_own(nest: Nest, private: set[Memory]) -> bool:
    """Whether a nest is a point that stores to what a lane has for itself, and cannot fail."""
    point = nest.kind == "loops" and not (nest.axes or nest.folds or nest.scattered or nest.moves or nest.call)
    return point and all(s.buffer.memory in private for s in nest.stores) and not any(n.op is checked for n in scalars(nest.computed()))


def _is_vector(node: Node, private: set[Memory], places: set[int], sizes: Sizes) -> bool:
    """Whether a lane that is done, or has not begun, may compute a value, and a vector has its bits. places: of integers of the loop."""
    if node.dtype not in _DTYPES:
        return False
    if node.op is load:
        moves = any(sizes.place_of(a) in places or sizes.place_of(a) in sizes.inner for a in all_atoms(node.address))
        return not node.guards and (node.buffer.memory in private or (not moves and in_range(node.buffer.memory, node.address, sizes)))
    if node.op is ew.cast:
        return node.dtype.kind != "i" or node.args[0].dtype.kind != "f"
    if node.op in (ew.left_shift, ew.right_shift):
        return node.args[1].op is const
    if node.op in ALIKE:
        return node.dtype == np.float64
    return node.op in (const, position) or node.op in _VECTORS or shifted(node) is not None


# --- text ------------------------------------------------------------------------------------------------------------


def printed(turns: Turns, control: Control, found: Laned, start: str, look: list[str]) -> list[str]:
    """The loop: some turns abreast as long as there are enough, then one by one. look: for signals, between turns."""
    count = found.count
    writer, name, left, often = turns.writer, f"n{control.index}", turns.writer.fresh("left"), turns.often(control)
    look = [f"if (__builtin_expect(--{left} < 0, 0)) {{", f"{left} = {often};", *look, "}"] if look else []
    end, stop, wasted, base, flags, busy = [writer.fresh(letter) for letter in ("end", "stop", "wasted", "base", "flags", "busy")]
    calls = writer.fresh("calls")
    turns.counters += [f"static __thread int {wasted}, {calls};", f"if (!(++{calls} & {_OFTEN - 1})) {wasted} -= {wasted} > 0;"]
    writer.alike = found.alike
    single = [*turns.turn(control), *turns.block(control.blocks[0]), *turns.check(control)]
    watched = [m for m in writer.used if m in found.watched]
    writer.lanes = found.own
    head = [f"for (int lane = 0; lane < {count}; lane++) {{", f"const int64_t {name} = {base} + lane;"]
    head += turns.turn(control)
    opening = [*head, "going[lane] = -1;", *[f"{turns.load(m)} = 0;" for m in watched], *_nests(turns, found.before), "}"]
    closing = [*head, *_nests(turns, found.after), "}"]
    doubts = [f"{turns.text.name(m)}[0] |= {turns.load(m)} != 0;" for m in watched]
    rounds = _rounds(turns, found, head, busy)
    writer.lanes = set()
    last = turns.while_(found.inner)
    state = [turns.text.name(m) for m in writer.used if m in found.own and m is not found.inner.predicate]
    rounds += [
        *head[:1], "if (!going[lane]) continue;", *head[1:], *[f"{m}[0] = {m}_lanes[lane];" for m in state], *last,
        *[f"{m}_lanes[lane] = {m}[0];" for m in state], "}",
    ]  # fmt: skip
    arrays = [f"{_lane_type(m)} {turns.text.name(m)}_lanes[{LANES}] __attribute__((aligned(64)));" for m in writer.used if m in found.own]
    writer.alike = False
    closing[-1:-1] = doubts
    return [
        "{", f"const int64_t {end} = {turns.range(control)[1]};", *([f"int {left} = {often};"] if look else []),
        f"for (int64_t {name} = {start}; {name} < {end};) {{", *look,
        f"int64_t {stop} = {end};",
        f"if ({count}{' && LZ_FORMS' if found.alike else ''} && {name} + {count} <= {end} && {wasted} < {_WASTED}) {{",
        f"const int64_t {base} = {name}, {flags} = lz_flags();",
        f"int64_t {busy} = 0, going[{LANES}] __attribute__((aligned(64)));", *arrays, *opening, *rounds,
        f"if ({busy} < 0) {wasted}++; else {wasted} -= {wasted} > 0;",
        f"if (lz_flags() == {flags}) {{", *closing, f"{name} += {count};", "continue;", "}",
        f"lz_clear_flags(); lz_raise_flags({flags});", f"{wasted}++;", f"{stop} = {base} + {count};", "}",
        f"for (; {name} < {stop}; {name}++) {{", *look, *single, "}", "}", "}",
    ]  # fmt: skip


def _lane_type(memory: Memory) -> str:
    """Truth values are as wide as what they are computed from."""
    return "int64_t" if memory.dtype == bool else prelude.ctype(memory.dtype)


def _nests(turns: Turns, items: list[Scheduled]) -> list[str]:
    """What a lane does once, one lane after the other where vectors would compute other bits."""
    known = {*_VECTORS, const, position, load, *(ALIKE if turns.writer.alike else ())}
    exact = all(n.op in known for item in items for n in scalars(item.nest.computed()))
    return _points(turns, items) if exact else [BRANCH, *_points(turns, items)]


def _points(turns: Turns, items: list[Scheduled]) -> list[str]:
    return [line for item in items for line in kernel_of(turns.text, 0, item, turns.writer, inline=True).block()]


def _rounds(turns: Turns, found: Laned, head: list[str], busy: str) -> list[str]:
    """The while loop, until hardly any lane goes on. busy: lanes that went on, beyond those that make a turn of all worth it."""
    inner = found.inner
    assert isinstance(inner.predicate, Memory)
    turn = turns.writer.fresh("turn")
    bound = "" if inner.limit is None else f"{turn} < {inner.limit}"
    integers, often = turns.turn(inner), turns.often(inner)
    test = _points(turns, found.test)
    turns.writer.masked = True
    body = _points(turns, found.body)
    turns.writer.masked = False
    look = [] if turns.is_brief(inner) else [f"if (__builtin_expect(({turn} & {often - 1}) == {often - 1}, 0)) {{", *turns.look(inner), "}"]
    return [
        f"for (int64_t {turn} = 0; {bound}; {turn}++) {{", "int64_t any = 0;", "#pragma omp simd reduction(+:any)", *head, *integers, *test,
        f"going[lane] &= -(int64_t)({turns.load(inner.predicate)} != 0);", "any += going[lane] & 1;", *body, "}",
        f"if (any < {_FEW}) break;", f"{busy} += any - {found.busy};", *look, "}",
    ]  # fmt: skip
