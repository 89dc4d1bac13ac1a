"""The loops of one nest as C: what all kinds of nests have in common."""

from __future__ import annotations

import numpy as np

from lazynp.backends import prelude
from lazynp.backends.lower import Axis, Memory
from lazynp.backends.nests import Fold, Store, polynomials, scalars
from lazynp.backends.polynomial import Poly, all_atoms
from lazynp.backends.schedule import Scheduled
from lazynp.backends.texts import cast_text, fold_text, unwrapped
from lazynp.backends.values import Values, decisions, joined_truth
from lazynp.backends.writer import Program, Writer, opened
from lazynp.ir.node import Node
from lazynp.ir.op import Op
from lazynp.ops import elementwise as ew


class Kernel:
    """The loops of one nest. A subclass writes them for nests of its kind."""

    def __init__(self, program: Program, number: int, scheduled: Scheduled, writer: Writer | None = None, inline: bool = False) -> None:
        self.inline = inline
        """Whether the loops stand inside a function that somebody else writes, on one thread."""
        self.program = program
        self.name = f"k{number}"
        self.nest = scheduled.nest
        self.rows = scheduled.rows
        self.writer = writer or Writer(program)
        self.chunked: Axis | None = None
        self.ordered = False
        """Whether the turns of the outermost loop must come one after the other."""
        self.partial: list[str] = []
        """C types of partial results, if the loops fold a chunk of everything."""
        self.chunk = 0
        """Rows of a chunk, where its number of points does not decide."""
        self.near_by: set[Memory] = set()
        """Memories of which only a part is used, which stays in the first-level cache."""
        self.edges: list[str] = []
        """What is left to do when all chunks are done."""

    def body(self) -> list[str]:
        """The loops; chunked, partial and edges are known afterwards."""
        nest = self.nest
        self._name_index_values()
        levels = {axis.variable: depth for depth, axis in enumerate(nest.axes, 1)}
        stored: dict[Memory, set[Poly]] = {}
        for s in nest.stores:
            stored.setdefault(s.buffer.memory, set()).add(s.address)
        self.writer.written |= {buffer.memory for buffer, _ in nest.targets()}
        self.values = Values(nest.computed(), levels, self.writer, stored, alone=self.inline and not (nest.axes or self.writer.lanes))
        return self.loops()

    def loops(self) -> list[str]:
        """The loops around the values."""
        raise NotImplementedError

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

    def block(self) -> list[str]:
        """The loops as a block of a function around them."""
        body = self.body()
        if self.chunked is None:
            return ["{", *body, "}"]
        begin, end = self.writer.poly(self.chunked.begin), self.writer.poly(self.chunked.end)
        return ["{", f"const int64_t begin = {begin}, end = {end};", *body, *self.edges, "}"]

    def outermost(self, axis: Axis) -> str:
        """The head of a loop; of a chunk of it, if this is the loop that is cut into chunks."""
        return opened(axis, self.writer, "begin", "end") if self.chunked is axis else opened(axis, self.writer)

    def at(self, memory: Memory, address: Poly) -> str:
        return f"{self.writer.pointer(memory)}[{unwrapped(self.writer.poly(address))}]"

    def stores(self) -> list[str]:
        """What a point stores, after everything that it computes."""
        lines = []
        for s in self.nest.stores:
            if s.buffer.memory is self.writer.decides:
                tests = [" & ".join([self.values.text[part] for part in group]) for group in decisions(s.value)]
                lines += [f"if (!({test})) break;" for test in tests]
                continue
            place, more = self.at(s.buffer.memory, self.address(s)), joined_truth(s) if self.inline else None
            if s.buffer.memory in self.writer.lanes:
                value = unwrapped(self.value(s, place))
                lines.append(f"{place} = going[lane] ? {self.value(s, place)} : {place};" if self.writer.masked else f"{place} = {value};")
            elif more is not None:
                lines.append(self._joined(place, *more))
            elif (next_to := self.writer.neighbour) is not None and (s.buffer.memory, s.address) == (next_to[0], next_to[2]):
                lines += [f"{next_to[3]} = {unwrapped(self.value(s, place))};", f"{place} = {next_to[3]};"]
            else:
                lines.append(f"{place} = {unwrapped(self.value(s, place))};")
        return lines

    def _joined(self, place: str, op: Op, x: Node) -> str:
        """A truth value that another one sets or clears. As a branch that is hardly ever taken, as most that set one, it costs a loop less
        than a carried value."""
        if op is ew.logical_or:
            test = unwrapped(self.values.text[x])
            if x.op is ew.doubtful and self.writer.gathered is not None:
                self.writer.gathered[place] = None
                return f"{place} |= {test};"
            leaves = x.op is ew.doubtful and self.writer.leave
            return f"if (__builtin_expect({test}, 0)) {{ {place} = 1; goto {leaves}; }}" if leaves else f"if ({test}) {place} = 1;"
        opposite = x.op is ew.logical_not and x.args[0].dtype == bool
        return f"{place} &= {f'!{self.values.text[x.args[0]]}' if opposite else f'({self.values.text[x]} != 0)'};"

    def value(self, store: Store, place: str) -> str:
        """What is stored at a place."""
        return self.values.text[store.value]

    def address(self, store: Store) -> Poly:
        """Where a value is stored."""
        return store.address

    def split_axes(self) -> tuple[list[Axis], list[Axis]]:
        """(kept, reduced)."""
        kept = [a for a in self.nest.axes if a.variable not in self.nest.reduced]
        return kept, [a for a in self.nest.axes if a.variable in self.nest.reduced]

    def result(self, f: Fold, text: str) -> str:
        """The store of a fold's result."""
        dtype = f.value.dtype if f.position is None else np.dtype(np.int64)
        memory = f.buffer.memory
        return f"{self.at(memory, f.address)} = {unwrapped(cast_text(memory.dtype, dtype, text))};"

    def ctype(self, fold: Fold) -> str:
        return prelude.ctype(fold.value.dtype)

    def folded(self, fold: Fold, a: str, b: str) -> str:
        return fold_text(fold.op, fold.value.dtype, a, b)
