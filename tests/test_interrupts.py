"""Signals reach Python while a compiled loop runs: what a handler raises ends it, and the arguments hold what whole turns have written."""

import dis
import inspect
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

import numpy as np
import pytest

import lazynp
from lazynp.backends import interrupts
from lazynp.config import settings
from lazynp.runtime.evaluate import lock

pytestmark = [
    pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="this system has no timers that send signals"),
    # Python drops what a handler raises while a callback of the garbage collector runs; the next signal comes two seconds later
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.skipif(threading.current_thread() is not threading.main_thread(), reason="Python handles signals in the main thread"),
]


class Late(Exception):
    pass


@contextmanager
def alarm(handler: Any, seconds: float = 0.1) -> Iterator[None]:
    before = signal.signal(signal.SIGALRM, handler)
    signal.setitimer(signal.ITIMER_REAL, seconds, 2.0)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def raising(number: int, frame: FrameType | None) -> None:
    raise Late


def endless_while(x):
    while x[0] >= 0:
        x[1] = x[0]
        x[0] = (x[0] + 1) % 1000
    return x[0]


def endless_for(x):
    total = 0.0
    for i in range(10**15):
        total = total * 0.5 + x[i % 2]
    return total


def endless_nest(x):
    total = 0.0
    for _ in range(10**9):
        for _ in range(10**6):
            for k in range(x.shape[0]):
                total = total * 0.5 + x[k]
    return total


@pytest.mark.parametrize("program", [endless_while, endless_for, endless_nest])
def test_what_a_handler_raises_ends_a_loop(program):
    f = lazynp.jit(program, strict=True)
    for _ in range(2):
        x = np.ones(2)
        with alarm(raising), pytest.raises(Late):
            f(x)
        assert x[0] in (1.0, (x[1] + 1) % 1000)


def test_a_handler_that_returns_ends_nothing():
    heard = []

    @lazynp.jit(strict=True)
    def many(x, n):
        total = 0.0
        for i in range(n):
            total = total * 0.5 + x[i % 3]
        return total

    x = np.array([1.0, 2.0, 4.0])
    turns = 10**6
    with alarm(lambda *_: heard.append(1), 0.05):
        while not heard:
            result = many(x, turns)
            turns *= 4
    assert abs(result - np.sum(x[(np.arange(turns // 4 - 60, turns // 4)) % 3] * 0.5 ** np.arange(59, -1, -1))) < 1e-12


def test_short_loops_never_look():
    @lazynp.jit(strict=True)
    def short(x):
        y = np.zeros_like(x)
        for i in range(1, len(x)):
            y[i] = 0.5 * y[i - 1] + x[i]
        return y

    text = lazynp.show(short, np.ones(1000), stage="c")
    assert "/* loop" in text and "lz_interrupted" not in text


def test_an_ended_program_runs_again():
    f = lazynp.jit(endless_while, strict=True)
    with alarm(raising), pytest.raises(Late):
        f(np.ones(2))
    assert f(np.array([-1.0, 0.0])) == -1.0
    assert isinstance(interrupts.taken(), KeyboardInterrupt)  # nothing is left of the other exception


def test_lazy_work_that_is_interrupted_is_done_when_it_is_asked_for_again(all_lazy):
    """What a handler raises while a lazy program is being computed reaches the user; nothing pending is lost."""
    rng = np.random.default_rng(0)
    start = rng.uniform(size=300_000)

    def work(m, x):
        for _ in range(60):
            x = m.sin(x) + m.sqrt(m.abs(x)) * 0.5
        return x

    expected = work(np, start)
    interrupted = 0
    for seconds in (0.002, 0.01, 0.03, 0.06):
        given = lazynp.array(start)
        try:
            with alarm(raising, seconds):
                np.asarray(work(lazynp, given))
        except Late:
            interrupted += 1
        np.testing.assert_allclose(np.asarray(work(lazynp, given)), expected, rtol=1e-12)
    assert interrupted


def test_a_lazy_loop_of_python_ends_between_its_turns(all_lazy):
    x = lazynp.ones(1000)
    turns = 0
    with alarm(raising, 0.2), pytest.raises(Late):
        while True:
            x = lazynp.sin(x) + 1.0
            turns += 1
    expected = np.ones(1000)
    for _ in range(turns):
        expected = np.sin(expected) + 1.0
    later = np.sin(expected) + 1.0
    found = np.asarray(x)
    assert np.allclose(found, expected, rtol=1e-9) or np.allclose(found, later, rtol=1e-9)


def _in_place(x):
    """Updates of x that give another result if any of them is done twice."""
    x += 1.0
    x *= 3.0
    x[1:] = x[:-1] + x[1:]
    return x


_LETS_IN = ("CALL", "CALL_FUNCTION_EX", "CALL_KW", "RESUME", "JUMP_BACKWARD", "POP_JUMP_BACKWARD_IF_TRUE", "POP_JUMP_BACKWARD_IF_FALSE")
"""The instructions after which Python runs handlers. Nowhere else: between entering a lock and its block none comes."""


class _Signals:
    """Sends one signal at the `at`-th point at which Python would let it in while it runs lazynp's modules of run-time and backends."""

    def __init__(self, at: int) -> None:
        self.at = at
        self.count = 0
        self.before: dict[FrameType, str] = {}

    def step(self, frame: FrameType, event: str, argument: Any) -> Any:
        if not any(part in frame.f_code.co_filename for part in ("lazynp/runtime/storage", "lazynp/backends/", "lazynp program")):
            return None
        if frame.f_code.co_flags & inspect.CO_GENERATOR:
            return None  # Python drops what is raised while a generator ends
        frame.f_trace_opcodes = True
        if event == "opcode":
            before, self.before[frame] = self.before.get(frame), dis.opname[frame.f_code.co_code[frame.f_lasti]]
            self.count += before in _LETS_IN
            if before in _LETS_IN and self.count == self.at:
                signal.raise_signal(signal.SIGUSR1)
        return self.step


@pytest.mark.parametrize("compiled", [True, False], ids=["compiled", "interpreted"])
def test_a_signal_at_any_point_of_work_in_place(all_lazy, monkeypatch, compiled):
    """Updates in place are done once, whenever the signal comes."""
    monkeypatch.setattr(settings, "compile_after", 1 if compiled else 1000)
    start = np.arange(100.0)
    expected = _in_place(start.copy())

    def interrupted(at):
        """(whether the signal's exception came, the steps, what a later read finds)."""
        x = lazynp.lazy(start) * 1.0
        x.sum().item()  # it has memory of its own, in which the updates are done
        _in_place(x)
        signals, tracer, came = _Signals(at), sys.gettrace(), False
        sys.settrace(signals.step)
        try:
            x.sum().item()
        except Late:
            came = True
        finally:
            sys.settrace(tracer)
        return came, signals.count, np.asarray(x)

    before = signal.signal(signal.SIGUSR1, raising)
    try:
        for _ in range(3):
            _, steps, _ = interrupted(-1)
        for at in range(1, steps):
            came, count, found = interrupted(at)
            assert came == (count >= at), f"the signal at step {at} of {steps} was lost"
            np.testing.assert_array_equal(found, expected, err_msg=f"after a signal at step {at} of {steps}")
            assert signal.getsignal(signal.SIGUSR1) is raising
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert steps > 40
    assert not lock._is_owned()  # type: ignore[attr-defined]


def test_a_failure_elsewhere_does_not_repeat_work_in_place(all_lazy, monkeypatch):
    monkeypatch.setattr(settings, "compile_after", 1)
    for n in (10, 1000, 100_000):
        x = lazynp.array(np.zeros(n))
        np.asarray(x + 0.0)
        x += 1
        inverse = lazynp.linalg.inv(lazynp.eye(30) * 0.0)
        x *= 3
        x[1:] = x[:-1] + 1
        with pytest.raises(np.linalg.LinAlgError):
            np.asarray(inverse)
        assert np.asarray(x)[:3].tolist() == [3.0, 4.0, 4.0]
