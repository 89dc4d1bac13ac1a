"""Asking for what a loop reads and writes later, of arrays that come from far and are walked element by element.

The processor's own prefetching stops where a page ends, and stores wait for the lines that they change. Two matrices of 1500 x 1500 times
a vector 0.83 -> 0.70 ms; of ten million elements: bytes of an image 9.2 -> 5.5 ms, absolute values of complex numbers 10 -> 6.9 (float32),
20.3 -> 14.9 (float64). No difference where the array is near.

A program for all sizes knows when it runs what is far.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from lazynp.backends.kernel import Kernel
from lazynp.backends.lower import Axis, Memory, load
from lazynp.backends.nests import scalars, values_in
from lazynp.backends.polynomial import Atom, Poly, variable
from lazynp.backends.texts import unwrapped

_FAR, _LINE, _AHEAD = 1 << 22, 64, 2048
"""Bytes of an array that does not stay in a core's caches, of a line of them, and bytes that are asked for in advance. Of a count of
positive numbers in memory (float32) 6 kB in advance made 3.7 ms, as without; 1 to 2 kB 2.4."""
_FURTHER = 4096
"""The same for parts of rows, of which each begins on another page. They go to the
second-level cache: the first has too few lines under way. A triangular solve of 5,000: 9.0 -> 8.3 ms."""
_MOST = 8
"""Arrays that a loop asks for: more of them keep each other from what waits for memory."""


class Stream(NamedTuple):
    """An array that a loop walks through and that is far, or far where the run finds it so large. written: whether the loop stores to it;
    on: whether what lies behind a row is read next."""

    memory: Memory
    address: Poly
    written: bool
    on: bool

    @property
    def surely_far(self) -> bool:
        return self.memory.size.constant is not None


def streams(kernel: Kernel, inner: Axis, stores: bool) -> list[Stream]:
    """The far arrays that the loop along `inner` reads, and with `stores` those that it writes, and those whose size only the run knows; of
    several places in step the last."""
    places = [(n.buffer.memory, n.address, False) for n in scalars(kernel.nest.roots()) if n.op is load and not n.guards]
    places += [(s.buffer.memory, kernel.address(s), True) for s in kernel.nest.stores] if stores else []
    found: dict[tuple[Memory, Poly], Stream] = {}
    for memory, address, written in places:
        step = address.coefficient(inner.variable)
        if memory.kind == "band" or memory in kernel.near_by or not _may_be_far(kernel, memory) or any(values_in(address)):
            continue
        if step is None or step.constant != 1:
            continue
        shape = address - address.terms.get((), 0)
        known = found.get((memory, shape))
        if known is None or known.written < written or known.address.terms.get((), 0) < address.terms.get((), 0):
            found[memory, shape] = Stream(memory, address, written, _continues(kernel, address, inner))
    return list(found.values()) if len(found) <= _MOST else []


def requests(kernel: Kernel, inner: Axis, wanted: Iterable[Stream], first: Poly, count: Poly) -> list[str]:
    """C that asks for what lies _AHEAD bytes behind `count` elements from the position `first` of the loop on."""
    lines = []
    for stream in wanted:
        memory, size = stream.memory, stream.memory.dtype.itemsize
        tests = [far(kernel, [stream])] if not stream.surely_far else []
        if not stream.on:
            tests.append(f"{first.text()} + {_AHEAD // size} < {kernel.writer.poly(inner.end)}")
        place = f"(const char *)&{kernel.at(memory, stream.address.replaced({inner.variable: first}))} + {_AHEAD} + q"
        call = f"__builtin_prefetch({place}{', 1' if stream.written else ''});"
        test = f"if ({' && '.join(tests)}) " if tests else ""
        lines.append(f"{test}for (int64_t q = 0; q < {unwrapped(kernel.writer.poly(count * size))}; q += {_LINE}) {call}")
    return lines


def requests_on(kernel: Kernel, inner: Axis, parts: Iterable[Stream], moved: dict[Atom, Poly], first: Poly, count: int) -> list[str]:
    """C that asks for `count` elements _FURTHER bytes behind the position `first` of parts of rows: where one ends, for those of the next
    one. moved: what becomes in the next turn of what the places depend on."""
    lines = []
    for memory, address, _, _ in parts:
        size, text = memory.dtype.itemsize, kernel.writer.poly
        later, again = variable("later"), variable("later") - inner.size
        here = kernel.at(memory, address.replaced({inner.variable: later}))
        there = kernel.at(memory, address.replaced(moved | {inner.variable: again}))
        lines += [
            "{",
            f"const int64_t size = {text(inner.size)}, later = {text(first)} + (size < {_FURTHER // size} ? size : {_FURTHER // size});",
            f"const char *next = (const char *)(later < {text(inner.end)} ? &{here} : &{there});",
            f"for (int64_t q = 0; q < {count * size}; q += {_LINE}) __builtin_prefetch(next + q, 0, 2);",
            "}",
        ]
    return lines


def far(kernel: Kernel, found: Iterable[Stream]) -> str:
    """C: whether one of some arrays is far."""
    tests = [f"{kernel.writer.poly(s.memory.size)} >= {_FAR // s.memory.dtype.itemsize}" for s in found]
    return " || ".join(dict.fromkeys(tests))


def _may_be_far(kernel: Kernel, memory: Memory) -> bool:
    """Also where only the run knows."""
    size = memory.size.constant
    return kernel.program.of_the_run(memory.size) if size is None else size * memory.dtype.itemsize >= _FAR


def _continues(kernel: Kernel, address: Poly, inner: Axis) -> bool:
    """Whether what lies behind a row is read next: the next row, or nothing else. Parts of rows (`L[i, :i] @ x[:i]`) do not go on: what
    was asked for behind them came in vain, a third of all that a triangular solve of 5,000 reads."""
    steps = [address.coefficient(v) for v in address.variables if v is not inner.variable]
    return kernel.program.of_the_run(inner.size) and (not steps or any(step in (inner.size, inner.size * -1) for step in steps))
