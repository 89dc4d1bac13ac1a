"""Asking for what a loop reads and writes later, of arrays that come from far and are walked element by element.

The processor's own prefetching stops where a page ends, and stores wait for the lines that they change. Two matrices of 1500 x 1500 times
a vector 0.83 -> 0.70 ms; of ten million elements: bytes of an image 9.2 -> 5.5 ms, absolute values of complex numbers 10 -> 6.9 (float32),
20.3 -> 14.9 (float64). No difference where the array is near.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from lazynp.backends.kernel import Kernel
from lazynp.backends.lower import Axis, Memory, load
from lazynp.backends.nests import scalars, values_in
from lazynp.backends.polynomial import Poly

_FAR, _LINE, _AHEAD = 1 << 22, 64, 2048
"""Bytes of an array that does not stay in a core's caches, of a line of them, and bytes that are asked for in advance. Of a count of
positive numbers in memory (float32) 6 kB in advance made 3.7 ms, as without; 1 to 2 kB 2.4."""
_MOST = 8
"""Arrays that a loop asks for: more of them keep each other from what waits for memory."""


class Stream(NamedTuple):
    """A far array that a loop walks through. written: whether the loop stores to it; on: whether what lies behind a row is read next."""

    memory: Memory
    address: Poly
    written: bool
    on: bool


def streams(kernel: Kernel, inner: Axis, stores: bool) -> list[Stream]:
    """The far arrays that the loop along `inner` reads, and with `stores` those that it writes; of several places in step the last."""
    places = [(n.buffer.memory, n.address, False) for n in scalars(kernel.nest.roots()) if n.op is load and not n.guards]
    places += [(s.buffer.memory, kernel.address(s), True) for s in kernel.nest.stores] if stores else []
    found: dict[tuple[Memory, Poly], Stream] = {}
    for memory, address, written in places:
        step, size = address.coefficient(inner.variable), memory.size.constant
        if memory.kind == "band" or size is None or size * memory.dtype.itemsize < _FAR or any(values_in(address)):
            continue
        if step is None or step.constant != 1:
            continue
        shape = address - address.terms.get((), 0)
        known = found.get((memory, shape))
        if known is None or known.written < written or known.address.terms.get((), 0) < address.terms.get((), 0):
            found[memory, shape] = Stream(memory, address, written, _continues(address, inner))
    return list(found.values()) if len(found) <= _MOST else []


def requests(kernel: Kernel, inner: Axis, wanted: Iterable[Stream], first: Poly, count: int) -> list[str]:
    """C that asks for what lies _AHEAD bytes behind `count` elements from the position `first` of the loop on."""
    lines = []
    for memory, address, written, on in wanted:
        size = memory.dtype.itemsize
        further = "" if on else f"if ({first.text()} + {_AHEAD // size} < {kernel.writer.poly(inner.end)}) "
        place = f"(const char *)&{kernel.at(memory, address.replaced({inner.variable: first}))} + {_AHEAD} + q"
        call = f"__builtin_prefetch({place}{', 1' if written else ''});"
        lines.append(f"{further}for (int64_t q = 0; q < {count * size}; q += {_LINE}) {call}")
    return lines


def _continues(address: Poly, inner: Axis) -> bool:
    """Whether what lies behind a row is read next: the next row, or nothing else. Parts of rows (`L[i, :i] @ x[:i]`) do not go on: what
    was asked for behind them came in vain, a third of all that a triangular solve of 5,000 reads."""
    size = inner.size.constant
    others = {abs(n) for monomial, n in address.terms.items() if monomial and inner.variable not in monomial}
    return size is not None and (not others or size in others)
