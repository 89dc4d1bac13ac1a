"""Nests that store at every point: maps, scatters, and stencils in place whose results wait in a few rows."""

from __future__ import annotations

from collections.abc import Mapping

from lazynp.backends import prelude
from lazynp.backends.ahead import far, requests, streams
from lazynp.backends.aligned import common_load, head
from lazynp.backends.kernel import Kernel
from lazynp.backends.lower import Axis, Memory, checked, load
from lazynp.backends.nests import Store, polynomials, scalars
from lazynp.backends.polynomial import Atom, Poly, all_atoms, poly, variable
from lazynp.backends.quotients import by_reciprocals, divisors
from lazynp.backends.texts import combined, unwrapped
from lazynp.backends.values import Values, is_own, modulus
from lazynp.backends.writer import opened
from lazynp.ir.node import Node
from lazynp.ops import elementwise as ew

SKIPPED = 64
"""Elements of a block of a masked update that is left alone where the mask is false everywhere."""
_DEAR, _MUCH_DEARER = 8, 3
"""Masked updates of this cost at least, and of so many times the mask's, look at the mask of a block first."""
_TILE, _SQUARE, _ALIAS = (32, 256), (64, 64), 2048
"""Tiles of transposed reads: rows that are written, rows that are read across; where those begin at multiples of _ALIAS bytes, so that they
share a few sets of a cache."""
_MANY, _FEW, _CHUNK_ROWS = 2048, 16, 64
"""Rows up to which processors know the places of as many pages; rows below which there are no tiles; of a chunk."""
_BLOCK, _SHORT_ROW, _MOST_TWICE = 64, 128, 48
"""Elements for which a loop asks at once (ahead.py), or a row of at most so many; operations of loops that stand there twice,
where only the run knows what is far: tests in every row of a stencil of 31 x 31 took 2 to 4 of its 15 ns more."""


class Map(Kernel):
    """Every point stores its values."""

    checks: list[Node]
    """Indices that are tested in vectors."""
    turned = False
    """Whether the nest is all that the turns of a loop do, which look at `rests`: whether a block is left alone in all later turns."""
    near: bool | None = None
    """What the loops are printed for, where only the run knows: arrays that are near or far."""
    rests = False
    """Whether that happens: the mask does not depend on the turn, so nothing changes it where nothing is stored."""

    def loops(self) -> list[str]:
        axes = self.nest.axes
        self._check_later()
        lines = list(self.values.statements[0])
        if len(axes) == 2 and (tile := self._tiles()) is not None:
            self.chunked, self.chunk = axes[0], _CHUNK_ROWS
            lines += self._in_tiles(tile, 1)
        elif axes:
            self.chunked = axes[0]
            lines += self._near_and_far()
        else:
            lines += self.stores()
        return lines

    def _near_and_far(self) -> list[str]:
        """All loops, of few operations twice where only the run knows whether to ask for what they need."""
        inner, few = self.nest.axes[-1], len(scalars(self.nest.computed())) <= _MOST_TWICE
        wanted = streams(self, inner, stores=True) if few and self._is_plain() else []
        if not wanted or any(s.surely_far for s in wanted):
            return self._all_loops()
        self.near = False
        asking = self._all_loops()
        self.near = True
        return [f"if ({far(self, wanted)}) {{", *asking, "} else {", *self._all_loops(), "}"]

    def _all_loops(self) -> list[str]:
        axes = self.nest.axes
        if len(axes) == 1:
            return self._row_loops(0)
        return [self.outermost(axes[0]), *self.values.statements[1], *self._row_loops(1), "}"]

    def _is_plain(self) -> bool:
        """Whether the innermost loop is one loop over vectors."""
        return not (self.checks or self.values.impure or self.inline or self._mask() is not None or self._unsure())

    def _check_later(self) -> None:
        """Whether indices are in range is known when the innermost loop is done: it has no branches, and becomes vectors."""
        axes = self.nest.axes
        nodes = scalars(self.nest.computed())
        self.checks = [node for node in nodes if node.op is checked]
        inner = all(self.values.depth[node] == len(axes) and not node.guards for node in self.checks)
        again = any(n.op is load and n.buffer.memory in self.values.overwritten for n in scalars(self.checks))
        if not self.checks or not axes or not inner or again or self.inline or self.writer.leave:
            self.checks = []
            return
        self.values = Values(self.nest.computed(), self.values.levels, self.writer, self.values.overwritten, later=True)

    def _failed(self, axis: Axis, depth: int) -> list[str]:
        """After an innermost loop in which an index was out of range: which one."""
        exact = Values(self.checks, self.values.levels, self.writer, self.values.overwritten)
        head = self.outermost(axis) if depth == 1 else opened(axis, self.writer)
        before = [line for statements in exact.statements[:depth] for line in statements]
        return ["if (__builtin_expect(outside, 0)) {", *before, head, *exact.statements[depth], "}", "}"]

    def _row_loops(self, outer: int) -> list[str]:
        """The loops inside of the `outer` outermost ones."""
        axes = self.nest.axes
        lines: list[str] = []
        mask, unsure, plain = self._mask(), self._unsure(), self._is_plain()
        by = divisors(self, len(axes)) if plain else []
        alike = common_load(self.nest, axes[-1]) if plain else None
        for depth, axis in enumerate(axes[outer:], outer + 1):
            if depth == len(axes) - 1 and (tile := self._tiles()) is not None:
                return [*lines, *self._in_tiles(tile, depth), *["}"] * (depth - outer - 1)]
            if depth == len(axes) and (mask is not None or unsure):
                lines += self._in_blocks(mask, unsure, axis, depth)
                continue
            if depth == 1 and not self.inline and self._only_copies(axis.variable):
                return [*lines, *map(self._copy, self.nest.stores)]
            if depth == len(axes) and plain:
                inner = self._aligned(alike, axis, depth) if alike is not None and not by else self._innermost(axis, depth, by)
                return [*lines, *inner, *["}"] * (len(axes) - outer - 1)]
            if depth == len(axes) and self.checks:
                lines += ["uint8_t outside = 0;", "#pragma omp simd reduction(|:outside)"]
            elif depth == len(axes) and not self.values.impure:
                lines.append("#pragma omp simd")
            lines.append(self.outermost(axis) if depth == 1 else opened(axis, self.writer))
            lines += self.values.statements[depth]
        lines += [] if mask is not None or unsure else self.stores()
        closed = ["}"] * (len(axes) - outer)
        return [*lines, *closed[:1], *self._failed(axes[-1], len(axes)), *closed[1:]] if self.checks else [*lines, *closed]

    def _tiles(self) -> tuple[int, int] | None:
        """Tiles of the two innermost loops where a row is read across rows of another array, of which each next one is a step on: a
        transposed array. Without them a line of the cache, or the place of its page, is gone when its next element is needed."""
        axes = self.nest.axes
        if len(axes) < 2 or self.nest.moves or self.checks or self.values.impure or self.inline or self._mask() or self._unsure():
            return None
        row, along = axes[-2:]
        loads = [n for n in scalars(self.nest.roots()) if n.op is load]
        if not {s.buffer.memory for s in self.nest.stores}.isdisjoint([n.buffer.memory for n in loads]):
            return None
        across = [n for n in loads if _step(n.address, row) == 1 and _step(n.address, along) not in (0, 1, -1) and not n.guards]
        steps = [(_step(n.address, along) or 1) * n.dtype.itemsize for n in across]
        alias = any(step % _ALIAS == 0 for step in steps)
        most = _SQUARE[1] if alias else _MANY
        long = (along.size.constant or _MANY + 1) > most and (row.size.constant or _FEW) >= _FEW
        return None if not across or not long else _SQUARE if alias else _TILE

    def _in_tiles(self, tile: tuple[int, int], depth: int) -> list[str]:
        """The two innermost loops in tiles: a.T + b of 3162 x 3162, float32: 64 -> 17 ms, float64: 65 -> 24; of 1024 x 1024: 0.12 to 0.25
        of the time."""
        row, along = self.nest.axes[-2:]
        begin, end = ("begin", "end") if row is self.chunked else (self.writer.poly(row.begin), unwrapped(self.writer.poly(row.end)))
        first, last = self.writer.poly(along.begin), unwrapped(self.writer.poly(along.end))
        v, w = row.variable.name, along.variable.name
        return [
            f"for (int64_t row = {begin}; row < {end}; row += {tile[0]}) {{",
            f"for (int64_t tile = {first}; tile < {last}; tile += {tile[1]}) {{",
            f"const int64_t below = {end} - row < {tile[0]} ? {end} : row + {tile[0]};",
            f"const int64_t stop = {last} - tile < {tile[1]} ? {last} : tile + {tile[1]};",
            f"for (int64_t {v} = row; {v} < below; {v}++) {{",
            *self.values.statements[depth],
            "#pragma omp simd",
            f"for (int64_t {w} = tile; {w} < stop; {w}++) {{",
            *self.values.statements[depth + 1],
            *self.stores(),
            *["}"] * 4,
        ]

    def _innermost(self, axis: Axis, depth: int, by: list[Node]) -> list[str]:
        """The innermost loop. Where it asks for what comes from far, in blocks."""
        begin, end = ("begin", "end") if depth == 1 else (self.writer.poly(axis.begin), self.writer.poly(axis.end))
        wanted, size = streams(self, axis, stores=True), axis.size.constant
        if not wanted or self.near:
            return self._vectors(axis, begin, end, by)
        if depth > 1 and size is not None and size <= _SHORT_ROW:
            return [*requests(self, axis, wanted, axis.begin, axis.size), *self._vectors(axis, begin, end, by)]
        return [
            f"for (int64_t block = {begin}; block < {unwrapped(end)}; block += {_BLOCK}) {{",
            f"const int64_t stop = {end} - block < {_BLOCK} ? {end} : block + {_BLOCK};",
            *requests(self, axis, wanted, variable("block"), poly(_BLOCK)),
            *self._vectors(axis, "block", "stop", by if depth > 1 else []),
            "}",
        ]

    def _vectors(self, axis: Axis, begin: str, end: str, by: list[Node]) -> list[str]:
        if by:
            return by_reciprocals(self, by, axis, begin, end)
        return ["#pragma omp simd", opened(axis, self.writer, begin, unwrapped(end)), *self.values.statements[-1], *self.stores(), "}"]

    def _aligned(self, alike: Node, axis: Axis, depth: int) -> list[str]:
        """The innermost loop as single elements up to where its loads begin a line, and vectors from there on."""
        v, body = axis.variable.name, [*self.values.statements[depth], *self.stores(), "}"]
        first = {axis.variable: variable("begin") if depth == 1 else axis.begin}
        begin, end = ("begin", "end") if depth == 1 else (self.writer.poly(axis.begin), unwrapped(self.writer.poly(axis.end)))
        place = f"&{self.at(alike.buffer.memory, alike.address.replaced(first))}"
        return [
            "{",
            *head(begin, end, place, alike.dtype.itemsize),
            "#pragma GCC unroll 1",
            f"for (int64_t {v} = {begin}; {v} < whole_begin; {v}++) {{",
            *body,
            "#pragma omp simd",
            f"for (int64_t {v} = whole_begin; {v} < {end}; {v}++) {{",
            *body,
            "}",
        ]

    def _only_copies(self, along: Atom) -> bool:
        """Whether the nest moves blocks of memory of which none is where another one goes: not two arrays that change places."""
        stores = self.nest.stores
        if not all(self._is_copy(s, along) for s in stores):
            return False
        return {s.value.buffer.memory for s in stores}.isdisjoint([s.buffer.memory for s in stores])

    def _is_copy(self, store: Store, along: Atom) -> bool:
        """Whether a store moves neighbours to neighbours, in the only loop."""
        value = store.value
        if len(self.nest.axes) > 1 or value.op is not load or value.guards or value.dtype != store.buffer.memory.dtype:
            return False
        steps = [p.coefficient(along) for p in (value.address, store.address)]
        return all(p is not None and p.constant == 1 for p in steps) and value.buffer.memory is not store.buffer.memory

    def _copy(self, store: Store) -> str:
        """memcpy does not read what it overwrites: 90,000 integers 12 -> 9 us."""
        first = {self.nest.axes[0].variable: variable("begin")}
        to = self.at(store.buffer.memory, self.address(store).replaced(first))
        source = self.at(store.value.buffer.memory, store.value.address.replaced(first))
        return f"if (begin < end) __builtin_memcpy(&{to}, &{source}, (end - begin) * {store.value.dtype.itemsize});"

    def _mask(self) -> Node | None:
        """The truth value without which an element keeps what it is, if that is known for much less than what it becomes."""
        values = [s.value for s in self.nest.stores]
        masks = {v.args[0] if v.op is ew.where and is_own(v.args[2], s) else None for v, s in zip(values, self.nest.stores, strict=True)}
        mask = masks.pop()
        if masks or mask is None or self.values.impure or self.checks or self.inline or self.values.depth[mask] < len(self.nest.axes):
            return None
        first = 1 + sum([n.op.cost for n in scalars([mask])])
        return mask if self._unsure() or self.values.cost - first > max(_DEAR, _MUCH_DEARER * first) else None

    def _unsure(self) -> list[Node]:
        """Comparisons of abs(z) that squares decide but for nearly equal numbers. The root would keep the loop from vectors."""
        if self.values.impure or self.checks or self.inline:
            return []
        return [n for n in scalars(self.nest.roots()) if modulus(n) is not None and self.values.depth[n] == len(self.nest.axes)]

    def _in_blocks(self, mask: Node | None, unsure: list[Node], axis: Axis, depth: int) -> list[str]:
        """The innermost loop in blocks. Those without a true element are left alone: `z[m] = f(z[m])`; those in which squares decide all
        comparisons of moduli have a loop without roots."""
        levels = {a.variable: d for d, a in enumerate(self.nest.axes, 1)}
        overwritten = self.values.overwritten
        sure = bool(unsure)
        test = Values([*([mask] if mask is not None else []), *unsure], levels, self.writer, overwritten, sure=sure)
        v, whole = axis.variable.name, self.outermost(axis) if depth == 1 else opened(axis, self.writer)
        begin, end = whole.split(f"{v} = ")[1].split(";")[0], whole.split(f"{v} < ")[1].split(";")[0]
        inner = f"for (int64_t {v} = block; {v} < stop; {v}++) {{"
        doubts = [
            f"unsure |= {prelude.helper('absolute_unsure', modulus(n).dtype)}({test.text[modulus(n)]}, {test.text[n.args[1]]});"
            for n in unsure
        ]
        body = ["#pragma omp simd" if not sure else "", inner, *self.values.statements[depth], *self.stores(), "}"]
        if sure:
            body = ["if (unsure) {", *body[1:], "} else {", *self._surely(levels, overwritten, inner, depth), "}"]
        self.rests = mask is not None and not any(a.kind == "index" for n in scalars([mask]) for p in polynomials(n) for a in all_atoms(p))
        leave = " && ".join((["!any"] if mask is not None else []) + (["!unsure"] if sure else []))
        return [
            *[line for statements in test.statements[:depth] for line in statements],
            f"for (int64_t block = {begin}; block < {end}; block += {SKIPPED}) {{",
            f"const int64_t stop = {end} - block < {SKIPPED} ? {end} : block + {SKIPPED};",
            "uint8_t any = 0, unsure = 0;",
            "#pragma omp simd reduction(|:any, unsure)",
            inner,
            *test.statements[depth],
            *([f"any |= {test.text[mask]};"] if mask is not None else []),
            *doubts,
            "}",
            *([f"if ({leave}) {{ {'rests = 1; ' if self.turned and self.rests else ''}continue; }}"] if mask is not None else []),
            *body,
        ]

    def _surely(self, levels: dict[Atom, int], overwritten: Mapping[Memory, set[Poly]], inner: str, depth: int) -> list[str]:
        """The loop without roots."""
        exact, self.values = self.values, Values(self.nest.computed(), levels, self.writer, overwritten, sure=True)
        lines = [line for statements in self.values.statements[1:depth] for line in statements]
        lines += ["#pragma omp simd", inner, *self.values.statements[depth], *self.stores(), "}"]
        first = self.values.statements[0]
        self.values = exact
        return [*first, *lines]


def _step(address: Poly, axis: Axis) -> int | None:
    """How far the next point of a loop is in memory; None where that is not known."""
    step = address.coefficient(axis.variable)
    return None if step is None else step.constant


class Slide(Map):
    """A map whose results wait in rows of the temporaries until nobody reads what they replace."""

    def loops(self) -> list[str]:
        """Results wait in rows of the temporaries: one of `behind` + 1 rows used in turn, or, at the ends of the chunk, their own."""
        row = self.chunked = self.nest.axes[0]
        self._check_later()
        assert self.nest.moves is not None
        _, behind, ahead = self.nest.moves
        v, waiting = row.variable.name, f"low + (%s - low) % {behind + 1}"
        bounds = [f"int64_t low = begin + {ahead}, high = end - {behind};", f"if (high - low < {behind + 1}) low = high = begin;"]
        self.edges = [
            "{", *bounds, f"for (int64_t {v} = begin; {v} < end; {v}++) {{",
            f"if ({v} == low) {v} = high;", f"if ({v} >= end) break;", *self._moved(v, v), "}", "}",
        ]  # fmt: skip
        return [
            *self.values.statements[0], *bounds, self.outermost(row), *self.values.statements[1],
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
            lines += ["#pragma omp simd"] * (depth == len(self.nest.axes)) + [opened(axis, self.writer)]
        for store in self.nest.moves.stores:
            value = store.value
            target = self.at(store.buffer.memory, store.address.replaced({row: variable(to)}))
            lines.append(f"{target} = {self.at(value.buffer.memory, value.address.replaced({row: variable(source)}))};")
        return [*lines, *["}"] * (len(self.nest.axes) - 1)]

    def address(self, store: Store) -> Poly:
        """In a row of the temporary, where the results of a row wait."""
        assert self.nest.moves is not None
        if store.buffer.memory not in {s.value.buffer.memory for s in self.nest.moves.stores}:
            return store.address
        return store.address.replaced({self.nest.axes[0].variable: variable("slot")})


class Scatter(Kernel):
    """Points that may store to the same place, one after the other."""

    def loops(self) -> list[str]:
        axes = self.nest.axes
        lines = list(self.values.statements[0])
        self.chunked, self.ordered = axes[0] if axes else None, True
        for depth, axis in enumerate(axes, 1):
            lines.append(self.outermost(axis) if depth == 1 else opened(axis, self.writer))
            lines += self.values.statements[depth]
        return [*lines, *self.stores(), *["}"] * len(axes)]

    def value(self, store: Store, place: str) -> str:
        """The new value, or the old one combined with it."""
        combine, text = self.nest.scattered.get(store.buffer), self.values.text[store.value]
        return text if combine is None else combined(combine, store.buffer.memory.dtype, store.value.dtype, place, text)
