"""Ctrl-C in long loops of compiled programs: now and then a loop looks at the clock, and four times a second it lets Python handle signals.

An exception that a handler raises (KeyboardInterrupt) ends the loop after a whole turn and is raised by the call of the program: what the
finished turns wrote to arguments is there, results that were not returned are nobody's.
"""

import threading
from collections.abc import Callable
from typing import Any

from lazynp.backends import holding, toolchain

INTERRUPTED = 0x7FFFFFFF
"""The error code of a program that was left so."""

TEXT = """\
struct lz_time { int64_t seconds, nanoseconds; };
int clock_gettime(int clock, struct lz_time *now);
static __attribute__((noinline, cold)) int lz_interrupted(void **slots) {
    static int64_t last;
%(helper)s    struct lz_time t;
    clock_gettime(1, &t);
    const int64_t now = t.seconds * 1000000000 + t.nanoseconds;
    if (now - last < 250000000) return 0;
    last = now;
    if (!((int (*)(void))slots[%(slot)d])()) return 0;
    *(int64_t *)slots[%(errors)d] = %(code)d;
    return 1;
}
"""
"""The C side. 1: CLOCK_MONOTONIC. Two threads that share `last` ask a little more seldom or more often."""


IN_HELPER = """\
    if (!slots[%d]) return lz_told(slots);
"""
"""In a thread that helps with a loop: it may not call Python, and leaves the loop where the caller has."""


class _Raised(threading.local):
    """error: what a handler has raised in this thread while it ran a program."""

    error: BaseException | None = None


_raised = _Raised()


def _let_signals_in() -> int:
    """Called by C, in the thread that runs the program. Python runs handlers of signals between two bytecodes of the main thread: here."""
    if threading.current_thread() is threading.main_thread():
        holding.let_in()
    return 0


def _note(kind: Any, error: BaseException, traceback: Any) -> None:
    """What a handler has raised, be it before the first bytecode: the program leaves its loops."""
    _raised.error = error.with_traceback(traceback)


def callback(kind: str, function: Callable[..., int]) -> Any:
    """A C function of that type that takes the GIL and calls function. It returns 1 where an exception was raised: C ends with the code
    INTERRUPTED, and the exception is raised by the call of the program."""
    return toolchain.ffi.callback(kind, function, error=1, onerror=_note)


_callback = callback("int(*)(void)", _let_signals_in)


def address() -> Any:
    """The C function that lets handlers run; whether the program shall leave its loops."""
    return toolchain.ffi.cast("void *", _callback)


def taken() -> BaseException:
    """The exception that has ended a program in this thread."""
    error, _raised.error = _raised.error, None
    return error or KeyboardInterrupt()
