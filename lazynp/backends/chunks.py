"""The C function around the loops of a nest: chunks of its outermost loop, on threads where that pays."""

from __future__ import annotations

from lazynp.backends import prelude
from lazynp.backends.folds import BLOCK
from lazynp.backends.kernel import Kernel
from lazynp.backends.polynomial import product
from lazynp.backends.program import FIRST_DIM, POOL
from lazynp.backends.texts import cast_text, identity, unwrapped
from lazynp.backends.tiles import tile
from lazynp.backends.writer import Writer, indented

CHUNK = 16384
"""Elements of one chunk of a parallel loop."""
_PARTS = 64
"""A full reduction has at most so many partial results, whatever the number of threads."""


def function(kernel: Kernel, body: list[str]) -> tuple[str, str]:
    """(definition, call) of a function around loops."""
    volume = product([a.size for a in kernel.nest.axes]).constant
    short = not (kernel.partial or kernel.chunk) and volume is not None and volume <= CHUNK
    whole = []
    if kernel.chunked is not None and (kernel.ordered or short):
        begin, end = kernel.writer.poly(kernel.chunked.begin), kernel.writer.poly(kernel.chunked.end)
        whole.append(f"const int64_t begin = {begin}, end = {end};")
        kernel.chunked = None
    prologue = [*kernel.writer.prologue(), *whole]
    if kernel.chunked is None:
        body += kernel.edges
        text = [f"static void {kernel.name}(void **slots, const int64_t *dims) {{", *prologue, *body, "}"]
        return indented(text), f"{kernel.name}(slots, dims);"
    extra = "".join([f", {ctype} *restrict part{k}" for k, ctype in enumerate(kernel.partial)])
    extra = f", int64_t chunk{extra}" if kernel.partial else ""
    head = f"static void {kernel.name}_chunk(void **slots, const int64_t *dims, int64_t begin, int64_t end{extra}) {{"
    edges = [
        f"static void {kernel.name}_edges(void **slots, const int64_t *dims, int64_t begin, int64_t end) {{",
        *prologue,
        *kernel.edges,
        "}",
    ]
    text = [head, *prologue, *body, "}", *(edges if kernel.edges else []), "", *_driver(kernel)]
    return indented(text), f"{kernel.name}(slots, dims);"


def _driver(kernel: Kernel) -> list[str]:
    """Cuts the outermost loop into chunks, the same ones for any number of threads."""
    axis = kernel.chunked
    assert axis is not None
    writer = Writer(kernel.program)
    begin, end = writer.poly(axis.begin), writer.poly(axis.end)
    inner = [writer.poly(a.size) for a in kernel.nest.axes if a is not axis]
    per = " * ".join(inner) or "1"
    head = [f"static void {kernel.name}(void **slots, const int64_t *dims) {{"]
    head += [f"const int64_t {a.name} = dims[{FIRST_DIM} + {a.name[1:]}];" for a in sorted(writer.sizes)]
    head.append(f"const int64_t first = {begin}, last = {end}, count = last - first, per = {per};")
    if kernel.partial:
        return [*_task(kernel), *head, *_partial_results(kernel)]
    chunk = f"per < {CHUNK} ? {CHUNK} / (per > 0 ? per : 1) : 1"
    if len(kernel.nest.axes) == 1 or (kernel.rows and len(kernel.split_axes()[0]) == 1):
        chunk = str(CHUNK if len(kernel.nest.axes) == 1 else tile())
    if kernel.chunk:
        chunk = str(kernel.chunk)
    head.append(f"const int64_t chunk = {chunk}, chunks = (count + chunk - 1) / chunk;")
    return [*_task(kernel), *head, *_both_ways(kernel), "}"]


def _task(kernel: Kernel) -> list[str]:
    """One chunk as a function that the pool of threads calls."""
    parts = [f"{ctype} *part{k} = task->parts[{k}];" for k, ctype in enumerate(kernel.partial)]
    extra = "".join([f", part{k}" for k in range(len(kernel.partial))])
    begin, end = "task->first + c * task->chunk", "(c + 1) * task->chunk < task->count ? (c + 1) * task->chunk : task->count"
    return [
        f"static void {kernel.name}_task(const void *with, int64_t c) {{",
        "const lz_task *task = with;",
        *parts,
        f"{kernel.name}_chunk(task->slots, task->dims, {begin}, task->first + ({end}){', c' if kernel.partial else ''}{extra});",
        "}",
    ]


_COPIED = 8
"""Copies and constants are worth threads from so many times more elements on: 90,000 integers take 9 us, a helper comes after 5 to 50."""


def _both_ways(kernel: Kernel) -> list[str]:
    """The chunks on many threads, or one after the other."""
    parts = ", ".join([f"part{k}" for k in range(len(kernel.partial))]) or "0"
    enough = f"dims[2] * {_COPIED}" if kernel.values.cost <= 2 else f"dims[2] / {max(1, round(kernel.values.cost / 4))}"
    work = f"count * per > {enough}"
    many = [f"((lz_parallel)slots[{POOL}])({kernel.name}_task, &task, chunks, dims[0], 0);"]
    one = [f"for (int64_t c = 0; c < chunks; c++) {kernel.name}_task(&task, c);"]
    if kernel.edges:
        ends = "first + c * chunk, c + 1 < chunks ? first + (c + 1) * chunk : last"
        many.append(f"for (int64_t c = 0; c < chunks; c++) {kernel.name}_edges(slots, dims, {ends});")
        one = [f"{kernel.name}_{part}(slots, dims, first, last);" for part in ("chunk", "edges")]
    return [
        f"void *parts[] = {{{parts}}};",
        "const lz_task task = {slots, dims, first, count, chunk, parts};",
        f"if (dims[0] > 1 && slots[{POOL}] && chunks > 1 && {work}) {{",
        *many,
        "} else {",
        *one,
        "}",
    ]


def _partial_results(kernel: Kernel) -> list[str]:
    """A full reduction: partial results of at most 64 chunks, then pairwise in their order."""
    folds = kernel.nest.folds
    lines = [f"int64_t chunk = {CHUNK} / (per > 0 ? per < {CHUNK} ? per : {CHUNK} : 1), least = (count + {_PARTS - 1}) / {_PARTS};"]
    lines.append(
        f"chunk = chunk > least ? chunk : {f'(least + {BLOCK - 1}) / {BLOCK} * {BLOCK}' if len(kernel.nest.axes) == 1 else 'least'};"
    )
    lines.append("const int64_t chunks = (count + chunk - 1) / chunk;")
    for k, f in enumerate(folds):
        lines.append(f"{kernel.ctype(f)} part{k}[{_PARTS + 1}]; part{k}[0] = {identity(f.op, f.value.dtype)};")
    lines += _both_ways(kernel)
    tree = " ".join([f"part{k}[c] = {kernel.folded(f, f'part{k}[c]', f'part{k}[c + h]')};" for k, f in enumerate(folds)])
    lines.append(f"for (int64_t h = 1; h < chunks; h *= 2) for (int64_t c = 0; c + h < chunks; c += 2 * h) {{ {tree} }}")
    for k, f in enumerate(folds):
        place = f"(({prelude.ctype(f.buffer.memory.dtype)} *){kernel.program.address(f.buffer.memory)})"
        lines.append(f"{place}[0] = {unwrapped(cast_text(f.buffer.memory.dtype, f.value.dtype, f'part{k}[0]'))};")
    return [*lines, "}"]
