"""What no turn of a loop changes is computed before it, once: routines, loops and branches too; errors come where NumPy has them."""

import numpy as np
import pytest

import lazynp
from lazynp import scan
from lazynp.ir.body import bodies_of
from lazynp.ir.canonical import specific
from lazynp.ir.node import toposort
from lazynp.ops.structured import loop, while_
from lazynp.optimize.passes import optimize
from lazynp.trace.compiled import form_of

rng = np.random.default_rng(0)
A = rng.normal(size=(4, 4)) + 4 * np.eye(4)
B = rng.normal(size=4)
SINGULAR = np.zeros((4, 4))


def turns(n):
    return np.array([n])


def graph_of(function, *arguments):
    form = form_of(lazynp.jit(function)._trace(list(arguments), lambda new: (tuple(new), {}), {}))
    return optimize(specific(form).graph)


def inside_loops(graph, within=False):
    """The names of the ops in the bodies of loops, at any depth."""
    names = set()
    for node in toposort(graph.outputs):
        names |= {node.op.name} if within else set()
        for body in bodies_of(node):
            names |= inside_loops(body, within or node.op in (loop, while_))
    return names


def solves(a, b, n):
    x = np.zeros(4)
    for _ in range(n[0]):
        x = x * 0.5 + np.linalg.solve(a, b)
    return x


def factors(a, b, n):
    x = b
    for i in range(n[0]):
        c = np.linalg.cholesky(a @ a.T)
        x = np.tanh(c @ x) + i
    return x


def determinants(a, b, n):
    s = 0.0
    for i in range(n[0]):
        s = s + np.linalg.det(a) * i
    return s


def sorts(a, b, n):
    x = b
    for i in range(n[0]):
        x = x + np.sort(b) * i + np.argsort(b)
    return x


def products(a, b, n):
    x = b
    for _ in range(n[0]):
        x = np.tanh((a @ a @ a) @ x)
    return x


def calls_numpy(a, b, n):
    x = b
    for i in range(n[0]):
        x = x * i + np.partition(b, 2)
    return x


def spectra(a, b, n):
    x = b
    for i in range(n[0]):
        x = x * i + np.abs(np.fft.fft(b))
    return x


def written(a, b, n):
    x = b
    for i in range(n[0]):
        m = np.eye(4)
        m[1, :] = b
        x = x + np.linalg.solve(m, b) * i
    return x


def backwards(a, b, n):
    x = b
    for i in range(n[0], 0, -1):
        x = x + np.linalg.solve(a, b) * i
    return x


def a_loop(a, b, n):
    x = b
    for i in range(n[0]):
        w = np.zeros(4)
        for k in range(4):
            w[k] = np.linalg.norm(np.linalg.inv(a)[k])
        x = x * i + w
    return x


def a_branch(a, b, n):
    x = b
    for i in range(n[0]):
        if b[0] > 0:
            w = np.linalg.inv(a)[0]
        else:
            w = np.linalg.inv(a + np.eye(4))[0]
        x = x * i + w
    return x


def two_levels(a, b, n):
    s = 0.0
    for i in range(n[0]):
        for k in range(n[0]):
            s = s + np.linalg.inv(a)[0, 0] * (i + k)
    return s


def breaks(a, b, n):
    x = b
    for i in range(n[0]):
        x = x * 0.5 + np.linalg.solve(a, b)
        if np.abs(x).max() < 0.2 * i:
            break
    return x


def whiles(a, b, n):
    x, k = b, 0
    while k < n[0]:
        x, k = x * 0.5 + np.linalg.solve(a, b), k + 1
    return x


def asked_by_the_condition(a, b, n):
    x, k = b, 0
    while k < n[0] * np.abs(np.linalg.inv(a)).sum():
        x, k = x * 0.5 + 1, k + 1
    return x


PROGRAMS = {
    solves: "solve",
    factors: "cholesky",
    determinants: "det",
    sorts: "sort",
    products: "contract",
    calls_numpy: "numpy_call",
    spectra: "fft",
    written: "solve",
    backwards: "solve",
    a_loop: "inv",
    a_branch: "inv",
    two_levels: "inv",
    breaks: "solve",
    whiles: "solve",
    asked_by_the_condition: "inv",
}


@pytest.mark.parametrize("function", PROGRAMS, ids=lambda f: f.__name__)
@pytest.mark.parametrize("n", [0, 1, 5])
def test_values_are_numpys(function, n):
    np.testing.assert_allclose(lazynp.jit(function, strict=True)(A, B, turns(n)), function(A, B, turns(n)), rtol=1e-12)


@pytest.mark.parametrize("function", PROGRAMS, ids=lambda f: f.__name__)
def test_it_is_computed_before_the_loop(function):
    names = inside_loops(graph_of(function, A, B, turns(5)))
    assert PROGRAMS[function] not in names or (function is products and "loop" not in names)


RAISING = [solves, factors, backwards, two_levels, breaks, whiles, a_branch]


@pytest.mark.parametrize("function", RAISING, ids=lambda f: f.__name__)
def test_no_turn_raises_nothing(function):
    np.testing.assert_array_equal(lazynp.jit(function, strict=True)(SINGULAR, B, turns(0)), function(SINGULAR, B, turns(0)))
    if function is not a_branch:
        with pytest.raises(np.linalg.LinAlgError) as ours:
            lazynp.jit(function, strict=True)(SINGULAR, B, turns(1))
        with pytest.raises(np.linalg.LinAlgError) as numpys:
            function(SINGULAR, B, turns(1))
        assert str(ours.value).startswith(str(numpys.value))


def not_taken(a, b, n):
    s = 0.0
    for i in range(n[0]):
        if i > 2:
            s = s + np.linalg.inv(a)[0, 0]
        s = s + i
    return s


def test_a_branch_that_is_not_taken_computes_nothing():
    assert lazynp.jit(not_taken, strict=True)(SINGULAR, B, turns(3)) == 3
    with pytest.raises(np.linalg.LinAlgError):
        lazynp.jit(not_taken, strict=True)(SINGULAR, B, turns(4))


def index_first(a, b, n):
    x = b.copy()
    for i in range(40):
        x[n[i % 4]] += 1.0
        x = x + np.linalg.inv(a)[0]
    return x


def index_after(a, b, n):
    x = b.copy()
    for i in range(40):
        x = x + np.linalg.inv(a)[0]
        x[n[i % 4]] += 1.0
    return x


@pytest.mark.parametrize(
    ("function", "indices"),
    [(index_first, [0, 9, 0, 0]), (index_first, [9, 0, 0, 0]), (index_first, [0, 0, 0, 0]), (index_after, [9, 0, 0, 0])],
)
@pytest.mark.parametrize("a", [A, SINGULAR], ids=["regular", "singular"])
def test_errors_keep_their_order(function, indices, a):
    outcomes = []
    for f in (function, lazynp.jit(function, strict=True)):
        try:
            value = np.asarray(f(a, B, np.array(indices))).tolist()
        except (IndexError, np.linalg.LinAlgError) as error:
            value = type(error)
        outcomes.append(value if isinstance(value, type) else np.round(value, 12).tolist())
    assert outcomes[0] == outcomes[1]


@pytest.mark.parametrize("function", [solves, factors, determinants, sorts, products, written, a_loop, whiles], ids=lambda f: f.__name__)
def test_their_derivatives(function):
    def loss(a):
        return np.sum(np.sin(function(a, B, [3])))

    g = lazynp.jit(lazynp.grad(loss))(A)
    direction, step = rng.normal(size=A.shape), 1e-6
    slope = (loss(A + step * direction) - loss(A - step * direction)) / (2 * step)
    np.testing.assert_allclose(np.sum(g * direction), slope, rtol=1e-5, atol=1e-8)


def test_batched():
    many = A + np.arange(3)[:, None, None] * 0.1
    ours = lazynp.jit(lazynp.vmap(lambda a: factors(a, B, turns(4))))(many)
    np.testing.assert_allclose(ours, [factors(a, B, turns(4)) for a in many])


def test_scan_of_no_and_of_some_turns():
    def f(a, xs):
        return scan.scan(lambda c, x: (c + np.linalg.inv(a)[0] * x, c[0]), np.zeros(4), xs)[0]

    assert "inv" not in inside_loops(graph_of(f, A, rng.normal(size=50)))
    np.testing.assert_array_equal(lazynp.jit(f)(SINGULAR, np.zeros(0)), np.zeros(4))
