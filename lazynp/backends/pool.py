"""Memory of large results, used again without page faults: a fresh block of 8 MB costs more in page faults than an addition over it."""

import contextlib
import mmap
import sys
import threading
from collections.abc import Sequence

import numpy as np

POOLED = 1 << 18
"""Results from this size on come from the pool; below it malloc keeps its pages."""
LARGE = 1 << 21
"""The same for calls from C, which have smaller ones in lists of their own (lazynp/_results.c)."""
_LINE, _PAGE, _HUGE_PAGE, _MAPPED = 64, mmap.PAGESIZE, 1 << 21, 1 << 17
"""Blocks from _MAPPED bytes on begin 16 bytes after a page, where malloc asks the system for them."""
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
        if type(memory) is _Memory and memory.nbytes >= POOLED:
            with _lock:
                if _held + memory.nbytes <= LIMIT:
                    _held += memory.nbytes
                    _free.setdefault(memory.nbytes, []).append(memory)


def aligned(size: int) -> np.ndarray:
    """Bytes that begin where a cache line does, large ones where a page does. malloc's large blocks begin 16 bytes after a page: then every
    vector of 64 bytes lies on two lines (a copy of 720 kB and a sweep over it: 20 -> 14 us), and what is read from such an array and
    written 48 bytes further in a page looks like a value that is just being written (a + b * c of 18 MB: 1.32 -> 1.23 ms; a copy of
    720 kB: 10.6 -> 9.2 us)."""
    if size >= POOLED:
        return fresh_pages(size)
    begin = _PAGE if size >= _MAPPED else _LINE
    return _from(np.empty(size + begin, np.uint8), begin, size)


def _from(memory: np.ndarray, begin: int, size: int) -> np.ndarray:
    """The bytes of a memory from the first multiple of `begin` on."""
    first = -memory.ctypes.data % begin
    return memory[first : first + size]


def _bytes_of(shape: "int | Sequence[int]", dtype: np.dtype) -> int:
    size = dtype.itemsize
    for n in (shape,) if isinstance(shape, int) else shape:
        size *= n
    return size


def empty(shape: "int | Sequence[int]", dtype: np.dtype) -> np.ndarray:
    """numpy.empty; large ones from the pool."""
    size = _bytes_of(shape, dtype)
    if size < POOLED:
        return np.empty(shape, dtype)
    return np.ndarray(shape, dtype, _block(size))


def _block(size: int) -> Block:
    """At least so many bytes, which belong to the pool when nobody needs them any more. Of few sizes, at most an eighth larger than asked
    for: loops over slices find the memory of their last turn. Pages that nobody touches are not there."""
    global _held
    step = max(4096, 1 << max(size.bit_length() - 4, 0))
    rounded = -(-size // step) * step
    with _lock:
        kept = _free.get(rounded)
        memory = kept.pop() if kept else None
        if memory is not None:
            _held -= rounded
    if memory is None:
        memory = aligned(rounded).view(_Memory)
    return memory.view(Block)  # type: ignore[return-value]


# --- new memory ----------------------------------------------------------------------------------------------------------

_HUGE_PAGES = hasattr(mmap, "MADV_HUGEPAGE")
_SLAB = 4 * _HUGE_PAGE
_slab: np.ndarray | None = None
_slab_used = 0
_staggered = 0


def fresh_pages(size: int) -> np.ndarray:
    """Bytes nobody has used yet, beginning at a page, in pages of 2 MB where the system has them: 8 MB are there after 4 page faults
    instead of 2048 (0.5 ms instead of 5; NumPy: 1.2). Smaller pieces share a slab, whose memory lives as long as one of them."""
    global _slab, _slab_used
    if not _HUGE_PAGES:
        return _from(np.empty(size + _PAGE, np.uint8), _PAGE, size)
    if size >= _HUGE_PAGE:
        return _mapped(size)
    room = -(-size // _PAGE) * _PAGE
    with _lock:
        if _slab is None or _slab_used + room > _slab.size:
            _slab, _slab_used = _mapped(_SLAB), 0
        piece = _slab[_slab_used : _slab_used + size]
        _slab_used += room
    return piece


def _mapped(size: int) -> np.ndarray:
    """A mapping of its own. A rest of less than half a large page keeps small ones. Blocks begin at eight different places after a large
    page: what a loop reads at the same place of many arrays would else share the same few lines of the caches."""
    global _staggered
    _staggered = (_staggered + 1) % 8
    offset = _staggered * 2 * _PAGE
    try:
        mapping = mmap.mmap(-1, size + offset + _HUGE_PAGE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    except (OSError, OverflowError):  # no memory: NumPy says so in its own words
        return _from(np.empty(size + _PAGE, np.uint8), _PAGE, size)
    memory = np.frombuffer(mapping, np.uint8)
    first = -memory.ctypes.data % _HUGE_PAGE
    whole, rest = divmod(offset + size, _HUGE_PAGE)
    large = (whole + (rest >= _HUGE_PAGE // 2)) * _HUGE_PAGE
    with contextlib.suppress(OSError):  # a system that was built without large pages gives small ones
        mapping.madvise(mmap.MADV_HUGEPAGE, first, min(large, len(mapping) - first))
    return memory[first + offset : first + offset + size]


# --- arenas: the temporaries of a run -----------------------------------------------------------------------------------

_arenas: list[np.ndarray] = []
_MOST_ARENAS = 4


def take_arena(size: int) -> np.ndarray:
    """Memory for the temporaries of one run: what an earlier run gave back if that is large enough, so that its pages are already there."""
    try:
        arena = _arenas.pop()
    except IndexError:
        return aligned(size)
    return arena if arena.size >= size else aligned(size)


def give_arena(arena: np.ndarray) -> None:
    """For the next run, of whatever program."""
    if len(_arenas) < _MOST_ARENAS:
        _arenas.append(arena)


class Lent(np.ndarray):
    """What a result and its views refer to in memory that is also kept: an object of their own, so that references to it tell how many
    they are."""


class Kept:
    """Memory that belongs to one signature of a jitted function, and that its calls use again and again: the arena of its temporaries, and
    the memory of results that nobody holds any more. Used by several threads, each takes what the others have left."""

    def __init__(self) -> None:
        self._results: dict[int, list[np.ndarray]] = {}
        self._arenas: list[np.ndarray] = []

    def empty(self, shape: "int | Sequence[int]", dtype: np.dtype) -> np.ndarray:
        """numpy.empty, in the memory of a former result if one of this size is free."""
        size = _bytes_of(shape, dtype)
        if size < KEPT:
            return np.empty(shape, dtype)
        known = self._results.setdefault(size, [])
        memory = None
        for _ in range(len(known)):
            candidate = known.pop(0)
            if sys.getrefcount(candidate) == _UNUSED:
                memory = candidate
                break
            known.append(candidate)
        if memory is None:
            memory = _block(size)
        array = np.ndarray(shape, dtype, memory.view(Lent))
        if len(known) < _MOST_KEPT:
            known.append(memory)
        return array

    def take(self, size: int) -> np.ndarray:
        """The arena of a run."""
        return self._arenas.pop() if self._arenas else aligned(size)

    def give(self, arena: np.ndarray) -> None:
        self._arenas.append(arena)

    @property
    def bytes(self) -> int:
        """What is held now."""
        return sum(memory.nbytes for known in [*self._results.values(), self._arenas] for memory in known)


KEPT = 4096
"""Results below so many bytes are malloc's, which has their memory at hand anyway."""
_MOST_KEPT = 4
"""Results of one size that are kept: `x = f(x)` needs two."""


def _references_of_unused() -> int:
    known = [_block(1)]
    candidate = known.pop(0)
    return sys.getrefcount(candidate)


_UNUSED = _references_of_unused()
