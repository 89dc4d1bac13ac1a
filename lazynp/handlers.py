"""Whether an exception would be caught where the user's program is: then it must come where NumPy raises it, not when lazy work runs."""

import sysconfig
import warnings
from collections.abc import Iterator
from functools import lru_cache
from types import CodeType, FrameType

from lazynp.errors import is_ours, warning_action

_INSTALLED = tuple({sysconfig.get_path(name) for name in ("stdlib", "purelib", "platlib")})


def is_caught(frame: FrameType | None) -> bool:
    """Whether a `try` or `with` of the user's own code stands around what the frame is doing, in it or in one of its callers."""
    return any(True for _ in _guards(frame))


def is_warning_caught(frame: FrameType | None) -> bool:
    """Whether the program may wait there for warnings: they are raised as errors or recorded, and the code of such a `try` or `with`
    speaks of warnings. (A test runner has all of them recorded, whatever the test does.)"""
    return _are_collected() and any(not _SPEAK_OF_WARNINGS.isdisjoint(code.co_names) for code in _guards(frame))


_SPEAK_OF_WARNINGS = frozenset(
    "catch_warnings RuntimeWarning Warning warns assert_warns assert_no_warnings suppress_warnings assertWarns assertWarnsRegex "
    "_assert_warns_context _assert_no_warnings_context".split()
)
_show = getattr(warnings, "_showwarnmsg_impl", None)


def _are_collected() -> bool:
    """Whether `warnings.catch_warnings(record=True)` holds, or the first filter that meets every RuntimeWarning makes it an error."""
    return getattr(warnings, "_showwarnmsg_impl", None) is not _show or warning_action() == "error"


_CATCHERS = frozenset({"_AssertRaisesBaseContext.handle", "raises", "warns", "assert_warns", "assert_no_warnings"})
"""Functions of unittest, pytest and numpy.testing that call what they are given and wait for an error or a warning."""


def _guards(frame: FrameType | None) -> Iterator[CodeType]:
    """The user's functions that are in a `try` or `with` there, innermost first. The standard library and installed packages, such as a
    test runner, are not the user's code, but for those that catch for it."""
    while frame is not None:
        code = frame.f_code
        users = code.co_qualname in _CATCHERS or (not is_ours(code) and not code.co_filename.startswith(("<frozen", *_INSTALLED)))
        if users and any(start <= frame.f_lasti < end for start, end in _guarded(code)):
            yield code
        frame = frame.f_back


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
