"""Loops whose turns are independent run on threads, those whose turns only look so do not, and the number of threads changes no bit."""

import copy
import signal
import threading

import numpy as np
import pytest
from loop_programs import collatz

import lazynp
from lazynp.backends import spread


@pytest.fixture(autouse=True)
def every_loop_is_worth_it(monkeypatch, tmp_path):
    """Small loops on threads too; the programs must not come from the cache of other tests."""
    monkeypatch.setattr(spread, "_LEAST", 0)
    monkeypatch.setattr(spread, "_LEAST_WITHIN", 0)
    monkeypatch.setattr(spread, "_CHUNK_WORK", 0)
    with lazynp.config(parallel_threshold=0, cache_dir=str(tmp_path)):
        yield


def f64(*shape):
    return np.random.default_rng(7).uniform(0.5, 2.0, shape)


INDEPENDENT, DEPENDENT = {}, {}


def independent(*arguments):
    def enter(function):
        INDEPENDENT[function.__name__] = function, arguments
        return function

    return enter


def dependent(*arguments):
    def enter(function):
        DEPENDENT[function.__name__] = function, arguments
        return function

    return enter


# --- independent ------------------------------------------------------------------------------------------------------------


@independent(f64(300))
def newton_per_element(x):
    out = np.zeros(len(x))
    for i in range(len(x)):
        y = x[i]
        while abs(y * y - x[i]) > 1e-12:
            y = 0.5 * (y + x[i] / y)
        out[i] = y
    return out


@independent(f64(40, 30))
def columns_of_a_matrix(a):
    out = np.zeros(a.shape)
    for j in range(a.shape[1]):
        total = 0.0
        for i in range(a.shape[0]):
            total = 0.5 * total + np.sin(a[i, j])
            out[i, j] = total
    return out


@independent(f64(30, 30))
def triangle(a):
    for i in range(a.shape[0]):
        for j in range(i + 1):
            a[i, j] = a[i, j] ** 2 + i
    return a


@independent(f64(12, 9, 7))
def middle_axis(a):
    for j in range(a.shape[1]):
        for i in range(a.shape[0]):
            for k in range(1, a.shape[2]):
                a[i, j, k] += 0.5 * a[i, j, k - 1]


@independent(f64(50), f64(50, 3))
def rows_with_scratch(x, points):
    """Each turn has an array of its own that is too large for a variable."""
    out = np.zeros((len(x), 3))
    for i in range(len(x)):
        scratch = np.zeros(300)
        for k in range(1, 300):
            scratch[k] = 0.9 * scratch[k - 1] + x[i]
        for d in range(3):
            out[i, d] = scratch[100 * d] * points[i, d]
    return out


@independent(f64(61))
def two_per_turn(x):
    for i in range(0, len(x) - 1, 2):
        low, high = min(x[i], x[i + 1]), max(x[i], x[i + 1])
        x[i], x[i + 1] = low, high
    return x


@independent(f64(64))
def backwards(x):
    y = np.empty_like(x)
    for i in range(len(x) - 1, -1, -1):
        y[i] = np.exp(-x[i]) + i
    return y


@independent(np.arange(200))
def counts(x):
    """Integers are added up in any order."""
    odd, even, largest, least, low = 0, 0, 0, 9, False
    for i in range(len(x)):
        value = int(x[i])
        if value % 3 == 1:
            odd += 1
        else:
            even -= value
        largest = max(largest, value)
        least = min(value - 100, least)
        low = low or value < 4
    return odd, even, largest, least, low


@independent(np.random.default_rng(2).integers(0, 90, 91), f64(90))
def gather(index, x):
    """What is read may be anywhere."""
    out = np.zeros(len(index))
    for i in range(len(index)):
        out[i] = x[index[i]] * 2 - 1
    return out


@independent(f64(20), f64(20, 20))
def within_time_steps(x, a):
    """The loop over time is in order, the one over elements is not."""
    for _ in range(5):
        new = np.zeros(len(x))
        for i in range(len(x)):
            s = 0.0
            for j in range(len(x)):
                s += a[i, j] * x[j]
            new[i] = np.tanh(s)
        x = new
    return x


independent(60)(collatz)


# --- dependent --------------------------------------------------------------------------------------------------------------


@dependent(f64(100))
def recurrence(x):
    for i in range(1, len(x)):
        x[i] += 0.5 * x[i - 1]
    return x


@dependent(f64(100))
def carried_number(x):
    y = np.zeros(len(x))
    last = 0.0
    for i in range(len(x)):
        y[i] = last + x[i]
        last = x[i] * 0.5
    return y


@dependent(f64(100))
def through_a_view(x):
    shifted = x[1:]
    for i in range(len(x) - 1):
        shifted[i] = 0.5 * x[i] + 1
    return x


@dependent(np.random.default_rng(2).integers(0, 90, 300), f64(300))
def index_from_data(index, x):
    out = np.zeros(90)
    for i in range(len(index)):
        out[index[i]] = x[i]
    return out


@dependent(f64(200))
def sum_of_reals(x):
    total = 0.0
    for i in range(len(x)):
        total += np.sqrt(x[i])
    return total


@dependent(f64(64))
def overlapping_rows(x):
    for i in range(30):
        for k in range(3):
            x[2 * i + k] = x[2 * i + k] * 0.5 + i
    return x


@dependent(f64(100))
def same_element(x):
    for i in range(100):
        x[i // 2] = x[i] + i
    return x


@dependent(f64(21))
def mirrored(x):
    for i in range(len(x)):
        x[i] = x[len(x) - 1 - i] * 2 + x[i]
    return x


@dependent(f64(30, 30))
def neighbour_rows(u):
    for i in range(1, 29):
        for j in range(1, 29):
            u[i, j] = 0.25 * (u[i - 1, j] + u[i + 1, j] + u[i, j - 1] + u[i, j + 1])
    return u


@dependent(f64(9, 10))
def transposed(a):
    for i in range(9):
        for j in range(9):
            a[i, j] += 0.1 * a[j, i]
    return a


@dependent(f64(50), np.zeros(1))
def counter_that_is_read(x, state):
    out = np.zeros(len(x))
    count = 0
    for i in range(len(x)):
        if x[i] > 1:
            out[count] = x[i]
            count += 1
    return out, count


@dependent(np.arange(60) * 7 % 31)
def last_place_of_the_greatest(x):
    best, place = 0, 0
    for i in range(len(x)):
        if x[i] >= best:
            best, place = x[i], i
    return best, place


@dependent(np.arange(1, 60))
def sums_that_steer(x):
    """What has been added up decides how often an inner loop turns."""
    total, steps = 0, 0
    for i in range(len(x)):
        total += int(x[i]) % 3
        for k in range(total):
            steps = steps * 3 % 7 + k
    return total, steps


@dependent(f64(50))
def scratch_that_survives(x):
    """The scratch array is made outside: what a turn leaves in it is seen by the next."""
    scratch = np.zeros(8)
    out = np.zeros(len(x))
    for i in range(len(x)):
        scratch[i % 8] += x[i]
        out[i] = scratch.sum()
    return out


def threaded(function, arguments):
    """Whether a loop of the function runs on threads."""
    return "lz_turns" in lazynp.jit(function, strict=True).lower(*copy.deepcopy(arguments)).ready.program.source


def equal(ours, theirs):
    if isinstance(theirs, tuple):
        assert len(ours) == len(theirs)
        for a, b in zip(ours, theirs, strict=True):
            equal(a, b)
    elif theirs is not None:
        np.testing.assert_array_equal(np.asarray(ours), np.asarray(theirs))
        assert np.asarray(ours).dtype == np.asarray(theirs).dtype


def results(function, arguments, threads):
    own = copy.deepcopy(arguments)
    with lazynp.config(threads=threads):
        return lazynp.jit(function, strict=True)(*own), own


@pytest.mark.parametrize("name", [*INDEPENDENT, *DEPENDENT])
def test_threads_change_no_bit(name):
    function, arguments = (INDEPENDENT | DEPENDENT)[name]
    theirs = copy.deepcopy(arguments)
    expected = function(*theirs)
    once = results(function, arguments, 1)
    for a, b in zip(_flat(once), _flat((expected, theirs)), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12)
    for threads in (2, 3):
        equal(results(function, arguments, threads), once)


def _flat(value):
    return [leaf for part in value for leaf in _flat(part)] if isinstance(value, tuple) else [] if value is None else [np.asarray(value)]


@pytest.mark.parametrize("name", INDEPENDENT)
def test_independent_turns_run_on_threads(name):
    assert threaded(*INDEPENDENT[name])


@pytest.mark.parametrize("name", DEPENDENT)
def test_dependent_turns_do_not(name):
    assert not threaded(*DEPENDENT[name])


def test_arguments_that_share_memory():
    """The same memory under two names: what a turn writes, the next one reads."""

    def shifted(x, y):
        for i in range(len(x)):
            y[i] = 0.5 * x[i] + 1

    expected, ours = f64(100), f64(100)
    shifted(expected[:-1], expected[1:])
    compiled = lazynp.jit(shifted, strict=True)
    with lazynp.config(threads=2):
        compiled(f64(99), f64(99))
        compiled(ours[:-1], ours[1:])
    np.testing.assert_array_equal(ours, expected)


@pytest.mark.parametrize("threads", [1, 2])
def test_the_first_error_counts(threads):
    """Of several turns with an index out of range the first one's is raised, as in order."""

    def gathered(index, x):
        out = np.zeros(len(index))
        for i in range(len(index)):
            out[i] = x[index[i]]
        return out

    index = np.zeros(500, dtype=int)
    index[100:] = np.arange(1000, 1400)
    with lazynp.config(threads=threads), pytest.raises(IndexError, match="index 1000 is out of bounds for axis 0 with size 7"):
        lazynp.jit(gathered, strict=True)(index, np.ones(7))


@pytest.mark.parametrize("threads", [1, 2])
def test_integers_that_outgrow_64_bits(threads):
    """A sum whose parts fit 64 bits and which does not: Python's integer is computed."""

    def total(x):
        result = 0
        for i in range(len(x)):
            result += int(x[i])
        return result

    x = np.full(64, 2**58)
    with lazynp.config(threads=threads):
        assert lazynp.jit(total)(x) == total(x) == 2**64
        assert lazynp.jit(total)(x[:4]) == 2**60


@pytest.mark.skipif(threading.current_thread() is not threading.main_thread(), reason="Python handles signals in the main thread")
def test_signals_end_a_loop_on_threads():
    def endless(x):
        out = np.zeros(len(x))
        for i in range(len(x)):
            y = x[i]
            while y >= 0:
                y = (y + 1) % 1000
            out[i] = y
        return out

    class Late(Exception):
        pass

    def late(number, frame):
        raise Late

    compiled = lazynp.jit(endless, strict=True)
    before = signal.signal(signal.SIGALRM, late)
    try:
        with lazynp.config(threads=2), pytest.raises(Late):
            compiled.lower(np.ones(64))
            signal.setitimer(signal.ITIMER_REAL, 0.3)
            compiled(np.ones(64))
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    np.testing.assert_array_equal(compiled(-np.ones(64)), -np.ones(64))


def test_sizes_known_at_run_time():
    """A program for all sizes is threaded too, and knows a loop too short for it."""
    function, (x,) = INDEPENDENT["newton_per_element"]
    compiled = lazynp.jit(function, strict=True)
    with lazynp.config(threads=2):
        for n in (300, 200, 0, 1, 7, 1000):
            np.testing.assert_allclose(compiled(np.resize(x, n)), np.sqrt(np.resize(x, n)))
