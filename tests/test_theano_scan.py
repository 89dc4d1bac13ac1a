"""What Theano's `scan` and `ifelse` promised, sentence by sentence, said with the forms of `lazynp.scan` beside a plain loop of NumPy.

PROMISES: the promise -> (form, loop, arguments, the argument with respect to which derivatives are compared, or None). Each form runs
under jit, where nothing may be left to Python, and outside of it; derivatives are compared with differences of the plain loop. What was
promised of rewrites, of the time of a turn and of branches that cost nothing is in tests/test_scan_forms.py.
"""

# ruff: noqa: E731

import warnings

import numpy as np
import pytest
from outcomes import same

import lazynp
from lazynp import grad, hessian, jacobian, jit, jvp, vmap
from lazynp.scan import associative_scan, cond, fori_loop, scan, switch, while_loop
from lazynp.scan import map as map_

PROMISES = {}
DRAWN = "random numbers are drawn anew in every step"
"""Turn by turn: a compiled loop has no generators."""
rng = np.random.default_rng(5)
X = rng.uniform(0.2, 1.0, 9)
M = rng.uniform(-0.5, 0.5, (9, 3))
W = rng.uniform(-0.5, 0.5, (3, 3))


def promise(text, *arguments, wrt=None):
    """Enters a pair of functions: form(*arguments) and loop(*arguments)."""

    def enter(pair):
        form, loop = pair()
        PROMISES[text] = form, loop, arguments, wrt
        return pair

    return enter


# --- loops, their sequences and results


@promise("a result without a state is a map", M, W, wrt=1)
def _():
    return lambda m, w: map_(lambda row: np.tanh(row @ w), m), lambda m, w: np.stack([np.tanh(row @ w) for row in m])


@promise("a state that is carried, the powers of an array", X, 4, wrt=0)
def _():
    return lambda a, k: scan(lambda p, _: (p * a,) * 2, np.ones(len(a)), length=k)[1], lambda a, k: np.stack(
        [a**j for j in range(1, k + 1)]
    )


@promise("a sequence of coefficients and one of exponents", X, 0.7, wrt=1)
def _():
    def loop(c, x):
        total = 0.0
        for k, a in enumerate(c):
            total = total + a * x**k
        return total

    return lambda c, x: scan(lambda s, ck: (s + ck[0] * x ** ck[1], None), 0.0, (c, np.arange(len(c))))[0], loop


@promise("running sums of integers", np.arange(15))
def _():
    return lambda n: scan(lambda s, k: (s + k,) * 2, np.int64(0), n)[1], np.cumsum


@promise("a value set at a position in every turn", np.array([[1, 1], [2, 3]]), np.array([42.0, 50.0]), wrt=1)
def _():
    def form(places, values):
        def step(_, pair):
            out = lazynp.zeros((5, 5))
            out[pair[0][0], pair[0][1]] = pair[1]
            return None, out

        return scan(step, None, (places, values))[1]

    def loop(places, values):
        out = np.zeros((len(values), 5, 5))
        for k, (place, value) in enumerate(zip(places, values, strict=True)):
            out[(k, *place)] = value
        return out

    return form, loop


@promise("sequences of different lengths end with the shortest", X, M, wrt=0)
def _():
    return (
        lambda x, m: scan(lambda s, pair: (s + pair[0] * pair[1].sum(), s), 0.0, (x[:5], m[:5])),
        lambda x, m: (np.sum(x[:5] * m[:5].sum(1)), np.concatenate([[0], np.cumsum(x[:4] * m[:4].sum(1))])),
    )


@promise("a sequence given as a dict of arrays", X, M, wrt=1)
def _():
    return (
        lambda x, m: scan(lambda s, t: (s + t["a"] * t["b"], None), np.zeros(3), {"a": x, "b": m})[0],
        lambda x, m: (x[:, None] * m).sum(0),
    )


@promise("taps of a sequence into its past and future", X, wrt=0)
def _():
    return (
        lambda x: map_(lambda t: t[0] - 2 * t[1] + t[2] * t[1], (x[:-2], x[1:-1], x[2:])),
        lambda x: x[:-2] - 2 * x[1:-1] + x[2:] * x[1:-1],
    )


def network(by_scan):
    """x_t = tanh(0.4 u_t + 0.2 u_{t-4} + 0.5 x_{t-1} - 0.3 x_{t-3}) * y_{t-1}, y_t = cos(x_{t-3}) w."""

    def form(u, w):
        def step(past, pair):
            x3, x2, x1, y1 = past
            x = np.tanh(0.4 * pair[1] + 0.2 * pair[0] + 0.5 * x1 - 0.3 * x3) * y1
            y = np.cos(x3) * w
            return (x2, x1, x, y), (x, y)

        return scan(step, (u[0], u[1], u[2], w), (u[:-4], u[4:]))[1]

    def loop(u, w):
        x, y = [u[0], u[1], u[2]], [w]
        for t in range(4, len(u)):
            new = np.tanh(0.4 * u[t] + 0.2 * u[t - 4] + 0.5 * x[-1] - 0.3 * x[-3]) * y[-1]
            y.append(np.cos(x[-3]) * w)
            x.append(new)
        return np.stack(x[3:]), np.stack(y[1:])

    return form if by_scan else loop


@promise("two results with different taps, and one read by the other", X, 0.8, wrt=1)
def _():
    return network(True), network(False)


@promise("a tap of six turns, read from an array of the past", X, wrt=0)
def _():
    def form(x):
        def step(past, t):
            new = 0.9 * past[0] + t
            return np.concatenate([past[1:], new[None]]), new

        return scan(step, np.linspace(0, 1, 6), x)[1]

    def loop(x):
        out = list(np.linspace(0, 1, 6))
        for t in x:
            out.append(0.9 * out[-6] + t)
        return np.array(out[6:])

    return form, loop


@promise("the same tap, read from the array of results", X, wrt=0)
def _():
    def form(x):
        out = lazynp.zeros(len(x) + 6)
        out[:6] = np.linspace(0, 1, 6)

        def turn(t, _):
            out[t + 6] = 0.9 * out[t] + x[t]

        fori_loop(0, len(x), turn, None)
        return out[6:]

    return form, PROMISES["a tap of six turns, read from an array of the past"][1]


@promise("sequences backwards, with results in the order of the turns", X, wrt=0)
def _():
    def loop(x):
        h, found = 0.0, []
        for t in x[::-1]:
            h = np.tanh(h + t)
            found.append(h)
        return np.array(found)

    return lambda x: scan(lambda h, t: (np.tanh(h + t),) * 2, 0.0, x, reverse=True)[1][::-1], loop


@promise("arrays of the surroundings are found", X, W, wrt=1)
def _():
    def loop(x, w):
        h = np.ones(3)
        for t in x:
            h = np.tanh(w @ h * t)
        return h

    return lambda x, w: scan(lambda h, t: (np.tanh(w @ h * t), None), np.ones(3), x)[0], loop


@promise("a number of steps that is an argument", 0.3, 7, wrt=0)
def _():
    def loop(x, n):
        for _ in range(n):
            x = np.sin(x) + 0.1
        return x

    return lambda x, n: fori_loop(0, n, lambda _, x: np.sin(x) + 0.1, x), loop


@promise("no step: the results are empty and have the right shapes", M[:0], X)
def _():
    return (
        lambda m, x: scan(lambda s, row: (s + row.sum(), (np.outer(row, row), s > 1)), 2.5, m),
        lambda m, x: (2.5, (np.zeros((0, 3, 3)), np.zeros(0, bool))),
    )


@promise("nested", M, wrt=0)
def _():
    def form(m):
        return scan(lambda s, row: scan(lambda t, v: (np.sin(t + v),) * 2, s, row), 0.1, m)[1]

    def loop(m):
        out = np.zeros(m.shape)
        t = 0.1
        for i in range(m.shape[0]):
            for j in range(m.shape[1]):
                t = out[i, j] = np.sin(t + m[i, j])
        return out

    return form, loop


@promise("reduce, foldl and foldr", X, wrt=0)
def _():
    def loop(x):
        left, right = 1.0, 1.0
        for v in x:
            left = v - 0.5 * left
        for v in x[::-1]:
            right = v - 0.5 * right
        return np.prod(x), left, right

    fold = lambda f, start, x, **kw: scan(lambda s, v: (f(s, v), None), start, x, **kw)[0]
    step = lambda s, v: v - 0.5 * s
    return lambda x: (fold(lambda s, v: s * v, 1.0, x), fold(step, 1.0, x), fold(step, 1.0, x, reverse=True)), loop


@promise("running results of an associative function", X, wrt=0)
def _():
    return lambda x: associative_scan(lambda a, b: a * b, x), np.cumprod


@promise("the trace of a matrix by positions", M, wrt=0)
def _():
    return lambda m: scan(lambda s, i: (s + m[i, i], None), 0.0, np.arange(3))[0], lambda m: m[0, 0] + m[1, 1] + m[2, 2]


@promise("norms of rows and columns", M, wrt=0)
def _():
    norms = lambda m: np.sqrt((m**2).sum(1))
    return lambda m: (map_(lambda r: np.sqrt((r**2).sum()), m), map_(lambda c: np.sqrt((c**2).sum()), m.T)), lambda m: (
        norms(m),
        norms(m.T),
    )


@promise("turns of which several are one turn of the compiled loop", X, wrt=0)
def _():
    loop = lambda x: np.cumsum(x) ** 2
    return lambda x: scan(lambda s, v: (s + v, (s + v) ** 2), 0.0, x, unroll=4)[1], loop


@promise("derivatives that keep every k-th state only", X, wrt=0)
def _():
    def loop(x):
        h = 0.0
        for v in x:
            h = np.tanh(h * 1.3 + v)
        return h

    return lambda x: scan(lambda h, v: (np.tanh(h * 1.3 + v), None), 0.0, x, checkpoint=3)[0], loop


# --- repetitions until a condition holds


@promise("the element that made the condition true is included", 45)
def _():
    def form(limit):
        _, powers, turns = scan(lambda p, _: (p * 2,) * 2, 1, length=30, until=lambda _, y: y > limit)
        return powers, turns

    return form, lambda limit: (np.array([2, 4, 8, 16, 32, 64, *[0] * 24]), 6)


@promise("there is at least one step, and the number of steps is a maximum", 5)
def _():
    def form(n):
        once = scan(lambda s, _: (s + 1, s), 0, length=n, until=lambda s, _: s > -1)
        never = scan(lambda s, _: (s + 1, s), 0, length=n, until=lambda s, _: s > 99)
        return once[2], never[2], once[1], never[1]

    return form, lambda n: (1, n, np.zeros(n, int), np.arange(n))


@promise("a while loop may have no step", 5)
def _():
    return lambda n: while_loop(lambda s: s < n, lambda s: s + 1, 7), lambda n: 7


@promise("a condition on the state of a scan backwards", X, wrt=0)
def _():
    def form(x):
        last, found, turns = scan(lambda h, v: (h + v, h * v), 0.0, x, reverse=True, until=lambda h, _: h > 2)
        return last, found, turns

    def loop(x):
        h, found, turns = 0.0, np.zeros(len(x)), 0
        for i in range(len(x) - 1, -1, -1):
            found[i] = h * x[i]
            h = h + x[i]
            turns += 1
            if h > 2:
                break
        return h, found, turns

    return form, loop


@promise("the derivative of as many steps as there were", X, 1.3, wrt=1)
def _():
    def form(x, w):
        return scan(lambda h, v: (h * w + v, np.sin(h)), 0.5, x, until=lambda h, _: h > 4)[:2]

    def loop(x, w):
        h, found = 0.5, np.zeros(len(x))
        for i, v in enumerate(x):
            found[i] = np.sin(h)
            h = h * w + v
            if h > 4:
                break
        return h, found

    return form, loop


# --- updates of states


@promise("updates of a state are usable in expressions", 1)
def _():
    """b = a + 1, and c of the updated a, after ten steps."""
    return lambda a: (a + 1, fori_loop(0, 10, lambda _, s: s + 1, a) + 1), lambda a: (2, 12)


@promise("states in arrays of the surroundings are updated", X, wrt=0)
def _():
    def form(x):
        count, seen = lazynp.zeros(2), x.copy()

        def step(_, v):
            count[0] += v
            count[1] = np.maximum(count[1], v)
            seen[:3] *= 1.1
            return None, count[0]

        return scan(step, None, x)[1], count, seen

    def loop(x):
        seen = x.copy()
        for _ in x:
            seen[:3] *= 1.1
        return np.cumsum(x), np.array([x.sum(), x.max()]), seen

    return form, loop


@promise(DRAWN, X)
def _():
    def form(x):
        stream = np.random.default_rng(11)
        return scan(lambda h, v: (h + v * stream.normal(),) * 2, 0.0, x)[1]

    def loop(x):
        stream = np.random.default_rng(11)
        return np.cumsum([v * stream.normal() for v in x])

    return form, loop


# --- branches


@promise("a branch of several results", np.array(True), 0.7, wrt=1)
@promise("the other branch of several results", np.array(False), 0.7, wrt=1)
def _():
    return (
        lambda flag, x: cond(flag, lambda: (np.sin(x), x * 2), lambda: (x**2, np.cos(x))),
        lambda flag, x: (np.sin(x), x * 2) if flag else (x**2, np.cos(x)),
    )


@promise("a branch that would fail is not evaluated, and derivatives see the other one alone", X, np.array(99), wrt=0)
def _():
    return lambda x, k: cond(k < len(x), lambda: x[k] ** 2, lambda: x[0] ** 2), lambda x, k: x[0] ** 2


@promise("one of several branches", X, np.array(2), wrt=0)
def _():
    return lambda x, k: switch(k, [np.sin, np.cos, np.tanh, np.exp], x), lambda x, k: np.tanh(x)


@promise("the elementwise choice evaluates both", X, wrt=0)
def _():
    return lambda x: np.where(x > 0.5, x * 2, -x), lambda x: np.where(x > 0.5, x * 2, -x)


def together(results):
    """One number made of all results of a function."""
    parts = results if isinstance(results, tuple) else (results,)
    return sum(np.sum(np.sin(part) * (k + 1)) for k, part in enumerate(parts))


def differences(loop, arguments, wrt):
    """The derivative of together(loop) with respect to one argument by central differences."""
    x = np.asarray(arguments[wrt], float)
    found = np.zeros(x.shape)
    for place in np.ndindex(x.shape):
        ends = []
        for step in (1e-6, -1e-6):
            moved = x.copy()
            moved[place] += step
            ends.append(together(loop(*arguments[:wrt], moved if x.shape else moved[()], *arguments[wrt + 1 :])))
        found[place] = (ends[0] - ends[1]) / 2e-6
    return found


@pytest.mark.parametrize("text", PROMISES)
def test_as_a_program(text):
    form, loop, arguments, _ = PROMISES[text]
    numbers = tuple(k for k, x in enumerate(arguments) if type(x) is int)
    compiled = jit(form, static_argnums=numbers, strict=text != DRAWN)
    for _ in range(2):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore" if text == DRAWN else "error", lazynp.PerformanceWarning)
            close(compiled(*arguments), loop(*arguments))


@pytest.mark.parametrize("text", PROMISES)
def test_outside_of_a_trace(text):
    form, loop, arguments, _ = PROMISES[text]
    with lazynp.config(lazy_threshold=0):
        close(form(*[lazynp.asarray(x) if isinstance(x, np.ndarray) else x for x in arguments]), loop(*arguments))


def close(actual, expected):
    """Equal values and shapes: Python numbers and NumPy's scalars are one."""
    parts = [x if isinstance(x, tuple) else (x,) for x in (actual, expected)]
    same(tuple(map(np.asarray, _flat(parts[0]))), tuple(map(np.asarray, _flat(parts[1]))))


def _flat(tree):
    return [leaf for part in tree for leaf in (_flat(part) if isinstance(part, tuple) else [part])]


@pytest.mark.parametrize("text", [text for text, promised in PROMISES.items() if promised[3] is not None])
@pytest.mark.parametrize("compiled", [True, False], ids=["jit", "at-once"])
def test_derivatives(text, compiled):
    form, loop, arguments, wrt = PROMISES[text]
    derived = grad(lambda *a: together(form(*a)), wrt)
    if compiled:
        derived = jit(derived, static_argnums=tuple(k for k, x in enumerate(arguments) if type(x) is int))
    np.testing.assert_allclose(derived(*arguments), differences(loop, arguments, wrt), rtol=1e-6, atol=1e-8)


# --- results, updates and condition in any combination


@pytest.mark.parametrize("ends", [False, True], ids=["to-the-end", "until"])
@pytest.mark.parametrize("updates", [False, True], ids=["no-updates", "updates"])
@pytest.mark.parametrize("results", [False, True], ids=["no-results", "results"])
def test_results_updates_and_condition(results, updates, ends):
    def form(x):
        total = np.zeros(())

        def step(state, v):
            if updates:
                total[()] += v
            return state + v, (v * 2 if results else None)

        found = scan(step, 0.0, x, until=(lambda state, _: state > 1.5) if ends else None)
        return found, total

    found, total = jit(form, strict=True)(X)
    turns = int(np.argmax(np.cumsum(X) > 1.5)) + 1 if ends else len(X)
    np.testing.assert_allclose(found[0], X[:turns].sum())
    np.testing.assert_allclose(total, X[:turns].sum() if updates else 0.0)
    assert len(found) == 2 + ends and found[2:] == ((turns,) if ends else ())
    if results:
        np.testing.assert_allclose(found[1], np.where(np.arange(len(X)) < turns, 2 * X, 0.0))
    else:
        assert found[1] is None


# --- truncated gradients: to the derivative all turns but the last k are constants


def recurrent(x, w, h, **options):
    return scan(lambda h, v: (np.tanh(w @ h + v), h.sum()), h, x, **options)


def last_turns(x, w, h, k):
    """The same of the last k turns."""
    for v in x[: len(x) - k]:
        h = np.tanh(w @ h + v)
    return lambda x_, w_: recurrent(x_[len(x) - k :], w_, h)


@pytest.mark.parametrize("compiled", [True, False], ids=["jit", "at-once"])
@pytest.mark.parametrize("ends", [False, True], ids=["to-the-end", "until"])
@pytest.mark.parametrize("k", [0, 1, 4, 8])
def test_truncated_gradients(k, ends, compiled):
    options = {"truncate": k} | ({"until": lambda h, _: h.sum() > 99} if ends else {})
    loss = lambda x, w, h: together(recurrent(x, w, h, **options)[:2])
    derived = grad(loss, (0, 1, 2))
    for_x, for_w, for_h = (jit(derived) if compiled else derived)(X, W, np.ones(3))
    tail = last_turns(X, W, np.ones(3), k)
    part = lambda x, w: together(tail(x, w)) if k else 0.0 * (x.sum() + w.sum())
    expected = grad(part, (0, 1))(X, W)
    np.testing.assert_allclose(for_x, expected[0], rtol=1e-10, atol=1e-14)
    np.testing.assert_allclose(for_w, expected[1], rtol=1e-10, atol=1e-14)
    assert not np.any(for_h)
    np.testing.assert_allclose(loss(X, W, np.ones(3)), together(recurrent(X, W, np.ones(3))))


@pytest.mark.parametrize("k", [9, 50])
def test_truncation_after_more_turns_than_there_are_is_none(k):
    loss = lambda w, **options: together(recurrent(X, w, np.ones(3), **options))
    np.testing.assert_allclose(grad(lambda w: loss(w, truncate=k))(W), grad(loss)(W), rtol=1e-12)


def test_truncation_backwards():
    loss = lambda x, **options: together(scan(lambda h, v: (np.sin(h) + v, h * v), 0.3, x, reverse=True, **options))
    found = jit(grad(lambda x: loss(x, truncate=3)))(X)
    h = 0.3
    for v in X[:2:-1]:
        h = np.sin(h) + v
    expected = grad(lambda x: together(scan(lambda h, v: (np.sin(h) + v, h * v), h, x[:3], reverse=True)))(X)
    np.testing.assert_allclose(found, expected, rtol=1e-10, atol=1e-14)


# --- derivatives of derivatives, Jacobians and batches of scans


def loss(w):
    return together(recurrent(X[:4], w, np.ones(3)))


def test_hessian_is_the_jacobian_of_the_gradient_either_way():
    expected = jacobian(grad(loss))(W)
    np.testing.assert_allclose(jit(hessian(loss))(W), expected, rtol=1e-9, atol=1e-12)
    moved = [grad(loss)(W + step * np.eye(9).reshape(9, 3, 3)[4]) for step in (1e-6, -1e-6)]
    np.testing.assert_allclose(expected[:, :, 1, 1], (moved[0] - moved[1]) / 2e-6, rtol=1e-6, atol=1e-8)


def test_forward_derivatives_agree_with_backward_ones():
    for direction in np.eye(9).reshape(9, 3, 3):
        forward = jit(lambda w, d=direction: jvp(loss, (w,), (d,)))(W)[1]
        np.testing.assert_allclose(forward, np.sum(grad(loss)(W) * direction), rtol=1e-10)


def test_a_jacobian_by_a_scan_of_gradients():
    """The gradient of y[i] inside a scan over i."""
    rows = jit(lambda x: map_(lambda i: grad(lambda x: np.cumprod(x)[i])(x), np.arange(len(x))))(X)
    np.testing.assert_allclose(rows, jacobian(np.cumprod)(X), rtol=1e-10)


def test_a_batch_of_repetitions_of_different_lengths():
    run = lambda limit: scan(lambda p, _: (p * 2.0,) * 2, 1.0, length=8, until=lambda p, _: p > limit)
    limits = np.array([1.0, 45.0, 5.0, 1e9])
    last, found, turns = jit(vmap(run))(limits)
    for k, limit in enumerate(limits):
        expected = run(limit)
        np.testing.assert_array_equal(found[k], expected[1])
        assert (last[k], turns[k]) == (expected[0], expected[2])


# --- errors


def test_sequences_that_do_not_fit_are_an_error():
    with pytest.raises(ValueError, match="agree on one number of turns"):
        scan(lambda s, v: (s, None), 0.0, (X, X[:4]))
    with pytest.raises(ValueError, match="agree on one number of turns"):
        scan(lambda s, v: (s, None), 0.0, X, length=10)


def test_branches_must_match():
    with pytest.raises(lazynp.CaptureError, match="branches return"):
        jit(lambda flag, x: cond(flag, lambda: x, lambda: (x, x)), strict=True)(np.array(True), X)


def test_a_branch_is_run_once_per_call():
    calls = []

    def count(x):
        calls.append(x)
        return x

    for flag in (True, False, True):
        cond(flag, count, lambda x: x, 1.0)
    assert len(calls) == 2
