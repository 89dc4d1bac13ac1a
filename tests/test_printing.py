"""`print` in compiled functions: the lines, their order and their number are those of NumPy's run, at every call."""

import sys
import warnings

import numpy as np
import pytest

import lazynp


def plain(x, n):
    print("start", n, x.shape)
    total = 0.0
    for i in range(n):
        total = total * 0.5 + x[i % 3]
        if i % 7 == 0:
            print("turn", i, "total", total, sep=" | ")
        elif i % 11 == 0:
            print(f"{i:3d}: {total:.3e} {x[0]!r} {i + 1}", end=";\n")
    print(x)
    return total


def arrays(a):
    for k in range(a.shape[0]):
        print(k, a[k, :k], a[k] > 0.5, a.sum(), flush=True)
        a[k] *= 2
    return a


def until(x):
    steps = 0
    while True:
        x = x * 0.9 + 0.05
        steps += 1
        print(steps, x.max(), bool(x[0] > 0.6))
        if x.max() < 0.55:
            print("done")
            return steps


def nested(x):
    for i in range(9):
        for j in range(i):
            if x[j] > x[i]:
                print(i, j, x[i] - x[j])
                break
        else:
            print("none before", i)
    return x


def helper(x, i):
    print("helper", i, x[i])
    return x[i]


def called(x):
    s = 0.0
    for i in range(x.shape[0]):
        s += helper(x, i)
    return s


PROGRAMS = {
    "plain": (plain, lambda: (np.array([0.25, 1.0, 2.0]), 30)),
    "arrays": (arrays, lambda: (np.arange(81.0).reshape(9, 9) / 64,)),
    "until": (until, lambda: (np.linspace(0.0, 1.0, 5),)),
    "nested": (nested, lambda: (np.random.default_rng(0).uniform(size=9),)),
    "called": (called, lambda: (np.arange(12.0),)),
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_the_lines_are_numpys(name, capfd):
    function, arguments = PROGRAMS[name]
    expected = function(*arguments())
    lines = capfd.readouterr().out
    assert lines.count("\n") > 8
    f = lazynp.jit(function, strict=True)
    for _ in range(3):
        np.testing.assert_allclose(f(*arguments()), expected)
        found = capfd.readouterr().out
        assert found == lines


def test_a_large_program_prints_where_it_stands(capfd):
    def waves(u):
        for t in range(20):
            u[1:-1] = 0.5 * (u[:-2] + u[2:])
            if t % 5 == 0:
                print(f"t={t}", f"{u.max():.6f}")
        return u.sum()

    u = np.linspace(0, 1, 100_000) ** 2
    waves(u.copy())
    lines = capfd.readouterr().out
    lazynp.jit(waves, strict=True)(u.copy())
    assert capfd.readouterr().out == lines and lines.count("\n") == 4


def test_a_gradient_prints_once_per_call(capfd):
    def loss(x):
        total = 0.0
        for i in range(12):
            total = total + x[i] ** 2
            if i == 5:
                print("five", x[i] > 0)
        return total

    g = lazynp.jit(lazynp.grad(loss))
    x = np.arange(12.0)
    for _ in range(2):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", lazynp.errors.PerformanceWarning)
            np.testing.assert_allclose(g(x), 2 * x)
        assert capfd.readouterr().out.count("five") == 1


def test_an_error_in_print_reaches_the_caller(monkeypatch):
    class Broken:
        def write(self, text):
            raise BrokenPipeError

        def flush(self):
            pass

    def talks(x):
        for i in range(20):
            print(x[i])
        return x

    f = lazynp.jit(talks, strict=True)
    with monkeypatch.context() as patch:
        patch.setattr("sys.stdout", Broken())
        with pytest.raises(BrokenPipeError):
            f(np.ones(20))
    assert (f(np.ones(20)) == 1).all()


def test_prints_to_other_files_are_pythons(capsys):
    def complains(x):
        for i in range(12):
            if x[i] > 10:
                print("large", file=sys.stderr)
        return x.sum()

    with pytest.warns(lazynp.errors.PerformanceWarning):
        assert lazynp.jit(complains)(np.arange(12.0)) == 66.0
    assert capsys.readouterr().err == "large\n"


def test_integers_that_may_outgrow_64_bits_run_in_python(capfd):
    def powers(x):
        k = 1
        for i in range(40):
            k = k * 7
            if i % 13 == 0:
                print(i, k)
        return x + float(k)

    with pytest.warns(lazynp.errors.PerformanceWarning, match="prints"):
        lazynp.jit(powers)(np.ones(2))
    assert str(7**40) in capfd.readouterr().out


@pytest.mark.parametrize("n", [3, 40, 70_000])
def test_array_repr_names_the_type_as_numpy(threshold, n):
    assert lazynp.array_repr(lazynp.arange(n) * 2, precision=3) == np.array_repr(np.arange(n) * 2, precision=3)


# --- errors among the prints -------------------------------------------------------------------------------------------


def before_a_routine(x, at):
    print("before", x[0])
    y = np.linalg.inv(x)
    print("not here")
    return y


def after_a_routine(x, at):
    y = np.linalg.inv(x)
    print("not here", x[0])
    return y


def before_an_index(x, at):
    total = 0.0
    for i in range(len(at)):
        print("turn", i)
        total += x[0, at[i]]
    return total


def after_an_index(x, at):
    total = 0.0
    for i in range(len(at)):
        total += x[0, at[i]]
        print("turn", i, total)
    return total


def around_a_write(x, at):
    for i in range(len(at)):
        if x[0, 0] > 0:
            print("in branch", i)
            x[0, at[i]] = i + 1
            print("after", i)
    print("not here")


def after_a_loop(x, at):
    first = x[1, at[0]]
    print("one", first)
    for i in range(len(at)):
        x[0, at[i]] += 1
    print("not here", x[0, 0])
    return first


def whole_regions(x, at):
    print("start")
    y = np.zeros(3)
    y[at] = 1
    print("not here", y)
    return y


def before_inner_loops(x, at):
    for i in range(20):
        z = x[0, at[-1]]
        for j in range(20):
            print(i, j, z)


def while_it_holds(x, at):
    k = 0
    while x[0, at[k]] > 0:
        print("k", k)
        k += 1
    return k


def routines_of_turns(x, at):
    x = x + 4 * np.eye(3)
    for i in range(20):
        print("iteration", i)
        lower = np.linalg.cholesky(x)
        x = x - np.eye(3)
        print("done")
    return lower


def not_in_c(x, at):
    for i in range(20):
        q, r = np.linalg.qr(x * (1 + 0j))
        print("turn", i)
        q = np.linalg.inv(r * (i != 4)).real
        print("done", i)
    return q


def of_a_helper(x, at):
    total = 0.0
    for k in at:
        print("before helper", k)
        total += element(x, k)
        print("after helper", k)
    return total


def element(x, k):
    print("element", k)
    return x[0, k]


FAILING = [
    before_a_routine, after_a_routine, before_an_index, after_an_index, around_a_write, after_a_loop, whole_regions, before_inner_loops,
    while_it_holds, routines_of_turns, not_in_c, of_a_helper,
]  # fmt: skip


@pytest.mark.parametrize("program", FAILING, ids=lambda f: f.__name__)
def test_an_error_comes_among_the_prints_where_numpy_raises_it(program, capfd):
    x, at = np.ones((3, 3)), np.array([0, 1, 2, 7])

    def told(f):
        with pytest.raises((np.linalg.LinAlgError, IndexError)) as raised:
            f(x.copy(), at)
        return capfd.readouterr().out, type(raised.value), str(raised.value)

    assert told(lazynp.jit(program, strict=True)) == told(program)


def test_an_error_in_a_branch_of_cond_comes_after_its_prints(capfd):
    def yes(x, at):
        print("yes", x[0])
        return x[at[-1]]

    def no(x, at):
        print("no")
        return x[at[0]]

    f = lazynp.jit(lambda x, at: lazynp.scan.cond(x[0] > 0, yes, no, x, at), strict=True)
    x, at = np.ones(3), np.array([0, 1, 2, 7])
    with pytest.raises(IndexError, match="index 7 is out of bounds for axis 0 with size 3"):
        f(x, at)
    assert capfd.readouterr().out == "yes 1.0\n"
    assert f(-x, at) == -1
    assert capfd.readouterr().out == "no\n"
