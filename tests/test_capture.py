"""Loops and branches captured from the source: hostile Python, each time on NumPy and under jit. Results, what is left in arguments and
variables, and exceptions are equal; no wrong answer, whatever is compiled."""

import linecache
import subprocess
import sys
import warnings

import numpy as np
import pytest
from hostile import CASES, x6, x12
from outcomes import made, outcome, same
from random_loops import Writer

import lazynp


@pytest.mark.parametrize("name", CASES)
def test_jit_is_numpy(name):
    function, cases = CASES[name]
    for arguments in cases:
        expected, theirs, _ = outcome(function, arguments)
        compiled = lazynp.jit(function)
        for _ in range(2):
            actual, ours, _ = outcome(compiled, arguments)
            same(actual, expected)
            same(ours, theirs, "arguments")


@pytest.mark.parametrize("seed", range(24))
def test_random_programs(seed):
    program = made(Writer(seed).program(), f"<random program {seed}>")
    arguments = (np.array([0.3, -0.4, 0.5, 0.1, 0.9]), np.array([0.1, 0.2, -0.6, 0.8, 0.4]), 0.7)
    expected, theirs, _ = outcome(program, arguments)
    actual, ours, _ = outcome(lazynp.jit(program), arguments)
    same(actual, expected)
    same(ours, theirs, "arguments")


# --- derivatives ------------------------------------------------------------------------------------------------------------


def with_branches(x):
    s = 0.0
    for v in x:
        s = s + v * v if v > 0 else s - np.sin(v)
    return s


def written_in_place(x):
    y = np.zeros(len(x))
    y[0] = x[0]
    for i in range(1, len(x)):
        y[i] = 0.5 * np.sin(y[i - 1]) + x[i] ** 2
    return np.sum(y * y)


def with_early_return(x):
    for i in range(len(x)):
        if x[i] > 1.5:
            return x[i] ** 2
    return x.sum()


def many_steps(x):
    for _ in range(50):
        x = np.tanh(1.1 * x)
    return x.sum()


@pytest.mark.parametrize("f", [with_branches, written_in_place, with_early_return, many_steps])
def test_derivatives_of_captured_loops(f):
    step = 1e-6 * np.eye(6)
    differences = np.array([(f(x6 + e) - f(x6 - e)) / 2e-6 for e in step])
    np.testing.assert_allclose(lazynp.jit(lazynp.grad(f), strict=True)(x6), differences, rtol=1e-6, atol=1e-8)


# --- what the user is told -----------------------------------------------------------------------------------------------------


def reason(function, *arguments):
    with pytest.warns(lazynp.PerformanceWarning) as caught:
        lazynp.jit(function)(*arguments)
    with pytest.raises(lazynp.CaptureError):
        lazynp.jit(function, strict=True)(*arguments)
    return str(caught[0].message)


def test_the_line_is_named():
    def collects(x):
        seen = set()
        for v in x:
            seen.add(v > 0)
        return len(seen)

    first = collects.__code__.co_firstlineno
    assert f"line {first + 3}, in collects" in reason(collects, x12)


def test_without_source():
    exec("def f(x):\n    return x if x[0] > 0 else -x", space := {})
    assert "source is not available" in reason(space["f"], x6)


def test_a_loop_that_is_too_long_to_be_written_out():
    def grows(x):
        for _ in range(2000):
            x = np.concatenate([x[1:], x[:1], x[:1]])[: len(x) + 1]
        return x

    text = reason(grows, x6)
    assert "too long to be written out" in text and "in grows" in text


def test_changes_that_outlive_the_call():
    log = []

    def logs(x):
        log.append(1)
        return x * 2

    assert "the length of a list" in reason(logs, x6)
    log.clear()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", lazynp.PerformanceWarning)
        f = lazynp.jit(logs)
        f(x6), f(x6)
    assert log == [1, 1]


def test_tracebacks_show_the_users_lines():
    def fails(x):
        for i in range(3):
            if i == 1:
                raise KeyError("here")
        return x

    with pytest.raises(KeyError) as caught:
        lazynp.jit(fails)(x6)
    lines = [(entry.name, entry.lineno + 1) for entry in caught.traceback if entry.path.name == "test_capture.py"]
    assert lines[-1] == ("fails", fails.__code__.co_firstlineno + 3)


def test_cells_of_a_notebook():
    """A cell is a file that exists in linecache only."""
    source = "def f(x):\n    for i in range(len(x)):\n        if x[i] < 0:\n            x[i] = 0\n    return x\n"
    linecache.cache["<cell 7>"] = (len(source), None, source.splitlines(True), "<cell 7>")
    exec(compile(source, "<cell 7>", "exec"), space := {})
    np.testing.assert_array_equal(lazynp.jit(space["f"], strict=True)(x6.copy()), np.maximum(x6, 0))


SCRIPT = """
import numpy as np, lazynp
@lazynp.jit(strict=True)
def f(x):
    t = 0.0
    for v in x:
        if v > 1:
            t += v
    return t
print(f(np.arange(5.0)))
"""


def test_functions_of_a_script(tmp_path):
    path = tmp_path / "script.py"
    path.write_text(SCRIPT)
    done = subprocess.run([sys.executable, path], capture_output=True, text=True)
    assert done.stdout.strip() == "9.0", done.stderr


class Model:
    def __init__(self):
        self.rate = 0.5

    @lazynp.jit
    def run(self, x, n):
        for _ in range(n):
            x = x - self.rate * x
        return x


def test_methods_and_the_attributes_they_read():
    model = Model()
    np.testing.assert_allclose(model.run(x6, 9), x6 * 0.5**9)
    model.rate = 0.25
    np.testing.assert_allclose(model.run(x6, 9), x6 * 0.75**9)


rate = 2.0


def scaled(x):
    return rate * x


def test_globals_of_called_functions_are_followed():
    global rate
    f = lazynp.jit(lambda x: scaled(x) + 1)
    rate = 2.0
    np.testing.assert_array_equal(f(x6), 2 * x6 + 1)
    rate = 3.0
    np.testing.assert_array_equal(f(x6), 3 * x6 + 1)


def _counted(x):
    positive, total, found = 0, 0.0, False
    for i in range(len(x)):
        if x[i] > 0:
            positive += 1
            total += 2.0
            found = True
    return positive, total, found, x[0], x[0] > 0


def test_python_numbers_come_back_as_python_numbers():
    x = np.arange(100.0) - 50
    jitted = lazynp.jit(_counted, strict=True)
    for _ in range(3):
        result, expected = jitted(x), _counted(x)
        assert result == expected and [type(v) for v in result] == [type(v) for v in expected]


def test_short_loops_in_short_loops_are_loops_where_they_would_be_too_long():
    def f(a, s):
        for i in range(3):
            for j in range(4):
                for k in range(3):
                    for m in range(4):
                        for n in range(6):
                            if i - k >= 0:
                                s[i, j] += a[n, m] @ a[k, j]
        return s

    a, s = np.arange(216.0).reshape(6, 4, 3, 3) / 216, np.zeros((3, 4, 3, 3))
    same(lazynp.jit(f, strict=True)(a, s.copy()), f(a, s.copy()))


def test_arrays_made_by_their_class_hold_traced_values():
    def f(x):
        out = np.ndarray(x.shape, dtype=np.float32)
        for i in range(len(x)):
            row = np.ndarray(2)
            row[:] = x[i]
            out[i] = row.sum()
        return out, isinstance(out, np.ndarray), type(out) is np.ndarray

    same(lazynp.jit(f, strict=True)(np.arange(9.0)), f(np.arange(9.0)))


def test_errors_of_the_program_compile():
    """`assert` and `raise` in branches are checks of the compiled program: no lazy mode unless one fails."""

    checked = CASES["checked_sums"][0]  # not written here: pytest rewrites `assert` in its tests
    compiled = lazynp.jit(checked, strict=True)
    assert compiled(x6.copy()) == checked(x6.copy())
    for value, error in ((-200.0, AssertionError), (60.0, ArithmeticError), (200.0, ValueError)):
        x, y = np.where(np.arange(6) == 4, value, x6), np.where(np.arange(6) == 4, value, x6)
        with pytest.raises(error):
            compiled(x)
        with pytest.raises(error):
            checked(y)
        np.testing.assert_array_equal(x, y)


def _spectrum(x):
    n = x.shape[0]
    if n == 1:
        return np.array(x)
    even, odd = _spectrum(x[::2]), _spectrum(x[1::2])
    turned = np.array([np.exp(-2j * np.pi * k / n) * odd[k] for k in range(n // 2)])
    return np.concatenate([even + turned, even - turned])


def test_functions_that_call_themselves_are_captured_as_long_as_they_are_short():
    x = np.arange(256.0) % 7 + 0j
    same(lazynp.jit(_spectrum, strict=True)(x[:8]), _spectrum(x[:8]))
    with pytest.raises(lazynp.CaptureError, match="calls itself too often"):
        lazynp.jit(_spectrum, strict=True)(x)


def test_what_a_loop_leaves_is_not_computed_again_in_a_branch() -> None:
    """A number that a while loop has found from numbers alone is a value of the surroundings like any other."""

    def exchanged(x):
        n, a, j = len(x), x.copy(), 0
        for i in range(1, n):
            bit = n >> 1
            while j & bit:
                j ^= bit
                bit >>= 1
            j ^= bit
            if i < j:
                a[i], a[j] = a[j], a[i]
        return a

    x = np.arange(64.0)
    assert lazynp.show(exchanged, x, stage="graph").count("while_(") == 1
    np.testing.assert_array_equal(lazynp.jit(exchanged, strict=True)(x), exchanged(x))


def test_a_loop_of_numbers_in_a_branch_stays_there() -> None:
    """This one never ends where its branch is not taken."""

    def least_power(x, flags):
        total = 0
        for i in range(len(x)):
            if flags[i]:
                k = 1
                while k != 64:
                    k *= 2 if flags[i] else 3
                total += k
            else:
                m = 5
                while m != 5:
                    m += 1
                total += m
        return total

    x, flags = np.arange(9.0), np.arange(9) % 2 == 0
    assert lazynp.jit(least_power, strict=True)(x, flags) == least_power(x, flags)


def test_an_error_inside_a_loop_is_at_its_line():
    def inverses(x):
        for i in range(20):
            y = np.linalg.inv(x * i)
            x = x + y
        return x

    first = inverses.__code__.co_firstlineno
    with pytest.raises(np.linalg.LinAlgError) as caught:
        lazynp.jit(inverses)(np.ones((3, 3)))
    assert caught.traceback[-1].lineno == first + 1  # counted from 0


def test_an_error_that_several_lines_can_have_raised_is_at_the_first_line_of_the_loop():
    def inverses(x):
        for i in range(20):
            y = np.linalg.inv(x + i)
            x = np.linalg.inv(
                x * y,
            )
        return x

    first = inverses.__code__.co_firstlineno
    with pytest.raises(np.linalg.LinAlgError) as caught:
        lazynp.jit(inverses)(np.zeros((3, 3)))
    assert caught.traceback[-1].lineno == first  # counted from 0: the line of `for`


def _masked(n, x, y):
    z = x * 1
    n.putmask(z, z > y, -z)
    return z


@pytest.mark.parametrize(
    "program",
    [
        lambda n, x, y: n.trapezoid(x, y[0]),
        lambda n, x, y: n.gradient(x, y[0, 0])[1],
        lambda n, x, y: n.diff(x, prepend=y[:, :1], append=y[0, 0]),
        _masked,
    ],
)
def test_not_only_the_first_argument_is_traced(program):
    x, y = np.random.default_rng(0).random((2, 4, 6))
    np.testing.assert_allclose(lazynp.jit(lambda x, y: program(lazynp, x, y), strict=True)(x, y), program(np, x, y), rtol=1e-13)
