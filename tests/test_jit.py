"""jit: signatures, pytrees, arguments written in place, variables from outside, sizes, and programs that cannot be captured."""

import dataclasses
import functools
import linecache
import threading
import tracemalloc
import warnings

import numpy as np
import pytest
from outcomes import made

import lazynp as np_
from lazynp import PerformanceWarning, jit
from lazynp.errors import CaptureError


def equal(actual, expected):
    assert type(actual) is type(expected), (type(actual), type(expected))
    np.testing.assert_array_equal(actual, expected, strict=True)


def test_numpy_in_numpy_out():
    f = jit(lambda x, y: (x * 2 + y, {"sum": x.sum()}))
    x = np.arange(6.0).reshape(2, 3)
    value, extra = f(x, np.float64(1.5))
    equal(value, x * 2 + 1.5)
    equal(extra["sum"], x.sum())


def test_lazy_in_lazy_out():
    f = jit(lambda x: x + 1)
    x = np_.lazy(np.arange(100.0))
    out = f(x)
    assert type(out) is not np.ndarray and isinstance(out, np_.ndarray)
    equal(np.asarray(out), np.arange(100.0) + 1)


def test_dtypes_stay_numpys():
    f = jit(lambda x, s: x * s)
    for dtype in (np.float32, np.int8, np.uint16, np.complex64, np.float16):
        x = np.arange(5).astype(dtype)
        equal(f(x, 3), x * 3)
    equal(f(np.arange(5), 2.5), np.arange(5) * 2.5)


def test_arguments_written_in_place():
    @jit
    def step(u, v):
        u[1:-1] = 0.5 * (u[:-2] + u[2:])
        v += u

    u, v = np.arange(10.0) ** 2, np.ones(10)
    eu, ev = u.copy(), v.copy()
    eu[1:-1] = 0.5 * (eu[:-2] + eu[2:])
    ev += eu
    assert step(u, v) is None
    equal(u, eu)
    equal(v, ev)


def test_written_argument_may_be_strided_or_shared():
    @jit
    def add(a, b):
        a += b

    a = np.zeros((4, 4))
    add(a[::2].T, np.ones((4, 2)))
    assert a.sum() == 8
    x = np.arange(5.0)
    expected = x.copy()
    expected[1:] += expected[:-1]
    add(x[1:], x[:-1])
    equal(x, expected)


def test_read_only_argument():
    @jit
    def write(a):
        a[0] = 1

    a = np.zeros(3)
    a.flags.writeable = False
    with pytest.raises(ValueError, match="read-only"):
        write(a)


def test_results_alias_as_in_numpy():
    @jit
    def f(x):
        y = x + 1
        return x, x[1:], y, y[2:]

    x = np.arange(5.0)
    same, view, y, tail = f(x)
    assert same is x
    assert np.shares_memory(view, x)
    assert np.shares_memory(tail, y)


def test_globals_closures_and_attributes_are_followed():
    scale = 2.0
    table = np.arange(3.0)

    class Model:
        def __init__(self):
            self.w = np.ones(3)

        @jit
        def __call__(self, x):
            return x * self.w

    def make():
        factor = 1.0

        def set_factor(value):
            nonlocal factor
            factor = value

        return jit(lambda x: x * factor + table * scale), set_factor

    f, set_factor = make()
    x = np.ones(3)
    equal(f(x), x + table * 2)
    table[0] = 9
    equal(f(x), x + table * 2)
    set_factor(5.0)
    equal(f(x), 5 * x + table * 2)
    scale = 3.0
    equal(f(x), 5 * x + table * 3)
    model = Model()
    equal(model(x), x)
    model.w = np.full(3, 4.0)
    equal(model(x), x * 4)
    model.w[1] = 7
    equal(model(x), x * model.w)


def test_at_most_two_compiles_for_all_sizes():
    f = jit(lambda x, y: (x[1:] * y[:-1] + 3.25).sum() + np_.mean(x))
    before = np_.stats()["programs"]
    for n in (7, 7, 12, 30, 31, 200, 5000, 3):
        x, y = np.random.default_rng(n).random((2, n))
        np.testing.assert_allclose(f(x, y), (x[1:] * y[:-1] + 3.25).sum() + x.mean(), rtol=1e-13)
    assert np_.stats()["programs"] - before <= 2


def test_sizes_that_agree_by_chance():
    def f(x, y):
        z = x.copy()
        z[0] = x[-1]
        z[:, 1] = x[:, 0]
        cube = x[:, :4].reshape(-1, 2, 2)
        return x[: len(y), 2:] * 2, x - x[0], z, cube - cube[0], x[1:] - x[:-1]

    compiled = jit(f, strict=True)
    before = np_.stats()["programs"]
    for n, m, k in ((4, 7, 4), (5, 6, 5), (8, 9, 3), (3, 5, 3), (7, 7, 2), (6, 12, 6)):
        x, y = np.random.default_rng(n).random((n, m)), np.zeros(k)
        for a, b in zip(compiled(x, y), f(x, y), strict=True):
            equal(a, b)
    assert np_.stats()["programs"] - before == 3, "of the first sizes, of slices that take all rows, of all"


def test_python_numbers_do_not_recompile_for_every_value():
    f = jit(lambda x, rate: x - rate * x)
    before = np_.stats()["programs"]
    for k in range(1, 20):
        equal(f(np.arange(4.0), 0.3 / k), np.arange(4.0) - 0.3 / k * np.arange(4.0))
    assert np_.stats()["programs"] - before <= 2


def test_signed_zero_and_type_of_static_arguments():
    f = jit(lambda x, s: np_.copysign(x, s))
    x = np.ones(2)
    equal(f(x, 0.0), np.ones(2))
    equal(f(x, -0.0), -np.ones(2))
    g = jit(lambda x, s: x + s)
    equal(g(np.arange(3), 1), np.arange(3) + 1)
    equal(g(np.arange(3), 1.0), np.arange(3) + 1.0)
    equal(g(np.arange(3), True), np.arange(3) + True)


def test_static_argnums_and_keywords():
    f = jit(lambda x, n, *, axis: np_.sum(x, axis=axis) * n, static_argnums=1, static_argnames="axis")
    x = np.arange(6.0).reshape(2, 3)
    equal(f(x, 2, axis=0), x.sum(axis=0) * 2)
    equal(f(x, 3, axis=1), x.sum(axis=1) * 3)


def test_pytrees():
    @dataclasses.dataclass(frozen=True)
    class Setting:
        power: int

    f = jit(lambda p, s: {"out": [p["w"] ** s.power, (p["b"], None)]})
    p = {"w": np.arange(3.0), "b": np.float64(2)}
    out = f(p, Setting(2))
    equal(out["out"][0], p["w"] ** 2)
    assert out["out"][1][1] is None


def test_branches_on_values_run_lazily_with_one_warning():
    @jit
    def f(x):
        if x.sum() > 0:
            return x * 2
        return x.tolist()

    x = np.arange(1, 4.0)
    with pytest.warns(PerformanceWarning, match="test_jit.py"):
        equal(f(x), x * 2)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert f(-x) == [-1.0, -2.0, -3.0]


def test_strict_raises_instead():
    f = jit(lambda x: x.tolist(), strict=True)
    with pytest.raises(CaptureError):
        f(np.ones(3))


def test_errors_are_numpys():
    f = jit(lambda x, y: x + y)
    with pytest.raises(ValueError, match="could not be broadcast together with shapes"):
        f(np.ones(3), np.ones(4))
    with pytest.raises(IndexError, match="out of bounds"):
        jit(lambda x: x[5])(np.ones(3))


def test_nested_jit_is_one_program():
    inner = jit(lambda x: np_.exp(x))
    outer = jit(lambda x: inner(x) + 1)
    before = np_.stats()["programs"]
    np.testing.assert_allclose(outer(np.zeros(3)), 2)
    assert np_.stats()["programs"] - before == 1


def test_storages_from_outside_are_read_and_written_again_at_every_call():
    with np_.config(lazy_threshold=0):
        state = np_.zeros(4)

        @jit
        def add(x):
            state[1:] += x
            return state * 1

        add(np.ones(3))
        add(np.ones(3))
        equal(np.asarray(state), np.array([0.0, 2, 2, 2]))


def test_threads_share_a_jitted_function():
    f = jit(lambda x: (x * 2).sum())
    wrong = []

    def work(k):
        for n in range(1, 40):
            if f(np.full(n + k, 1.0)) != 2.0 * (n + k):
                wrong.append((n, k))

    threads = [threading.Thread(target=work, args=(k,)) for k in range(8)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not wrong


def test_numpy_scalars_are_traced_and_python_may_still_ask_for_their_values():
    step = jit(lambda w, b: (w - 0.1 * b, b * 0.5))
    w, b = np.ones(3), np.float64(2.0)
    before = np_.stats()["programs"]
    for _ in range(5):
        expected = (w - 0.1 * b, b * 0.5)
        w, b = step(w, b)
        equal(w, expected[0])
        equal(b, expected[1])
    assert np_.stats()["programs"] - before == 1
    branch = jit(lambda x, s: x + s if s > 0 else x - s)
    equal(branch(np.ones(2), np.float64(1.0)), np.full(2, 2.0))
    equal(branch(np.ones(2), np.float64(-1.0)), np.full(2, 2.0))


def test_written_argument_that_the_function_also_reads_from_outside():
    table = np.arange(2000.0)

    @jit
    def f(x):
        x[1:] += np_.exp(table[:-1] * 0)
        x += table

    expected = table.copy()
    expected[1:] += 1
    expected += expected
    f(table)
    equal(table, expected)


def test_many_writes_by_index_arrays():
    """The copies of an index and its checked form have names of their own in the generated C."""

    def halve(a, places):
        for k in range(8):
            a[places[k]] = a[places[k]] * 0.5 + k
        return a

    rng = np.random.default_rng(0)
    a, places = rng.random(1000), rng.integers(0, 1000, (8, 300))
    np.testing.assert_array_equal(jit(halve)(a.copy(), places), halve(a.copy(), places))


def test_many_masked_writes():
    """Kernels alike share one C function whose addresses are parameters; gcc 12 once took them for null pointers and dropped it."""

    def escape(xp, z, c, count):
        for n in range(9):
            inside = xp.less(abs(z), 2.0)
            count[inside] = n
            z[inside] = z[inside] ** 2 + c[inside]
        return z, count

    c = np.linspace(-2, 0.5, 40) + np.linspace(-1, 1, 40)[:, None] * 1j
    expected = escape(np, np.zeros_like(c), c, np.zeros(c.shape, int))

    def program():  # the masks are known when it is traced: their places are constants
        return escape(np_, np_.zeros_like(c), c, np_.zeros(c.shape, int))

    for actual, right in zip(jit(program)(), expected, strict=True):
        np.testing.assert_allclose(actual, right, rtol=1e-12)


def test_a_long_loop_over_elements_is_not_written_out():
    source = "def running(x):\n    for k in range(1, len(x)):\n        x[k] += 0.5 * x[k - 1]\n    return x"
    exec(source, space := {})  # its source is not available
    running = space["running"]
    x = np.arange(2000.0)
    with pytest.warns(PerformanceWarning, match="more than 1000 writes"):
        out = jit(running)(x.copy())
    equal(out, running(x.copy()))
    assert jit(running, strict=True)(x[:50].copy())[-1] == running(x[:50].copy())[-1]
    with pytest.raises(CaptureError, match="fori_loop"):
        jit(running, strict=True)(x.copy())


@pytest.mark.parametrize("layout", ["fortran", "transposed", "stepped", "reversed", "unaligned", "broadcast", "read-only"])
def test_arguments_of_any_layout(layout: str) -> None:
    values = np.random.default_rng(0).random((6, 6))
    x = {
        "fortran": np.asfortranarray(values),
        "transposed": values.T,
        "stepped": values[::2, ::3],
        "reversed": values[::-1],
        "unaligned": np.frombuffer(b"x" + values.tobytes(), np.uint8)[1:].view(np.float64).reshape(6, 6),
        "broadcast": np.broadcast_to(values[0], (6, 6)),
        "read-only": np.frombuffer(values.tobytes()).reshape(6, 6),
    }[layout]
    plain = jit(lambda x: np.tanh(x) + x[0], strict=True)
    tree = jit(lambda p: p["x"] * 2, strict=True)
    for _ in range(2):
        np.testing.assert_allclose(plain(x), np.tanh(x) + x[0], rtol=1e-14)
        np.testing.assert_array_equal(tree({"x": x}), x * 2)
        np.testing.assert_allclose(plain(x.copy()), np.tanh(x) + x[0], rtol=1e-14)


def test_the_memory_of_a_call_is_known_before_it_runs():
    f = jit(lambda x: (np.exp(x) - x.mean(0)) @ x.T)
    plan = f.memory_plan(np.ones((1000, 300)))
    assert (plan.arguments, plan.results, plan.steps) == (2_400_000, 8_000_000, 0)
    assert 2_400_000 <= plan.temporaries < 2_500_000  # the matrix, not each of its summands
    assert plan.peak == plan.results + plan.temporaries + plan.buffers
    fused = jit(lambda x: np.sin(x) * 2 + 1)
    assert [fused.memory_plan(np.ones(n)).peak for n in (1000, 2000, 3000)] == [8000, 16000, 24000]
    with_step = jit(lambda x: np.partition(np.sin(x), 3)[1] * 2).memory_plan(np.ones((20, 20)))
    assert with_step.steps == 1 and with_step.temporaries >= 8 * (400 + 20)


def test_the_plan_is_what_a_call_allocates():
    def smooth(x):
        for _ in range(3):
            x = np.sqrt(x[1:] * x[:-1]) + np.cumsum(x)[1:]
        return x

    f, x = jit(smooth), np.ones(400_000)
    plan = f.memory_plan(x)
    f(x)
    tracemalloc.start()
    try:
        f(x)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak <= plan.peak + 100_000


@pytest.mark.filterwarnings("ignore::lazynp.PerformanceWarning", "ignore::PendingDeprecationWarning")
def test_subclasses_of_arrays_decide_for_themselves():
    doubled = jit(lambda x: (x, x * 2))
    for x in (np.matrix([[1.0, 2.0]]), np.ma.array([1.0, 2.0], mask=[0, 1]), np.ones(3, [("a", float)]).view(np.recarray)["a"]):
        for _ in range(3):
            same, twice = doubled(x)
            assert type(twice) is type(x * 2) and same is x
            assert np.ma.allequal(twice, x * 2)


def test_a_scalar_that_is_returned_stays_a_scalar():
    f = jit(lambda x: (x, x + 1))
    for _ in range(3):
        assert [type(v) for v in f(np.float16(2))] == [np.float16, np.float16]


def scaled_sum(factor, x):
    s = 0.0
    for v in x:
        if v > 0:
            s += factor * v
    return s


class Scaled:
    def __call__(self, x):
        return scaled_sum(2.0, x)


@pytest.mark.parametrize("function", [functools.partial(scaled_sum, 2.0), Scaled()])
def test_callables_without_a_name(function):
    compiled = jit(function)
    for _ in range(2):
        assert compiled(np.array([1.0, -2.0, 3.0])) == 8.0


SUM = """def program(x):
    t = 0.0
    for v in x:
        if v > 0:
            t += v
    return t
"""


@pytest.mark.parametrize("edit", [("t += v", "t -= v"), ("v > 0", "v < 0")])
def test_what_counts_is_the_function_and_not_its_edited_source(edit):
    name = f"<edited {edit[1]}>"
    program = made(SUM, name)
    source = SUM.replace(*edit)
    linecache.cache[name] = (len(source), None, source.splitlines(True), name)
    with pytest.warns(PerformanceWarning, match="source has changed"):
        assert jit(program)(np.array([1.0, -2.0, 3.0])) == 4.0


class Scaling:
    """An object whose attributes are read by what is compiled."""

    def __init__(self):
        self.weights = np.ones(3)
        self.factor = 2.0
        self.inner = self

    def scaled(self, x):
        return self.inner.weights * x * self.factor

    __call__ = scaled


@pytest.mark.parametrize("form", [lambda m: m.scaled, lambda m: m, lambda m: lambda x: m.scaled(x)], ids=["method", "object", "closure"])
def test_attributes_of_objects_that_are_not_arguments(form):
    """They were read once, when the function was traced."""
    one = Scaling()
    f = jit(form(one))
    for change in ("weights", "factor", "inner", "inner weights"):
        f(np.arange(3.0))
        if change == "inner":
            one.inner = Scaling()
        elif change == "factor":
            one.factor = 5.0
        else:
            owner = one.inner if change == "inner weights" else one
            owner.weights = owner.weights * 3
        np.testing.assert_array_equal(f(np.arange(3.0)), one.scaled(np.arange(3.0)), err_msg=change)


START = np.linspace(0.0, 1.0, 50)


def test_a_copy_of_an_array_from_outside_takes_traced_values():
    def f(x):
        u = START.copy()
        for i in range(1, 50):
            u[i] = u[i - 1] * 0.5 + x[i]
        return u

    x = np.cos(START)
    np.testing.assert_allclose(jit(f, strict=True)(x), f(x))
    slopes = np.array([(f(x + d)[-1] - f(x - d)[-1]) / 2e-6 for d in 1e-6 * np.eye(50)])
    np.testing.assert_allclose(jit(np_.grad(lambda x: f(x)[-1]))(x), slopes, atol=1e-8)


@pytest.mark.parametrize("dtype", [">f8", "O", "g", "m8[s]"])
@pytest.mark.parametrize("position", [0, 1])
def test_arrays_that_are_not_traced_are_read_at_every_call(dtype, position):
    """As arguments, and as variables: what Python computes from them is not baked in."""
    other, x = np.arange(3).astype(dtype), np.arange(3.0)
    doubled = np_.jit(lambda a, b: (a + a, b + b))
    by_variable = np_.jit(lambda x: (x * 2, other[1]))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", np_.PerformanceWarning)
        for value in (1, 5, 7):
            other[1] = value
            result = doubled(other, x) if position == 0 else doubled(x, other)
            assert result[position].tolist() == (other + other).tolist()
            assert by_variable(x)[1] == other[1]


def test_writes_to_arrays_that_are_not_traced_happen_at_every_call():
    @np_.jit
    def store(a, x):
        a[0] = 5
        return x + 1

    a = np.arange(3).astype(">i4")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", np_.PerformanceWarning)
        for _ in range(3):
            a[0] = 0
            store(a, np.zeros(2))
            assert a[0] == 5


def test_what_runs_uncompiled_returns_arrays_without_axes_as_such(all_lazy):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", np_.PerformanceWarning)
        spread, total = np_.jit(lambda a: (np.cov(a), np.sum(a)))(np.array([1.0, 2.0, 4.0]).astype(">f8"))
    assert isinstance(spread, np.ndarray) and spread.shape == ()
    assert isinstance(total, np.float64)
