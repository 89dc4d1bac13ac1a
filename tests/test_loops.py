"""Structured loops and branches through the explicit forms of `lazynp.scan`: each program also runs on NumPy, in plain Python."""

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import lazynp as lnp
from lazynp import scan
from lazynp.config import settings
from lazynp.ir import canonical
from lazynp.ir.show import show_graph
from lazynp.runtime.evaluate import clear_memory_cache
from lazynp.runtime.stats import counters

N = 9


def fori(lower: Any, upper: Any, body: Callable[..., Any], init: Any, step: int = 1) -> Any:
    value = init
    for i in range(lower, upper, step):
        value = body(i, value)
    return value


def while_(condition: Callable[..., Any], body: Callable[..., Any], value: Any) -> Any:
    while condition(value):
        value = body(value)
    return value


class Plain:
    """The forms as Python has them, over NumPy."""

    np = np
    fori_loop = staticmethod(fori)
    while_loop = staticmethod(while_)

    @staticmethod
    def cond(predicate: Any, yes: Any, no: Any, *operands: Any) -> Any:
        return yes(*operands) if predicate else no(*operands)


class Structured:
    np = lnp
    fori_loop = staticmethod(scan.fori_loop)
    while_loop = staticmethod(scan.while_loop)
    cond = staticmethod(scan.cond)


PROGRAMS: dict[str, tuple[Callable[..., Any], Callable[[np.random.Generator], tuple[Any, ...]]]] = {}


def program(*arguments: Any) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """A program f(forms, *arguments); arguments: shapes of random arrays, or functions of a generator."""

    def draw(rng: np.random.Generator) -> tuple[Any, ...]:
        return tuple([a(rng) if callable(a) else rng.uniform(0.5, 2.0, a) for a in arguments])

    def enter(function: Callable[..., Any]) -> Callable[..., Any]:
        PROGRAMS[function.__name__] = function, draw
        return function

    return enter


def dominant(rng: np.random.Generator) -> np.ndarray:
    return rng.uniform(-1, 1, (N, N)) + N * np.eye(N)


@program((N,))
def total(m, x):
    return m.fori_loop(0, N, lambda i, s: s + x[i] * i, 0.0)


@program((N,))
def backwards(m, x):
    return m.fori_loop(N - 1, -1, lambda i, s: s * 0.5 + x[i], 0.0, -1)


@program((N,))
def every_third(m, x):
    return m.fori_loop(1, N, lambda i, s: (s[0] + x[i], s[1] + 1), (0.0, 0), 3)


@program((N,))
def linear_recurrence(m, x):
    def body(i, y):
        y[i] = 0.9 * y[i - 1] + x[i]
        return y

    return m.fori_loop(1, N, body, x.copy())


@program((N,))
def wraps_to_the_end(m, x):
    """x[i - 1] at i == 0 is the last element, as in NumPy."""

    def body(i, y):
        y[i] = y[i] + x[i - 1]
        return y

    return m.fori_loop(0, N, body, x.copy())


@program(dominant)
def lu(m, a):
    def body(i, a):
        a[i + 1 :, i] /= a[i, i]
        a[i + 1 :, i + 1 :] -= a[i + 1 :, i][:, None] * a[i, i + 1 :][None, :]
        return a

    return m.fori_loop(0, N - 1, body, a.copy())


@program(dominant)
def cholesky(m, a):
    a = a @ a.T
    low = m.np.zeros((N, N))

    def body(j, low):
        low[j, j] = m.np.sqrt(a[j, j] - low[j, :j] @ low[j, :j])
        low[j + 1 :, j] = (a[j + 1 :, j] - low[j + 1 :, :j] @ low[j, :j]) / low[j, j]
        return low

    return m.fori_loop(0, N, body, low)


@program(dominant, (N,))
def triangular_solve(m, a, b):
    def body(i, x):
        x[i] = (b[i] - a[i, :i] @ x[:i]) / a[i, i]
        return x

    return m.fori_loop(0, N, body, m.np.zeros(N))


@program((N,), (N,), (N,), (N,))
def thomas(m, low, diagonal, up, right):
    diagonal, right = diagonal + 5, right.copy()

    def forward(i, state):
        w = low[i] / diagonal[i - 1]
        diagonal[i] = diagonal[i] - w * up[i - 1]
        right[i] = right[i] - w * right[i - 1]
        return state

    def backward(i, state):
        right[i] = (right[i] - up[i] * right[i + 1]) / diagonal[i]
        return state

    m.fori_loop(1, N, forward, ())
    right[N - 1] = right[N - 1] / diagonal[N - 1]
    m.fori_loop(N - 2, -1, backward, (), -1)
    return right


@program((N, N))
def floyd_warshall(m, d):
    def body(k, d):
        return m.np.minimum(d, d[:, k][:, None] + d[k, :][None, :])

    return m.fori_loop(0, N, body, d * 10)


@program((N, N))
def gauss_seidel(m, u):
    def row(i, u):
        def column(j, u):
            u[i, j] = 0.25 * (u[i - 1, j] + u[i + 1, j] + u[i, j - 1] + u[i, j + 1])
            return u

        return m.fori_loop(1, N - 1, column, u)

    return m.fori_loop(0, 6, lambda t, u: m.fori_loop(1, N - 1, row, u), u.copy())


@program((N, N))
def jacobi_until_converged(m, u):
    def condition(state):
        return state[1] > 1e-3

    def body(state):
        u, _, count = state
        new = u.copy()
        new[1:-1, 1:-1] = 0.25 * (u[:-2, 1:-1] + u[2:, 1:-1] + u[1:-1, :-2] + u[1:-1, 2:])
        return new, m.np.abs(new - u).max(), count + 1

    return m.while_loop(condition, body, (u, 1.0, 0))


@program((40,))
def heat_with_two_buffers(m, u):
    def body(t, state):
        u, v = state
        v[1:-1] = u[1:-1] + 0.1 * (u[2:] - 2 * u[1:-1] + u[:-2])
        return v, u

    return m.fori_loop(0, 11, body, (u.copy(), u.copy()))


@program((N,))
def triangle(m, x):
    table = m.np.zeros((N, N))

    def row(i, state):
        def column(j, state):
            table[i, j] = table[i, j - 1] + x[i] * x[j]
            return state

        return m.fori_loop(i + 1, N, column, state)

    m.fori_loop(0, N, row, ())
    return table


@program((5, 5), lambda rng: rng.integers(0, 5, 12), lambda rng: rng.integers(0, 5, 12))
def gather_and_scatter(m, a, rows, columns):
    def body(k, a):
        a[rows[k], columns[k]] = a[columns[k], rows[k]] + k
        return a

    return m.fori_loop(0, 12, body, a.copy())


def sparse(rng: np.random.Generator) -> np.ndarray:
    return np.array([0, 2, 2, 5, 6, 9])


@program((9,), lambda rng: rng.integers(0, 7, 9), sparse, (7,))
def csr_product(m, data, indices, indptr, x):
    y = m.np.zeros(5)

    def row(i, state):
        y[i] = m.fori_loop(indptr[i], indptr[i + 1], lambda k, s: s + data[k] * x[indices[k]], 0.0)
        return state

    m.fori_loop(0, 5, row, ())
    return y


@program(lambda rng: rng.integers(2, 1000, 8))
def collatz(m, first):
    out = m.np.zeros(8, int)

    def body(i, state):
        def turn(state):
            n, count = state
            return m.cond(n % 2 == 0, lambda n: n // 2, lambda n: 3 * n + 1, n), count + 1

        out[i] = m.while_loop(lambda s: s[0] != 1, turn, (first[i], 0))[1]
        return state

    m.fori_loop(0, 8, body, ())
    return out


@program((N,))
def branch_that_writes(m, x):
    y = x.copy()

    def body(i, state):
        def small(count):
            y[i] = -y[i]
            return count + 1

        return m.cond(y[i] < 1, small, lambda count: count, state)

    return m.fori_loop(0, N, body, 0), y


@program((N, 3))
def rows_by_name(m, x):
    def body(i, norms):
        row = x[i]
        norms[i] = m.np.sqrt((row * row).sum())
        return norms

    return m.fori_loop(0, N, body, m.np.zeros(N))


@program((N, N))
def gram_schmidt(m, a):
    q = a.copy()

    def column(j, state):
        def remove(k, state):
            q[:, j] -= (q[:, k] @ q[:, j]) * q[:, k]
            return state

        m.fori_loop(0, j, remove, ())
        q[:, j] /= m.np.sqrt((q[:, j] ** 2).sum())
        return state

    m.fori_loop(0, N, column, ())
    return q


@program((N,))
def bounds_are_clipped(m, x):
    def body(i, s):
        return s + x[i - 2 : i + 3].sum() + x[i : 2 * i].sum() + x[: -i - 1].sum() + x[i::-2].sum()

    return m.fori_loop(0, N, body, 0.0)


@program((6, 4))
def an_op_without_c(m, a):
    """Singular values per turn: LAPACK runs in Python."""

    def body(i, state):
        x, total = state
        values = m.np.linalg.svd(x)[1] if m is Plain else m.np.linalg.svd(x, full_matrices=False)[1]
        return x * 0.5 + a, total + values.sum() * i

    return m.fori_loop(0, 6, body, (a, 0.0))


@program((N,))
def no_turns(m, x):
    y = x.copy()

    def body(i, s):
        y[i] = 0
        return s + x[i]

    return m.fori_loop(N, N, body, 1.0), m.fori_loop(3, 0, body, 2.0), y


@pytest.mark.parametrize("name", PROGRAMS)
@pytest.mark.parametrize("backend", ["c", "reference"])
def test_program_is_numpys(name: str, backend: str) -> None:
    """One native program, NumPy's answer; nothing falls back to lazy mode."""
    function, draw = PROGRAMS[name]
    arguments = draw(np.random.default_rng(7))
    expected = function(Plain, *[np.array(a) for a in arguments])
    compiled = lnp.jit(lambda *a: function(Structured, *a), strict=True)
    with lnp.config(backend=backend, unroll=0), warnings.catch_warnings():
        warnings.simplefilter("error")
        actual = compiled(*arguments)
    for one, other in zip(_flat(actual), _flat(expected), strict=True):
        np.testing.assert_allclose(np.asarray(one), other, rtol=1e-12, atol=1e-12)


def _flat(value: Any) -> list[Any]:
    return [leaf for v in value for leaf in _flat(v)] if isinstance(value, tuple) else [value]


def test_while_with_a_limit_backwards() -> None:
    """Reverse mode through a while loop whose body reads an array from outside, against forward mode."""

    def f(x: Any) -> Any:
        def body(state: Any) -> Any:
            value, count = state
            return value * value * 0.5 + value * x.mean() * 0.1, count + 1

        return scan.while_loop(lambda s: s[0] > 0.1, body, (x.sum(), 0), limit=20)[0]

    x = np.array([0.5, 0.3, 0.9])
    gradient = lnp.jit(lnp.grad(f), strict=True)(x)
    for k in range(3):
        assert gradient[k] == pytest.approx(lnp.jvp(f, (x,), (np.eye(3)[k],))[1], rel=1e-12)


def test_while_without_a_limit_backwards() -> None:
    """It is run once more, to count its turns; also where there are none."""

    def f(x: Any) -> Any:
        return scan.while_loop(lambda v: v > 0.1, lambda v: v * v * 0.4, x)

    for x in (np.float64(0.9), np.float64(0.05)):
        assert lnp.grad(f)(x) == pytest.approx(lnp.jvp(f, (x,), (np.float64(1.0),))[1], rel=1e-12)


@pytest.mark.parametrize("turns", [1, 7, 30])
def test_checkpoint(turns: int) -> None:
    """The same gradient from a fraction of the memory; the turns are a loop of loops."""

    def gradient(checkpoint: Any) -> Any:
        def f(x: Any, w: Any) -> Any:
            return scan.fori_loop(0, turns, lambda i, h: lnp.sin(h * w) + x * i, x, checkpoint=checkpoint).sum()

        return lnp.jit(lnp.grad(f, (0, 1)), strict=True)

    x, w = np.random.default_rng(0).uniform(0, 1, (2, 50))
    with lnp.config(unroll=0):
        plain = gradient(False)(x, w)
        for checkpoint in (True, 4):
            for one, other in zip(gradient(checkpoint)(x, w), plain, strict=True):
                np.testing.assert_allclose(one, other, rtol=1e-12)


@pytest.mark.parametrize(("turns", "width"), [(400, 100), (10_000, 1000)])
def test_checkpoint_bounds_memory(turns: int, width: int) -> None:
    """A fifth at most."""

    def arena(checkpoint: bool) -> int:
        clear_memory_cache()  # a program of its own for these sizes, which then are numbers
        f = lambda x: scan.fori_loop(0, turns, lambda i, h: lnp.sin(h) + x, x, checkpoint=checkpoint).sum()  # noqa: E731
        text = lnp.jit(lnp.grad(f), strict=True).lower(np.ones(width)).ready.program.blueprint.python
        return int(text.partition("take_arena(")[2].partition(")")[0])

    assert arena(True) * 5 < arena(False)


def test_scan_with_checkpoint_and_reverse() -> None:
    """The ys of a scan, backwards through all of them."""
    xs = np.random.default_rng(1).uniform(0, 1, (12, 3))

    def f(checkpoint: Any) -> Any:
        def loss(xs: Any) -> Any:
            carry, ys = scan.scan(lambda c, x: (lnp.sin(c) * x, c * x), xs[0], xs, reverse=True, checkpoint=checkpoint)
            return (ys**2).sum() + carry.sum()

        return lnp.jit(lnp.grad(loss), strict=True)(xs)

    with lnp.config(unroll=0):
        np.testing.assert_allclose(f(True), f(False), rtol=1e-12)


def test_one_program_for_all_sizes() -> None:
    """The second size generalises; the third one compiles nothing, with loops in loops and slices of any size, derivatives too."""

    def f(a: Any) -> Any:
        n = a.shape[0]
        low = lnp.zeros(n)

        def row(i: Any, b: Any) -> Any:
            low[i] = scan.fori_loop(0, i + 1, lambda j, s: s + a[i, j] * 0.5, 0.0)
            b[i + 1 :, i:] -= b[i, i:] * 0.25
            return b

        return low, scan.fori_loop(0, n - 1, row, a.copy())

    def plain(a: np.ndarray) -> Any:
        n, b, low = len(a), a.copy(), np.zeros(len(a))
        for i in range(n - 1):
            low[i] = 0.5 * a[i, : i + 1].sum()
            b[i + 1 :, i:] -= b[i, i:] * 0.25
        return low, b

    both = lnp.jit(lambda a: (*f(a), lnp.grad(lambda a: sum([(v**2).sum() for v in f(a)]))(a)), strict=True)
    compiled = []
    for n in (8, 11, 17, 30):
        a = np.random.default_rng(n).uniform(0, 1, (n, n))
        before = counters.programs
        low, b, gradient = both(a)
        compiled.append(counters.programs - before)
        np.testing.assert_allclose(low, plain(a)[0], rtol=1e-12)
        np.testing.assert_allclose(b, plain(a)[1], rtol=1e-12)
        step = np.random.default_rng(0).uniform(-1, 1, (n, n))
        up, down = [sum([(v**2).sum() for v in plain(a + sign * 1e-6 * step)]) for sign in (1, -1)]
        assert float((gradient * step).sum()) == pytest.approx((up - down) / 2e-6, rel=1e-5)
    assert compiled == [1, 1, 0, 0]


def test_shown_with_its_body() -> None:
    form = lnp.jit(lambda x: scan.fori_loop(0, 9, lambda i, s: s + x[i], 0.0)).lower(np.ones(9)).form
    text = show_graph(canonical.specific(form).graph, form.order)
    assert "body(i0, " in text
    assert "slice(" in text
    assert "starts=(i0,)" in text


# --- what Theano's scan says -----------------------------------------------------------------------------------------


def test_taps_into_the_past() -> None:
    """x[t] = x[t-1] + 2 x[t-3]: the state is the window of the last three values."""

    def turn(window: Any, _: Any) -> Any:
        new = window[2] + 2 * window[0]
        return (window[1], window[2], new), new

    run = lnp.jit(lambda a, b, c: scan.scan(turn, (a, b, c), length=10)[1], strict=True)
    expected = [1.0, 2.0, 3.0]
    for _ in range(10):
        expected.append(expected[-1] + 2 * expected[-3])
    np.testing.assert_array_equal(run(np.float64(1), np.float64(2), np.float64(3)), expected[3:])


def test_until_with_the_terminating_step() -> None:
    """Powers of two up to the first above 45: that one included, the rest of the stack unused."""

    def turn(state: Any) -> Any:
        stack, count, _ = state
        value = 2.0 ** (count + 1)
        stack[count] = value
        return stack, count + 1, value <= 45

    def powers(stack: Any) -> Any:
        return scan.while_loop(lambda s: s[2], turn, (stack.copy(), 0, True), limit=20)

    stack, count, _ = lnp.jit(powers, strict=True)(np.zeros(20))
    assert stack[: int(count)].tolist() == [2, 4, 8, 16, 32, 64]


def test_truncated_gradient() -> None:
    """What came before the last k turns is a constant of the gradient."""
    k, n = 4, 10

    def f(w: Any) -> Any:
        early = scan.fori_loop(0, n - k, lambda i, h: lnp.sin(h * w) + 1, w)
        return scan.fori_loop(n - k, n, lambda i, h: lnp.sin(h * w) + 1, lnp.stop_gradient(early))

    w, eps = 0.7, 1e-6
    h = w
    for _ in range(n - k):
        h = np.sin(h * w) + 1

    def late(w: float) -> float:
        value = h
        for _ in range(k):
            value = np.sin(value * w) + 1
        return value

    with lnp.config(unroll=0):
        assert float(lnp.grad(f)(np.float64(w))) == pytest.approx((late(w + eps) - late(w - eps)) / (2 * eps), rel=1e-6)


def test_unroll_setting() -> None:
    """A loop of few turns has no loop node."""
    f = lnp.jit(lambda x: scan.fori_loop(0, 3, lambda i, s: s + x[i], 0.0))
    ops = {n.op.name for n in f.lower(np.ones(3)).form.order}
    assert "loop" not in ops and settings.unroll >= 3
    with lnp.config(unroll=0):
        assert "loop" in {n.op.name for n in f.lower(np.ones(3)).form.order}


# --- random programs -------------------------------------------------------------------------------------------------


def random_body(rng: np.random.Generator, depth: int = 0) -> list[Any]:
    """Statements (kind, numbers, inner bodies) over two matrices, two vectors and two numbers."""
    statements = []
    for _ in range(rng.integers(1, 4)):
        kind = int(rng.integers(0, 11 if depth < 2 else 9))
        inner = [random_body(rng, depth + 1) for _ in range(2)] if kind >= 9 else []
        statements.append((kind, rng.integers(0, 6, 4).tolist(), inner))
    return statements


def run_body(m: Any, statements: list[Any], i: Any, state: tuple[Any, ...], fixed: tuple[Any, Any]) -> tuple[Any, ...]:
    """Rebinding and writing in place, slices whose sizes depend on i, reads of what was just written, loops and branches inside."""
    n = state[2].shape[0]
    c, d, s = list(state[:2]), list(state[2:4]), list(state[4:])
    for kind, p, inner in statements:
        a, b = p[0] % 2, p[1] % 2
        if kind == 0:
            c[a] = c[b] * 0.5 + fixed[p[2] % 2] * 0.25
        elif kind == 1:
            c[a][i, :] = d[b] * 0.5 + c[1 - a][:, i] * 0.25
        elif kind == 2:
            c[a][1:-1] = 0.5 * (c[b][:-2] + c[b][2:])
        elif kind == 3:
            d[a][i] = s[b] * 0.5 + d[1 - a][p[2] % n]
        elif kind == 4:
            s[a] = s[b] * 0.5 + c[p[2] % 2][i, p[3] % n] * 0.25
        elif kind == 5:
            d[a] = (c[b] @ d[b]) * 0.125
        elif kind == 6:
            c[a][i:, i] += d[b][i:] * 0.25
        elif kind == 7:
            s[a] = (d[b][: i + 1] * 0.25).sum() + s[1 - a] * 0.5
        elif kind == 8:
            d[a][p[2] % n :] = d[b][: n - p[2] % n] * 0.5
        elif kind == 9:
            start, stop = (0, i) if p[3] % 2 else (p[2] % 3, n)
            result = m.fori_loop(start, stop, lambda j, z, body=inner[0]: run_body(m, body, j, z, fixed), (*c, *d, *s))
            c, d, s = list(result[:2]), list(result[2:4]), list(result[4:])
        else:
            yes, no = [lambda *z, body=body: run_body(m, body, i, z, fixed) for body in inner]
            result = m.cond(s[a] > 0.3, yes, no, *c, *d, *s)
            c, d, s = list(result[:2]), list(result[2:4]), list(result[4:])
    return (*c, *d, *s)


def random_program(seed: int, n: int = 5) -> tuple[Callable[..., Any], list[np.ndarray]]:
    rng = np.random.default_rng(seed)
    body, turns = random_body(rng), int(rng.integers(0, 6))

    def run(m: Any, a: Any, b: Any, v: Any, w: Any, *fixed: Any) -> Any:
        state = (a.copy(), b.copy(), v.copy(), w.copy(), 0.25, 0.5)
        return m.fori_loop(0, turns, lambda i, z: run_body(m, body, i, z, fixed), state)

    return run, [rng.uniform(0, 1, shape) for shape in ((n, n), (n, n), n, n, (n, n), (n, n))]


@pytest.mark.parametrize(("seed", "n"), [*[(seed, 5) for seed in range(30)], *[(seed, 60) for seed in range(200, 212)]])
def test_random_program_is_numpys(seed: int, n: int) -> None:
    """Every hazard of memory in a turn: C and the interpreter give NumPy's answer. Kernels of 60 x 60 points are functions that are
    called, those of 5 x 5 stand in the loop."""
    function, arguments = random_program(seed, n)
    expected = function(Plain, *arguments)
    for backend in ("c", "reference"):
        with lnp.config(backend=backend, unroll=0):
            actual = lnp.jit(lambda *a: function(Structured, *a), strict=True)(*arguments)
        for one, other in zip(actual, expected, strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("seed", range(100, 112))
def test_derivative_of_random_program(seed: int) -> None:
    function, arguments = random_program(seed)
    _check_derivative(function, arguments, np.random.default_rng(seed))


@pytest.mark.parametrize("unroll", [0, 10])
def test_carried_python_numbers_stay_weak(unroll: int) -> None:
    """A Python float or int that a loop changes does not make float32 arrays float64."""
    x = np.arange(6, dtype=np.float32)
    programs = [
        lambda m, x: m.fori_loop(0, 6, lambda i, s: s + x[i], 0.0) * x,
        lambda m, x: m.fori_loop(0, 6, lambda i, t: t + 0.5, 0.0) * x,
        lambda m, x: x * m.fori_loop(0, 6, lambda i, k: k + 2, 0),
        lambda m, x: m.fori_loop(0, 6, lambda i, s: s + x[i] * i, 0) * x,
    ]
    for f in programs:
        with lnp.config(unroll=unroll):
            actual = lnp.jit(lambda x, f=f: f(Structured, x), strict=True)(x)
        expected = f(Plain, x)
        assert actual.dtype == expected.dtype == np.float32
        np.testing.assert_allclose(actual, expected, rtol=1e-6)


def test_slices_bounded_by_data() -> None:
    """Temporaries whose sizes come from data: the loop runs in Python around compiled bodies."""

    def f(m: Any, a: Any, first: Any, last: Any) -> Any:
        b = a.copy()

        def row(i: Any, state: Any) -> Any:
            def inner(k: Any, state: Any) -> Any:
                b[i, k:] = b[i, k:] + (a @ a)[i, k:] * a[k, :][k:]
                b[k:, i] = a[k:, :] @ a[:, i]
                return state

            return m.fori_loop(first[i], last[i], inner, state)

        m.fori_loop(0, 6, row, ())
        return b

    a = np.random.default_rng(3).uniform(0, 1, (6, 6))
    first, last = np.array([0, 1, 2, 0, 3, 5]), np.array([2, 4, 3, 6, 5, 6])
    with lnp.config(unroll=0):
        actual = lnp.jit(lambda *args: f(Structured, *args), strict=True)(a, first, last)
    np.testing.assert_allclose(actual, f(Plain, a, first, last), rtol=1e-12)


def test_gradient_outside_jit_writes_out_what_cannot_be_captured() -> None:
    """A NumPy array from outside, indexed with the loop variable, is nothing a trace sees; grad alone has its values at hand."""
    table = np.arange(6.0)
    gradient = lnp.grad(lambda x: scan.fori_loop(0, 6, lambda i, s: s + x * table[i], 0.0))
    assert float(gradient(np.float64(2.0))) == 15.0


def test_errors_name_the_line() -> None:
    """An index out of range in a turn is NumPy's IndexError, with the user's line."""
    f = lnp.jit(lambda x, k: scan.fori_loop(0, 6, lambda i, s: s + x[k[i]], 0.0), strict=True)
    with pytest.raises(IndexError, match="index 7 is out of bounds for axis 0 with size 6") as caught:
        f(np.ones(6), np.array([0, 1, 7, 2, 3, 4]))
    assert any("test_loops.py" in note for note in caught.value.__notes__)


def test_view_at_a_traced_position_is_no_copy() -> None:
    """row = a[k[i]] is a view in NumPy: what the trace cannot follow runs in lazy mode, with NumPy's answer."""

    def f(m: Any, a: Any, k: Any) -> Any:
        def body(i: Any, a: Any) -> Any:
            row = a[k[i]]
            row[0] = row[0] + 1
            a[i] = a[i] + row
            return a

        return m.fori_loop(0, 6, body, a.copy())

    a, k = np.arange(18.0).reshape(6, 3), np.array([1, 3, 0, 2, 5, 5])
    with pytest.warns(lnp.errors.PerformanceWarning, match="position known only at run time"):
        np.testing.assert_array_equal(lnp.jit(lambda a, k: f(Structured, a, k))(a, k), f(Plain, a, k))


def test_the_size_of_the_program_does_not_grow_with_the_turns() -> None:
    def source(n: int) -> int:
        f = lnp.jit(lambda x: scan.fori_loop(0, n, lambda i, s: s * 0.5 + x, x))
        return len(f.lower(np.ones(3)).ready.program.source)

    first, general, same = [source(n) for n in (10, 1000, 1_000_000)]
    assert general == same
    assert general < first + 4000


def test_reverse_mode_costs_what_a_turn_touches() -> None:
    """The way back of 200 writes of one element of an array of 200,000 does not visit the array 200 times."""

    def f(x: Any) -> Any:
        y = x.copy()

        def body(i: Any, y: Any) -> Any:
            y[i + 1] = lnp.sin(y[i]) * y[i + 1]
            return y

        return (scan.fori_loop(0, 200, body, y) ** 2).sum()

    program = lnp.jit(lnp.grad(f), strict=True).lower(np.ones(200_000)).ready.program
    loops = [part[: part.index("\n}", part.index("static void loop"))] for part in program.source.split("/* loop")[1:]]
    assert loops
    assert all("200000" not in text and "199999" not in text for text in loops)


# --- derivatives -----------------------------------------------------------------------------------------------------

ROUGH = {"collatz", "gather_and_scatter", "csr_product", "jacobi_until_converged", "an_op_without_c"}
SMOOTH = [name for name in PROGRAMS if name not in ROUGH]


@pytest.mark.parametrize("name", SMOOTH)
def test_derivative_of_program(name: str) -> None:
    """Forward and reverse mode by the inner-product identity, and against a difference quotient of the NumPy program."""
    function, draw = PROGRAMS[name]
    rng = np.random.default_rng(11)
    _check_derivative(function, [np.asarray(a, float) for a in draw(rng)], rng)


def _check_derivative(function: Any, arguments: list[np.ndarray], rng: np.random.Generator) -> None:
    with lnp.config(unroll=0):
        _, tangent, back, step, seeds = _both_modes(lambda *a: function(Structured, *a), arguments, rng)
    inner = sum(float(np.vdot(s, t)) for s, t in zip(seeds, tangent, strict=True))
    assert inner == pytest.approx(sum(float(np.vdot(b, d)) for b, d in zip(back, step, strict=True)), rel=1e-9, abs=1e-9)
    eps = 1e-6
    up, down = [_numpy_values(function, [a + sign * eps * d for a, d in zip(arguments, step, strict=True)]) for sign in (1, -1)]
    quotient = sum(float(np.vdot(s, (u - d) / (2 * eps))) for s, u, d in zip(seeds, up, down, strict=True))
    assert inner == pytest.approx(quotient, rel=1e-5, abs=1e-5)


def _numpy_values(function: Any, arguments: list[np.ndarray]) -> list[np.ndarray]:
    return [np.asarray(v, float) for v in _flat(function(Plain, *[a.copy() for a in arguments]))]


def _both_modes(f: Any, arguments: list[np.ndarray], rng: np.random.Generator) -> Any:
    """(value, tangent along a random step, cotangent for a random seed, step, seeds), through one compiled function."""
    flat = lambda *a: tuple([v * 1.0 for v in _flat(f(*a))])  # noqa: E731
    step = [rng.uniform(-1, 1, a.shape) for a in arguments]
    shapes = [np.shape(v) for v in flat(*arguments)]
    seeds = [rng.uniform(-1, 1, shape) for shape in shapes]

    def run(arguments: Any, step: Any, seeds: Any) -> Any:
        value, tangent = lnp.jvp(flat, arguments, step)
        _, pull = lnp.vjp(flat, *arguments)
        return value, tangent, pull(tuple(seeds))

    value, tangent, back = lnp.jit(run, strict=True)(tuple(arguments), tuple(step), tuple(seeds))
    return value, tangent, back, step, seeds


def test_a_turn_that_reads_what_it_overwrites_has_room_for_its_largest_size() -> None:
    def turned(x: Any, scan: Any) -> Any:
        def step(k: Any, x: Any) -> Any:
            x[:k] += 0.5 * x[:k][::-1]
            return x

        return scan.fori_loop(1, x.shape[0], step, x)

    x = np.arange(600.0) / 1000
    got = lnp.jit(lambda x: turned(x, scan), strict=True)(x.copy())
    with np.errstate(over="ignore"):
        np.testing.assert_array_equal(np.asarray(got), turned(x, Plain))


def test_branches_on_what_is_known_of_the_loop_variable():
    """A test of the loop variable alone, or a constant, lies nowhere in memory."""

    def f(x):
        t = x[0]
        for i in range(9):
            if i < 2:
                t = t + x[i]
            if i <= 5:
                t = t - x[i]
            if i >= 7 and not i < 8:
                t = t * 2
        return t

    x = np.linspace(-1, 1, 9)
    assert abs(lnp.jit(f, strict=True)(x) - f(x)) < 1e-12


def test_a_loop_reads_what_it_overwrites_and_a_later_write_extends():
    def f(a):
        a = a * 1.0

        def outer(k, carry):
            before = a.copy()

            def inner(j, carry):
                a[j] = before[j] + before[7 - j]
                return carry

            scan.fori_loop(1, k, inner, 0)
            a[k] = 1.0
            return carry

        scan.fori_loop(1, 7, outer, 0)
        return a

    x = np.arange(9.0)
    np.testing.assert_array_equal(lnp.jit(f)(x), np.asarray(f(lnp.array(x))))


def both_sides_store(a, b):
    x, first = np.zeros(a.shape), np.zeros(len(a))
    for i in range(len(a)):
        for j in range(2):
            if a[i, j] > 0:
                x[i, j] = b[i, j] * 2
            else:
                x[i, j] = a[i, j]
        first[i] = 1
    return x, first


def each_side_is_a_value(a, b):
    x, first = np.zeros(a.shape), np.zeros(len(a))
    for i in range(len(a)):
        u = b[i, 1] if a[i, 0] > 0 else 2.0
        v = b[i, 0] if a[i, 1] > 0 else 2.0
        x[i, 0], x[i, 1], first[i] = u, v, a[i, 0]
    return x, first


@pytest.mark.parametrize("program", [both_sides_store, each_side_is_a_value])
def test_branches_that_read_arrays_beside_another_store(program):
    """gcc up to 12.3 and 13.2 makes masked loads of them and permutes them wrongly: https://gcc.gnu.org/PR114375."""
    a, b = np.random.default_rng(0).normal(size=(2, 301, 2))
    for actual, expected in zip(lnp.jit(program, strict=True)(a, b), program(a, b), strict=True):
        np.testing.assert_array_equal(actual, expected)
