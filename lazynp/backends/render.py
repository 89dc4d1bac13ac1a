"""Render: scheduled nests as C text. Each scalar is placed in the innermost loop that it depends on, and no deeper."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

import numpy as np

from lazynp.backends import blas, interrupts, lapack, prelude
from lazynp.backends.lower import Axis, Condition, Memory, checked, load, position, select
from lazynp.backends.nests import Fold, Gemm, Lapack, Store, polynomials, scalars, values_in
from lazynp.backends.pieces import BEGIN, END
from lazynp.backends.polynomial import Atom, Poly, all_atoms, product, variable
from lazynp.backends.program import ARENA, ERRORS, FIRST_DIM, FIRST_SLOT, OWN, POOL, SIGNALS
from lazynp.backends.schedule import Scheduled
from lazynp.backends.workers import FLAGS, PROTOTYPE
from lazynp.ir.node import Node, const
from lazynp.ir.op import Op
from lazynp.ops import elementwise as ew

_PLAIN = frozenset(map(np.dtype, "fdilqILQ"))
"""Dtypes on which C's operators are NumPy's: no promotion to int, no struct."""
_INLINE = 120
"""A value that is used once is written into its user's expression up to this length."""
_SHORT, _SHORT_ROW = 128, 16
"""Folds of at most so many elements, and fewer in a row, are plain loops: the compiler writes them out, and may make the loop around them
one over vectors (a 3 x 3 convolution by loops: 2670 -> 60 us)."""
_BLOCK = 512
"""Elements whose sum is folded in independent lanes; sums of blocks are added pairwise."""
_MOSTLY_MEMORY = 8
"""Folds of values up to this cost take four rows at a time: what is dearer is not bound by memory."""
_BESIDE = 16
"""Rows with at most so many elements per lane are folded several at a time, each in the lanes of one vector; then one vector has the
results of all. The sums of 1000 rows of 100: 22 -> 6 us (float64), 21 -> 3.3 us (float32). A lane adds no more than in NumPy's sum."""
_TILE = 256
"""Columns whose running results stay in the first-level cache while rows are folded."""
CHUNK = 16384
"""Elements of one chunk of a parallel loop."""
_SKIPPED = 64
"""Elements of a block of a masked update that is left alone where the mask is false everywhere."""
_DEAR, _MUCH_DEARER = 8, 3
"""Masked updates of this cost at least, and of so many times the mask's, look at the mask of a block first."""
_PARTS = 64
"""A full reduction has at most so many partial results, whatever the number of threads."""


# --- expressions -----------------------------------------------------------------------------------------------------


def expression(op: Op, node: Node, dtypes: list[np.dtype], texts: list[str]) -> str:
    """The C expression of an elementwise op on scalars."""
    if op is ew.cast:
        return _cast(node.to, dtypes[0], texts[0])
    if (mixed := prelude.mixed(op.name, dtypes)) is not None:
        return f"{mixed}({', '.join(map(_unwrapped, texts))})"
    template = op.c(*dtypes) if callable(op.c) else op.c
    if template is not None and (op is ew.where or callable(op.c) or all(d in _PLAIN for d in dtypes)):
        return template.format(*texts)
    return f"{prelude.helper(op.name, dtypes[0])}({', '.join(map(_unwrapped, texts))})"


def _unwrapped(text: str) -> str:
    """Without the outermost parentheses, where nothing follows them."""
    if not text.startswith("("):
        return text
    depth = 0
    for place, letter in enumerate(text):
        depth += (letter == "(") - (letter == ")")
        if depth == 0:
            return text[1:-1] if place == len(text) - 1 else text
    return text


def _cast(to: np.dtype, frm: np.dtype, text: str) -> str:
    if to == frm:
        return text
    if to in _PLAIN and frm in _PLAIN and not (frm.kind == "f" and to.kind in "iu"):
        return f"(({prelude.ctype(to)}){text})"
    return f"{prelude.cast(to, frm)}({_unwrapped(text)})"


def fold_text(op: Op, dtype: np.dtype, a: str, b: str) -> str:
    """a folded with b."""
    return _unwrapped(expression(op, None, [dtype, dtype], [a, b]))  # type: ignore[arg-type]


def literal(value: Any, dtype: np.dtype) -> str:
    """A constant as C."""
    kind = dtype.kind
    if kind == "b":
        return "1" if value else "0"
    if kind in "iu":
        return _integer(int(value), dtype)
    if kind == "c":
        part = np.empty(0, dtype).real.dtype
        return f"(({prelude.ctype(dtype)}){{{literal(value.real, part)}, {literal(value.imag, part)}}})"
    if dtype.itemsize == 2:
        return f"((lz_f16){{{int(np.float16(value).view(np.uint16))}}})"
    return _real(float(value), dtype)


def _integer(value: int, dtype: np.dtype) -> str:
    text = (
        "(-9223372036854775807LL - 1)"
        if value == -(1 << 63)
        else f"{value}{'ULL' if value >= 1 << 63 else 'LL' if abs(value) >= 1 << 31 else ''}"
    )
    return text if dtype.itemsize == 8 and text.endswith("LL") and value >= 0 else f"(({prelude.ctype(dtype)}){text})"


def _real(value: float, dtype: np.dtype) -> str:
    tail = "f" if dtype.itemsize == 4 else ""
    if value != value:
        return f"(({prelude.ctype(dtype)})LZ_NAN)"
    if value in (np.inf, -np.inf):
        return f"(({prelude.ctype(dtype)}){'-' if value < 0 else ''}LZ_INF)"
    text = repr(np.float32(value).item()) if tail else repr(value)
    text = f"{text}{tail}" if "." in text or "e" in text else f"{text}.0{tail}"
    return f"({text})" if text.startswith("-") else text


_EXTREME = {"maximum": False, "fmax": False, "minimum": True, "fmin": True}
_IDENTITY = {"add": 0, "multiply": 1, "logaddexp": -np.inf, "logaddexp2": -np.inf, "hypot": 0, "logical_and": 1, "logical_or": 0,
             "logical_xor": 0, "bitwise_and": -1, "bitwise_or": 0, "bitwise_xor": 0, "gcd": 0, "lcm": 1}  # fmt: skip


def identity(op: Op, dtype: np.dtype) -> str:
    """The value that changes nothing when it is folded, as C."""
    if op.name in _EXTREME:
        return literal(_extreme(op.name, dtype), dtype)
    value = _IDENTITY[op.name]
    if dtype.kind == "u" and value == -1:
        value = np.iinfo(dtype).max
    return literal(np.array(value).astype(dtype)[()] if dtype.kind == "c" else value, dtype)


def _extreme(name: str, dtype: np.dtype) -> Any:
    largest = _EXTREME[name]
    if dtype.kind == "b":
        return largest
    if dtype.kind in "iu":
        return np.iinfo(dtype).max if largest else np.iinfo(dtype).min
    value = np.nan if name in ("fmax", "fmin") else np.inf if largest else -np.inf
    return complex(value, value) if dtype.kind == "c" else value


# --- the values of a nest --------------------------------------------------------------------------------------------


class Values:
    """The scalars of a nest as C statements. levels: loop variable -> depth (1: the outermost); statements[d]: what depth d computes."""

    def __init__(self, roots: list[Node], levels: dict[Atom, int], writer: Writer, overwritten: set[Memory], alone: bool = False) -> None:
        self.writer = writer
        self.alone = alone
        """Whether the nest is a single point in a loop of the program."""
        self.overwritten = overwritten
        """What the nest stores to: it is loaded before the first store."""
        self.levels = levels
        self.statements: list[list[str]] = [[] for _ in range(max(levels.values(), default=0) + 1)]
        self.depth: dict[Node, int] = {}
        self.text: dict[Node, str] = {}
        order = scalars(roots)
        uses = _uses(order, roots)
        self.impure = any(node.op is checked for node in order)
        self.cost = 1.0
        for node in order:
            self._add(node, uses[node])

    def _add(self, node: Node, uses: int) -> None:
        self.cost += node.op.cost
        depth = max(
            [self._own_depth(node), *[self.depth[a] for a in node.args], *[self.depth[n] for p in polynomials(node) for n in values_in(p)]]
        )
        self.depth[node] = depth
        if node.op is const:
            self.text[node] = literal(node.value.array[()], node.dtype)
            return
        text = self._expression(node)
        names = self.writer.names.get(node, ())
        if node.op is checked and self.writer.leave:
            self.statements[depth] += self._check(node, text := self.writer.fresh("ix"))
        if names or uses > 1 or len(text) > _INLINE or depth < len(self.statements) - 1 or self._must_come_first(node):
            for name in names or (self.writer.fresh("v"),):
                self.statements[depth].append(f"const {prelude.ctype(node.dtype)} {name} = {_unwrapped(text)};")
                text = name
        self.text[node] = text

    def _check(self, node: Node, name: str) -> list[str]:
        """An index and the test of it: out of range, the function is left."""
        raw, size = self.text[node.args[0]], self.poly(node.size)
        failed = f"{{ lz_fail(slots, {self.writer.failure(node)}, {raw}, {size}); goto {self.writer.leave}; }}"
        outside = f"(uint64_t){name} >= (uint64_t){size}"  # of negative ones too
        test = [
            f"{name} = (int64_t){raw};",
            f"if (__builtin_expect({outside}, 0)) {{ {name} += {size}; if ({outside}) {failed} }}",
        ]
        return [f"int64_t {name} = 0;", *([f"if ({self._test(node.guards)}) {{", *test, "}"] if node.guards else test)]

    def _must_come_first(self, node: Node) -> bool:
        return node.op is checked or (node.op is load and node.buffer.memory in self.overwritten)

    def _own_depth(self, node: Node) -> int:
        found = [self.levels[v] for p in polynomials(node) for v in p.variables]
        return max(found, default=0)

    def _expression(self, node: Node) -> str:
        shifted = _shifted(node)
        if shifted is not None:
            return shifted.format(self.text[node.args[0]])
        if node.op is load:
            return self._load(node)
        if node.op is position:
            return f"((int64_t){self.poly(node.expression)})"
        if node.op is select:
            return f"({self._test(node.conditions)} ? {self.text[node.args[0]]} : {self.text[node.args[1]]})"
        if node.op is checked:
            return self._checked(node)
        if (modulus := _modulus(node)) is not None:
            return f"{prelude.helper(f'absolute_{node.op.name}', modulus.dtype)}({self.text[modulus]}, {self.text[node.args[1]]})"
        if self.alone and node.op is ew.exp and node.dtype in _PLAIN:
            return f"{prelude.helper('exp_alone', node.dtype)}({_unwrapped(self.text[node.args[0]])})"
        return expression(node.op, node, [a.dtype for a in node.args], [self.text[a] for a in node.args])

    def _load(self, node: Node) -> str:
        text = f"{self.writer.pointer(node.buffer.memory)}[{_unwrapped(self.poly(node.address))}]"
        if not node.guards:
            return text
        return f"({self._test(node.guards)} ? {text} : {literal(np.zeros((), node.dtype)[()], node.dtype)})"

    def _test(self, conditions: tuple[Condition, ...]) -> str:
        return " && ".join([f"{self.poly(c.expression)} {'==' if c.zero else '>='} 0" for c in conditions])

    def _checked(self, node: Node) -> str:
        raw, size = self.text[node.args[0]], self.poly(node.size)
        code = self.writer.failure(node)
        call = f"lz_index((int64_t){raw}, {size}, slots, {code})"
        return f"({self._test(node.guards)} ? {call} : 0)" if node.guards else call

    def poly(self, p: Poly) -> str:
        """Text of a polynomial; the values in it are statements by now."""
        return self.writer.poly(p)


def _uses(order: list[Node], roots: list[Node]) -> dict[Node, int]:
    uses = dict.fromkeys(order, 0)
    for node in order:
        for a in node.args:
            uses[a] += 1
        for p in polynomials(node):
            for n in values_in(p):
                uses[n] += 2  # it needs a name
    for root in roots:
        uses[root] += 1
    return uses


def _shifted(node: Node) -> str | None:
    """Division of integers by a power of two: NumPy's rounds down, as a shift does."""
    if node.op not in (ew.floor_divide, ew.remainder) or node.dtype.kind not in "iu" or node.args[1].op is not const:
        return None
    by = int(node.args[1].value.array)
    if node.dtype not in _PLAIN or by <= 0 or by & (by - 1):
        return None
    text = f"({{}} >> {by.bit_length() - 1})" if node.op is ew.floor_divide else f"({{}} & {literal(by - 1, node.dtype)})"
    return text


def _modulus(node: Node) -> Node | None:
    """z of a comparison of abs(z), z complex, with a number of the same precision: it needs no root but for nearly equal ones."""
    if node.op not in (ew.less, ew.less_equal, ew.greater, ew.greater_equal) or node.args[0].op is not ew.absolute:
        return None
    z = node.args[0].args[0]
    return z if z.dtype.kind == "c" and node.args[1].dtype == node.args[0].dtype else None


def _is_own(value: Node, store: Store) -> bool:
    """Whether a value is the one that a store would replace."""
    return value.op is load and value.buffer.memory is store.buffer.memory and value.address == store.address and not value.guards


def _joined_truth(store: Store) -> Node | None:
    """x where a single boolean becomes `itself or x`. As a branch that is hardly ever taken it costs a loop less than a carried value."""
    if store.value.op is not ew.logical_or or store.buffer.memory.size.constant != 1:
        return None
    for own, other in (store.value.args, store.value.args[::-1]):
        if own.op is load and own.buffer.memory is store.buffer.memory and own.address == store.address and not own.guards:
            return other
    return None


# --- functions -------------------------------------------------------------------------------------------------------


class Writer:
    """Collects the text of one C function: pointers and sizes that it uses, names, failures."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.names: dict[Node, list[str]] = {}
        self.used: dict[Memory, None] = {}
        self.written: set[Memory] = set()
        self.sizes: set[Atom] = set()
        self.leave = ""
        """The label to jump to when an index is out of range; none: the index becomes 0 and the work goes on."""
        self._serial = 0

    def fresh(self, letter: str) -> str:
        self._serial += 1
        return f"{letter}{self._serial}"

    def pointer(self, memory: Memory) -> str:
        self.used[memory] = None
        return self.program.name(memory)

    def poly(self, p: Poly) -> str:
        for atom in all_atoms(p):
            if atom.kind in ("dim", "index"):
                self.sizes.add(atom)
        return p.text()

    def failure(self, node: Node) -> int:
        return self.program.failure(node.origin, "IndexError", f"index {{0}} is out of bounds for axis {node.axis} with size {{1}}")

    def prologue(self) -> list[str]:
        """Declarations of what the function uses."""
        lines = [f"const int64_t {a.name} = dims[{FIRST_DIM} + {a.name[1:]}];" for a in sorted(self.sizes)]
        for memory in self.used:
            constant = "" if memory in self.written else "const "
            lines.append(f"{constant}{prelude.ctype(memory.dtype)} *restrict {self.program.name(memory)} = {self.program.address(memory)};")
        return lines


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


def in_dims(text: str) -> str:
    """A size as C, where sizes have no names of their own."""
    return re.sub(r"\bn(\d+)\b", rf"dims[{FIRST_DIM} + \1]", text)


class Program:
    """The text of a whole program. slots: errors, arena, then memories and BLAS routines in order of first use."""

    def __init__(self, offsets: dict[Memory, str]) -> None:
        self.offsets = offsets
        self.memories: list[Memory] = []
        self.routines: list[str] = []
        self.failures: list[tuple[Any, str, str]] = []
        """(origin, class of the error, its text with a place for the index and the size)."""
        self.functions: list[str] = []
        self.callbacks: list[tuple[Any, dict[str, Any], list[tuple[int, np.dtype]]]] = []
        self.interruptible = False
        """Whether a loop looks for signals."""
        self.own: set[Memory] = set()
        """Temporaries of which every thread of a loop has its own."""
        self.shared_turns = ""
        """What the functions of loops on threads have in common; empty where there are none."""
        self.helpers: set[tuple[str, np.dtype]] = set()
        """The functions of lapack.py that it calls."""
        self._names: dict[Memory, str] = {}
        self._codes: dict[tuple[Any, str, str], int] = {}

    def name(self, memory: Memory) -> str:
        known = self._names.get(memory)
        if known is None:
            letter = {"input": "in", "output": "out", "const": "c", "temp": "t", "array": "ar"}[memory.kind]
            known = self._names[memory] = memory.name = f"{letter}{memory.number if memory.number >= 0 else len(self._names)}"
            if memory.kind != "temp":
                self.slot(memory)
        return known

    def slot(self, memory: Memory) -> int:
        if memory.slot < 0:
            memory.slot = len(self.memories)
            self.memories.append(memory)
        return memory.slot

    def address(self, memory: Memory) -> str:
        if memory.kind == "temp":
            return f"(void *)((char *)slots[{OWN if memory in self.own else ARENA}] + ({in_dims(self.offsets[memory])}))"
        return f"slots[{FIRST_SLOT + self.slot(memory)}]"

    def routine(self, name: str) -> str:
        """The slot of a BLAS routine: after all memories, so it is printed as a macro."""
        if name not in self.routines:
            self.routines.append(name)
        return f"slots[LZ_ROUTINES + {self.routines.index(name)}]"

    def failure(self, origin: Any, error: str, text: str) -> int:
        """The code of an error."""
        key = (origin, error, text)
        if key not in self._codes:
            self.failures.append(key)
            self._codes[key] = len(self.failures)
        return self._codes[key]


# --- loops -----------------------------------------------------------------------------------------------------------


def _open(axis: Axis, writer: Writer, begin: str = "", end: str = "") -> str:
    v = axis.variable.name
    return f"for (int64_t {v} = {begin or writer.poly(axis.begin)}; {v} < {end or _unwrapped(writer.poly(axis.end))}; {v}++) {{"


class Kernel:
    """The C function of one nest, and the statement that calls it."""

    def __init__(self, program: Program, number: int, scheduled: Scheduled, writer: Writer | None = None, inline: bool = False) -> None:
        self.inline = inline
        """Whether the loops stand inside a function that somebody else writes, on one thread."""
        self.program = program
        self.name = f"k{number}"
        self.nest = scheduled.nest
        self.rows = scheduled.rows
        self.writer = writer or Writer(program)
        self.lines: list[str] = []
        self.chunked: Axis | None = None
        self.folds: list[str] = []
        """C types of partial results, if the function folds a chunk of everything."""
        self.edges: list[str] = []
        """What is left to do when all chunks are done."""

    def print(self) -> tuple[str, str]:
        """(definition, call)."""
        nest = self.nest
        if nest.call is not None:
            return "", _lapack_call(nest.call, self.program) if isinstance(nest.call, Lapack) else _gemm_call(nest.call, self.program)
        return self._wrapped(self.body())

    def body(self) -> list[str]:
        """The loops."""
        nest = self.nest
        self._name_index_values()
        levels = {axis.variable: depth for depth, axis in enumerate(nest.axes, 1)}
        stored = {s.buffer.memory for s in nest.stores}
        self.writer.written |= {buffer.memory for buffer, _ in nest.targets()}
        self.values = Values(nest.computed(), levels, self.writer, stored, alone=self.inline and not nest.axes)
        return self._body()

    def _name_index_values(self) -> None:
        for node in scalars(self.nest.roots()):
            for p in polynomials(node):
                self._name_values(p)
        for store in self.nest.stores:
            self._name_values(store.address)

    def _name_values(self, p: Poly) -> None:
        for atom in all_atoms(p):
            if atom.kind == "value":
                names = self.writer.names.setdefault(atom.args[0], [])
                if atom.name not in names:
                    names.append(atom.name)

    def _body(self) -> list[str]:
        if self.nest.kind == "scan":
            return self._scan()
        if self.nest.kind == "scatter":
            return self._scatter()
        if self.nest.moves:
            return self._slide()
        if not self.nest.folds:
            return self._map()
        return self._fold_rows() if self.rows else self._fold()

    # -- stores only

    def _map(self) -> list[str]:
        axes = self.nest.axes
        lines = list(self.values.statements[0])
        if axes:
            self.chunked = axes[0]
            lines += (
                self._row_loops(0) if len(axes) == 1 else [self._outermost(axes[0]), *self.values.statements[1], *self._row_loops(1), "}"]
            )
        else:
            lines += self._stores()
        return lines

    def _row_loops(self, outer: int) -> list[str]:
        """The loops inside of the `outer` outermost ones."""
        axes = self.nest.axes
        lines: list[str] = []
        mask = self._mask()
        for depth, axis in enumerate(axes[outer:], outer + 1):
            if depth == len(axes) and mask is not None:
                lines += self._where_any(mask, axis, depth)
                continue
            if depth == len(axes) and not self.values.impure:
                lines.append("#pragma omp simd")
            lines.append(self._outermost(axis) if depth == 1 else _open(axis, self.writer))
            lines += self.values.statements[depth]
        return [*lines, *([] if mask is not None else self._stores()), *["}"] * (len(axes) - outer)]

    def _mask(self) -> Node | None:
        """The truth value without which an element keeps what it is, if that is known for much less than what it becomes."""
        values = [s.value for s in self.nest.stores]
        masks = {v.args[0] if v.op is ew.where and _is_own(v.args[2], s) else None for v, s in zip(values, self.nest.stores, strict=True)}
        mask = masks.pop()
        if masks or mask is None or self.values.impure or self.inline or self.values.depth[mask] < len(self.nest.axes):
            return None
        first = 1 + sum([n.op.cost for n in scalars([mask])])
        return mask if self.values.cost - first > max(_DEAR, _MUCH_DEARER * first) else None

    def _where_any(self, mask: Node, axis: Axis, depth: int) -> list[str]:
        """The innermost loop in blocks, of which those without a true element are left alone: `z[m] = f(z[m])`."""
        levels = {a.variable: d for d, a in enumerate(self.nest.axes, 1)}
        test = Values([mask], levels, self.writer, {s.buffer.memory for s in self.nest.stores})
        v, whole = axis.variable.name, self._outermost(axis) if depth == 1 else _open(axis, self.writer)
        begin, end = whole.split(f"{v} = ")[1].split(";")[0], whole.split(f"{v} < ")[1].split(";")[0]
        inner = f"for (int64_t {v} = block; {v} < stop; {v}++) {{"
        return [
            *[line for statements in test.statements[:depth] for line in statements],
            f"for (int64_t block = {begin}; block < {end}; block += {_SKIPPED}) {{",
            f"const int64_t stop = {end} - block < {_SKIPPED} ? {end} : block + {_SKIPPED};",
            "uint8_t any = 0;",
            "#pragma omp simd reduction(|:any)",
            inner,
            *test.statements[depth],
            f"any |= {test.text[mask]};",
            "}",
            "if (!any) continue;",
            "#pragma omp simd",
            inner,
            *self.values.statements[depth],
            *self._stores(),
            "}",
        ]

    def _slide(self) -> list[str]:
        """Results wait in rows of the temporaries: one of `behind` + 1 rows used in turn, or, at the ends of the chunk, their own."""
        row = self.chunked = self.nest.axes[0]
        assert self.nest.moves is not None
        _, behind, ahead = self.nest.moves
        v, waiting = row.variable.name, f"low + (%s - low) % {behind + 1}"
        bounds = [f"int64_t low = begin + {ahead}, high = end - {behind};", f"if (high - low < {behind + 1}) low = high = begin;"]
        self.edges = [
            "{", *bounds, f"for (int64_t {v} = begin; {v} < end; {v}++) {{",
            f"if ({v} == low) {v} = high;", f"if ({v} >= end) break;", *self._moved(v, v), "}", "}",
        ]  # fmt: skip
        return [
            *self.values.statements[0], *bounds, self._outermost(row), *self.values.statements[1],
            f"const int64_t slot = {v} < low || {v} >= high ? {v} : {waiting.replace('%s', v)};",
            *self._row_loops(1),
            f"const int64_t done = {v} - {behind};",
            "if (done >= low && done < high) {", f"const int64_t from = {waiting.replace('%s', 'done')};",
            *self._moved("done", "from"), "}", "}",
        ]  # fmt: skip

    def _moved(self, to: str, source: str) -> list[str]:
        """The copies of one row."""
        row = self.nest.axes[0].variable
        assert self.nest.moves is not None
        lines: list[str] = []
        for depth, axis in enumerate(self.nest.axes[1:], 2):
            lines += ["#pragma omp simd"] * (depth == len(self.nest.axes)) + [_open(axis, self.writer)]
        for store in self.nest.moves.stores:
            value = store.value
            target = self._at(store.buffer.memory, store.address.replaced({row: variable(to)}))
            lines.append(f"{target} = {self._at(value.buffer.memory, value.address.replaced({row: variable(source)}))};")
        return [*lines, *["}"] * (len(self.nest.axes) - 1)]

    def _at(self, memory: Memory, address: Poly) -> str:
        return f"{self.writer.pointer(memory)}[{_unwrapped(self.writer.poly(address))}]"

    def _outermost(self, axis: Axis) -> str:
        return _open(axis, self.writer, "begin", "end") if self.chunked is axis else _open(axis, self.writer)

    def _stores(self) -> list[str]:
        moved = {s.value.buffer.memory for s in self.nest.moves.stores} if self.nest.moves else set()
        lines = []
        for s in self.nest.stores:
            memory = s.buffer.memory
            address = s.address.replaced({self.nest.axes[0].variable: variable("slot")}) if memory in moved else s.address
            place, more = self._at(memory, address), _joined_truth(s) if self.inline else None
            if more is not None:
                test = _unwrapped(self.values.text[more])
                leaves = more.op is ew.doubtful and self.writer.leave
                lines.append(
                    f"if (__builtin_expect({test}, 0)) {{ {place} = 1; goto {leaves}; }}" if leaves else f"if ({test}) {place} = 1;"
                )
            else:
                lines.append(f"{place} = {_unwrapped(self.values.text[s.value])};")
        return lines

    def _scatter(self) -> list[str]:
        axes = self.nest.axes
        lines = list(self.values.statements[0])
        for depth, axis in enumerate(axes, 1):
            lines.append(_open(axis, self.writer))
            lines += self.values.statements[depth]
        (store,) = self.nest.stores
        place = f"{self.writer.pointer(store.buffer.memory)}[{_unwrapped(self.writer.poly(store.address))}]"
        value = self.values.text[store.value]
        if self.nest.op is not None:
            value = _fold_into(self.nest.op, store.buffer.memory.dtype, store.value.dtype, place, value)
        return [*lines, f"{place} = {_unwrapped(value)};", *["}"] * len(axes)]

    # -- folds

    def _split_axes(self) -> tuple[list[Axis], list[Axis]]:
        kept = [a for a in self.nest.axes if a.variable not in self.nest.reduced]
        return kept, [a for a in self.nest.axes if a.variable in self.nest.reduced]

    def _fold(self) -> list[str]:
        """Kept loops outside; the innermost loop folds in lanes, blocks are folded pairwise."""
        kept, reduced = self._split_axes()
        folds = self.nest.folds
        if self._fits_vectors(kept, reduced):
            return self._fold_beside(kept, reduced[0])
        args = [f for f in folds if f.position is not None]
        lines = list(self.values.statements[0])
        if kept:
            self.chunked = kept[0]
        elif reduced and not args and not self.inline:
            self.chunked = reduced[0]
            self.folds = [prelude.ctype(f.value.dtype) for f in folds]
        for depth, axis in enumerate(kept, 1):
            lines.append(self._outermost(axis))
            lines += self.values.statements[depth]
        lines += self._fold_block(reduced, len(kept))
        lines += self._fold_results()
        return lines + ["}"] * len(kept)

    def _vector_lanes(self) -> int:
        """The elements of a vector of 64 bytes; at most 16, or the sums of the lanes would be longer than what they add."""
        return min(max(64 // max(f.value.dtype.itemsize for f in self.nest.folds), 4), 16)

    def _fits_vectors(self, kept: list[Axis], reduced: list[Axis]) -> bool:
        """Whether the nest folds many rows that are short enough to be folded beside each other."""
        if not kept or len(reduced) != 1 or self.values.impure or any(f.position is not None for f in self.nest.folds):
            return False
        rows, size, lanes = kept[-1].size.constant, reduced[0].size.constant, self._vector_lanes()
        return size is not None and max(lanes, _SHORT_ROW) <= size <= _BESIDE * lanes and (rows is None or rows >= 4)

    def _fold_beside(self, kept: list[Axis], inner: Axis) -> list[str]:
        """As many rows as a vector has lanes: the lanes of each, then the trees over the lanes of all of them."""
        folds, lanes, row = self.nest.folds, self._vector_lanes(), kept[-1]
        self.chunked = kept[0]
        lines = list(self.values.statements[0])
        for depth, axis in enumerate(kept[:-1], 1):
            lines += [self._outermost(axis), *self.values.statements[depth]]
        begin, end = ("begin", "end") if self.chunked is row else (self.writer.poly(row.begin), self.writer.poly(row.end))
        body = [*self.values.statements[len(kept) + 1], *self._stores()]
        body += [f"a{k}[r][l] = {self._folded(f, f'a{k}[r][l]', self.values.text[f.value])};" for k, f in enumerate(folds)]
        start = " ".join([f"a{k}[r][l] = {identity(f.op, f.value.dtype)};" for k, f in enumerate(folds)])
        first, stop, v = self.writer.poly(inner.begin), self.writer.poly(inner.end), inner.variable.name
        return [
            *lines,
            f"for (int64_t group = {begin}; group < {end}; group += {lanes}) {{",
            f"const int64_t many = {end} - group < {lanes} ? {end} - group : {lanes};",
            *[f"{self._type(f)} a{k}[{lanes}][{lanes}];" for k, f in enumerate(folds)],
            "for (int64_t r = 0; r < many; r++) {",
            f"const int64_t {row.variable.name} = group + r;",
            *self.values.statements[len(kept)],
            f"for (int64_t l = 0; l < {lanes}; l++) {{ {start} }}",
            f"int64_t j = {first};",
            f"for (; j + {lanes} <= {stop}; j += {lanes}) {{",
            *["#pragma omp simd", f"for (int64_t l = 0; l < {lanes}; l++) {{", f"const int64_t {v} = j + l;", *body, "}", "}"],
            *["#pragma omp simd", f"for (int64_t l = 0; l < {stop} - j; l++) {{", f"const int64_t {v} = j + l;", *body, "}", "}"],
            "#pragma omp simd",
            "for (int64_t r = 0; r < many; r++) {",
            f"const int64_t {row.variable.name} = group + r;",
            *[self._result(f, self._tree(f, [f"a{k}[r][{lane}]" for lane in range(lanes)])) for k, f in enumerate(folds)],
            *["}"] * (1 + len(kept)),
        ]

    def _tree(self, fold: Fold, texts: list[str]) -> str:
        """The fold of all texts: the first half of them with the second, and so on."""
        while len(texts) > 1:
            half = len(texts) // 2
            texts = [f"({self._folded(fold, a, b)})" for a, b in zip(texts[:half], texts[half:], strict=True)]
        return texts[0]

    def _fold_block(self, reduced: list[Axis], depth: int) -> list[str]:
        folds = self.nest.folds
        lines: list[str] = []
        if not reduced:
            return [
                f"{self._type(f)} r{k} = {self.values.text[f.value]};" if f.position is None else f"int64_t p{k} = 0;"
                for k, f in enumerate(folds)
            ] + self._stores()
        if any(f.position is not None for f in folds):
            return self._fold_arg(reduced, depth) if len(folds) > 1 or self.nest.stores else self._find_extreme(reduced[0], depth + 1)
        inner = reduced[-1]
        size = inner.size.constant
        blocks = not self._is_short(reduced) and (len(reduced) > 1 or size is None or size > _BLOCK or bool(self.folds))
        for k, f in enumerate(folds):
            lines.append(f"{self._type(f)} r{k} = {identity(f.op, f.value.dtype)}" + (f", s{k}[64];" if blocks else ";"))
        if blocks:
            lines.append("int64_t blocks = 0; int top = 0;")
        for axis in reduced[:-1]:
            depth += 1
            lines.append(self._outermost(axis))
            lines += self.values.statements[depth]
        lines += self._lanes(inner, depth + 1, blocks)
        lines += ["}"] * (len(reduced) - 1)
        if blocks:
            lines.append(
                "while (top) { top--; "
                + " ".join([f"r{k} = {self._folded(f, f's{k}[top]', f'r{k}')};" for k, f in enumerate(folds)])
                + " }"
            )
        return lines

    def _is_short(self, reduced: list[Axis]) -> bool:
        """Whether the elements are so few that they are folded one after the other."""
        count, inner = product([a.size for a in reduced]).constant, reduced[-1].size.constant
        return not self.folds and count is not None and count <= _SHORT and inner is not None and inner < _SHORT_ROW

    def _lanes(self, inner: Axis, depth: int, blocks: bool) -> list[str]:
        """The innermost loop: independent lanes that the compiler turns into vectors, then a fixed tree over the lanes."""
        folds, v = self.nest.folds, inner.variable.name
        begin, end = self.writer.poly(inner.begin), self.writer.poly(inner.end)
        if self.chunked is inner:
            begin, end = "begin", "end"
        size = inner.size.constant
        body = [*self.values.statements[depth], *self._stores()]
        if size is not None and size < _SHORT_ROW and not blocks:
            steps = [f"r{k} = {self._folded(f, f'r{k}', self.values.text[f.value])};" for k, f in enumerate(folds)]
            return [_open(inner, self.writer, begin, end), *body, *steps, "}"]
        lanes = self._lane_count()
        steps = [f"a{k}[l] = {self._folded(f, f'a{k}[l]', self.values.text[f.value])};" for k, f in enumerate(folds)]
        lines = [f"for (int64_t b = {begin}; b < {end}; b += {_BLOCK}) {{"]
        lines.append(f"const int64_t stop = {end} - b < {_BLOCK} ? {end} - b : {_BLOCK};")
        for k, f in enumerate(folds):
            lines.append(f"{self._type(f)} a{k}[{lanes}];")
        lines.append(
            f"for (int64_t l = 0; l < {lanes}; l++) {{ "
            + " ".join([f"a{k}[l] = {identity(f.op, f.value.dtype)};" for k, f in enumerate(folds)])
            + " }"
        )
        lines += ["int64_t j = 0;", f"for (; j + {lanes} <= stop; j += {lanes}) {{"]
        pragma = [] if self.values.impure else ["#pragma omp simd"]
        lines += [*pragma, f"for (int64_t l = 0; l < {lanes}; l++) {{", f"const int64_t {v} = b + j + l;", *body, *steps, "}", "}"]
        lines += [*pragma, "for (int64_t l = 0; l < stop - j; l++) {", f"const int64_t {v} = b + j + l;", *body, *steps, "}"]
        tree = " ".join([f"a{k}[l] = {self._folded(f, f'a{k}[l]', f'a{k}[l + h]')};" for k, f in enumerate(folds)])
        lines.append(f"for (int64_t h = {lanes // 2}; h; h /= 2) for (int64_t l = 0; l < h; l++) {{ {tree} }}")
        if blocks:
            push = " ".join([f"a{k}[0] = {self._folded(f, f's{k}[top]', f'a{k}[0]')};" for k, f in enumerate(folds)])
            lines.append(f"for (int64_t c = blocks++; c & 1; c >>= 1) {{ top--; {push} }}")
            lines.append(" ".join([f"s{k}[top] = a{k}[0];" for k in range(len(folds))]) + " top++;")
        else:
            lines.append(" ".join([f"r{k} = {self._folded(f, f'r{k}', f'a{k}[0]')};" for k, f in enumerate(folds)]))
        return [*lines, "}"]

    def _lane_count(self) -> int:
        width = max(f.value.dtype.itemsize for f in self.nest.folds)
        return max(8, (256 if self.values.cost < 30 else 128) // width)

    def _fold_arg(self, reduced: list[Axis], depth: int) -> list[str]:
        """argmax, argmin: the first extreme element, or the first NaN."""
        lines: list[str] = []
        for k, f in enumerate(self.nest.folds):
            lines.append(f"{self._type(f)} r{k} = {identity(f.op, f.value.dtype)}; int64_t p{k} = -1;")
        for axis in reduced:
            depth += 1
            lines.append(self._outermost(axis))
            lines += self.values.statements[depth]
        lines += self._stores()
        for k, f in enumerate(self.nest.folds):
            value, dtype = self.values.text[f.value], f.value.dtype
            if f.position is None:
                lines.append(f"r{k} = {self._folded(f, f'r{k}', value)};")
                continue
            better = expression(ew.greater if f.op is ew.maximum else ew.less, f.value, [dtype, dtype], [f"x{k}", f"r{k}"])
            nan = [expression(ew.isnan, f.value, [dtype], [x]) if dtype.kind in "fc" else "0" for x in (f"x{k}", f"r{k}")]
            lines.append(f"const {self._type(f)} x{k} = {_unwrapped(value)};")
            lines.append(
                f"if (p{k} < 0 || (!{nan[1]} && ({better} || {nan[0]}))) {{ r{k} = x{k}; p{k} = {self.writer.poly(f.position)}; }}"
            )
        return lines + ["}"] * len(reduced)

    def _find_extreme(self, along: Axis, depth: int) -> list[str]:
        """argmax, argmin alone: extremes of blocks by lanes; then the block that had it is searched for its first such element."""
        (fold,) = self.nest.folds
        v, dtype, lanes = along.variable.name, fold.value.dtype, self._lane_count()
        begin, end = self.writer.poly(along.begin), self.writer.poly(along.end)
        body, value = self.values.statements[depth], self.values.text[fold.value]
        better = expression(ew.greater if fold.op is ew.maximum else ew.less, fold.value, [dtype, dtype], ["a[0]", "r0"])
        same = expression(ew.equal, fold.value, [dtype, dtype], ["x", "r0"])
        nan = [expression(ew.isnan, fold.value, [dtype], [x]) if dtype.kind in "fc" else "0" for x in ("x", "r0", "a[0]")]
        start = identity(fold.op, dtype)
        folded_lanes = self._folded(fold, "a[l]", "a[l + h]")
        step = f"a[l] = {self._folded(fold, 'a[l]', value)};"
        pragma = [] if self.values.impure else ["#pragma omp simd"]
        return [
            f"{self._type(fold)} r0 = {start}; int64_t p0 = {begin}; int any = 0;",
            f"for (int64_t b = {begin}; b < {end}; b += {_BLOCK}) {{",
            f"const int64_t stop = {end} - b < {_BLOCK} ? {end} - b : {_BLOCK};",
            f"{self._type(fold)} a[{lanes}];",
            f"for (int64_t l = 0; l < {lanes}; l++) a[l] = {start};",
            "int64_t j = 0;",
            f"for (; j + {lanes} <= stop; j += {lanes}) {{",
            *[*pragma, f"for (int64_t l = 0; l < {lanes}; l++) {{", f"const int64_t {v} = b + j + l;", *body, step, "}", "}"],
            *[*pragma, "for (int64_t l = 0; l < stop - j; l++) {", f"const int64_t {v} = b + j + l;", *body, step, "}"],
            f"for (int64_t h = {lanes // 2}; h; h /= 2) for (int64_t l = 0; l < h; l++) {{ a[l] = {folded_lanes}; }}",
            f"if (!any || (!{nan[1]} && ({better} || {nan[2]}))) {{ r0 = a[0]; p0 = b; any = 1; }}",
            "}",
            f"for (int64_t {v} = p0; {v} < {end}; {v}++) {{",
            *body,
            f"const {self._type(fold)} x = {_unwrapped(value)};",
            f"if ({same} || {nan[0]}) {{ p0 = {v}; break; }}",
            "}",
        ]

    def _fold_results(self) -> list[str]:
        if self.folds:
            return [f"part{k}[chunk] = r{k};" for k in range(len(self.folds))]
        return [self._result(f, f"r{k}" if f.position is None else f"p{k}") for k, f in enumerate(self.nest.folds)]

    def _result(self, f: Fold, text: str) -> str:
        dtype = f.value.dtype if f.position is None else np.dtype(np.int64)
        memory = f.buffer.memory
        place = f"{self.writer.pointer(memory)}[{_unwrapped(self.writer.poly(f.address))}]"
        return f"{place} = {_unwrapped(_cast(memory.dtype, dtype, text))};"

    def _fold_rows(self) -> list[str]:
        """The innermost loop runs along a kept axis: running results of a tile of columns, so that memory is read row by row."""
        kept, reduced = self._split_axes()
        column = kept[-1]
        folds = self.nest.folds
        v = column.variable.name
        lines = self._open_tiles(kept)
        for k, f in enumerate(folds):
            lines.append(f"{self._type(f)} a{k}[{_TILE}];")
        start = " ".join([f"a{k}[l] = {identity(f.op, f.value.dtype)};" for k, f in enumerate(folds)])
        lines.append(f"for (int64_t l = 0; l < {_TILE}; l++) {{ {start} }}")
        depth = len(kept) - 1
        for axis in reduced[:-1]:
            depth += 1
            lines.append(_open(axis, self.writer))
            lines += self.values.statements[depth]
        depth += 1
        lines += self._four_rows(column, reduced[-1], depth)
        lines += self.values.statements[depth]
        steps = [f"a{k}[{v} - tile] = {self._folded(f, f'a{k}[{v} - tile]', self.values.text[f.value])};" for k, f in enumerate(folds)]
        simd = [] if self.values.impure else ["#pragma omp simd"]
        walk = f"for (int64_t {v} = tile; {v} < stop; {v}++) {{"
        lines += [*simd, walk, *self.values.statements[depth + 1], *self._stores(), *steps, "}", *["}"] * len(reduced)]
        results = [self._result(f, f"a{k}[{v} - tile]") for k, f in enumerate(folds)]
        return [*lines, walk, *results, "}", "}", *["}"] * (len(kept) - 1)]

    def _four_rows(self, column: Axis, row: Axis, depth: int) -> list[str]:
        """Opens the loop over the rows that are folded. Four rows at a time while there are four: each running result is loaded and stored
        once for them, and folded in the same order."""
        folds, v, w = self.nest.folds, column.variable.name, row.variable.name
        if self.values.impure or self.nest.stores or self.values.cost >= _MOSTLY_MEMORY or any(f.position is not None for f in folds):
            return [_open(row, self.writer)]
        begin, end = self.writer.poly(row.begin), self.writer.poly(row.end)
        steps = [f"r{k} = {self._folded(f, f'r{k}', self.values.text[f.value])};" for k, f in enumerate(folds)]
        body = [*self.values.statements[depth], *self.values.statements[depth + 1], *steps]
        return [
            f"int64_t q = {begin};",
            f"for (; q + 4 <= {end}; q += 4) {{",
            "#pragma omp simd",
            f"for (int64_t {v} = tile; {v} < stop; {v}++) {{",
            *[f"{self._type(f)} r{k} = a{k}[{v} - tile];" for k, f in enumerate(folds)],
            *[line for u in range(4) for line in ("{", f"const int64_t {w} = q + {u};", *body, "}")],
            *[f"a{k}[{v} - tile] = r{k};" for k in range(len(folds))],
            "}",
            "}",
            f"for (; q < {end}; q++) {{",
            f"const int64_t {w} = q;",
        ]

    def _open_tiles(self, kept: list[Axis]) -> list[str]:
        column = kept[-1]
        self.chunked = kept[0]
        lines = list(self.values.statements[0])
        for depth, axis in enumerate(kept[:-1], 1):
            lines.append(self._outermost(axis))
            lines += self.values.statements[depth]
        begin, end = self.writer.poly(column.begin), self.writer.poly(column.end)
        if self.chunked is column:
            begin, end = "begin", "end"
        lines.append(f"for (int64_t tile = {begin}; tile < {end}; tile += {_TILE}) {{")
        lines.append(f"const int64_t stop = {end} - tile < {_TILE} ? {end} : tile + {_TILE};")
        return lines

    def _scan(self) -> list[str]:
        kept, (along,) = self._split_axes()
        (store,) = self.nest.stores
        v = along.variable.name
        ctype = prelude.ctype(store.value.dtype)
        value = self.values.text[store.value]
        assert self.nest.op is not None
        if self.rows:
            column = kept[-1].variable.name
            state = f"a[{column} - tile]"
            lines = [*self._open_tiles(kept), f"{ctype} a[{_TILE}];", _open(along, self.writer), *self.values.statements[len(kept)]]
            lines += [] if self.values.impure else ["#pragma omp simd"]
            lines += [f"for (int64_t {column} = tile; {column} < stop; {column}++) {{", *self.values.statements[len(kept) + 1]]
            closing = 3 + len(kept) - 1
        else:
            state = "a"
            lines = list(self.values.statements[0])
            self.chunked = kept[0] if kept else None
            for depth, axis in enumerate(kept, 1):
                lines.append(self._outermost(axis))
                lines += self.values.statements[depth]
            lines += [
                f"{ctype} a = {literal(np.zeros((), store.value.dtype)[()], store.value.dtype)};",
                _open(along, self.writer),
                *self.values.statements[-1],
            ]
            closing = 1 + len(kept)
        x = self.writer.fresh("x")
        lines.append(f"const {ctype} {x} = {_unwrapped(value)};")
        lines.append(f"{state} = {v} == {self.writer.poly(along.begin)} ? {x} : {fold_text(self.nest.op, store.value.dtype, state, x)};")
        lines.append(f"{self.writer.pointer(store.buffer.memory)}[{_unwrapped(self.writer.poly(store.address))}] = {state};")
        return lines + ["}"] * closing

    def _type(self, fold: Fold) -> str:
        return prelude.ctype(fold.value.dtype)

    def _folded(self, fold: Fold, a: str, b: str) -> str:
        return fold_text(fold.op, fold.value.dtype, a, b)

    def block(self) -> list[str]:
        """The loops as a block of a function around them."""
        body = self.body()
        if self.chunked is None:
            return ["{", *body, "}"]
        begin, end = self.writer.poly(self.chunked.begin), self.writer.poly(self.chunked.end)
        return ["{", f"const int64_t begin = {begin}, end = {end};", *body, *self.edges, "}"]

    # -- the function around the loops

    def _wrapped(self, body: list[str]) -> tuple[str, str]:
        prologue = self.writer.prologue()
        volume = product([a.size for a in self.nest.axes]).constant
        if self.chunked is not None and not self.folds and volume is not None and volume <= CHUNK:
            begin, end = self.writer.poly(self.chunked.begin), self.writer.poly(self.chunked.end)
            prologue.append(f"const int64_t begin = {begin}, end = {end};")
            self.chunked = None
        if self.chunked is None:
            body += self.edges
            text = [f"static void {self.name}(void **slots, const int64_t *dims) {{", *prologue, *body, "}"]
            return indented(text), f"{self.name}(slots, dims);"
        extra = "".join([f", {ctype} *restrict part{k}" for k, ctype in enumerate(self.folds)])
        extra = f", int64_t chunk{extra}" if self.folds else ""
        head = f"static void {self.name}_chunk(void **slots, const int64_t *dims, int64_t begin, int64_t end{extra}) {{"
        edges = [
            f"static void {self.name}_edges(void **slots, const int64_t *dims, int64_t begin, int64_t end) {{",
            *prologue,
            *self.edges,
            "}",
        ]
        text = [head, *prologue, *body, "}", *(edges if self.edges else []), "", *self._driver()]
        return indented(text), f"{self.name}(slots, dims);"

    def _driver(self) -> list[str]:
        """Cuts the outermost loop into chunks, the same ones for any number of threads."""
        axis = self.chunked
        assert axis is not None
        writer = Writer(self.program)
        begin, end = writer.poly(axis.begin), writer.poly(axis.end)
        inner = [writer.poly(a.size) for a in self.nest.axes if a is not axis]
        per = " * ".join(inner) or "1"
        head = [f"static void {self.name}(void **slots, const int64_t *dims) {{"]
        head += [f"const int64_t {a.name} = dims[{FIRST_DIM} + {a.name[1:]}];" for a in sorted(writer.sizes)]
        head.append(f"const int64_t first = {begin}, last = {end}, count = last - first, per = {per};")
        if self.folds:
            return [*self._task(), *head, *self._partial_results()]
        chunk = f"per < {CHUNK} ? {CHUNK} / (per > 0 ? per : 1) : 1"
        if len(self.nest.axes) == 1 or (self.rows and len(self._split_axes()[0]) == 1):
            chunk = str(CHUNK if len(self.nest.axes) == 1 else _TILE)
        head.append(f"const int64_t chunk = {chunk}, chunks = (count + chunk - 1) / chunk;")
        return [*self._task(), *head, *self._both_ways(), "}"]

    def _task(self) -> list[str]:
        """One chunk as a function that the pool of threads calls."""
        parts = [f"{ctype} *part{k} = task->parts[{k}];" for k, ctype in enumerate(self.folds)]
        extra = "".join([f", part{k}" for k in range(len(self.folds))])
        begin, end = "task->first + c * task->chunk", "(c + 1) * task->chunk < task->count ? (c + 1) * task->chunk : task->count"
        return [
            f"static void {self.name}_task(const void *with, int64_t c) {{",
            "const lz_task *task = with;",
            *parts,
            f"{self.name}_chunk(task->slots, task->dims, {begin}, task->first + ({end}){', c' if self.folds else ''}{extra});",
            "}",
        ]

    def _both_ways(self) -> list[str]:
        """The chunks on many threads, or one after the other."""
        parts = ", ".join([f"part{k}" for k in range(len(self.folds))]) or "0"
        work = f"count * per > dims[2] / {max(1, round(self.values.cost / 4))}"
        many = [f"((lz_parallel)slots[{POOL}])({self.name}_task, &task, chunks, dims[0], 0);"]
        one = [f"for (int64_t c = 0; c < chunks; c++) {self.name}_task(&task, c);"]
        if self.edges:
            ends = "first + c * chunk, c + 1 < chunks ? first + (c + 1) * chunk : last"
            many.append(f"for (int64_t c = 0; c < chunks; c++) {self.name}_edges(slots, dims, {ends});")
            one = [f"{self.name}_{part}(slots, dims, first, last);" for part in ("chunk", "edges")]
        return [
            f"void *parts[] = {{{parts}}};",
            "const lz_task task = {slots, dims, first, count, chunk, parts};",
            f"if (dims[0] > 1 && slots[{POOL}] && chunks > 1 && {work}) {{",
            *many,
            "} else {",
            *one,
            "}",
        ]

    def _partial_results(self) -> list[str]:
        """A full reduction: partial results of at most 64 chunks, then pairwise in their order."""
        folds = self.nest.folds
        lines = [f"int64_t chunk = {CHUNK} / (per > 0 ? per < {CHUNK} ? per : {CHUNK} : 1), least = (count + {_PARTS - 1}) / {_PARTS};"]
        lines.append(
            f"chunk = chunk > least ? chunk : {f'(least + {_BLOCK - 1}) / {_BLOCK} * {_BLOCK}' if len(self.nest.axes) == 1 else 'least'};"
        )
        lines.append("const int64_t chunks = (count + chunk - 1) / chunk;")
        for k, f in enumerate(folds):
            lines.append(f"{self._type(f)} part{k}[{_PARTS + 1}]; part{k}[0] = {identity(f.op, f.value.dtype)};")
        lines += self._both_ways()
        tree = " ".join([f"part{k}[c] = {self._folded(f, f'part{k}[c]', f'part{k}[c + h]')};" for k, f in enumerate(folds)])
        lines.append(f"for (int64_t h = 1; h < chunks; h *= 2) for (int64_t c = 0; c + h < chunks; c += 2 * h) {{ {tree} }}")
        for k, f in enumerate(folds):
            place = f"(({prelude.ctype(f.buffer.memory.dtype)} *){self.program.address(f.buffer.memory)})"
            lines.append(f"{place}[0] = {_unwrapped(_cast(f.buffer.memory.dtype, f.value.dtype, f'part{k}[0]'))};")
        return [*lines, "}"]


_BAND = 8192
"""Elements of a band: what two nests over the same rows hand over stays in the first-level caches."""


def print_band(program: Program, number: int, group: list[Scheduled]) -> tuple[str, str]:
    """(definition, call) of nests that run band of rows by band of rows."""
    if len(group) == 1:
        return Kernel(program, number, group[0]).print()
    writer = Writer(program)
    members = [Kernel(program, number, item, writer) for item in group]
    blocks: list[str] = []
    for member in members:
        blocks += ["{", *member.body(), "}"]
    widest = max(members, key=lambda m: len(m.nest.axes))
    widest.values.cost = sum(m.values.cost for m in members)
    per = " * ".join([writer.poly(a.size) for a in widest.nest.axes[1:]]) or "1"
    lines = [
        f"const int64_t row_size = {per}, band = row_size < {_BAND} ? {_BAND} / (row_size > 0 ? row_size : 1) : 1;",
        "const int64_t first_row = begin, last_row = end;",
        "for (int64_t row = first_row; row < last_row; row += band) {",
        "const int64_t begin = row, end = last_row - row < band ? last_row : row + band;",
        *blocks,
        "}",
    ]
    return widest._wrapped(lines)


def _fold_into(op: Op, dtype: np.dtype, new: np.dtype, old: str, value: str) -> str:
    """`ufunc.at`: the old element combined with a new one, in the loop that NumPy picks for them."""
    loop = ew.loop_dtypes(op.ufunc, (dtype, new))  # type: ignore[arg-type]
    text = expression(op, None, list(loop[:2]), [_cast(loop[0], dtype, old), _cast(loop[1], new, value)])  # type: ignore[arg-type]
    return _cast(dtype, loop[2], text)


def _gemm_call(gemm: Gemm, program: Program) -> str:
    writer = Writer(program)
    suffix = prelude.suffix(gemm.dtype)
    letter = blas.LETTERS[suffix]
    m, n, k = [writer.poly(p) for p in gemm.sizes]
    ctype = prelude.ctype(gemm.dtype)
    places = []
    for buffer, size in ((gemm.x, f"{m} * {k}"), (gemm.y, f"{k} * {n}"), (gemm.out, f"{m} * {n}")):
        program.name(buffer.memory)
        places.append(f"({ctype} *){program.address(buffer.memory)} + b * {size}")
    one, zero = [literal(np.array(x, gemm.dtype)[()], gemm.dtype) for x in (1, 0)]
    turned = ["'T'" if t else "'N'" for t in gemm.turned]
    ld = [m if gemm.turned[0] else k, k if gemm.turned[1] else n]
    batch = writer.poly(gemm.batch)
    sizes = " ".join([f"const int64_t {a.name} = dims[{FIRST_DIM} + {a.name[1:]}];" for a in sorted(writer.sizes)])
    if gemm.x.memory is gemm.y.memory and gemm.turned[0] != gemm.turned[1]:  # a matrix by its own transpose
        routine = program.routine(letter + "syrk")
        call = f"lz_syrk_{suffix}({routine}, {turned[0]}, {m}, {k}, {one}, {places[0]}, {ld[0]}, {zero}, {places[2]});"
    else:
        operands = f"{one}, {places[0]}, {ld[0]}, {places[1]}, {ld[1]}, {zero}, {places[2]}, {n}"
        call = f"lz_gemm_{suffix}({program.routine(letter + 'gemm')}, {turned[0]}, {turned[1]}, {m}, {n}, {k}, {operands});"
    return f"{{ {sizes} for (int64_t b = 0; b < {batch}; b++) {call} }}"


def _lapack_call(call: Lapack, program: Program) -> str:
    """The function runs; where it fails, the program ends before anything reads its results."""
    writer = Writer(program)
    name, dtype = call.node.op.name, call.node.args[0].dtype
    program.helpers.add((name, dtype))
    arguments = [program.routine(routine) for routine in lapack.calls(name, dtype)]
    for buffer in call.reads + call.results:
        if buffer is not None:
            program.name(buffer.memory)
        arguments.append("0" if buffer is None else program.address(buffer.memory))
    arguments += [writer.poly(p) for p in (call.count, *call.sizes)] + [str(int(value)) for value in call.node.attrs]
    sizes = " ".join([f"const int64_t {a.name} = dims[{FIRST_DIM} + {a.name[1:]}];" for a in sorted(writer.sizes)])
    code = program.failure(call.where, "LinAlgError", lapack.ROUTINES[name].failure)
    failed = f"if (info) {{ lz_fail(slots, {code}, info - 1, info); {LEAVE} }}"
    return f"{{ {sizes} const int64_t info = lz_{name}_{prelude.suffix(dtype)}({', '.join(arguments)}); {failed} }}"


LEAVE = "/* leave */"
"""Stands in a call that may fail: a function of loops jumps to its end there, the program returns."""


def indented(lines: Iterable[str]) -> str:
    depth, out = 0, []
    for line in lines:
        if line.startswith("}"):
            depth -= 1
        out.append(line if line.startswith("#") else "    " * depth + line)
        depth += line.count("{") - line.count("}") + line.startswith("}")
    return "\n".join(out)


_MOST_CALLS = 64
"""Statements of one function of calls. Of a function with a thousand products gcc takes time that grows with the square of their number: a
network of a thousand layers compiled in 19 s, in pieces in 6 s."""
_CALL = re.compile(r"(k|loop)\d+\(|for \(|\{ ")


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
    if "lz_parallel" in body:
        parts.append(PROTOTYPE)
    if program.failures:
        parts.append(_INDEX)
    if program.shared_turns:
        parts.append(program.shared_turns)
    if program.interruptible:
        helper = interrupts.IN_HELPER % SIGNALS if program.shared_turns else ""
        parts.append(interrupts.TEXT % {"slot": SIGNALS, "errors": ERRORS, "code": interrupts.INTERRUPTED, "helper": helper})
    if program.routines:
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
