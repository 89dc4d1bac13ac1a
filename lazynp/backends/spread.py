"""Loops of a program on threads: the turns of a loop that `independent.py` has proved independent are shared out in chunks.

The chunks are the same for any number of threads, and each is computed by the same code, so results are bit-equal. A thread has its own
integers, its own temporaries and its own error; the error of the first chunk that failed counts, as it would in order.
"""

from __future__ import annotations

from lazynp.backends import interrupts, prelude, rowwise
from lazynp.backends.control import Block, Control
from lazynp.backends.independent import Independence, Reduction, independence
from lazynp.backends.lanes import LANES, Laned, laned
from lazynp.backends.loops import Printer, Turns
from lazynp.backends.lower import Memory
from lazynp.backends.polynomial import ONE, Poly, poly
from lazynp.backends.program import ARENA, ERRORS, FIRST_DIM, NO_MEMORY, OWN, POOL, SIGNALS
from lazynp.backends.rowwise import Rowwise
from lazynp.backends.texts import fold_text, identity
from lazynp.backends.writer import Program as Text
from lazynp.backends.writer import Writer, in_dims, indented
from lazynp.ops.structured import loop, while_

_LEAST = 8192
"""Points of all turns below which a loop is not worth a function of its own."""
_LEAST_WITHIN = 65536
"""The same for a loop inside another one, which would otherwise keep its values in registers."""
_GUESS = 16
"""Turns of a loop whose number is not known before it runs."""
_CHUNKS = 128
"""At most so many chunks: enough for turns that differ in length."""
_CHUNK_WORK = 4096
"""Points of a chunk at least."""
_LANES = 64
"""Chunks of more turns than this are a multiple of it: wherever compilers make vectors of turns, the same ones. Chunks of loops in lanes
are whole lanes: of 42 turns ten went one by one (3,000 bisections 0.79 -> 0.16 ms)."""

_SHARED = """\
#define LZ_SLOTS %(slots)d
#define LZ_DIMS %(dims)d
#define LZ_OWN (%(arena)s)
typedef struct {
    void **slots; const int64_t *dims; int64_t count, chunk, failed; char *caller; void **parts; int64_t (*errors)[3];
} lz_turns;
static __thread char lz_here;
void *malloc(unsigned long size);
void free(void *memory);
static int lz_is_over(const lz_turns *turns, int64_t c) { return __atomic_load_n(&turns->failed, __ATOMIC_RELAXED) < c; }
static __attribute__((noinline, cold)) void lz_over(lz_turns *turns, int64_t c, const int64_t *error) {
    const int64_t place = error[0] == %(interrupted)d ? -1 : c;
    for (int k = 0; k < 3; k++) turns->errors[c][k] = error[k];
    int64_t known = __atomic_load_n(&turns->failed, __ATOMIC_RELAXED);
    while (place < known && !__atomic_compare_exchange_n(&turns->failed, &known, place, 0, __ATOMIC_RELAXED, __ATOMIC_RELAXED)) {}
}
"""
"""What the functions of such loops share. failed: the first chunk with an error, -1 where a signal has ended the loop; caller: an address
that only one thread has, the one that may call Python."""
_SIGNALS = """\
static __attribute__((noinline, cold)) int lz_told(void **slots) {
    int64_t *error = slots[%(errors)d];
    if (!lz_is_over((const lz_turns *)error[3], 0)) return 0;
    error[0] = %(interrupted)d;
    return 1;
}
static int lz_interrupted(void **slots);
static void lz_waiting(const void *with, int64_t k) {
    lz_turns *turns = (lz_turns *)with;
    if (!(k & 63) && lz_interrupted(turns->slots)) __atomic_store_n(&turns->failed, -1, __ATOMIC_RELAXED);
}
"""
"""Signals: a helper hears of them from the caller, which looks while it waits for helpers."""


def shared_text(text: Text, slots: int, dims: int, arena: str) -> str:
    """C that functions of loops on threads need; slots, dims: their numbers; arena: the size of the arena."""
    waiting = "#define LZ_WAITING " + ("lz_waiting\n" if text.interruptible else "0\n")
    numbers = {"slots": slots, "dims": dims, "arena": in_dims(arena), "interrupted": interrupts.INTERRUPTED, "errors": ERRORS}
    return (waiting + _SHARED + (_SIGNALS if text.interruptible else "")) % numbers


class SpreadPrinter(Printer):
    """Prints independent loops as functions of chunks."""

    def __init__(self, *args: object) -> None:
        super().__init__(*args)  # type: ignore[arg-type]
        self.within: list[Control] = []
        """The loops being printed whose turns are shared out: those inside them are not."""
        self.spread = False
        """Whether such a loop was printed."""
        self._known: dict[Control, Independence | None] = {}
        self._rowwise: dict[Control, Rowwise | None] = {}

    def function(self, control: Control) -> tuple[str, str, bool]:
        found = self.independence(control)
        by_rows = self.rowwise(control) if found is None and not self.within else None
        if by_rows is not None:
            return rowwise.printed(self, control, by_rows)
        if found is None or self.within:
            return super().function(control)
        self.text.own |= found.own
        self.within.append(control)
        printed = _Spread(self, control, found).printed_chunks()
        self.within.pop()
        if printed is not None:
            self.spread = True
            return printed
        self.text.own -= found.own
        return super().function(control)

    def is_apart(self, control: Control) -> bool:
        if self.within:
            return False
        spread = self.independence(control) is not None and self._is_worth(control, _LEAST_WITHIN)
        return spread or (self.independence(control) is None and self.rowwise(control) is not None)

    def laned(self, control: Control) -> Laned | None:
        is_loop = control.kind is loop and any(isinstance(part, Control) and part.kind is while_ for part in control.blocks[0].parts)
        found = independence(control, self.sizes) if is_loop else None
        return None if found is None else laned(control, found, self.sizes)

    def rowwise(self, control: Control) -> Rowwise | None:
        if control not in self._rowwise:
            self._rowwise[control] = rowwise.rowwise(control, self.sizes)
        return self._rowwise[control]

    def independence(self, control: Control) -> Independence | None:
        if control not in self._known:
            worth = control.kind is loop and self._is_worth(control, _LEAST)
            self._known[control] = independence(control, self.sizes) if worth else None
        return self._known[control]

    def _is_worth(self, control: Control, least: int) -> bool:
        work = (self.turns(control) * self.work(control)).constant
        return work is None or work >= least

    def turns(self, control: Control) -> Poly:
        """The number of a loop's turns, roughly."""
        if control.kind is while_ or not all(isinstance(p, Poly) for p in control.limits):
            return poly(_GUESS)
        start, stop, step = [p for p in control.limits if isinstance(p, Poly)]
        most = self.sizes.upper((stop - start) * (-1 if (step.constant or 1) < 0 else 1))
        return poly(_GUESS) if most is None else poly(max(most.constant, 0)) if most.constant is not None else most

    def work(self, control: Control) -> Poly:
        """The points that a turn visits, roughly; dear ones count more."""
        return sum([self._work(block) for block in control.blocks], ONE)

    def _work(self, block: Block) -> Poly:
        total = poly(0)
        for part in block.parts:
            if isinstance(part, Control):
                total = total + (self.turns(part) * self.work(part) if part.kind in (loop, while_) else self.work(part))
                continue
            for item in [item for group in part for item in group]:
                total = total + (self.volume(item) or poly(_GUESS))
        return total


class _Spread(Turns):
    """The function of one chunk of a loop's turns, and the one that shares out the chunks."""

    printer: SpreadPrinter

    def __init__(self, printer: SpreadPrinter, control: Control, found: Independence) -> None:
        super().__init__(printer, control)
        self.found = found
        self.name = f"loop{printer.number()}"

    def printed_chunks(self) -> tuple[str, str, bool] | None:
        """(definition, call, whether the work may end there); None where functions that are called look for what is added up."""
        if any(r.memory not in self.locals for r in self.found.reductions):
            return None
        body = self.loop(self.control)
        opening, closing = self._variables()
        ends = any("goto done;" in line for line in body)
        sync = ["int64_t *dim = (int64_t *)dims;"] if self.calls else []
        parts = [f"{prelude.ctype(r.memory.dtype)} *part{k}" for k, r in enumerate(self.found.reductions)]
        lines = [*self._sizes(), *opening, *sync, *body, "done:;", *closing]
        text = self.with_pointers(f"{self.name}_chunk", ["int64_t first", "int64_t last", *parts], lines)
        self.printer.volumes.add(self.printer.turns(self.control) * self.printer.work(self.control))
        texts = [indented(lines) for lines in (text, self._task(), self._driver())]
        return "\n".join([f"/* {self.name} */", *self.definitions, *texts]), f"{self.name}(slots, dims);", ends

    # -- one chunk

    def range(self, control: Control) -> tuple[str, str]:
        if control is not self.control:
            return super().range(control)
        start, _, step = [self.limit(p) for p in control.limits]
        return f"{start} + first * {step}", f"{start} + last * {step}"

    def _variables(self) -> tuple[list[str], list[str]]:
        """What is added up begins with nothing, and ends in the chunk's part."""
        opening, closing = super()._variables()
        for k, (memory, op, _) in enumerate(self.found.reductions):
            name, ctype, place = self.text.name(memory), prelude.ctype(memory.dtype), self.text.address(memory)
            own = self.local_type(memory)
            begin, end = f"{own} {name}[1] = {{*(const {ctype} *){place}}};", f"*({ctype} *){place} = {name}[0];"
            opening[opening.index(begin)] = f"{own} {name}[1] = {{{identity(op, memory.dtype)}}};"
            closing[closing.index(end)] = f"*part{k} = {name}[0];"
        return opening, closing

    def _task(self) -> list[str]:
        """A chunk as the pool calls it: in another thread than the caller's with slots and integers of its own."""
        types = [prelude.ctype(r.memory.dtype) for r in self.found.reductions]
        parts = "".join([f", ({ctype} *)turns->parts[{k}] + c" for k, ctype in enumerate(types)])
        failed = f"{{ error[0] = {NO_MEMORY}; lz_over(turns, c, error); return; }}"
        own = [f"slots[{OWN}] = malloc(LZ_OWN);", f"if (!slots[{OWN}]) {failed}"] if self._own() else []
        free = [f"free(slots[{OWN}]);"] if own else []
        return [
            f"static void {self.name}_task(const void *with, int64_t c) {{",
            "lz_turns *turns = (lz_turns *)with;",
            "if (lz_is_over(turns, c)) return;",
            "void *slots[LZ_SLOTS];",
            "int64_t dims[LZ_DIMS], error[4] = {0, 0, 0, (int64_t)turns};",
            "for (int k = 0; k < LZ_SLOTS; k++) slots[k] = turns->slots[k];",
            "for (int k = 0; k < LZ_DIMS; k++) dims[k] = turns->dims[k];",
            "dims[0] = 1;",
            f"slots[{ERRORS}] = error;",
            f"if (turns->caller != &lz_here) slots[{SIGNALS}] = 0;",
            *own,
            "const int64_t first = c * turns->chunk, last = first + turns->chunk < turns->count ? first + turns->chunk : turns->count;",
            f"{self.name}_chunk(slots, dims, first, last{parts});",
            "if (error[0]) lz_over(turns, c, error);",
            *free,
            "}",
        ]

    def _own(self) -> bool:
        """Whether a turn has temporaries in the arena."""
        return any(m in self.found.own and m not in self.locals for m in {*self.writer.used, *self.called})

    # -- all chunks

    def _driver(self) -> list[str]:
        """Shares out the chunks where that is worth it; else one after the other, on the program's own slots."""
        writer = Writer(self.text)
        start, stop, step = [writer.poly(p) if isinstance(p, Poly) else self._limit(p) for p in self.control.limits]
        sign, stride = (1 if int(step) > 0 else -1), abs(int(step))
        per = writer.poly(self.printer.work(self.control))
        parts = [f"part{k}" for k in range(len(self.found.reductions))]
        least, lanes = (0, LANES) if self.printer.laned(self.control) is not None else (_LANES, _LANES)
        serial = f"{self.name}_chunk(slots, dims, first, last{''.join([f', {part} + c' for part in parts])});"
        return [
            f"static void {self.name}(void **slots, const int64_t *dims) {{",
            *[f"const int64_t {a.name} = dims[{FIRST_DIM} + {a.name[1:]}];" for a in sorted(writer.sizes)],
            f"const int64_t span = ({stop} - ({start})) * {sign}, count = span > 0 ? (span + {stride - 1}) / {stride} : 0;",
            f"const int64_t per = {per}, most = (count + {_CHUNKS - 1}) / {_CHUNKS}, least = {_CHUNK_WORK} / (per > 0 ? per : 1) + 1;",
            "int64_t chunk = most > least ? most : least;",
            f"if (chunk > {least}) chunk = (chunk + {lanes - 1}) / {lanes} * {lanes};",
            "const int64_t chunks = (count + chunk - 1) / chunk;",
            *[f"{prelude.ctype(r.memory.dtype)} {part}[{_CHUNKS + 1}];" for part, r in zip(parts, self.found.reductions, strict=True)],
            f"if (dims[0] > 1 && slots[{POOL}] && chunks > 1 && count * per > dims[2]{' && count >= dims[0]' if self.calls else ''}) {{",
            f"void *parts[] = {{{', '.join([*parts, '0'])}}};",
            f"int64_t errors[{_CHUNKS + 1}][3];",
            f"lz_turns turns = {{slots, dims, count, chunk, {_CHUNKS + 1}, &lz_here, parts, errors}};",
            f"((lz_parallel)slots[{POOL}])({self.name}_task, &turns, chunks, dims[0], LZ_WAITING);",
            f"int64_t *error = slots[{ERRORS}];",
            f"if (turns.failed < 0) error[0] = {interrupts.INTERRUPTED};",
            "else if (turns.failed < chunks) for (int k = 0; k < 3; k++) error[k] = errors[turns.failed][k];",
            "} else {",
            f"slots[{OWN}] = slots[{ARENA}];",
            "for (int64_t c = 0; c < chunks; c++) {",
            "const int64_t first = c * chunk, last = first + chunk < count ? first + chunk : count;",
            serial,
            f"if (*(int64_t *)slots[{ERRORS}]) break;",
            "}",
            "}",
            *([f"if (*(int64_t *)slots[{ERRORS}]) return;"] if parts else []),
            *[line for part, r in zip(parts, self.found.reductions, strict=True) for line in self._joined(part, r)],
            "}",
        ]

    def _limit(self, limit: Memory) -> str:
        return f"(*(const {prelude.ctype(limit.dtype)} *){self.text.address(limit)})"

    def _joined(self, part: str, reduction: Reduction) -> list[str]:
        """What the chunks have added up, added to what was there."""
        memory, op, watched = reduction
        ctype = prelude.ctype(memory.dtype)
        lines = [f"{ctype} *const {part}_total = {self.text.address(memory)};", "for (int64_t c = 0; c < chunks; c++) {"]
        if watched is not None:
            test = f"(double){part}_total[0] + (double){part}[c]"
            lines.append(f"if (!(__builtin_fabs({test}) < 4611686018427387904.0)) *(uint8_t *){self.text.address(watched)} = 1;")
        return [*lines, f"{part}_total[0] = {fold_text(op, memory.dtype, f'{part}_total[0]', f'{part}[c]')};", "}"]
