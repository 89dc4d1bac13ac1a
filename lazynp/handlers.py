"""Whether an exception would be caught where the user's program is: then it must come where NumPy raises it, not when lazy work runs."""

import sysconfig
from collections.abc import Iterator
from functools import lru_cache
from types import CodeType, FrameType

from lazynp.errors import is_ours

_INSTALLED = tuple({sysconfig.get_path(name) for name in ("stdlib", "purelib", "platlib")})


def is_caught(frame: FrameType | None) -> bool:
    """Whether a `try` or `with` of the user's own code stands around what the frame is doing, in it or in one of its callers.
    The standard library and installed packages, such as a test runner, are not the user's code."""
    while frame is not None:
        code = frame.f_code
        users = not is_ours(code) and not code.co_filename.startswith(("<frozen", *_INSTALLED))
        if users and any(start <= frame.f_lasti < end for start, end in _guarded(code)):
            return True
        frame = frame.f_back
    return False


@lru_cache(maxsize=4096)
def _guarded(code: CodeType) -> tuple[tuple[int, int], ...]:
    """The ranges of instructions (in bytes) that have a handler."""
    table = iter(code.co_exceptiontable)
    ranges = []
    while (start := _next_number(table)) is not None:
        length, _target, _depth = _next_number(table), _next_number(table), _next_number(table)
        assert length is not None
        ranges.append((2 * start, 2 * (start + length)))
    return tuple(ranges)


def _next_number(table: Iterator[int]) -> int | None:
    """The next of the numbers that CPython writes in groups of six bits, the highest first (Objects/exception_handling_notes.txt)."""
    first = next(table, None)
    if first is None:
        return None
    number, part = first & 63, first
    while part & 64:
        part = next(table)
        number = number << 6 | part & 63
    return number
