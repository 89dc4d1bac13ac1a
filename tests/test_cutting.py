"""Loops that are traced in parts, because what they ask about their variable has one answer in each part."""

import numpy as np
import pytest

import lazynp


def filtered(b, a, x):
    y = np.zeros_like(x)
    for n in range(len(x)):
        acc = 0.0
        for k in range(len(b)):
            if n - k >= 0:
                acc += b[k] * x[n - k]
        for k in range(1, len(a)):
            if n >= k:
                acc -= a[k] * y[n - k]
        y[n] = acc / a[0]
    return y


def around(x):
    out = np.zeros_like(x)
    n = len(x)
    for i in range(n):
        out[i] = x[i - 1] - 2 * x[i] + x[(i + 1) % n]
    return out


def around_the_other_way(x):
    n = len(x)
    total = np.zeros_like(x)
    for i in range(n - 1, -1, -1):
        total[i] = x[(i - 1) % n] * (3 if i == n - 1 else 2) + x[i - n]
    return total


def backwards(x):
    y = x.copy()
    for i in range(len(x) - 1, -1, -1):
        if i < len(x) - 2:
            y[i] += 0.5 * y[i + 2]
        elif i == 0:
            y[i] = -1.0
    return y


def by_threes(x):
    y = np.zeros_like(x)
    for i in range(1, len(x), 3):
        if i > 5:
            y[i] = y[i - 3] + x[i]
        else:
            y[i] = -x[i]
    for i in range(len(x) - 1, 0, -2):
        if 2 * i >= 9:
            y[i] += 1
    return y


def all_pairs(x):
    force = np.zeros_like(x)
    for i in range(len(x)):
        for j in range(len(x)):
            if i != j:
                force[i] += x[j] / (x[i] - x[j])
    return force


def one_half(x):
    y = np.zeros_like(x)
    for i in range(len(x)):
        for j in range(len(x)):
            if j < i:
                y[i] -= x[j]
            elif j == i + 1:
                y[i] += 100 * x[j]
            else:
                y[i] += x[i] * x[j]
    return y


def bound_in_the_first_turn(x):
    best = 0
    for i in range(len(x)):
        if i == 0:
            first = x[0]
            best = x[0] * 2
        elif x[i] > best:
            best = x[i]
        last = x[i] + first
    return (best, last, i) if len(x) else best


def with_enumerate(x, y):
    total = 0.0
    for k, (a, b) in enumerate(zip(x, y, strict=True)):
        if 2 <= k < len(x) - 1:
            total = total * 0.5 + a * b
        else:
            total += a
    return total


def leaves_early(x):
    total = 0.0
    for i in range(len(x)):
        if i > 2 and x[i - 3] > 1.5:
            break
        total += x[i]
    return total


def collects(x):
    out = []
    for i in range(len(x)):
        out.append(x[i] - (x[i - 1] if i > 0 else 0.0))
    return np.array(out)


ONE = [around, around_the_other_way, backwards, by_threes, all_pairs, one_half, bound_in_the_first_turn, leaves_early, collects]
SIZES = [0, 1, 2, 3, 4, 5, 6, 7, 9, 23]


@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize("program", ONE, ids=lambda f: f.__name__)
def test_parts_are_the_loop(program, n: int) -> None:
    x = np.random.default_rng(n).normal(size=n)
    expected = program(x.copy())
    found = lazynp.jit(program, strict=n > 0)(x.copy())
    np.testing.assert_allclose(np.asarray(found, dtype=float), np.asarray(expected, dtype=float), rtol=1e-13, atol=1e-13)


@pytest.mark.parametrize("n", SIZES)
def test_two_arrays(n: int) -> None:
    x, y = np.random.default_rng(n).normal(size=(2, n))
    np.testing.assert_allclose(lazynp.jit(with_enumerate, strict=n > 0)(x, y), with_enumerate(x, y), rtol=1e-13)
    if n:
        b, a = np.array([0.5, 0.2, 0.1, 0.3]), np.array([1.0, -0.4, 0.2])
        np.testing.assert_allclose(lazynp.jit(filtered, strict=True)(b, a, x), filtered(b, a, x), rtol=1e-13)


@pytest.mark.parametrize("program", [filtered, around, around_the_other_way, backwards, all_pairs])
def test_nothing_is_asked(program) -> None:
    """No branch is left, and no index that a turn has to look at."""
    x = np.arange(40.0)
    arguments = (np.ones(3), np.ones(3), x) if program is filtered else (x,)
    text = lazynp.show(program, *arguments, stage="optimized")
    assert "loop(" in text
    assert not any(word in text for word in ("cond(", "where(", "checked", "gather", "greater", "less", "equal"))


@pytest.mark.parametrize("n", [8, 30])
def test_an_index_out_of_range(n: int) -> None:
    def beyond(x):
        y = np.zeros_like(x)
        for i in range(len(x)):
            if i > 1:
                y[i] = x[i - 2] + x[i + 1]
        return y

    for f in (beyond, lazynp.jit(beyond)):
        with pytest.raises(IndexError, match=f"index {n} is out of bounds for axis 0 with size {n}"):
            f(np.arange(float(n)))


def test_gradients_through_parts() -> None:
    def loss(x):
        return (filtered(np.array([0.5, 0.2, 0.1]), np.array([1.0, -0.4]), x) ** 2).sum()

    x = np.linspace(-1, 1, 12)
    slope = lazynp.jit(lazynp.grad(loss))(x)
    steps = np.eye(12) * 1e-6
    np.testing.assert_allclose(slope, [(loss(x + s) - loss(x - s)) / 2e-6 for s in steps], rtol=1e-6)
