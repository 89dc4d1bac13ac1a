"""Loops of equally many turns of which none needs another become one, where that changes no value, no error and no order of errors."""

import numpy as np
import pytest

import lazynp
from lazynp import scan
from lazynp.ir.canonical import specific
from lazynp.ir.node import toposort
from lazynp.ops.structured import loop
from lazynp.optimize.passes import optimize
from lazynp.trace.compiled import form_of

rng = np.random.default_rng(0)
X, Y = rng.normal(size=(50, 4)), rng.normal(size=(50, 4))


def loops_of(function, *arguments):
    """The loops of the optimized program, without those in bodies."""
    form = form_of(lazynp.jit(function)._trace(list(arguments), lambda new: (tuple(new), {}), {}))
    return [node for node in toposort(optimize(specific(form).graph).outputs) if node.op is loop]


def filters(x, y):
    a, b = np.zeros(50), np.zeros(50)
    s = t = 0.0
    for i in range(50):
        s = 0.9 * s + x[i, 0]
        a[i] = s
    for i in range(50):
        t = 0.5 * t + y[i, 0]
        b[i] = t
    return a, b


def sum_and_greatest(x, y):
    s, m = 0.0, -np.inf
    for i in range(50):
        s = s + x[i, 0]
    for i in range(50):
        m = max(m, x[i, 0])
    return s, m


def three(x, y):
    s = t = u = np.zeros(4)
    for i in range(50):
        s = s * 0.5 + x[i]
    for i in range(50):
        t = t * 0.25 + x[i]
    for i in range(50):
        u = np.maximum(u * 0.25, y[i])
    return s, t, u


def both_directions(x, y):
    a, b = np.zeros((50, 4)), np.zeros((50, 4))
    s = t = np.zeros(4)
    for i in range(50):
        s = np.tanh(s * 0.5 + x[i])
        a[i] = s
    for i in range(49, -1, -1):
        t = np.tanh(t * 0.25 + x[i] * i)
        b[i] = t
    return a, b


def shifted(x, y):
    s = t = 0.0
    for i in range(1, 50):
        s = 0.5 * s + x[i, 0] - x[i - 1, 0]
    for i in range(49):
        t = 0.5 * t + x[i, 1] * i
    return s, t


def scans(x, y):
    s, a = scan.scan(lambda c, v: (c * 0.5 + v, c), x[0], x)
    t, b = scan.scan(lambda c, v: (c * 0.25 + v, c), y[0], y, reverse=True)
    return s, t, a, b


def turns_from_data(x, y):
    n = (x[:, 0] > 0).sum()
    s = t = 0.0
    for i in range(n):
        s = 0.5 * s + i
    for i in range(n):
        t = 0.25 * t + x[0, 1] * i
    return s, t


def maps(x, y):
    a, b = np.zeros(50), np.zeros(50)
    for i in range(50):
        a[i] = np.exp(x[i, 0])
    for i in range(50):
        b[i] = x[i, 1] * y[i, 1]
    return a, b


def integers(x, y):
    a, b, n, m = 1, 1, 0, 0
    for i in range(50):
        n, a = (n + a, 1) if x[i, 0] > 0 else (n, a + 1)
    for i in range(50):
        m, b = (m + b, 1) if x[i, 1] > 0 else (m, b + 2)
    return n, m, a, b


def both_read_two_are_written(x, y):
    a, b = x[:, 0].copy(), x[:, 1].copy()
    for i in range(1, 50):
        a[i] = a[i] + 0.5 * a[i - 1]
    for i in range(1, 50):
        b[i] = b[i] + 0.25 * b[i - 1] + y[i, 0]
    return a, b


def one_may_fail(x, y):
    k = np.floor(np.abs(y[:, 0])).astype(int)
    s = t = 0.0
    for i in range(50):
        s = 0.5 * s + x[k[i], 0]
    for i in range(50):
        t = 0.25 * t + x[i, 1]
    return s, t


def a_step_between(x, y):
    s = t = np.zeros(4)
    for i in range(50):
        s = s * 0.5 + x[i]
    z = np.sin(y) * 2
    for i in range(50):
        t = t * 0.25 + z[i]
    return s, t


def two_by_two(x, y):
    a, b, c, d = 0.0, 0.0, 0.0, 0.0
    for i in range(50):
        a = 0.5 * a + x[i, 0]
    for i in range(50):
        b = 0.25 * b + x[i, 0]
    for i in range(50):
        c = 0.5 * c + x[i, 1] * b
    for i in range(50):
        d = 0.25 * d + x[i, 1] * a
    return a, b, c, d


@pytest.mark.parametrize(
    ("function", "count"),
    [(f, 1) for f in (filters, sum_and_greatest, three, both_directions, shifted, scans, turns_from_data, maps, integers)]
    + [(both_read_two_are_written, 1), (one_may_fail, 1), (a_step_between, 1), (two_by_two, 2)],
    ids=lambda v: getattr(v, "__name__", v),
)
def test_siblings_are_one_loop(function, count):
    assert len(loops_of(function, X, Y)) == count
    for ours, numpys in zip(lazynp.jit(function, strict=True)(X, Y), function(X, Y), strict=True):
        np.testing.assert_allclose(ours, numpys, rtol=1e-13)


def other_turns(x, y):
    s = t = 0.0
    for i in range(50):
        s = 0.5 * s + x[i, 0]
    for i in range(49):
        t = 0.25 * t + x[i, 0]
    return s, t


def other_turns_from_data(x, y):
    n, m = (x[:, 0] > 0).sum(), (x[:, 1] > 0).sum()
    s = t = 0.0
    for i in range(n):
        s = 0.5 * s + x[i, 0]
    for i in range(m):
        t = 0.25 * t + x[i, 1]
    return s, t


def other_steps(x, y):
    s = t = 0.0
    for i in range(0, 50, 2):
        s = 0.5 * s + x[i, 0]
    for i in range(25):
        t = 0.25 * t + x[i, 0]
    return s, t


def second_needs_first(x, y):
    s = t = 0.0
    for i in range(50):
        s = 0.5 * s + x[i, 0]
    for i in range(50):
        t = 0.25 * t + x[i, 1] * s
    return s, t


def writes_what_the_other_reads(x, y):
    a = x * 2
    b, t = a.copy(), np.zeros(4)
    for i in range(1, 50):
        b[i] = b[i - 1] * 0.5 + b[i]
    for i in range(50):
        t = t * 0.25 + a[i]
    a[0] = 1.0
    return b, t, a


def one_array(x, y):
    a = x.copy()
    for i in range(1, 50):
        a[i, 0] = a[i - 1, 0] * 0.5 + a[i, 0]
    for i in range(1, 50):
        a[i, 1] = a[i - 1, 1] * 0.25 + a[i, 1]
    return a, a


def loops_inside(x, y):
    s = t = 0.0
    for i in range(50):
        for k in range(20):
            s = 0.5 * s + x[k, 0] * i
    for i in range(50):
        for k in range(20):
            t = 0.25 * t + x[k, 1] * i
    return s, t


def waiting_and_not(x, y):
    a, s = np.zeros(50), 0.0
    for i in range(50):
        a[i] = np.exp(x[i, 0])
    for i in range(50):
        s = 0.5 * s + x[i, 0]
    return a, s


@pytest.mark.parametrize(
    "function",
    [
        other_turns,
        other_turns_from_data,
        other_steps,
        second_needs_first,
        writes_what_the_other_reads,
        one_array,
        loops_inside,
        waiting_and_not,
    ],
    ids=lambda f: f.__name__,
)
def test_others_stay_two(function):
    assert len(loops_of(function, X, Y)) == 2 or function is writes_what_the_other_reads
    for ours, numpys in zip(lazynp.jit(function, strict=True)(X, Y), function(X, Y), strict=True):
        np.testing.assert_allclose(ours, numpys, rtol=1e-13)


def inside_a_loop(x, y):
    total = 0.0
    for k in range(20):
        s = t = 0.0
        for i in range(50):
            s = 0.5 * s + x[i, 0] * k
        for i in range(50):
            t = 0.25 * t + y[i, 0] * k
        total = total + s * t
    return total, total


def test_in_the_turns_of_a_loop():
    (outer,) = loops_of(inside_a_loop, X, Y)
    assert sum(node.op is loop for node in toposort(outer.body.outputs)) == 1
    np.testing.assert_allclose(lazynp.jit(inside_a_loop, strict=True)(X, Y), inside_a_loop(X, Y), rtol=1e-13)


def both_fail(x, y, first, second):
    s = t = 0.0
    for i in range(50):
        s = 0.5 * s + x[first[i]]
    for i in range(50):
        t = 0.25 * t + y[second[i]]
    return s, t


@pytest.mark.parametrize("where", [(40, None), (None, 3), (40, 3), (None, None)])
def test_the_first_error_is_the_first_loops(where):
    indices = [np.arange(50), np.arange(50)]
    for number, (array, place) in enumerate(zip(indices, where, strict=True)):
        if place is not None:
            array[place] = 100 + number
    arguments = (X[:, 0].copy(), Y[:, 0].copy(), *indices)
    outcomes = []
    for f in (both_fail, lazynp.jit(both_fail, strict=True)):
        try:
            outcomes.append(np.round(f(*arguments), 12).tolist())
        except IndexError as error:
            outcomes.append(str(error).split("\n")[0])
    assert outcomes[0] == outcomes[1]


def in_place(x, y, n):
    for i in range(1, n[0]):
        x[i] = x[i] + 0.5 * x[i - 1]
    for i in range(1, n[0]):
        y[i] = y[i] + 0.25 * y[i - 1]
    return x[0] + 1


@pytest.mark.parametrize("n", [0, 1, 2, 50])
def test_arguments_written_in_place(n):
    ours, numpys = [(X.copy(), Y.copy(), np.array([n])) for _ in range(2)]
    np.testing.assert_array_equal(lazynp.jit(in_place, strict=True)(*ours), in_place(*numpys))
    for a, b in zip(ours, numpys, strict=True):
        np.testing.assert_array_equal(a, b)


def test_one_argument_twice():
    ours, numpys = X.copy(), X.copy()
    lazynp.jit(in_place, strict=True)(ours, ours, np.array([50]))
    in_place(numpys, numpys, np.array([50]))
    np.testing.assert_array_equal(ours, numpys)


@pytest.mark.parametrize("turns", [0, 1, 7])
def test_few_turns(turns):
    def f(x, y, n):
        s = t = 0.0
        for i in range(n[0]):
            s = 0.5 * s + x[i, 0]
        for i in range(n[0] - 1, -1, -1):
            t = 0.25 * t + y[i, 0]
        return s, t

    np.testing.assert_allclose(lazynp.jit(f, strict=True)(X, Y, np.array([turns])), f(X, Y, np.array([turns])), rtol=1e-13)


SMOOTH = [filters, three, both_directions, shifted, scans, maps, both_read_two_are_written, a_step_between, two_by_two]


@pytest.mark.parametrize("function", SMOOTH, ids=lambda f: f.__name__)
def test_their_derivatives(function):
    def loss(x):
        return sum(np.sum(np.sin(part)) for part in function(x, Y))

    def slope_of(f, x, direction, step=1e-6):
        return (np.asarray(f(x + step * direction)) - np.asarray(f(x - step * direction))) / (2 * step)

    direction = rng.normal(size=X.shape)
    gradient = lazynp.jit(lazynp.grad(loss))
    np.testing.assert_allclose(np.sum(gradient(X) * direction), slope_of(loss, X, direction), rtol=1e-5)
    second = lazynp.jit(lazynp.grad(lambda x: np.sum(lazynp.grad(loss)(x) * direction)))(X)
    np.testing.assert_allclose(second, slope_of(gradient, X, direction), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("function", [filters, three, both_directions, one_may_fail, integers], ids=lambda f: f.__name__)
def test_batched(function):
    many = np.stack([X, Y, X * Y])
    for k, ours in enumerate(lazynp.jit(lazynp.vmap(lambda x: function(x, Y)))(many)):
        np.testing.assert_allclose(ours, [np.asarray(function(x, Y)[k]) for x in many], rtol=1e-13)


def test_sizes_known_at_run_time():
    f = lazynp.jit(lambda x: (scan.scan(lambda c, v: (c * 0.5 + v, c), 0.0, x)[1], scan.scan(lambda c, v: (c * 0.25 + v, c), 0.0, x)[1]))
    for n in (5, 50, 9, 0):
        a, b = f(X[:n, 0].copy())
        for ours, factor in ((a, 0.5), (b, 0.25)):
            c, expected = 0.0, []
            for v in X[:n, 0]:
                expected.append(c)
                c = c * factor + v
            np.testing.assert_allclose(ours, expected, rtol=1e-13)
