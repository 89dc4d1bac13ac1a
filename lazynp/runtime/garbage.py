"""Fewer passes of Python's garbage collector while a graph is recorded, rewritten and printed.

Such work makes hundreds of thousands of small objects that all stay alive. The collector looks at them again and again and finds nothing:
of twenty thousand operations it took 38 % of the time to compile and 45 % of the time to load. It stays on, because user code runs during
a trace.
"""

import gc
import threading
from types import TracebackType

_ALLOCATIONS = 200_000
"""Container objects between two passes."""


class _Rarely:
    """A context manager for any number of threads and depths: the first sets the threshold, the last puts back what it found."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._inside = 0
        self._before = (0, 0, 0)

    def __enter__(self) -> None:
        with self._lock:
            self._inside += 1
            if self._inside == 1:
                self._before = gc.get_threshold()
                if 0 < self._before[0] < _ALLOCATIONS:
                    gc.set_threshold(_ALLOCATIONS, *self._before[1:])

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        with self._lock:
            self._inside -= 1
            if self._inside == 0 and gc.get_threshold()[0] == _ALLOCATIONS:  # else somebody else has set it meanwhile
                gc.set_threshold(*self._before)


rarely_collected = _Rarely()
