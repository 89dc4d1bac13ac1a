"""Loops in strips: what needs nothing of the turns before is computed for many of them at once, and every answer stays NumPy's."""

import copy

import numpy as np
import pytest
from loop_programs import PROGRAMS
from outcomes import outcome, same
from test_loop_programs import close
from user_loops import PROGRAMS as USER_LOOPS

import lazynp
from lazynp.backends import toolchain
from lazynp.optimize import strips
from lazynp.runtime import evaluate

X, Y = np.random.default_rng(0).uniform(0.1, 2.0, (2, 1000))
ROWS, MATRIX = np.random.default_rng(1).normal(size=(1000, 5)), np.random.default_rng(2).normal(size=(5, 5)) / 3
LENGTHS = (0, 1, 64, 255, 256, 257, 900)

CASES = {}


def case(*arguments):
    """A function whose loop goes in strips, with its arguments; arrays of 1000 elements are cut to other lengths."""

    def enter(function):
        CASES[function.__name__] = function, arguments
        return function

    return enter


@case(X)
def mean_of_logarithms(x):
    out = np.zeros(len(x))
    s = 0.0
    for i in range(len(x)):
        s = 0.9 * s + 0.1 * np.log(x[i])
        out[i] = s
    return out


@case(X)
def backwards(x):
    s = 0.0
    for i in range(len(x) - 1, -1, -1):
        s = 0.5 * s + np.exp(x[i])
    return s


@case(X)
def every_third_of_doubled_places(x):
    s = 0.0
    for i in range(1, len(x) // 2, 3):
        s = 0.5 * s + np.exp(x[2 * i] - x[2 * i - 1])
    return s


@case(X)
def by_the_loop_variable(x):
    s = 0.0
    for i in range(len(x)):
        s = 0.3 * s + np.sqrt(x[i] * i) - np.sin(0.1 * i)
    return s


@case(X, Y)
def pairs(x, y):
    counts = np.zeros(20, dtype=np.int64)
    for i in range(0, len(x), 7):
        for j in range(i + 1, len(x)):
            k = int(5 * np.sqrt((x[i] - x[j]) ** 2 + (y[i] - y[j]) ** 2))
            if k < 20:
                counts[k] += 1
    return counts


@case(X, Y)
def particles_on_a_grid(x, y):
    grid = np.zeros(50)
    for position, weight in zip(x, y, strict=True):
        u = 20 * np.sqrt(position)
        i = int(u)
        grid[i] += (1 - (u - i)) * weight
        grid[i + 1] += (u - i) * weight
    return grid


@case(ROWS, MATRIX)
def rows_times_a_matrix(rows, matrix):
    h = np.zeros(5)
    out = np.empty((len(rows), 5))
    for t in range(len(rows)):
        h = np.tanh(0.5 * h + matrix @ rows[t])
        out[t] = h
    return out


@case(ROWS)
def columns(rows):
    s = 0.0
    for i in range(rows.shape[0]):
        s = 0.3 * s + np.hypot(rows[i, 0], rows[i, 3])
    return s


@case(X, Y)
def in_place_beside_data(x, y):
    for i in range(1, len(x)):
        x[i] = 0.5 * x[i - 1] + np.sqrt(y[i])
    return x


@case(X, Y)
def in_a_branch_too(x, y):
    a, n = 0.0, 0
    for i in range(len(x)):
        if np.sin(x[i]) > np.cos(y[i]) * a:
            a += np.exp(x[i])
            n += 1
        else:
            a *= 0.5
    return a, n


@pytest.fixture
def own_programs(tmp_path):
    """Nothing compiled before is found, and nothing compiled here stays."""
    _forget()
    with lazynp.config(cache_dir=str(tmp_path)):
        yield
    _forget()


def _forget():
    evaluate.clear_memory_cache()
    toolchain.forget()  # the same program is another one with strips of another length


@pytest.fixture
def short_strips(monkeypatch, own_programs):
    """Strips of three turns, of whatever can be computed in advance."""
    for setting, value in (("TURNS", 3), ("_LEAST", 4), ("_WORTH", 0.0)):
        monkeypatch.setattr(strips, setting, value)


@pytest.mark.parametrize("name", CASES)
def test_answers_at_every_length(name, monkeypatch, own_programs):
    made = []
    original = strips._strip_loop
    monkeypatch.setattr(strips, "_strip_loop", lambda *args: made.append(args) or original(*args))
    function, arguments = CASES[name]
    compiled = lazynp.jit(function, strict=True)
    for length in LENGTHS:
        theirs = tuple([a[:length].copy() if len(a) == len(X) else a for a in arguments])
        ours = copy.deepcopy(theirs)
        close(compiled(*ours), function(*theirs))
        close(ours, theirs)
    assert made


@pytest.mark.parametrize("name", PROGRAMS)
def test_programs_in_short_strips(name, short_strips):
    program = PROGRAMS[name]
    theirs = program.arguments(np.random.default_rng(3), program.small)
    ours = copy.deepcopy(theirs)
    expected = program.function(*theirs)
    close(lazynp.jit(program.function, strict=True)(*ours), expected)
    close(ours, theirs)


@pytest.mark.parametrize("name", USER_LOOPS)
def test_user_loops_in_short_strips(name, short_strips):
    function, arguments = USER_LOOPS[name]
    expected, left, _ = outcome(function, arguments)
    result, after, _ = outcome(lazynp.jit(function), arguments)
    same(result, expected, rtol=1e-10)
    same(after, left, "arguments", 1e-10)


def test_what_a_turn_has_written_is_not_read_in_advance():
    """The roots are of elements that the turns before have changed."""

    def smooth(x):
        for i in range(1, len(x)):
            x[i] = 0.5 * np.sqrt(x[i - 1]) + x[i]
        return x

    close(lazynp.jit(smooth, strict=True)(X.copy()), smooth(X.copy()))


def test_long_rows_are_not_kept_for_many_turns():
    """A strip of pictures would be larger than every cache."""

    def average(pictures):
        mean = np.zeros(pictures.shape[1:])
        for t in range(len(pictures)):
            mean = 0.9 * mean + np.exp(pictures[t])
        return mean

    rows = np.linspace(0, 1, 300 * 40 * 50).reshape(300, 40, 50)
    close(lazynp.jit(average, strict=True)(rows), average(rows))
    assert lazynp.jit(average).memory_plan(rows).temporaries < 3 * rows[0].nbytes


def test_warnings_are_those_of_the_turns_that_run():
    """A logarithm that no turn reaches warns nobody."""

    def until(x, most):
        s = 0.0
        for i in range(len(x)):
            if s > most:
                break
            s = 0.9 * s + np.log(x[i])
        return s

    x = np.full(1000, 5.0)
    x[900:] = 0.0
    close(lazynp.jit(until, strict=True)(x, 3.0), until(x, 3.0))


@pytest.mark.parametrize("odd", [np.nan, np.inf, -1e300, 3e18, 99.0, -0.5])
@pytest.mark.parametrize("place", [3, 500, 999])
def test_odd_numbers_among_many(odd, place):
    """What no integer holds, or no bin, in a strip or in the turns left over: Python's answer or Python's error."""

    def bins(x):
        counts = np.zeros(10, dtype=np.int64)
        for value in x:
            k = int(5 * np.sqrt(abs(value)))
            if k >= 10:
                counts[9] += 1
                continue
            counts[k] += 1
        return counts

    x = np.abs(X).copy()
    x[place] = odd
    expected, _, _ = outcome(bins, (x,))
    result, _, _ = outcome(lazynp.jit(bins), (x,))
    same(result, expected)
