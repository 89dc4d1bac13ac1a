"""Signals reach Python while a compiled loop runs: what a handler raises ends it, and the arguments hold what whole turns have written."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

import numpy as np
import pytest

import lazynp
from lazynp.backends import interrupts

pytestmark = [
    pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="this system has no timers that send signals"),
    # Python drops what a handler raises while a callback of the garbage collector runs; the next signal comes a tenth of a second later
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.skipif(threading.current_thread() is not threading.main_thread(), reason="Python handles signals in the main thread"),
]


class Late(Exception):
    pass


@contextmanager
def alarm(handler: Any, seconds: float = 0.1) -> Iterator[None]:
    before = signal.signal(signal.SIGALRM, handler)
    signal.setitimer(signal.ITIMER_REAL, seconds, 0.1)
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
