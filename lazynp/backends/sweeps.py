"""Sweeps in place: loops over rows and columns of which each element waits for its left neighbour, several rows at a time.

    sweep_of(nest, rows, columns, bounds, sizes) -> Sweep | None     whether loops are such a sweep, and how far rows must stay apart
    swept(turns, control, inner, sweep)                              their lines

In `u[i, j] = f(u[i, j-1], u[i-1, j], u[i+1, j], ...)` a row is one chain of operations, and the processor mostly waits. Rows that run
`lag` columns behind one another read what they read in the loops as they are written, so no bit changes, and their chains do not wait for
each other.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from lazynp.backends import prelude
from lazynp.backends.lower import Memory, checked, load
from lazynp.backends.nests import Nest, Store, scalars
from lazynp.backends.polynomial import Atom, Poly, Sizes, poly
from lazynp.backends.values import is_own, joined_truth
from lazynp.ir.node import Node
from lazynp.ops import elementwise as ew

if TYPE_CHECKING:
    from lazynp.backends.control import Control
    from lazynp.backends.loops import Turns

ROWS = 4
"""Rows at a time (120 x 120 Gauss-Seidel: two 207 -> 130 us, four 82 us). Only where not all of them are between their ends, each is asked
(a longest common subsequence of 300 and 300: 87 -> 77 us)."""
_LEAST_COLUMNS = 32
_MOST_NODES = 64
"""Operations of an element: more keep a processor busy without neighbours."""
_LAG = 2
_FAR, _WIDE = 3, 8
"""Rows and columns between a point and what it reads."""


class Sweep(NamedTuple):
    """memory: what is swept; place: the address that a point stores to; left: that of the neighbour that it waits for, first: the same in
    the first column; lag: columns between one row and the next; room: where it is negative, a row reaches into the next one."""

    memory: Memory
    place: Poly
    left: Poly
    first: Poly
    lag: int
    room: Poly


def sweep_of(nest: Nest, rows: int, columns: int, bounds: tuple[Poly, Poly], sizes: Sizes) -> Sweep | None:
    """nest: one point; rows, columns: the positions of the loops' variables; bounds: where the columns begin and end."""
    count = bounds[1] - bounds[0]
    if nest.kind != "loops" or nest.axes or nest.folds or nest.moves or nest.call or sizes.loop_places(count):
        return None
    nodes = scalars(nest.roots())
    swept = [s for s in nest.stores if s.buffer.memory.size.constant != 1]
    few = count.constant is not None and count.constant < _LEAST_COLUMNS
    if few or len(swept) != 1 or len(nodes) > _MOST_NODES or any(n.op is checked for n in nodes):
        return None
    store = swept[0]
    if not all(s is store or _is_unordered(s, nodes) for s in nest.stores):
        return None
    row, column = _atom(store.address, rows, sizes), _atom(store.address, columns, sizes)
    if row is None or column is None or store.address.coefficient(column) != poly(1):
        return None
    reads = [n for n in nodes if n.op is load and n.buffer.memory is store.buffer.memory]
    stride = store.address.coefficient(row)
    if stride is None or sizes.loop_places(stride) or any(n.guards for n in reads):
        return None
    apart = _apart([n.address - store.address for n in reads], stride, count)
    if apart is None:
        return None
    left = store.address - 1
    return Sweep(store.buffer.memory, store.address, left, left.replaced({column: bounds[0]}), *apart)


def _apart(distances: list[Poly], stride: Poly, count: Poly) -> tuple[int, Poly] | None:
    """(lag, room) of elements that are read at these distances; None where rows meet, or nothing waits for its left neighbour."""
    steps = [_rows_and_columns(d, stride) for d in distances]
    if (0, -1) not in steps or None in steps:
        return None
    found = [step for step in steps if step is not None]
    sides = [0, *[right for _, right in found]]
    room = stride - count - (max(sides) - min(sides))
    if room.constant is not None and room.constant < 0:
        return None
    return max([_LAG, *[-(-abs(right) // abs(down)) for down, right in found if down]]), room


def _rows_and_columns(distance: Poly, stride: Poly) -> tuple[int, int] | None:
    """(down, right) of distance = down * stride + right, for a few rows and columns."""
    for down in range(-_FAR, _FAR + 1):
        right = (distance - stride * down).constant
        if right is not None and abs(right) <= _WIDE:
            return down, right
    return None


def _atom(address: Poly, place: int, sizes: Sizes) -> Atom | None:
    return next((a for a in address.atoms() if sizes.place_of(a) == place), None)


def _is_unordered(store: Store, nodes: list[Node]) -> bool:
    """Whether a single number becomes the greatest of itself and magnitudes, or a truth value is set or cleared: in any order alike."""
    value = store.value
    own = [n for n in nodes if n.op is load and n.buffer.memory is store.buffer.memory]
    if len(own) != 1 or not is_own(own[0], store) or sum(a is own[0] for n in nodes for a in n.args) != len(value.args) - 1:
        return False
    if joined_truth(store) is not None:
        return True
    if value.op is ew.where:
        test, new, kept = value.args
        return kept is own[0] and new.op is ew.absolute and test.op is ew.greater and test.args == (new, kept)
    return value.op is ew.maximum and own[0] in value.args and any(a.op is ew.absolute for a in value.args)


def swept(turns: Turns, control: Control, inner: Control, sweep: Sweep) -> list[str]:
    """Some rows at a time, each `lag` columns behind the one before; then the rows that are left. inner: the loop over columns."""
    first, last = turns.range(inner)
    row, column, t, begin = f"n{control.index}", f"n{inner.index}", turns.writer.fresh("t"), turns.writer.fresh("row")
    ctype = prelude.ctype(sweep.memory.dtype)
    opening, points, guarded = [], [], []
    turns.turn(control)
    turns.turn(inner)
    for k in range(ROWS):
        name, behind = turns.writer.fresh("left"), k * sweep.lag
        place = f"const int64_t {row} = {begin} + {k}"
        opening += [
            f"{ctype} {name};",
            f"{{ {place}; {name} = {turns.writer.pointer(sweep.memory)}[{turns.writer.poly(sweep.first)}]; }}",
        ]
        turns.writer.neighbour = (sweep.memory, sweep.left, sweep.place, name)
        point = [f"{place}, {column} = {t} - {behind};", *turns.block(inner.blocks[0]), "}"]
        points += ["{", *point]
        guarded += [f"if ({t} >= {first} + {behind} && {t} < {last} + {behind}) {{", *point]
    turns.writer.neighbour = None
    end, look = turns.range(control)[1], [] if turns.is_brief(control) else turns.look(control)
    enough = f"{turns.writer.poly(sweep.room)} >= 0 && {first} < {last} && {begin} + {ROWS - 1} < {end}"
    lag = (ROWS - 1) * sweep.lag
    return [
        "{", f"int64_t {begin} = {turns.range(control)[0]};", f"for (; {enough}; {begin} += {ROWS}) {{", *opening,
        f"int64_t {t} = {first};", "for (int side = 0; side < 2; side++) {",
        f"const int64_t stop = (side ? {last} : {first}) + {lag};", f"for (; {t} < stop; {t}++) {{", *guarded, "}",
        f"if (!side) for (; {t} < {last}; {t}++) {{", *points, "}", "}",
        *look, "}", *turns.plain_loop(control, begin), "}",
    ]  # fmt: skip
