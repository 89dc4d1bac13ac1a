"""Memory of large results, used again without page faults: a fresh block of 8 MB costs more in page faults than an addition over it."""

import threading
from collections.abc import Sequence

import numpy as np

POOLED = 1 << 20
"""Results from this size on come from the pool; below it malloc keeps its pages."""
_LINE = 64
LIMIT = 1 << 29
"""The pool keeps at most so many bytes that nobody uses."""

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
                if _held + memory.nbytes <= LIMIT:
                    _held += memory.nbytes
                    _free.setdefault(memory.nbytes, []).append(memory)


def aligned(size: int) -> np.ndarray:
    """Bytes that begin where a cache line does. malloc's large blocks begin 16 bytes after one: then every vector of 64 bytes lies on two
    lines (a copy of 720 kB and a sweep over it: 20 -> 14 us)."""
    memory = np.empty(size + _LINE, np.uint8)
    first = -memory.ctypes.data % _LINE
    return memory[first : first + size]


def empty(shape: "int | Sequence[int]", dtype: np.dtype) -> np.ndarray:
    """numpy.empty; large ones from the pool."""
    global _held
    sizes = (shape,) if isinstance(shape, int) else shape
    size = dtype.itemsize
    for n in sizes:
        size *= n
    if size < POOLED:
        return np.empty(shape, dtype)
    rounded = -(-size // 4096) * 4096
    with _lock:
        kept = _free.get(rounded)
        memory = kept.pop() if kept else None
        if memory is not None:
            _held -= rounded
    if memory is None:
        memory = aligned(rounded).view(_Memory)
    block = memory.view(Block)
    return np.ndarray(shape, dtype, block)
