"""What the text of a program refers to: memories and their slots, sizes, routines, errors."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

import numpy as np

from lazynp.backends import prelude
from lazynp.backends.lower import Axis, Memory
from lazynp.backends.polynomial import Atom, Poly, Sizes, all_atoms
from lazynp.backends.program import ARENA, FIRST_DIM, FIRST_SLOT, OWN
from lazynp.backends.texts import unwrapped
from lazynp.ir.node import Node

LEAVE = "/* leave */"
"""Stands in a call that may fail: a function of loops jumps to its end there, the program returns."""


class Program:
    """The text of a whole program. slots: errors, arena, then memories and BLAS routines in order of first use."""

    def __init__(self, offsets: dict[Memory, str], sizes: Sizes) -> None:
        self.offsets = offsets
        self.sizes = sizes
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
        self.next_turn: Poly | None = None
        """What the variable of the loop around becomes in its next turn."""
        self.shared_turns = ""
        """What the functions of loops on threads have in common; empty where there are none."""
        self.helpers: set[tuple[str, np.dtype]] = set()
        """The functions of lapack.py and sorting.py that it calls."""
        self.products: dict[str, int] = {}
        """Suffixes of the dtypes of which it has products of its own (products.py), and the bytes that a thread packs for one."""
        self._names: dict[Memory, str] = {}
        self._codes: dict[tuple[Any, str, str], int] = {}

    def name(self, memory: Memory) -> str:
        known = self._names.get(memory)
        if known is None:
            letter = {"input": "in", "output": "out", "const": "c", "temp": "t", "band": "t", "array": "ar", "returned": "out"}[memory.kind]
            known = self._names[memory] = memory.name = f"{letter}{memory.number if memory.number >= 0 else len(self._names)}"
            if memory.kind not in ("temp", "band"):
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

    def extent(self, memory: Memory) -> tuple[int, int] | None:
        """The bytes of the arena where a temporary is; None where that depends on sizes."""
        begin, size = self.offsets[memory], memory.size.constant
        return (int(begin), int(begin) + size * memory.dtype.itemsize) if begin.isdigit() and size is not None else None

    def of_the_run(self, size: Poly) -> bool:
        """Whether a size is the same all through a run: no loop sets a part of it."""
        return all(atom.kind == "dim" and self.sizes.place_of(atom) is None for atom in size.atoms())

    def routine(self, name: str) -> str:
        """The slot of a routine of BLAS or NumPy: after all memories, so it is printed as a macro."""
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
        self.integers: set[str] = set()
        """Names of integers that loops carry from turn to turn."""
        self.gathered: dict[str, None] | None = None
        """Where the doubts of a loop's turns come together; None: the function is left at the first one."""
        self.decides: Memory | None = None
        """A truth value that a loop goes on with; where it is false the loop is left at once."""
        self.neighbour: tuple[Memory, Poly, Poly, str] | None = None
        """An element that a point needs of the point before: memory, its address, the address that this point stores to, the variable."""
        self.lanes: set[Memory] = set()
        """Numbers of which each of some turns that run abreast has its own (lanes.py)."""
        self.masked = False
        """Whether turns that are done keep theirs."""
        self.alike = False
        """Whether functions must have the same bits alone and in vectors: a turn may run either way."""
        self._serial = 0

    def fresh(self, letter: str) -> str:
        self._serial += 1
        return f"{letter}{self._serial}"

    def pointer(self, memory: Memory) -> str:
        self.used[memory] = None
        name = self.program.name(memory)
        return f"({name}_lanes + lane)" if memory in self.lanes else name

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
            if memory.kind == "band":  # declared where the band is
                continue
            constant = "" if memory in self.written else "const "
            lines.append(f"{constant}{prelude.ctype(memory.dtype)} *restrict {self.program.name(memory)} = {self.program.address(memory)};")
        return lines


def opened(axis: Axis, writer: Writer, begin: str = "", end: str = "") -> str:
    v = axis.variable.name
    return f"for (int64_t {v} = {begin or writer.poly(axis.begin)}; {v} < {end or unwrapped(writer.poly(axis.end))}; {v}++) {{"


def in_dims(text: str) -> str:
    """A size as C, where sizes have no names of their own."""
    return re.sub(r"\bn(\d+)\b", rf"dims[{FIRST_DIM} + \1]", text)


def indented(lines: Iterable[str]) -> str:
    depth, out = 0, []
    for line in lines:
        if line.startswith("}"):
            depth -= 1
        out.append(line if line.startswith("#") else "    " * depth + line)
        depth += line.count("{") - line.count("}") + line.startswith("}")
    return "\n".join(out)
