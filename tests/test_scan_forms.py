"""What Theano's scan and ifelse could do, said with the forms of `lazynp.scan` and in plain loops."""

import time
from collections import namedtuple

import numpy as np
import pytest

import lazynp
from lazynp import grad, jit, scan
from lazynp.ir.canonical import specific
from lazynp.ir.node import toposort
from lazynp.ops.structured import loop
from lazynp.optimize.passes import optimize
from lazynp.trace.compiled import form_of

X = np.linspace(0.5, 1.5, 8)


def test_powers_of_two_until_the_condition_holds():
    """A repetition ends after the step that makes its condition true, whose element is among the results; there is at least one step."""

    def powers(most, limit):
        found = []
        value = 1
        for _ in range(most):
            value = value * 2
            found.append(value)
            if value > limit:
                break
        return found

    def by_scan(limit):
        def step(state, _):
            value, going = state
            new = np.where(going, value * 2, value)
            return (new, going & (new <= limit)), (new, going)

        _, (values, going) = scan.scan(step, (np.int64(1), np.bool_(True)), length=30)
        return values, going

    values, going = jit(by_scan)(45)
    assert np.asarray(values)[np.asarray(going)].tolist() == powers(30, 45) == [2, 4, 8, 16, 32, 64]

    def steps(limit):
        return scan.while_loop(lambda s: (s[1] == 0) | (s[0] <= limit), lambda s: (s[0] * 2, s[1] + 1), (1, 0))

    assert [int(v) for v in jit(steps, strict=True)(45)] == [64, 6]
    assert [int(v) for v in jit(steps, strict=True)(0)] == [2, 1]


def test_updates_of_states_reach_what_follows():
    """Theano handed updates back to be passed on by hand; here state is what a turn leaves: also in arrays and attributes."""

    @jit(strict=True)
    def run(a, b, c, n):
        for _ in range(n):
            a, c = a + 1, c + 2.0
            b[()] += a * 1.0
        return a, c

    b = np.zeros(())
    assert run(10, b, 10.0, 1) == (11, 12.0) and b == 11.0
    assert run(10, b, 10.0, 3) == (13, 16.0) and b == 11.0 + 11 + 12 + 13


def test_draws_in_a_scan_are_not_frozen():
    """Forgotten updates froze Theano's random numbers."""

    def walk(x):
        rng = np.random.default_rng(3)
        for _ in range(50):
            x = x + rng.normal(size=4)
        return x

    expected = walk(np.zeros(4))
    with np.errstate(all="ignore"):
        np.testing.assert_allclose(jit(walk)(np.zeros(4)), expected, rtol=1e-12)


def test_results_and_states_in_any_combination():
    """A step may have results, states, both or neither."""
    for with_state in (False, True):
        for with_results in (False, True):

            def step(state, x, with_state=with_state, with_results=with_results):
                return (state + x if with_state else None), (x * 2 if with_results else None)

            state, results = jit(lambda xs, step=step, with_state=with_state: scan.scan(step, 0.0 if with_state else None, xs))(X)
            assert (state is None) != with_state and (results is None) != with_results
            if with_state:
                np.testing.assert_allclose(state, X.sum())
            if with_results:
                np.testing.assert_allclose(results, X * 2)


@pytest.mark.parametrize("reverse", [False, True])
def test_sequences_backwards(reverse):
    def step(h, x):
        h = 0.5 * h + x
        return h, h

    h, order, found = 0.0, range(len(X))[:: -1 if reverse else 1], np.zeros(len(X))
    for i in order:
        h = found[i] = 0.5 * h + X[i]
    last, results = jit(lambda xs: scan.scan(step, 0.0, xs, reverse=reverse))(X)
    np.testing.assert_allclose(results, found)
    np.testing.assert_allclose(last, h)


def test_several_sequences_and_taps_into_past_and_future():
    """taps=[-2, -1] of the output, [0, 1] of the sequence."""

    def plain(x, y):
        for t in range(2, len(y)):
            y[t] = 0.5 * y[t - 1] + 0.25 * y[t - 2] + x[t - 2] * x[t - 1]
        return y

    start = np.zeros(len(X))
    start[:2] = 1.0, 2.0

    def by_scan(x, y):
        def step(past, pair):
            before, last = past
            new = 0.5 * last + 0.25 * before + pair[0] * pair[1]
            return (last, new), new

        return scan.scan(step, (y[0], y[1]), (x[:-2], x[1:-1]))[1]

    expected = plain(X, start.copy())
    np.testing.assert_allclose(jit(plain, strict=True)(X, start.copy()), expected, rtol=1e-12)
    np.testing.assert_allclose(jit(by_scan)(X, start), expected[2:], rtol=1e-12)


def test_truncated_gradient():
    """Only the last steps' share of the gradient."""

    def loss(x, kept):
        def step(i, h):
            h = np.where(i == len(X) - kept, lazynp.stop_gradient(h), h)
            return np.sin(h) + x

        return scan.fori_loop(0, len(X), step, x)

    def last_steps(x, h):
        for _ in range(3):
            h = np.sin(h) + x
        return h

    before = 0.3
    for _ in range(len(X) - 3):
        before = np.sin(before) + 0.3
    np.testing.assert_allclose(jit(grad(loss), static_argnums=1)(0.3, 3), grad(last_steps)(0.3, before), rtol=1e-12)


def test_a_step_of_a_scalar_scan_takes_less_than_a_microsecond_and_compiles_once():
    @jit(strict=True)
    def run(x):
        return scan.scan(lambda h, v: (0.5 * h + v, None), 0.0, x)[0]

    x = np.ones(100_000)
    before = lazynp.stats()["programs"]
    run(x)
    start = time.process_time()
    for _ in range(5):
        run(x)
    assert (time.process_time() - start) / 5 / len(x) < 1e-6
    assert lazynp.stats()["programs"] <= before + 1


def test_only_the_branch_that_is_needed_is_evaluated():
    """The other one may fail: an index out of range there is never looked at."""

    def f(flag, x, k):
        return scan.cond(flag, lambda: x[k] * 2, lambda: x[0])

    compiled = jit(f, strict=True)
    assert compiled(np.bool_(False), X, np.array(99)) == X[0]
    assert compiled(np.bool_(True), X, np.array(2)) == 2 * X[2]
    with pytest.raises(IndexError):
        compiled(np.bool_(True), X, np.array(99))


def test_a_branch_that_is_not_taken_costs_nothing():
    """Its work is not moved out of it: not before the branch, nor out of a loop around it."""

    @jit(strict=True)
    def f(x, flag):
        total = 0.0
        for i in range(len(x)):
            if x[i] > flag:
                total += np.sin(np.outer(x, x)).sum()
            else:
                total += 1.0
        return total

    x = np.linspace(0, 1, 600)
    f(x, 2.0)
    times = []
    for flag in (2.0, 0.995):
        start = time.process_time()
        f(x, flag)
        times.append(time.process_time() - start)
    assert times[0] < times[1]
    assert f(x, 2.0) == 600.0


def test_several_results_of_a_branch_and_its_gradient():
    def f(flag, x):
        a, b = scan.cond(flag, lambda: (np.sin(x), x * 2), lambda: (x, np.cos(x)))
        return a * b

    for flag in (np.bool_(True), np.bool_(False)):
        expected = 2 * (np.cos(0.7) * 0.7 + np.sin(0.7)) if flag else np.cos(0.7) - 0.7 * np.sin(0.7)
        np.testing.assert_allclose(jit(grad(f, 1))(flag, 0.7), expected, rtol=1e-12)


def test_the_elementwise_choice_takes_both():
    """`np.where` is a value for each element, of branches that are both evaluated."""
    f = jit(lambda x: np.where(x > 1, x * 2, -x), strict=True)
    np.testing.assert_array_equal(f(X), np.where(X > 1, X * 2, -X))


@pytest.mark.parametrize("n", [0, 1])
def test_no_iteration_at_all(n):
    xs = X[:n]
    last, results = jit(lambda xs: scan.scan(lambda h, x: (h + x, h * x), 2.0, xs))(xs)
    assert np.asarray(results).shape == (n,) and np.isclose(last, 2.0 + xs.sum())
    assert jit(lambda n: scan.while_loop(lambda s: s < n, lambda s: s + 1, 0))(n) == n
    assert jit(lambda x: scan.fori_loop(0, n, lambda i, s: s + x, 1.0))(3.0) == 1.0 + 3.0 * n


# --- rewrites of scans: each program, the loops that are left, how many values their turns carry, and operations that a turn does not do


def invariants(x, w):
    return scan.scan(lambda h, t: (h * 0.5 + np.exp(w).sum() * t, h), 1.0, x)[1]


def dead_results(x, w):
    return scan.scan(lambda c, t: ((c[0] + t, c[1] * np.sin(t)), (c[0], np.cos(c[1]))), (0.0, 1.0), x)[1][0]


def constant_states(x, w):
    return scan.scan(lambda c, t: ((c[0] + c[1] * t, c[1]), c[0]), (0.0, w[0]), x)[0][0]


def last_step_only(x, w):
    return scan.scan(lambda h, t: (h * 0.5 + t, h * t), 1.0, x)[1][-1]


def neighbours(x, w):
    first = scan.scan(lambda h, t: (h * 0.5 + t, h), 1.0, x)[1]
    return scan.scan(lambda h, t: (h * 0.25 + t, h), 2.0, first)[0]


def the_same_twice(x, w):
    first, second = [scan.scan(lambda h, t: (h * 0.5 + t, h), 1.0, x) for _ in range(2)]
    return first[0] + second[0]


def values_beside_gradients(x, w):
    def f(w):
        return scan.scan(lambda h, t: (np.tanh(h * w[0]) + t, 0.0), 1.0, x)[0]

    return f(w) + grad(f)(w)[0]


def nothing_read(x, w):
    scan.scan(lambda h, t: (h * 0.5 + t, h), 1.0, x)
    return x.sum()


REWRITES = {
    invariants: (1, 2, "exp"),
    dead_results: (1, 2, "sin"),
    constant_states: (1, 1, None),
    last_step_only: (1, 2, None),
    neighbours: (1, 2, None),
    the_same_twice: (1, 1, None),
    values_beside_gradients: (2, None, None),
    nothing_read: (0, 0, None),
}


@pytest.mark.parametrize("function", REWRITES, ids=lambda f: f.__name__)
def test_rewrites(function):
    count, carried, gone = REWRITES[function]
    w = np.array([0.3, 0.7])
    with lazynp.config(unroll=0):
        form = form_of(lazynp.jit(function)._trace([X, w], lambda new: (tuple(new), {}), {}))
        loops = [node for node in toposort(optimize(specific(form).graph).outputs) if node.op is loop]
        found = jit(function)(X, w)
    assert len(loops) == count
    assert carried is None or sum(len(node.type) for node in loops) == carried
    assert gone not in [node.op.name for one in loops for node in toposort(one.body.outputs)]
    with lazynp.config(backend="reference"):
        np.testing.assert_allclose(found, function(X, w), rtol=1e-12)


State = namedtuple("State", "position velocity")


def fall(x):
    state = State(x, 0 * x)
    for _ in range(1000):
        velocity = state.velocity - 1e-3 * np.sin(state.position)
        state = State(state.position + 1e-3 * velocity, velocity)
    return state


def fall_by_a_form(x):
    def step(_, state):
        velocity = state.velocity - 1e-3 * np.sin(state.position)
        return state._replace(position=state.position + 1e-3 * velocity, velocity=velocity)

    return scan.fori_loop(0, 1000, step, State(x, 0 * x))


@pytest.mark.parametrize("function", [fall, fall_by_a_form])
def test_states_that_are_named_tuples(function):
    found = jit(function, strict=True)(X[0])
    assert type(found) is State
    np.testing.assert_allclose(found, fall(X[0]), rtol=1e-12)
    form = form_of(jit(function)._trace([X[0]], lambda new: (tuple(new), {}), {}))
    assert sum(node.op is loop for node in toposort(specific(form).graph.outputs)) == 1
