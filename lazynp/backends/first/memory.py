"""Memory of programs: temporaries in one arena, placed by their lifetimes; big results in blocks that are used again without page faults."""

import threading
from collections.abc import Sequence
from typing import Any

import numpy as np

ALIGNMENT = 64
POOLED = 1 << 20
"""Results from this size on come from the pool: below it malloc keeps its pages, above it every fresh result costs page faults."""
_POOL_LIMIT = 1 << 29

_free: dict[int, list[np.ndarray]] = {}
_held = 0
_lock = threading.Lock()


class _Memory(np.ndarray):
    """The bytes below a Block. A type of its own: NumPy would make a result refer to a plain array below the Block, past it."""


class Block(np.ndarray):
    """The owner of a pooled result's memory: when the last view of the result dies, so does this, and the memory goes back to the pool.

    A subclass, because NumPy makes views refer to the first base of another type: no view can outlive it."""

    def __del__(self) -> None:
        global _held
        memory = self.base
        if type(memory) is _Memory:
            with _lock:
                if _held + memory.nbytes <= _POOL_LIMIT:
                    _held += memory.nbytes
                    _free.setdefault(memory.nbytes, []).append(memory)


def empty(shape: Sequence[int], dtype: np.dtype) -> np.ndarray:
    """numpy.empty; large ones from the pool."""
    global _held
    count = 1
    for n in shape:
        count *= n
    size = count * dtype.itemsize
    if size < POOLED:
        return np.empty(shape, dtype)
    rounded = -(-size // 4096) * 4096
    with _lock:
        kept = _free.get(rounded)
        memory = kept.pop() if kept else None
        if memory is not None:
            _held -= rounded
    if memory is None:
        memory = np.empty(rounded, np.uint8).view(_Memory)
    block = memory.view(Block)
    return np.ndarray(shape, dtype, block)


class Lifetime:
    """A temporary: first and last step that needs it, and its size in bytes."""

    __slots__ = ("first", "last", "size")

    def __init__(self, first: int, last: int, size: int) -> None:
        self.first = first
        self.last = last
        self.size = size


def place(lifetimes: Sequence[Lifetime]) -> tuple[list[int], int]:
    """Offsets such that temporaries alive at the same time do not overlap, and the total size. First fit among those that have ended,
    in order of birth: each dead gap is reused by the next birth that fits (linear in practice; gaps are kept by size)."""
    offsets = [0] * len(lifetimes)
    total = 0
    gaps: list[tuple[int, int]] = []
    ending: dict[int, list[int]] = {}
    done = -1
    for number in sorted(range(len(lifetimes)), key=lambda k: lifetimes[k].first):
        life = lifetimes[number]
        for step in range(done + 1, life.first):
            gaps += [(lifetimes[k].size, offsets[k]) for k in ending.pop(step, ())]
        done = max(done, life.first - 1)
        size = -(-max(life.size, 1) // ALIGNMENT) * ALIGNMENT
        life.size = size
        fit = next((k for k, (room, _) in enumerate(gaps) if room >= size), None)
        if fit is None:
            offsets[number], total = total, total + size
        else:
            room, offset = gaps.pop(fit)
            offsets[number] = offset
            if room > size:
                gaps.append((room - size, offset + size))
        ending.setdefault(life.last, []).append(number)
    return offsets, total


def evaluate_size(expression: Any, dims: Sequence[int]) -> int:
    """A size as stored in a plan: an int, ("dim", k), or (operation, left, right)."""
    if type(expression) is int:
        return expression
    if expression[0] == "dim":
        return int(dims[expression[1]])
    left, right = (evaluate_size(part, dims) for part in expression[1:])
    return int(_OPERATIONS[expression[0]](left, right))


_OPERATIONS = {
    "add": lambda a, b: a + b,
    "subtract": lambda a, b: a - b,
    "multiply": lambda a, b: a * b,
    "floor_divide": lambda a, b: a // b,
    "minimum": min,
    "maximum": max,
}
