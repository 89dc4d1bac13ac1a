"""Bands: nests over the same rows run band of rows by band of rows, so that what one leaves in the cache the next one finds there.

Temporaries that only the nests of a band touch need no more memory than the rows of a band: they lie on the stack of the function.
"""

from __future__ import annotations

from collections.abc import Iterable

from lazynp import choices
from lazynp.backends.fuse import Touched, touched_memories
from lazynp.backends.lower import Memory
from lazynp.backends.nests import scalars
from lazynp.backends.polynomial import Atom, Poly, Sizes, lower_bound, never_negative, product, upper_bound
from lazynp.backends.schedule import Scheduled

_LOOK_BACK = 6
"""How many groups back one to join is looked for."""
_STACK = 96 << 10
"""Bytes of such temporaries of one function: threads of some systems have 128 kB of stack."""
_LANES = (16, 8)
"""Rows that are folded beside each other: bands end where these do."""
_MOST_SCALARS = 400
"""Operations of all nests of a band."""
_MOST_BEFORE_SCATTER = 60.0
"""A scatter runs on one thread, and so does what shares its band: no more than so many additions for an element."""


def bands(scheduled: list[Scheduled]) -> list[list[Scheduled]]:
    """Groups of nests that can run band of rows by band of rows, in an order that respects every hazard."""
    groups: list[list[Scheduled]] = []
    touched: list[list[Touched]] = []
    for item in scheduled:
        mine = Touched(item.nest)
        place = _group_of(groups, touched, item, mine)
        if place is not None:  # what comes in between goes before it
            groups.append([*groups.pop(place), item])
            touched.append([*touched.pop(place), mine])
        else:
            groups.append([item])
            touched.append([mine])
    return groups


def _group_of(groups: list[list[Scheduled]], touched: list[list[Touched]], item: Scheduled, mine: Touched) -> int | None:
    """The last group that a nest may join, where that is not kept from coming right before it."""
    for place in range(len(groups) - 1, max(-1, len(groups) - 1 - _LOOK_BACK), -1):
        if _joins(groups[place], touched[place], item, mine):
            between = [one for later in touched[place + 1 :] for one in later]
            return None if any(one.conflicts(other) for one in touched[place] for other in between) else place
    return None


def _joins(group: list[Scheduled], members: list[Touched], item: Scheduled, mine: Touched) -> bool:
    first = group[0].nest
    if not all(has_rows(s) for s in (group[0], item)) or first.axes[0] != item.nest.axes[0]:
        return False
    if sum(m.count for m in members) + mine.count > _MOST_SCALARS:
        return False
    row = first.axes[0].variable
    related = False
    for other, member in zip(group, members, strict=True):
        for memory in {**member.writes, **mine.writes}:
            uses = [(other, member.reads), (other, member.writes), (item, mine.reads), (item, mine.writes)]
            both = any(memory in m for m in (member.reads, member.writes)) and any(memory in m for m in (mine.reads, mine.writes))
            if not both:
                continue
            related = True
            if not same_rows(row, [(s, a) for s, m in uses for a in m.get(memory, ())]):
                return False
    return related and not (any(s.nest.kind == "scatter" for s in (*group, item)) and _is_dear([*group, item]))


def _is_dear(group: list[Scheduled]) -> bool:
    """Whether what the nests compute for an element is worth more than one thread."""
    return sum([node.op.cost for item in group for node in scalars(item.nest.roots())]) > _MOST_BEFORE_SCATTER


def has_rows(item: Scheduled) -> bool:
    """Whether the outermost loop is over independent rows and something is left inside it."""
    nest = item.nest
    if nest.kind not in ("loops", "scatter") or nest.moves or not nest.axes or nest.axes[0].variable in nest.reduced:
        return False
    return not item.rows or len(nest.axes) >= 3


def same_rows(row: Atom, uses: list[tuple[Scheduled, Poly]], sizes: Sizes | None = None) -> bool:
    """Whether every address lies in the stretch of memory that belongs to its row alone. sizes: at all turns of the loops around."""
    strides = {address.coefficient(row) for _, address in uses}
    if len(strides) != 1:
        return False
    (stride,) = strides
    if stride is None or stride.variables or not stride.terms or not never_negative(stride - 1):
        return False
    for item, address in uses:
        rest = address - Poly({(row,): 1}) * stride
        bounds = {a.variable: (a.begin, a.end - 1) for a in item.nest.axes}
        low, high = lower_bound(rest, bounds), upper_bound(rest, bounds)
        if sizes is not None and low is not None and high is not None:
            low, high = sizes.lower(low), sizes.upper(high)
        if low is None or high is None or not never_negative(low) or not never_negative(stride - 1 - high):
            return False
    return True


# --- temporaries of a band -------------------------------------------------------------------------------------------


def band_of(group: list[Scheduled]) -> int:
    """The elements of a band of some nests."""
    widest = max([memory.dtype.itemsize for item in group for memory in touched_memories(item.nest)], default=8)
    return max(choices.whole("band") // widest, 1)


def rows_of(group: list[Scheduled]) -> int | None:
    """The rows of a band of some nests; None where the size of a row is not known."""
    row_size = product([a.size for a in max([item.nest.axes for item in group], key=len)[1:]]).constant
    if row_size is None:
        return None
    rows = max(band_of(group) // max(row_size, 1), 1)
    if rows < _LANES[-1] <= 4 * rows:  # within the first-level cache still
        rows = _LANES[-1]
    return next((rows // lanes * lanes for lanes in _LANES if rows >= lanes), rows)


def row_stride(group: list[Scheduled], memory: Memory) -> int:
    """The elements of a memory that belong to one row of a band."""
    row = group[0].nest.axes[0].variable
    stride = next(a for item in group for buffer, a in item.nest.targets() if buffer.memory is memory).coefficient(row)
    assert stride is not None and stride.constant is not None
    return stride.constant


def confine(groups: Iterable[list[Scheduled]], held: set[Memory]) -> None:
    """Let temporaries that only one band touches be as long as the band. groups: all of a program that are in no loop of it; held: what
    its loops touch."""
    users: dict[Memory, int] = {}
    touched = [(group, {m: None for item in group for m in touched_memories(item.nest)}) for group in groups]
    for _, memories in touched:
        for memory in memories:
            users[memory] = users.get(memory, 0) + 1
    for group, memories in touched:
        rows = rows_of(group) if len(group) > 1 else None
        room = _STACK
        for memory in memories if rows is not None else ():
            if memory.kind != "temp" or users[memory] > 1 or memory in held or not _by_rows(group, memory):
                continue
            size = rows * row_stride(group, memory) * memory.dtype.itemsize
            if size <= room:
                memory.kind = "band"
                room -= size


def _by_rows(group: list[Scheduled], memory: Memory) -> bool:
    """Whether every row of a band has its own stretch of a temporary, of a known length."""
    touched = [(item, Touched(item.nest)) for item in group]
    uses = [(item, a) for item, one in touched for m in (one.reads, one.writes) for a in m.get(memory, ())]
    row = group[0].nest.axes[0].variable
    if any(memory in one.events for _, one in touched) or not same_rows(row, uses):
        return False
    stride = uses[0][1].coefficient(row)
    return stride is not None and stride.constant is not None
