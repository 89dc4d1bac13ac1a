"""Folds along the innermost loop: independent lanes, blocks, and trees over them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from lazynp.backends import prelude, together
from lazynp.backends.ahead import Stream, requests, requests_on, streams
from lazynp.backends.kernel import Kernel
from lazynp.backends.lower import Axis
from lazynp.backends.nests import Fold, loads
from lazynp.backends.polynomial import ONE, Atom, Poly, poly, product, variable
from lazynp.backends.texts import expression, identity, unwrapped
from lazynp.backends.together import BLOCK
from lazynp.backends.writer import opened
from lazynp.ops import elementwise as ew

_SHORT, _SHORT_ROW = 128, 16
"""Folds of at most so many elements, and fewer in a row, are plain loops: the compiler writes them out, and may make the loop around them
one over vectors (a 3 x 3 convolution by loops: 2670 -> 60 us)."""
_WHOLE = 1 << 40
"""A block (BLOCK) of folds that are exact in any order; sums of blocks are added pairwise. Counting 100,000 numbers 13 -> 10 us."""
_EXACT = (ew.maximum, ew.minimum, ew.logical_or, ew.logical_and, ew.bitwise_or, ew.bitwise_and, ew.bitwise_xor)
_BESIDE = 16
"""Rows with at most so many elements per lane are folded several at a time, each in the lanes of one vector; then one vector has the
results of all. The sums of 1000 rows of 100: 22 -> 6 us (float64), 21 -> 3.3 us (float32). A lane adds no more than in NumPy's sum."""
_EXACT_ROW = 4096
"""The same of folds that are exact in any order; sums are folded beside each other up to a block. Longer rows hide their own end."""
_SIMPLE, _SHARING = 8, 64
"""Values up to this cost are computed for several rows at a time, in rows of so many elements: more would not stay in registers, fewer
are ended before they pay."""

_FEW_FLAGS = 256
"""Flags of which the compiler makes one by itself: lanes would be as many as they."""
_NARROW = {np.dtype(bool): ("uint8_t", 256), np.dtype(np.uint8): ("uint16_t", 128), np.dtype(np.int8): ("int16_t", 128)}
"""Sums of bytes: the type of a lane, and how many lanes. 100,000 truth values: 19 -> 2 us."""
_ROUNDS = 255
_LINE, _LONG = 64, 2048
"""Bytes of a line of the cache; elements from which loads begin one. A vector on two lines takes two loads: how many of 100,000 numbers
are positive 11.1 -> 7.6 us."""
_WIDE, _FIRST = 2, 512
"""Parts of rows that come from far (`L[i, :i] @ x[:i]`) have so many times the lanes, and blocks as many times as long: what is between two
blocks is less often in the way of the next loads, and a lane adds no more. Where one ends, the first
lines of the next turn's are asked for."""


def _is_sum_of_bytes(fold: Fold) -> bool:
    """Whether a fold adds bytes or truth values as numbers that hold every sum of them: 2**45 of them, in doubles."""
    value = fold.value
    return fold.op is ew.add and value.op is ew.cast and value.dtype.char in "dlLqQ" and value.args[0].dtype in _NARROW


class RowFold(Kernel):
    """Kept loops outside; the innermost loop folds in lanes, blocks are folded pairwise."""

    def loops(self) -> list[str]:
        """Kept loops outside; the innermost loop folds in lanes, blocks are folded pairwise."""
        kept, reduced = self.split_axes()
        if self._fits_vectors(kept, reduced):
            return self._fold_beside(kept, reduced[0])
        whole = self._fold_in_blocks(kept, reduced)
        if not self._may_be_short(kept, reduced):
            return whole
        inner, size, most = reduced[0], self.writer.poly(reduced[0].size), _BESIDE * self._vector_lanes()
        return [
            *[f"if ({size} < {_SHORT_ROW}) {{", *self._fold_in_order(kept, inner)],
            *[f"}} else if ({size} <= {most}) {{", *self._fold_beside(kept, inner, RowFold._lanes_by_row)],
            *["} else {", *(self._fold_beside(kept, inner) if self._shares(kept[-1], inner) else whole), "}"],
        ]

    def _fold_in_blocks(self, kept: list[Axis], reduced: list[Axis]) -> list[str]:
        """One row after the other, in lanes; blocks of a row are folded pairwise."""
        folds = self.nest.folds
        args = [f for f in folds if f.position is not None]
        lines = list(self.values.statements[0])
        if kept:
            self.chunked = kept[0]
        elif reduced and not args and not self.inline:
            self.chunked = reduced[0]
            self.partial = [prelude.ctype(f.value.dtype) for f in folds]
        for depth, axis in enumerate(kept, 1):
            lines.append(self.outermost(axis))
            lines += self.values.statements[depth]
        lines += self._fold_block(reduced, len(kept))
        lines += self._fold_results()
        lines += self._next_rows(kept, reduced)
        return lines + ["}"] * len(kept)

    def _may_be_short(self, kept: list[Axis], reduced: list[Axis]) -> bool:
        """Whether only the run knows how long the rows are, and all are as long. Rows of 3 took 26 ns in blocks, they take 1 in order; rows
        of 20 32 ns, beside each other 4."""
        if not kept or len(reduced) != 1 or self.values.impure or any(f.position is not None for f in self.nest.folds):
            return False
        size = reduced[0].size
        return size.constant is None and all(a.kind in ("dim", "index") for a in size.atoms())

    def _fold_in_order(self, kept: list[Axis], inner: Axis) -> list[str]:
        """Row after row, element after element."""
        folds, depth = self.nest.folds, len(kept) + 1
        lines = list(self.values.statements[0])
        for level, axis in enumerate(kept, 1):
            lines += [self.outermost(axis), *self.values.statements[level]]
        return [
            *lines,
            *[f"{self.ctype(f)} r{k} = {identity(f.op, f.value.dtype)};" for k, f in enumerate(folds)],
            opened(inner, self.writer),
            *self.values.statements[depth],
            *self.stores(),
            *[f"r{k} = {self.folded(f, f'r{k}', self.values.text[f.value])};" for k, f in enumerate(folds)],
            "}",
            *[self.result(f, f"r{k}") for k, f in enumerate(folds)],
            *["}"] * len(kept),
        ]

    def _vector_lanes(self) -> int:
        """The elements of a vector of 64 bytes; at most 16, or the sums of the lanes would be longer than what they add."""
        return min(max(64 // max(f.value.dtype.itemsize for f in self.nest.folds), 4), 16)

    def _fits_vectors(self, kept: list[Axis], reduced: list[Axis]) -> bool:
        """Whether the nest folds many rows that are short enough to be folded beside each other, or that share what they read."""
        if not kept or len(reduced) != 1 or self.values.impure or any(f.position is not None for f in self.nest.folds):
            return False
        rows, size, lanes = kept[-1].size.constant, reduced[0].size.constant, self._vector_lanes()
        most = max(_BESIDE * lanes, _EXACT_ROW if self._is_exact() else BLOCK)
        short = size is not None and (size <= most or self._shares(kept[-1], reduced[0]))
        return short and max(lanes, _SHORT_ROW) <= (size or 0) and (rows is None or rows >= 4)

    def _shares(self, row: Axis, inner: Axis) -> bool:
        """Whether rows are multiplied with one and the same: what several rows need of it is then loaded once."""
        size = inner.size.constant
        if (
            (size is not None and size < _SHARING)
            or self.nest.stores
            or self.values.cost >= _SIMPLE
            or any(f.value.dtype.kind != "f" for f in self.nest.folds)
        ):
            return False
        if any(s.surely_far for s in streams(self, inner, stores=False)):  # such rows come one at a time
            return False
        along = [n.address.variables for n in loads(self.nest.roots()) if inner.variable in n.address.variables]
        return len(self.nest.folds) == 1 and any(row.variable not in v for v in along) and any(row.variable in v for v in along)

    def _fold_beside(self, kept: list[Axis], inner: Axis, by: Callable[..., list[str]] | None = None) -> list[str]:
        """As many rows as a vector has lanes: the lanes of each, then the trees over the lanes of all of them."""
        folds, lanes, row = self.nest.folds, self._vector_lanes(), kept[-1]
        by = by or (together.lanes_of_rows if self._shares(row, inner) else RowFold._lanes_by_row)
        self.chunked = kept[0]
        lines = list(self.values.statements[0])
        for depth, axis in enumerate(kept[:-1], 1):
            lines += [self.outermost(axis), *self.values.statements[depth]]
        begin, end = ("begin", "end") if self.chunked is row else (self.writer.poly(row.begin), self.writer.poly(row.end))
        return [
            *lines,
            f"for (int64_t group = {begin}; group < {end}; group += {lanes}) {{",
            f"const int64_t many = {end} - group < {lanes} ? {end} - group : {lanes};",
            *[f"{self.ctype(f)} a{k}[{lanes}][{lanes}];" for k, f in enumerate(folds)],
            *by(self, row, inner, len(kept), lanes),
            "#pragma omp simd",
            "for (int64_t r = 0; r < many; r++) {",
            f"const int64_t {row.variable.name} = group + r;",
            *[self.result(f, self._tree(f, [f"a{k}[r][{lane}]" for lane in range(lanes)])) for k, f in enumerate(folds)],
            *["}"] * (1 + len(kept)),
        ]

    def _lanes_by_row(self, row: Axis, inner: Axis, depth: int, lanes: int) -> list[str]:
        """The rows of a group folded in the lanes a[r], one after the other."""
        return [
            "for (int64_t r = 0; r < many; r++) {",
            f"const int64_t {row.variable.name} = group + r;",
            *self.values.statements[depth],
            *self._lanes_of_row(inner, depth + 1, lanes),
            "}",
        ]

    def _lanes_of_row(self, inner: Axis, depth: int, lanes: int) -> list[str]:
        """One row folded in the lanes a[r]: several vectors at a time where it is long, which are folded into one at its end."""
        folds, v, begin, end = self.nest.folds, inner.variable.name, self.writer.poly(inner.begin), self.writer.poly(inner.end)
        size = inner.size.constant
        wide = lanes if size is None or size <= _BESIDE * lanes else max(self._lane_count(), lanes)
        state = "a%d[r][l]" if wide == lanes else "w%d[l]"
        body = [*self.values.statements[depth], *self.stores()]
        body += [f"{state % k} = {self.folded(f, state % k, self.values.text[f.value])};" for k, f in enumerate(folds)]
        lines = [f"{self.ctype(f)} w{k}[{wide}];" for k, f in enumerate(folds)] if wide != lanes else []
        start = " ".join([f"{state % k} = {identity(f.op, f.value.dtype)};" for k, f in enumerate(folds)])
        lines += [
            f"for (int64_t l = 0; l < {wide}; l++) {{ {start} }}",
            f"const int64_t b = {begin};",
            *(self._stores_ahead(inner) if wide == lanes else []),
            "int64_t j = 0;",
            f"for (; b + j + {wide} <= {end}; j += {wide}) {{",
            *(self._prefetches(inner, wide) if wide != lanes else []),
            *["#pragma omp simd", f"for (int64_t l = 0; l < {wide}; l++) {{", f"const int64_t {v} = b + j + l;", *body, "}", "}"],
            *["#pragma omp simd", f"for (int64_t l = 0; l < {end} - b - j; l++) {{", f"const int64_t {v} = b + j + l;", *body, "}"],
        ]
        half = wide // 2
        while half >= lanes:
            steps = [f"w{k}[l] = {self.folded(f, f'w{k}[l]', f'w{k}[l + {half}]')};" for k, f in enumerate(folds)]
            lines += ["#pragma omp simd", f"for (int64_t l = 0; l < {half}; l++) {{ {' '.join(steps)} }}"]
            half //= 2
        kept = " ".join([f"a{k}[r][l] = w{k}[l];" for k in range(len(folds))])
        return lines if wide == lanes else [*lines, f"for (int64_t l = 0; l < {lanes}; l++) {{ {kept} }}"]

    def _tree(self, fold: Fold, texts: list[str]) -> str:
        """The fold of all texts: the first half of them with the second, and so on."""
        while len(texts) > 1:
            half = len(texts) // 2
            texts = [f"({self.folded(fold, a, b)})" for a, b in zip(texts[:half], texts[half:], strict=True)]
        return texts[0]

    def _fold_block(self, reduced: list[Axis], depth: int) -> list[str]:
        folds = self.nest.folds
        lines: list[str] = []
        if not reduced:
            return [
                f"{self.ctype(f)} r{k} = {self.values.text[f.value]};" if f.position is None else f"int64_t p{k} = 0;"
                for k, f in enumerate(folds)
            ] + self.stores()
        if any(f.position is not None for f in folds):
            several = len(folds) > 1 or self.nest.stores
            return self._fold_arg(reduced, depth) if several or self._is_short(reduced) else self._find_extreme(reduced[0], depth + 1)
        inner = reduced[-1]
        size = inner.size.constant
        blocks = not self._is_short(reduced) and (len(reduced) > 1 or size is None or size > BLOCK or bool(self.partial))
        blocks = blocks and not (self._is_exact() and (size is None or size >= _SHORT_ROW))
        for k, f in enumerate(folds):
            lines.append(f"{self.ctype(f)} r{k} = {identity(f.op, f.value.dtype)}" + (f", s{k}[64];" if blocks else ";"))
        if blocks:
            lines.append("int64_t blocks = 0; int top = 0;")
        for axis in reduced[:-1]:
            depth += 1
            lines.append(self.outermost(axis))
            lines += self.values.statements[depth]
        lines += self._lanes(inner, depth + 1, blocks)
        lines += ["}"] * (len(reduced) - 1)
        if blocks:
            lines.append(
                "while (top) { top--; " + " ".join([f"r{k} = {self.folded(f, f's{k}[top]', f'r{k}')};" for k, f in enumerate(folds)]) + " }"
            )
        return lines

    def _is_exact(self) -> bool:
        """Whether the folds come out the same in any order."""
        integers = (ew.add, ew.multiply)
        return all(f.op in _EXACT or (f.op in integers and f.value.dtype.kind in "biu") or _is_sum_of_bytes(f) for f in self.nest.folds)

    def _is_short(self, reduced: list[Axis]) -> bool:
        """Whether the elements are so few that they are folded one after the other."""
        count, inner = product([a.size for a in reduced]).constant, reduced[-1].size.constant
        return not self.partial and count is not None and count <= _SHORT and inner is not None and inner < _SHORT_ROW

    def _lanes(self, inner: Axis, depth: int, blocks: bool) -> list[str]:
        """The innermost loop: independent lanes that the compiler turns into vectors, then a fixed tree over the lanes."""
        folds, v = self.nest.folds, inner.variable.name
        begin, end = self.writer.poly(inner.begin), self.writer.poly(inner.end)
        if self.chunked is inner:
            begin, end = "begin", "end"
        size = inner.size.constant
        body = [*self.values.statements[depth], *self.stores()]
        if size is not None and size < _SHORT_ROW and not blocks:
            steps = [f"r{k} = {self.folded(f, f'r{k}', self.values.text[f.value])};" for k, f in enumerate(folds)]
            return [opened(inner, self.writer, begin, end), *body, *steps, "}"]
        if size is not None and size <= _FEW_FLAGS and not blocks and all(f.op is ew.logical_or for f in folds):
            steps = [f"r{k} |= {self.values.text[f.value]} != 0;" for k, f in enumerate(folds)]
            return [opened(inner, self.writer, begin, end), *body, *steps, "}"]
        wide = _WIDE if any(s.surely_far and not s.on for s in streams(self, inner, stores=False)) and self.values.cost < _SIMPLE else 1
        lanes = self._lane_count() * wide
        steps = [f"a{k}[l] = {self.folded(f, f'a{k}[l]', self.values.text[f.value])};" for k, f in enumerate(folds)]
        block = _WHOLE if self._is_exact() else BLOCK * wide
        lines = [f"for (int64_t b = {begin}; b < {end}; b += {block}) {{"]
        lines.append(f"const int64_t stop = {end} - b < {block} ? {end} - b : {block};")
        for k, f in enumerate(folds):
            lines.append(f"{self.ctype(f)} a{k}[{lanes}];")
        lines.append(
            f"for (int64_t l = 0; l < {lanes}; l++) {{ "
            + " ".join([f"a{k}[l] = {identity(f.op, f.value.dtype)};" for k, f in enumerate(folds)])
            + " }"
        )
        lines += ["int64_t j = 0;", *self._head(inner, [*body, *steps], lanes), *self._narrow(inner, body, lanes)]
        lines += [f"for (; j + {lanes} <= stop; j += {lanes}) {{", *self._prefetches(inner, lanes)]
        pragma = [] if self.values.impure else ["#pragma omp simd"]
        lines += [*pragma, f"for (int64_t l = 0; l < {lanes}; l++) {{", f"const int64_t {v} = b + j + l;", *body, *steps, "}", "}"]
        lines += [*pragma, "for (int64_t l = 0; l < stop - j; l++) {", f"const int64_t {v} = b + j + l;", *body, *steps, "}"]
        tree = " ".join([f"a{k}[l] = {self.folded(f, f'a{k}[l]', f'a{k}[l + h]')};" for k, f in enumerate(folds)])
        lines.append(f"for (int64_t h = {lanes // 2}; h; h /= 2) for (int64_t l = 0; l < h; l++) {{ {tree} }}")
        if blocks:
            push = " ".join([f"a{k}[0] = {self.folded(f, f's{k}[top]', f'a{k}[0]')};" for k, f in enumerate(folds)])
            lines.append(f"for (int64_t c = blocks++; c & 1; c >>= 1) {{ top--; {push} }}")
            lines.append(" ".join([f"s{k}[top] = a{k}[0];" for k in range(len(folds))]) + " top++;")
        else:
            lines.append(" ".join([f"r{k} = {self.folded(f, f'r{k}', f'a{k}[0]')};" for k, f in enumerate(folds)]))
        return [*lines, "}"]

    def _head(self, inner: Axis, point: list[str], lanes: int) -> list[str]:
        """Single elements up to where a load begins a line of the cache, of folds that are exact in any order."""
        if not self._is_exact() or self.values.impure or (inner.size.constant or _LONG) < _LONG:
            return []
        along = [n for n in loads(self.nest.roots()) if inner.variable in n.address.variables]
        steps = {n.address.coefficient(inner.variable) for n in along}
        if len({n.buffer.memory for n in along}) != 1 or steps != {ONE} or _LINE // along[0].dtype.itemsize > lanes:
            return []
        place = self.at(along[0].buffer.memory, along[0].address.replaced({inner.variable: variable("b")}))
        return [
            f"const int64_t loose = (-(uint64_t)&{place} & {_LINE - 1}) / {along[0].dtype.itemsize};",
            "#pragma GCC unroll 1",
            "for (; j < loose && j < stop; j++) {",
            f"const int64_t {inner.variable.name} = b + j, l = j;",
            *point,
            "}",
        ]

    def _narrow(self, inner: Axis, body: list[str], lanes: int) -> list[str]:
        """Sums of bytes and truth values begin in narrow lanes, of which a vector has more, for as many rounds as they have room."""
        read = loads(self.nest.roots())
        if len(self.nest.folds) != 1 or not _is_sum_of_bytes(self.nest.folds[0]) or self.values.impure or self.nest.stores:
            return []
        if any(n.dtype.itemsize > 1 for n in read) or not read:
            return []
        (value,) = self.nest.folds[0].value.args
        ctype, many, v = *_NARROW[value.dtype], inner.variable.name
        return [
            f"while (j + {many} <= stop) {{",
            f"{ctype} few[{many}] = {{0}};",
            f"const int64_t last = stop - j < {_ROUNDS * many} ? stop : j + {_ROUNDS * many};",
            f"for (; j + {many} <= last; j += {many}) {{",
            "#pragma omp simd",
            f"for (int64_t l = 0; l < {many}; l++) {{",
            f"const int64_t {v} = b + j + l;",
            *body,
            f"few[l] = ({ctype})(few[l] + ({unwrapped(self.values.text[value])}));",
            *["}"] * 2,
            f"for (int64_t l = 0; l < {many}; l++) a0[l % {lanes}] += few[l];",
            "}",
        ]

    def _prefetches(self, inner: Axis, lanes: int) -> list[str]:
        """Asks for what the lanes read later; behind a part of a row that is the same part in the next turn."""
        wanted, place = [stream for stream in streams(self, inner, stores=True) if stream.on], variable("b") + variable("j")
        parts, moved = self._parts(inner)
        return [*requests(self, inner, wanted, place, poly(lanes)), *requests_on(self, inner, parts, moved, place, lanes)]

    def _stores_ahead(self, inner: Axis) -> list[str]:
        """Asks for where a short row's elements are stored later."""
        written = [s for s in streams(self, inner, stores=True) if s.written]
        return [] if inner.size.variables else requests(self, inner, written, inner.begin, inner.size)

    def _next_rows(self, kept: list[Axis], reduced: list[Axis]) -> list[str]:
        """Asks for the first lines of what comes after parts of rows from far: the same part in the next turn of the loop around."""
        if not reduced or self.values.impure:
            return []
        parts, moved = self._parts(reduced[-1])
        moved |= {reduced[-1].variable: reduced[-1].begin}
        places = dict.fromkeys([self.at(s.memory, s.address.replaced(moved)) for s in parts])
        return [f"for (int q = 0; q < {_FIRST}; q += {_LINE}) __builtin_prefetch((const char *)&{place} + q);" for place in places]

    def _parts(self, inner: Axis) -> tuple[list[Stream], dict[Atom, Poly]]:
        """The parts of rows from far, and what becomes in the next turn of the loop around of what they depend on."""
        kept, _ = self.split_axes()
        around = variable(kept[-1].variable.name) + 1 if kept else self.program.next_turn
        if around is None:
            return [], {}
        (turning,) = around.atoms()
        far = [s for s in streams(self, inner, stores=False) if s.surely_far and not s.on and turning in s.address.atoms()]
        return far, {turning: around}

    def _lane_count(self) -> int:
        width = max(f.value.dtype.itemsize for f in self.nest.folds)
        return max(8, (256 if self.values.cost < 30 else 128) // width)

    def _fold_arg(self, reduced: list[Axis], depth: int) -> list[str]:
        """argmax, argmin: the first extreme element, or the first NaN."""
        lines: list[str] = []
        for k, f in enumerate(self.nest.folds):
            lines.append(f"{self.ctype(f)} r{k} = {identity(f.op, f.value.dtype)}; int64_t p{k} = -1;")
        for axis in reduced:
            depth += 1
            lines.append(self.outermost(axis))
            lines += self.values.statements[depth]
        lines += self.stores()
        for k, f in enumerate(self.nest.folds):
            value, dtype = self.values.text[f.value], f.value.dtype
            if f.position is None:
                lines.append(f"r{k} = {self.folded(f, f'r{k}', value)};")
                continue
            better = expression(ew.greater if f.op is ew.maximum else ew.less, f.value, [dtype, dtype], [f"x{k}", f"r{k}"])
            nan = [expression(ew.isnan, f.value, [dtype], [x]) if dtype.kind in "fc" else "0" for x in (f"x{k}", f"r{k}")]
            lines.append(f"const {self.ctype(f)} x{k} = {unwrapped(value)};")
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
        folded_lanes = self.folded(fold, "a[l]", "a[l + h]")
        step = f"a[l] = {self.folded(fold, 'a[l]', value)};"
        pragma = [] if self.values.impure else ["#pragma omp simd"]
        return [
            f"{self.ctype(fold)} r0 = {start}; int64_t p0 = {begin}; int any = 0;",
            f"for (int64_t b = {begin}; b < {end}; b += {BLOCK}) {{",
            f"const int64_t stop = {end} - b < {BLOCK} ? {end} - b : {BLOCK};",
            f"{self.ctype(fold)} a[{lanes}];",
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
            f"const {self.ctype(fold)} x = {unwrapped(value)};",
            f"if ({same} || {nan[0]}) {{ p0 = {v}; break; }}",
            "}",
        ]

    def _fold_results(self) -> list[str]:
        if self.partial:
            return [f"part{k}[chunk] = r{k};" for k in range(len(self.partial))]
        return [self.result(f, f"r{k}" if f.position is None else f"p{k}") for k, f in enumerate(self.nest.folds)]
