"""Loops that collect rows: only the last one kept where only that is read; neighbours that read each other row by row are one loop."""

import numpy as np
import pytest

import lazynp
from lazynp import scan
from lazynp.ir.canonical import specific
from lazynp.ir.node import toposort
from lazynp.ops.structured import loop
from lazynp.optimize.passes import optimize
from lazynp.trace.compiled import form_of

X = np.random.default_rng(0).normal(size=(50, 4))


def loops_of(function, *arguments):
    """The loops of the optimized program."""
    leaves = list(arguments)
    form = form_of(lazynp.jit(function)._trace(leaves, lambda new: (tuple(new), {}), {}))
    return [node for node in toposort(optimize(specific(form).graph).outputs) if node.op is loop]


def scan_last(x):
    def step(c, t):
        c = lazynp.tanh(c * 0.5 + t)
        return c, c * 2

    return scan.scan(step, x[0], x)[1][-1]


def written_last(x):
    out = np.zeros((50, 4))
    s = np.zeros(4)
    for i in range(50):
        s = s * 0.5 + x[i]
        out[i] = s
    return out[-1] * 2


def appended_last(x):
    out = []
    s = np.zeros(4)
    for i in range(50):
        s = s * 0.5 + x[i]
        out.append(s + i)
    return np.stack(out)[49]


def returned_row(x):
    out = np.zeros((50, 4))
    for i in range(50):
        out[i] = x[i] * 3
    return out[49]


def backwards(x):
    out = np.ones((50, 4))
    s = np.zeros(4)
    for i in range(49, -1, -1):
        s = s * 0.5 + x[i]
        out[i] = s
    return out[0]


def part_of_last(x):
    out = np.zeros((50, 4))
    s = np.zeros(4)
    for i in range(50):
        s = s + x[i]
        out[i] = s
    return out[49, 1:3] + 1


LAST = [scan_last, written_last, appended_last, returned_row, backwards, part_of_last]


@pytest.mark.parametrize("function", LAST, ids=lambda f: f.__name__)
def test_of_a_scan_only_the_last_row_is_kept(function):
    assert all(type_.shape != (50, 4) for node in loops_of(function, X) for type_ in node.type)
    np.testing.assert_allclose(lazynp.jit(function, strict=True)(X), np.asarray(function(X)))


def other_row(x):
    out = np.zeros((50, 4))
    for i in range(50):
        out[i] = x[i] * 3
    return out[48] + 1


def all_rows(x):
    out = np.zeros((50, 4))
    for i in range(50):
        out[i] = x[i] * 3
    return out[49] + out.sum()


def reads_back(x):
    out = np.zeros((50, 4))
    for i in range(1, 50):
        out[i] = out[i - 1] * 0.5 + x[i]
    return out[49] + 1


def not_all_turns(x):
    out = np.ones((50, 4))
    for i in range(40):
        out[i] = x[i]
    return out[49] + 1


@pytest.mark.parametrize("function", [other_row, all_rows, reads_back, not_all_turns], ids=lambda f: f.__name__)
def test_what_else_is_read_is_kept(function):
    assert any(type_.shape == (50, 4) for node in loops_of(function, X) for type_ in node.type)
    np.testing.assert_allclose(lazynp.jit(function, strict=True)(X), function(X))


def chain(x):
    _, a = scan.scan(lambda c, t: (c + t, c * t), x[0], x)
    _, b = scan.scan(lambda c, t: (c * 0.5 + t, c), x[0], a)
    total, _ = scan.scan(lambda c, t: (c + t[0] * t[1], c), 0.0, b)
    return b, total


def written_chain(x):
    a, b = np.zeros((50, 4)), np.zeros((50, 4))
    for i in range(50):
        a[i] = np.sin(x[i])
    s = np.zeros(4)
    for i in range(50):
        s = s * 0.5 + a[i] * a[i, 0]
        b[i] = s
    return a, b


def looks_ahead(x):
    a, s = np.zeros((50, 4)), np.zeros(4)
    for i in range(50):
        a[i] = np.sin(x[i])
    for i in range(49):
        s = s * 0.5 + a[i + 1]
    return s


def same_turns_ahead(x):
    a, s = np.zeros((50, 4)), np.zeros(4)
    for i in range(50):
        a[i] = np.sin(x[i])
    for i in range(50):
        s = s * 0.5 + a[49 - i]
    return s


@pytest.mark.parametrize(
    ("function", "count"),
    [(chain, 1), (written_chain, 1), (looks_ahead, 2), (same_turns_ahead, 2)],
    ids=lambda v: getattr(v, "__name__", v),
)
def test_neighbours_are_one_loop(function, count):
    assert len(loops_of(function, X)) == count
    for ours, numpys in zip(lazynp.jit(function, strict=True)(X), function(X), strict=True):
        np.testing.assert_allclose(ours, numpys)


@pytest.mark.parametrize("function", [*LAST, chain, written_chain], ids=lambda f: f.__name__)
def test_their_derivatives(function):
    def loss(x):
        result = function(x)
        return sum(np.sum(part * part) for part in (result if isinstance(result, tuple) else (result,)))

    g = lazynp.jit(lazynp.grad(loss))(X)
    direction, step = np.random.default_rng(1).normal(size=X.shape), 1e-6
    slope = (np.asarray(loss(X + step * direction)) - np.asarray(loss(X - step * direction))) / (2 * step)
    np.testing.assert_allclose(np.sum(g * direction), slope, rtol=1e-5)


def filled_forwards(x):
    out = np.zeros(50)
    s = 0.0
    for i in range(50):
        s = 0.5 * s + x[i, 0]
        out[i] = s
    return out


def filled_backwards(x):
    out = np.full((50, 4), 7.0)
    s = np.zeros(4)
    for i in range(49, -1, -1):
        s = s * 0.5 + x[i]
        out[i] = s
    return out


def filled_in_part(x):
    out = np.full(50, 7.0)
    s = 0.0
    for i in range(1, 50):
        s = 0.5 * s + x[i, 0]
        out[i] = s
    return out


def read_before(x):
    out = np.ones(50)
    for i in range(50):
        out[i] = x[i, 0] + out[49 - i]
    return out


@pytest.mark.parametrize(
    ("function", "begins"),
    [(filled_forwards, "unset"), (filled_backwards, "unset"), (filled_in_part, "broadcast"), (read_before, "broadcast")],
    ids=lambda value: getattr(value, "__name__", value),
)
def test_what_turns_overwrite_is_not_filled_before(function, begins):
    (node,) = loops_of(function, X)
    arrays = [a for a in node.args[3 : 3 + len(node.type)] if a.shape]
    assert begins in [a.op.name for a in arrays]
    np.testing.assert_allclose(lazynp.jit(function, strict=True)(X), function(X), rtol=1e-14)


def test_a_stack_of_collected_rows_is_in_c_order():
    def f(x):
        rows = []
        for i in range(len(x)):
            rows.append(x[i] * 2)
        return np.stack(rows, axis=1), np.stack(rows, axis=-1), np.stack(rows)

    x = np.arange(63.0).reshape(7, 9)
    for got, want in zip(lazynp.jit(f, strict=True)(x), f(x), strict=True):
        assert np.array_equal(got, want)
        assert got.strides == want.strides
