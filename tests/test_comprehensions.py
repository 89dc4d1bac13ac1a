"""List comprehensions under jit are loops, as many elements as there may be; the lists that they make are Python's lists."""

import numpy as np
import pytest

import lazynp
from lazynp.ir.canonical import specific
from lazynp.ir.node import toposort
from lazynp.ops.structured import loop
from lazynp.trace.compiled import form_of

X = np.round(1024 * np.random.default_rng(0).normal(size=(30, 5))) / 1024
"""Numbers of few bits: sums of products are exact, whether a library rounds the products or not."""
N = len(X)
CASES = {
    "rows": lambda x: np.array([np.sum(row * row) for row in x]),
    "positions": lambda x: np.array([x[i, : i % 5].sum() for i in range(N)]),
    "stacked": lambda x: np.stack([x[i] * i for i in range(N)], axis=1),
    "joined": lambda x: np.concatenate([row * 2 for row in x]),
    "of two": lambda x: [a * b for a, b in zip(x, x[::-1])],  # noqa: B905  (as users write it)
    "counted": lambda x: np.array([i * row for i, row in enumerate(x)]),
    "two loops": lambda x: np.array([a @ b for a in x for b in x]),
    "in each other": lambda x: np.array([[np.abs(a - b).max() for b in x] for a in x]),
    "lists in lists": lambda x: [[a @ b for b in x] for a in x],
    "of a comprehension": lambda x: np.array([row.sum() for row in [row * 2 for row in x]]),
    "in a loop": lambda x: in_a_loop(x),
}
IN_PYTHON = {
    "numbers": lambda x: x[: len([i * 2 for i in range(9)])],
    "with a condition": lambda x: np.array([row.sum() for i, row in enumerate(x) if i % 2]),
    "functions": lambda x: [f(2.0) for f in [lambda t: t * x.sum()]],
    "texts": lambda x: {",".join([str(k) for k in range(7)]): x.sum()},
    "sizes": lambda x: np.ones([n + 1 for n in x.shape]) * x.sum(),
    "layers": lambda x: [x @ w for w in (np.ones((5, 2)), np.ones((5, 3)))],
    "assigning": lambda x: ([last := row for row in x], last)[1],
}


def in_a_loop(x):
    total = np.zeros(5)
    for i in range(N):
        total += np.array([row[i % 5] for row in x[:5]]) * i
    return total


def same(got, want):
    assert type(got) is type(want)
    if isinstance(want, list):
        assert len(got) == len(want)
        for pair in zip(got, want, strict=True):
            same(*pair)
    elif isinstance(want, tuple):
        same(list(got), list(want))
    elif isinstance(want, dict):
        assert got.keys() == want.keys()
        same(list(got.values()), list(want.values()))
    else:
        np.testing.assert_allclose(got, want, rtol=1e-13)


@pytest.mark.parametrize("name", CASES)
def test_comprehensions_are_loops(name):
    function = lazynp.jit(CASES[name], strict=True)
    same(function(X), CASES[name](X))
    form = form_of(function._trace([X], lambda new: (tuple(new), {}), {}))
    nodes = toposort(specific(form).graph.outputs)
    assert any(node.op is loop for node in nodes)
    assert name in ("of two", "lists in lists", "of a comprehension") or len(nodes) < 60  # those have every element by itself


@pytest.mark.parametrize("name", IN_PYTHON)
def test_comprehensions_of_python_values_stay_pythons(name):
    same(lazynp.jit(IN_PYTHON[name], strict=True)(X), IN_PYTHON[name](X))


def test_derivatives_of_comprehensions():
    def energy(x):
        return lazynp.sum(lazynp.array([[lazynp.sum((a - b) ** 2) for b in x] for a in x]))

    want = 4 * (N * X - X.sum(axis=0))
    np.testing.assert_allclose(lazynp.jit(lazynp.grad(energy), strict=True)(X), want, rtol=1e-10)


def test_the_list_is_a_list():
    @lazynp.jit(strict=True)
    def f(x):
        rows = [row * 2 for row in x]
        rows.append(x[0])
        rows[1] = rows[1] + 1
        return len(rows), rows[1], rows[-1], [r.sum() for r in rows[:2]]

    length, second, last, sums = f(X)
    assert length == N + 1
    same([second, last], [X[1] * 2 + 1, X[0]])
    same(sums, [X[0].sum() * 2, (X[1] * 2 + 1).sum()])


def test_an_error_in_a_comprehension_is_the_users():
    def f(x):
        return [row[9] for row in x]

    with pytest.raises(IndexError, match="out of bounds"):
        lazynp.jit(f)(X)


def test_numbers_appended_to_a_list_are_pythons_and_make_an_array():
    def f(x):
        losses = []
        for _ in range(50):
            x = x * 0.9
            losses.append(float(np.log(x).sum()))
        return x, np.array(losses), losses[-1], len(losses), losses[3] < losses[4], np.array([losses[0], 1.0])

    x = np.arange(1.0, 4.0)
    got, want = lazynp.jit(f, strict=True)(x), f(x)
    assert [type(v) for v in got] == [type(v) for v in want]
    same(list(got), list(want))
