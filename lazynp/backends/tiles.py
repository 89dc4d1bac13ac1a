"""Folds across rows and running folds: the innermost loop runs along a kept axis, in tiles of columns."""

from __future__ import annotations

import numpy as np

from lazynp import choices
from lazynp.backends import prelude
from lazynp.backends.kernel import Kernel
from lazynp.backends.lower import Axis
from lazynp.backends.nests import Store
from lazynp.backends.texts import fold_text, identity, literal, unwrapped
from lazynp.backends.writer import opened

_MOSTLY_MEMORY = 8
"""Folds of values up to this cost take four rows at a time: what is dearer is not bound by memory."""


def tile() -> int:
    """Columns whose running results stay in the first-level cache while rows are folded."""
    return choices.whole("tile")


class Tiled(Kernel):
    """Running results of a tile of columns stay in the first-level cache, so that memory is read row by row."""

    def _tiles(self, kept: list[Axis]) -> list[str]:
        column = kept[-1]
        self.chunked = kept[0]
        lines = list(self.values.statements[0])
        for depth, axis in enumerate(kept[:-1], 1):
            lines.append(self.outermost(axis))
            lines += self.values.statements[depth]
        begin, end = self.writer.poly(column.begin), self.writer.poly(column.end)
        if self.chunked is column:
            begin, end = "begin", "end"
        lines.append(f"for (int64_t tile = {begin}; tile < {end}; tile += {tile()}) {{")
        lines.append(f"const int64_t stop = {end} - tile < {tile()} ? {end} : tile + {tile()};")
        return lines


class ColumnFold(Tiled):
    """Folds whose innermost loop runs along a kept axis."""

    def loops(self) -> list[str]:
        """The innermost loop runs along a kept axis: running results of a tile of columns, so that memory is read row by row."""
        kept, reduced = self.split_axes()
        column = kept[-1]
        folds = self.nest.folds
        v = column.variable.name
        lines = self._tiles(kept)
        for k, f in enumerate(folds):
            lines.append(f"{self.ctype(f)} a{k}[{tile()}];")
        start = " ".join([f"a{k}[l] = {identity(f.op, f.value.dtype)};" for k, f in enumerate(folds)])
        lines.append(f"for (int64_t l = 0; l < {tile()}; l++) {{ {start} }}")
        depth = len(kept) - 1
        for axis in reduced[:-1]:
            depth += 1
            lines.append(opened(axis, self.writer))
            lines += self.values.statements[depth]
        depth += 1
        lines += self._four_rows(column, reduced[-1], depth)
        lines += self.values.statements[depth]
        steps = [f"a{k}[{v} - tile] = {self.folded(f, f'a{k}[{v} - tile]', self.values.text[f.value])};" for k, f in enumerate(folds)]
        simd = [] if self.values.impure else ["#pragma omp simd"]
        walk = f"for (int64_t {v} = tile; {v} < stop; {v}++) {{"
        lines += [*simd, walk, *self.values.statements[depth + 1], *self.stores(), *steps, "}", *["}"] * len(reduced)]
        results = [self.result(f, f"a{k}[{v} - tile]") for k, f in enumerate(folds)]
        return [*lines, walk, *results, "}", "}", *["}"] * (len(kept) - 1)]

    def _four_rows(self, column: Axis, row: Axis, depth: int) -> list[str]:
        """Opens the loop over the rows that are folded. Four rows at a time while there are four: each running result is loaded and stored
        once for them, and folded in the same order."""
        folds, v, w = self.nest.folds, column.variable.name, row.variable.name
        if self.values.impure or self.nest.stores or self.values.cost >= _MOSTLY_MEMORY or any(f.position is not None for f in folds):
            return [opened(row, self.writer)]
        begin, end = self.writer.poly(row.begin), self.writer.poly(row.end)
        steps = [f"r{k} = {self.folded(f, f'r{k}', self.values.text[f.value])};" for k, f in enumerate(folds)]
        body = [*self.values.statements[depth], *self.values.statements[depth + 1], *steps]
        return [
            f"int64_t q = {begin};",
            f"for (; q + 4 <= {end}; q += 4) {{",
            "#pragma omp simd",
            f"for (int64_t {v} = tile; {v} < stop; {v}++) {{",
            *[f"{self.ctype(f)} r{k} = a{k}[{v} - tile];" for k, f in enumerate(folds)],
            *[line for u in range(4) for line in ("{", f"const int64_t {w} = q + {u};", *body, "}")],
            *[f"a{k}[{v} - tile] = r{k};" for k in range(len(folds))],
            "}",
            "}",
            f"for (; q < {end}; q++) {{",
            f"const int64_t {w} = q;",
        ]


class Scan(Tiled):
    """Running folds: every point stores what has been folded so far."""

    def loops(self) -> list[str]:
        kept, (along,) = self.split_axes()
        (store,) = self.nest.stores
        ctype = prelude.ctype(store.value.dtype)
        if self.rows:
            column = kept[-1].variable.name
            state = f"a[{column} - tile]"
            lines = [*self._tiles(kept), f"{ctype} a[{tile()}];", opened(along, self.writer), *self.values.statements[len(kept)]]
            lines += [] if self.values.impure else ["#pragma omp simd"]
            lines += [f"for (int64_t {column} = tile; {column} < stop; {column}++) {{", *self.values.statements[len(kept) + 1]]
        else:
            state = "a"
            lines = [*self._kept_loops(kept), f"{ctype} a = {literal(np.zeros((), store.value.dtype)[()], store.value.dtype)};"]
            lines += [opened(along, self.writer), *self.values.statements[-1]]
        return [*lines, *self._step(store, along, state), *["}"] * (len(kept) + (2 if self.rows else 1))]

    def _kept_loops(self, kept: list[Axis]) -> list[str]:
        self.chunked = kept[0] if kept else None
        lines = list(self.values.statements[0])
        for depth, axis in enumerate(kept, 1):
            lines.append(self.outermost(axis))
            lines += self.values.statements[depth]
        return lines

    def _step(self, store: Store, along: Axis, state: str) -> list[str]:
        """The next value joins the running result, which is stored."""
        assert self.nest.op is not None
        dtype, x = store.value.dtype, self.writer.fresh("x")
        joined = fold_text(self.nest.op, dtype, state, x)
        return [
            f"const {prelude.ctype(dtype)} {x} = {unwrapped(self.values.text[store.value])};",
            f"{state} = {along.variable.name} == {self.writer.poly(along.begin)} ? {x} : {joined};",
            f"{self.at(store.buffer.memory, store.address)} = {state};",
        ]
