"""Render: scheduled nests as C text, and all of them as one file."""

from __future__ import annotations

import re

from lazynp.backends import interrupts, prelude
from lazynp.backends.bands import band_of, row_stride, rows_of
from lazynp.backends.calls import gemm_call, lapack_call
from lazynp.backends.chunks import function
from lazynp.backends.folds import RowFold
from lazynp.backends.kernel import Kernel
from lazynp.backends.lines import Line
from lazynp.backends.maps import Map, Scatter, Slide
from lazynp.backends.nests import Lapack, scalars
from lazynp.backends.pieces import BEGIN, END
from lazynp.backends.program import ERRORS, FIRST_SLOT, SIGNALS
from lazynp.backends.schedule import Scheduled
from lazynp.backends.tiles import ColumnFold, Scan
from lazynp.backends.workers import FLAGS, PROTOTYPE
from lazynp.backends.writer import LEAVE, Program, Writer, indented
from lazynp.ops import elementwise as ew

_INDEX = """\
static __attribute__((noinline, cold)) int64_t lz_fail(void **slots, int64_t code, int64_t index, int64_t size) {
    int64_t *error = slots[0];
    if (!error[0]) { error[1] = index; error[2] = size; error[0] = code; }
    return 0;
}
static inline int64_t lz_index(int64_t i, int64_t n, void **slots, int64_t code) {
    const int64_t k = i < 0 ? i + n : i;
    return __builtin_expect((uint64_t)k < (uint64_t)n, 1) ? k : lz_fail(slots, code, i, n);
}
"""

_KINDS: dict[str, type[Kernel]] = {"scan": Scan, "scatter": Scatter}


def kernel_of(program: Program, number: int, scheduled: Scheduled, writer: Writer | None = None, inline: bool = False) -> Kernel:
    """The loops of a nest that is no call of a routine."""
    nest = scheduled.nest
    folding = (ColumnFold if scheduled.rows else RowFold) if nest.folds else Map
    sliding = Slide if len(nest.axes) > 1 else Line
    made = _KINDS.get(nest.kind) or (sliding if nest.moves else folding)
    return made(program, number, scheduled, writer, inline)


def _print_alone(program: Program, number: int, scheduled: Scheduled) -> tuple[str, str]:
    call = scheduled.nest.call
    if call is not None:
        return "", lapack_call(call, program) if isinstance(call, Lapack) else gemm_call(call, program)
    writer = Writer(program)
    if not scheduled.nest.axes and not any(n.op is ew.doubtful for n in scalars(scheduled.nest.computed())):
        writer.leave = "done"  # a single element whose index is out of range is not stored
    kernel = kernel_of(program, number, scheduled, writer)
    body = kernel.body()
    return function(kernel, [*body, "done:;"] if any("goto done;" in line for line in body) else body)


def print_band(program: Program, number: int, group: list[Scheduled]) -> tuple[str, str]:
    """(definition, call) of nests that run band of rows by band of rows."""
    if len(group) == 1:
        return _print_alone(program, number, group[0])
    writer = Writer(program)
    members = [kernel_of(program, number, item, writer) for item in group]
    blocks: list[str] = []
    for member in members:
        blocks += ["{", *member.body(), "}"]
    widest = max(members, key=lambda m: len(m.nest.axes))
    widest.values.cost = sum(m.values.cost for m in members)
    widest.ordered = any(m.ordered for m in members)
    rows, own, begun = rows_of(group), [], []
    for memory in [m for m in writer.used if m.kind == "band"]:
        name, ctype, stride = program.name(memory), prelude.ctype(memory.dtype), row_stride(group, memory)
        assert rows is not None
        own.append(f"{ctype} {name}_rows[{rows * stride}] __attribute__((aligned(64)));")
        begun.append(f"{ctype} *restrict const {name} = {name}_rows - begin * {stride};")
    per = " * ".join([writer.poly(a.size) for a in widest.nest.axes[1:]]) or "1"
    most = band_of(group)
    band = f"row_size < {most} ? {most} / (row_size > 0 ? row_size : 1) : 1" if rows is None else str(rows)
    lines = [
        *([f"const int64_t row_size = {per};"] if rows is None else []),
        *own,
        f"const int64_t first_row = begin, last_row = end, band = {band};",
        "for (int64_t row = first_row; row < last_row; row += band) {",
        "const int64_t begin = row, end = last_row - row < band ? last_row : row + band;",
        *begun,
        *blocks,
        "}",
    ]
    return function(widest, lines)


_MOST_CALLS = 64
"""Statements of one function of calls. Of a function with a thousand products gcc takes time that grows with the square of their number: a
network of a thousand layers compiled in 19 s, in pieces in 6 s."""
_CALL = re.compile(r"(k|loop)\d+(_at)?\(|for \(|\{ ")


def _in_pieces(number: int, calls: list[str]) -> tuple[list[str], list[str]]:
    """(functions, calls of them) instead of a long list of calls; the list itself where it is short, or has statements of other kinds."""
    if len(calls) <= 2 * _MOST_CALLS or any("return" in line or "goto" in line for line in calls):
        return [], calls
    starts, depth = [], 0
    for place, line in enumerate(calls):
        if depth == 0:
            starts.append(place)
            if not _CALL.match(line):
                return [], calls
        depth += line.count("{") - line.count("}")
    functions, made = [], []
    for first in range(0, len(starts), _MOST_CALLS):
        last = starts[first + _MOST_CALLS] if first + _MOST_CALLS < len(starts) else len(calls)
        name = f"calls{number}_{first // _MOST_CALLS}"
        head = f"static __attribute__((noinline)) void {name}(void **slots, const int64_t *dims) {{"
        functions.append(indented([head, *calls[starts[first] : last], "}"]))
        made.append(f"{name}(slots, dims);")
    return functions, made


def source(program: Program, segments: list[list[str]], blas_calls: str) -> str:
    """The whole C file. segments: the calls of each stretch between two Python steps."""
    body = "\n".join(program.functions)
    names = {name for name in re.findall(r"\blz_\w+(?=\()", body) if prelude.has(name)}
    parts = [prelude.emit(names), FLAGS]
    if "lz_parallel" in body or program.products:
        parts.append(PROTOTYPE)
    if program.failures:
        parts.append(_INDEX)
    if program.shared_turns:
        parts.append(program.shared_turns)
    if program.interruptible:
        helper = interrupts.IN_HELPER % SIGNALS if program.shared_turns else ""
        parts.append(interrupts.TEXT % {"slot": SIGNALS, "errors": ERRORS, "code": interrupts.INTERRUPTED, "helper": helper})
    if program.routines or program.helpers:
        parts += [f"#define LZ_ROUTINES {FIRST_SLOT + len(program.memories)}", blas_calls]
    entry = ["int64_t lazynp_run(void **slots, const int64_t *dims) {", "lz_clear_flags();"]
    may_stop = bool(program.failures) or program.interruptible or bool(program.callbacks)
    if may_stop:
        entry.append("*(int64_t *)slots[0] = 0;")
    segments = [[call.replace(LEAVE, f"return *(int64_t *)slots[{ERRORS}];") for call in calls] for calls in segments]
    made = [_in_pieces(number, calls) for number, calls in enumerate(segments)]
    pieces, segments = [piece for functions, _ in made for piece in functions], [calls for _, calls in made]
    if len(segments) == 1:
        entry += segments[0]
    else:
        entry.append("switch (dims[1]) {")
        for number, calls in enumerate(segments):
            entry += [f"case {number}: {{", *calls, "break;", "}"]
        entry.append("}")
    entry += [f"return {'*(int64_t *)slots[0] | ' if may_stop else ''}lz_flags() << 32;", "}"]
    if not program.interruptible and not program.shared_turns:  # these have variables of the whole file
        body = f"{BEGIN}{body}\n{END}"
    return "\n".join([*parts, body, *pieces, indented(entry), ""])
