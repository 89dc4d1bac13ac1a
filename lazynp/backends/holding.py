"""Work in one piece: handlers of signals wait until it is over, so that what they raise finds it either not begun or done.

Python runs handlers between two bytecodes of the main thread, also between the end of a C function and the next bytecode. While a program
overwrites the memory that it reads, that would be too early: the work would be done and still be pending, and be done twice.
Handlers stay the user's: they run with their own signal when the work is over, or when a long compiled loop lets them in.
"""

import _signal
import signal
import sys
import threading
from typing import Any

_NAMES = ("SIGINT", "SIGTERM", "SIGALRM", "SIGHUP", "SIGUSR1", "SIGUSR2", "SIGVTALRM", "SIGPROF", "SIGCHLD", "SIGIO", "SIGBREAK")
_SIGNALS = [int(getattr(signal, name)) for name in _NAMES if hasattr(signal, name)]
_handlers: dict[int, Any] = {}
"""The user's handler of each signal that is being held."""
_noted: list[int] = []
"""Signals that have come meanwhile."""


def _note(number: int, frame: Any) -> None:
    _noted.append(number)


def let_in() -> None:
    """Run the handlers of what has come so far, in the main thread. Raises what they raise."""
    while _noted:
        number = _noted.pop(0)
        _handlers[number](number, sys._getframe())


class Held:
    """`with Held():` in any thread; only the main thread has handlers. Within another one it does nothing."""

    __slots__ = ("_outermost",)

    def __enter__(self) -> None:
        self._outermost = not _handlers and threading.get_ident() == threading.main_thread().ident
        if not self._outermost:
            return
        try:
            for number in _SIGNALS:
                handler = _signal.getsignal(number)  # that of the module signal makes an enum of it, for ten times the time
                if callable(handler):
                    _handlers[number] = handler
                    _signal.signal(number, _note)
        except BaseException:  # a handler that was not held yet
            _let_go()
            raise

    def __exit__(self, *error: object) -> None:
        if self._outermost:
            _let_go()


def _let_go() -> None:
    """Give the handlers back, and send again what has come. Raises what they raise."""
    try:
        _give_back()
    except BaseException:  # of a handler that is back: the others come back too
        _give_back()
        raise
    finally:
        _send()


def _give_back() -> None:
    while _handlers:
        number, handler = next(reversed(_handlers.items()))
        _signal.signal(number, handler)
        _handlers.pop(number, None)


def _send() -> None:
    if _noted:
        try:
            signal.raise_signal(_noted.pop(0))
        finally:
            _send()
