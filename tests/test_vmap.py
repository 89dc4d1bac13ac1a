"""vmap as a user calls it: the stacked loop is the oracle."""

import warnings
from typing import Any

import numpy
import pytest

import lazynp
import lazynp as np
from lazynp import grad, jacobian, jit, jvp, vjp, vmap

R = numpy.random.default_rng(0)
X = R.normal(size=(5, 3))
Y = R.normal(size=(5, 3))
W = R.normal(size=(3, 4))
SQUARES = R.normal(size=(5, 3, 3)) + 4 * numpy.eye(3)


def stacked(f: Any, *args: Any) -> Any:
    """The results of f on the examples along the first axes."""
    return numpy.stack([numpy.asarray(f(*example)) for example in zip(*args, strict=True)])


def written(x: Any) -> Any:
    y = np.zeros(3)
    y[1:] = x[:2] * 2
    y[0] += x[0]
    y[::2] -= x[::2]
    view = y[::-1]
    view[0] = view[1] * x[2]
    x[0] = 7.0
    return y + x


def looped(x: Any) -> Any:
    total = np.zeros(())
    for k in range(3):
        total = total + x[k] * np.sin(x[k - 1])
    return total


def indexed(x: Any) -> Any:
    order = np.argsort(x)
    y = x[order]
    y[order[:2]] += x[:2]
    np.add.at(y, order, x)
    return np.where(y > 0, y, x)


def scattered(x: Any) -> Any:
    y = np.zeros((3, 2))
    y[:, 1] = x
    y[[0, 0, 2], [0, 1, 1]] = x * 2
    return y


FUNCTIONS = [
    lambda x: x * 2 + 1,
    lambda x: np.sum(np.tanh(x @ W)),
    lambda x: np.outer(x, x) @ W,
    lambda x: np.cumsum(x[::-1]) / np.max(x),
    lambda x: np.concatenate([x, x[:1], np.ones(2)]),
    lambda x: np.einsum("i,ij->j", x, W),
    lambda x: np.pad(x, 2)[1:].reshape(2, 3).T,
    lambda x: np.sort(x)[np.argmax(x)],
    lambda x: np.searchsorted(np.sort(x), x),
    lambda x: np.searchsorted(np.linspace(-1, 1, 9), x),
    lambda x: np.fft.ifft(np.fft.fft(x) * 2).real,
    lambda x: np.linalg.solve(SQUARES[0], x),
    lambda x: np.linalg.solve(np.eye(3) * 3 + np.outer(x, x), x),
    lambda x: np.convolve(x, np.array([1.0, 2.0])),
    lambda x: np.where(x > 0, x, 0).astype(np.float32),
    lambda x: x[1],
    lambda x: np.full((2, 2), x.shape[0]) * x.ndim,
    written,
    looped,
    indexed,
    scattered,
]


@pytest.mark.parametrize("f", FUNCTIONS)
@pytest.mark.parametrize("derived", [lambda f: f, jit], ids=["plain", "jit"])
def test_is_a_stacked_loop(f: Any, derived: Any) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = derived(vmap(f))(X.copy())
    expected = stacked(lambda x: f(x.copy()), X)
    assert type(found) is numpy.ndarray
    assert found.dtype == expected.dtype
    numpy.testing.assert_allclose(found, expected, rtol=1e-6 if found.dtype == "f" else 1e-12, atol=1e-14)


@pytest.mark.parametrize("name", ["inv", "cholesky", "det", "slogdet", "eigvalsh", "qr", "svd"])
def test_linear_algebra(name: str) -> None:
    function = getattr(np.linalg, name)

    def f(a: Any) -> Any:
        return function(a @ a.T)

    found, expected = vmap(f)(SQUARES), [f(a) for a in SQUARES]
    for k, part in enumerate(found if isinstance(found, tuple) else (found,)):
        numpy.testing.assert_allclose(part, [e[k] if isinstance(e, tuple) else e for e in expected], rtol=1e-9)


@pytest.mark.parametrize(("x_axis", "w_axis", "out"), [(0, None, 0), (1, None, -1), (-1, 1, 1), (None, 0, 0), (None, -1, 1)])
def test_axes(x_axis: Any, w_axis: Any, out: Any) -> None:
    def f(x: Any, w: Any) -> Any:
        return np.outer(x, w)

    x = numpy.moveaxis(X, 0, x_axis) if x_axis is not None else X[0]
    w = numpy.moveaxis(Y, 0, w_axis) if w_axis is not None else Y[0]
    found = vmap(f, (x_axis, w_axis), out)(x, w)
    expected = [f(X[k] if x_axis is not None else X[0], Y[k] if w_axis is not None else Y[0]) for k in range(5)]
    numpy.testing.assert_allclose(found, numpy.stack(expected, out))


def test_axes_are_prefixes_of_trees() -> None:
    parameters = {"w": (X, W), "b": Y.T, "none": None, "flag": "tanh"}

    def f(p: Any, scale: Any) -> Any:
        assert p["flag"] == "tanh"
        assert p["none"] is None
        return {"y": p["w"][0] @ p["w"][1] * scale, "b": p["b"], "n": 3, "nothing": None}

    axes = ({"w": (0, None), "b": 1, "none": None, "flag": None}, None)
    found = vmap(f, axes, {"y": 1, "b": 0, "n": None, "nothing": None})(parameters, 2.0)
    numpy.testing.assert_allclose(found["y"], (X @ W * 2).T)
    numpy.testing.assert_allclose(found["b"], Y)
    assert (found["n"], found["nothing"]) == (3, None)


def test_keyword_arguments_are_mapped() -> None:
    numpy.testing.assert_allclose(vmap(lambda x, y: x * y)(X, y=Y), X * Y)
    numpy.testing.assert_allclose(vmap(lambda y: y * 2)(y=Y), 2 * Y)


def test_nested() -> None:
    table = vmap(vmap(lambda a, b: a * np.sin(b), (None, 0)), (0, None))(X[0], Y[0])
    numpy.testing.assert_allclose(table, numpy.outer(X[0], numpy.sin(Y[0])))
    crossed = vmap(lambda x: vmap(lambda y: x @ y)(Y))(X)
    numpy.testing.assert_allclose(crossed, X @ Y.T)
    cube = vmap(vmap(vmap(lambda a: a * a)))(SQUARES)
    numpy.testing.assert_allclose(cube, SQUARES**2)


def test_shared_results() -> None:
    constant, argument = vmap(lambda x, w: (np.arange(2.0), w), (0, None), (0, None))(X, W)
    numpy.testing.assert_array_equal(constant, numpy.broadcast_to([0.0, 1.0], (5, 2)))
    numpy.testing.assert_array_equal(argument, W)
    numpy.testing.assert_array_equal(vmap(lambda: np.ones(2), axis_size=3)(), numpy.ones((3, 2)))


def test_no_examples() -> None:
    assert vmap(lambda x: np.sum(x) * np.ones(2))(numpy.ones((0, 3))).shape == (0, 2)


def test_dtypes_and_scalars() -> None:
    """An example of a vector is a scalar, as in iteration."""
    seen: list[Any] = []

    def f(a: Any) -> Any:
        seen.append((a.shape, a.dtype))
        return a + 1

    found = vmap(f)(numpy.arange(4, dtype=numpy.int16))
    assert seen == [((), numpy.int16)]
    assert found.dtype == numpy.int16
    assert vmap(lambda a: a > 1)(numpy.array([1, 2, 3])).dtype == bool
    assert isinstance(vmap(lambda a: a)(lazynp.lazy(X)), lazynp.ndarray)


# --- derivatives -----------------------------------------------------------------------------------------------------


def loss(x: Any, w: Any) -> Any:
    return np.sum(np.tanh(x @ w) ** 2)


def test_gradient_per_example() -> None:
    expected = [grad(loss, 1)(x, W) for x in X]
    for derived in (vmap(grad(loss, 1), (0, None)), jit(vmap(grad(loss, 1), (0, None))), vmap(jit(grad(loss, 1)), (0, None))):
        numpy.testing.assert_allclose(derived(X, W), expected)


def test_gradient_of_a_batch() -> None:
    def whole(w: Any) -> Any:
        return np.sum(vmap(loss, (0, None))(X, w))

    expected = sum(grad(loss, 1)(x, W) for x in X)
    for derived in (grad(whole), jit(grad(whole)), grad(jit(whole))):
        numpy.testing.assert_allclose(derived(W), expected)


def test_gradient_inside_and_outside() -> None:
    """vmap of grad of vmap, and the other way round."""

    def pairs(x: Any) -> Any:
        return np.sum(vmap(lambda y: np.sin(x @ y))(Y))

    numpy.testing.assert_allclose(vmap(grad(pairs))(X), numpy.cos(X @ Y.T) @ Y)
    found = grad(lambda x: np.sum(vmap(grad(pairs))(x)))(X)
    numpy.testing.assert_allclose(found, [-(numpy.sin(x @ Y.T) * Y.sum(1)) @ Y for x in X])


def test_forward_and_reverse() -> None:
    value, change = jvp(vmap(lambda x: np.sin(x) * x[0]), (X,), (Y,))
    numpy.testing.assert_allclose(value, numpy.sin(X) * X[:, :1])
    numpy.testing.assert_allclose(change, numpy.cos(X) * Y * X[:, :1] + numpy.sin(X) * Y[:, :1])
    _, pullback = vjp(vmap(written), X)
    numpy.testing.assert_allclose(pullback(Y)[0], [vjp(written, x)[1](y)[0] for x, y in zip(X, Y, strict=True)])
    along = vmap(lambda x, t: jvp(np.cumprod, (x,), (t,))[1])(X, Y)
    numpy.testing.assert_allclose(along, [jvp(np.cumprod, (x,), (t,))[1] for x, t in zip(X, Y, strict=True)])
    numpy.testing.assert_allclose(vmap(jacobian(np.cumprod))(X), [jacobian(np.cumprod)(x) for x in X])


def test_values_inside_a_gradient_inside_a_batch() -> None:
    """A value that no example changes may be looked at."""

    def f(x: Any) -> Any:
        scale = np.sum(np.ones(3) * 2)
        return grad(lambda z: np.sum(z * z) * (2.0 if float(scale) > 5 else 3.0))(x)

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        numpy.testing.assert_allclose(vmap(f)(X), 4 * X)


# --- what cannot be batched ------------------------------------------------------------------------------------------


def test_branches_on_values_run_one_by_one() -> None:
    f = vmap(lambda x, scale: (x * scale if x[0] > 0 else -x, np.sum(x)), (0, None), (1, 0))
    with pytest.warns(lazynp.PerformanceWarning, match="one after the other: the value of a single example"):
        found, sums = f(X, 3.0)
    numpy.testing.assert_allclose(found, numpy.where(X[:, :1] > 0, 3 * X, -X).T)
    numpy.testing.assert_allclose(sums, X.sum(1))
    with warnings.catch_warnings():  # once is enough
        warnings.simplefilter("error")
        f(X, 3.0)


@pytest.mark.filterwarnings("ignore::lazynp.PerformanceWarning")
def test_branches_on_values_have_derivatives() -> None:
    found = grad(lambda x: np.sum(vmap(lambda r: r * r if r[0] > 0 else -r)(x)))(X)
    numpy.testing.assert_allclose(found, numpy.where(X[:, :1] > 0, 2 * X, -1))


def test_writes_to_arrays_from_outside() -> None:
    outside = lazynp.lazy(numpy.zeros(3))

    def shared(x: Any) -> Any:
        outside[:] = 2.0
        return x * outside

    numpy.testing.assert_allclose(vmap(shared)(X), 2 * X)
    numpy.testing.assert_array_equal(numpy.asarray(outside), 2.0)

    def own(x: Any) -> Any:
        outside[:] = x
        return x

    with pytest.raises(TypeError, match="writes the value of one example to an array of shape .* from outside; return it"):
        vmap(own)(X)
    numpy.testing.assert_array_equal(numpy.asarray(outside), 2.0)


def test_arrays_that_are_kept() -> None:
    kept: list[Any] = []

    def f(x: Any) -> Any:
        kept.extend([x * 2, np.arange(3.0) + 1])
        return x

    vmap(f)(X)
    numpy.testing.assert_array_equal(kept[1], [1, 2, 3])
    with pytest.raises(lazynp.CaptureError, match="a single example of lazynp.vmap has no value outside"):
        numpy.asarray(kept[0])


@pytest.mark.parametrize(
    ("attempt", "error", "message"),
    [
        (lambda: vmap(np.sin)(3.0), ValueError, r"the argument of shape \(\) has no axis 0; give None in in_axes"),
        (lambda: vmap(np.sin, 2)(X), ValueError, r"of shape \(5, 3\) has no axis 2"),
        (lambda: vmap(np.add)(X, W), ValueError, r"different sizes \(leaf 0 of the arguments: 5, leaf 1 of the arguments: 3\)"),
        (lambda: vmap(np.add, (0, 0, 0))(X, Y), ValueError, r"in_axes has 3 entries for 2 positional"),
        (lambda: vmap(np.sum, None)(X), ValueError, "no argument is mapped, and axis_size is not given"),
        (lambda: vmap(np.sum, ({"a": 0},))(X), ValueError, "is no prefix of the arguments"),
        (lambda: vmap(np.sin, "0")(X), TypeError, "an entry of in_axes is an int or None"),
        (lambda: vmap(np.sin, 0, None)(X), ValueError, "out_axes is None for a result that differs"),
        (lambda: vmap(np.sin, 0, 2)(X), ValueError, "out_axes=2 for a result of 1 axes"),
        (lambda: vmap(lambda x: (x, x), 0, (0, 0, 0))(X), ValueError, "is no prefix of the result"),
        (lambda: vmap(3), TypeError, "expects a function"),
        (lambda: vmap(lambda x: x + np.ones(7))(X), ValueError, "could not be broadcast"),
    ],
)
def test_errors(attempt: Any, error: Any, message: str) -> None:
    with pytest.raises(error, match=message):
        attempt()


# --- loops of which every example does its own number of turns ------------------------------------------------------------


def until_large_enough(x, v):
    total, k = 0.0, 0
    while True:
        total = total + x[k] ** 3
        k += 1
        if total > v or k >= len(x):
            break
    return total * total, k


def with_a_break(x, v):
    total = 0.0
    for k in range(len(x)):
        if total > v:
            break
        total = total + x[k] ** 2
    return total, k


def counted_in_a_branch(x, v):
    k = found = 0
    while k < 9:
        if x[k] < v:
            found += 1
        k += 1
    return x[:4].sum() + found, k


def written_at_every_turn(x, v):
    y, k, c = np.zeros(10), 0, 0.0
    while c < v:
        y[k] = x[k] * c
        k += 1
        c += 0.11
    return y, k


def first_one_above(x, v):
    for i in range(len(x)):
        if x[i] > v:
            found = x[i] ** 2
            break
    else:
        found = x[0] * 3
    return found, i


def by_halves(x, v):
    low, high = 0, len(x)
    while low < high:
        middle = (low + high) // 2
        if x[middle] < v:
            low = middle + 1
        else:
            high = middle
    return low, high


SORTED = numpy.sort(numpy.random.default_rng(8).uniform(0, 1, (4, 10)), axis=1)
LIMITS = numpy.array([0.2, 0.5, 0.7, 0.01])
OWN_TURNS = [until_large_enough, with_a_break, counted_in_a_branch, written_at_every_turn, first_one_above]


@pytest.mark.parametrize("f", OWN_TURNS, ids=lambda f: f.__name__)
def test_every_example_does_its_own_turns(f):
    found = jit(vmap(f), strict=True)(SORTED, LIMITS)
    expected = [f(x, v) for x, v in zip(SORTED, LIMITS, strict=True)]
    for k, part in enumerate(found):
        numpy.testing.assert_allclose(part, [e[k] for e in expected], rtol=1e-12)


@pytest.mark.filterwarnings("ignore:lazynp.vmap. the examples")
@pytest.mark.parametrize("f", OWN_TURNS, ids=lambda f: f.__name__)
def test_every_example_has_the_derivative_of_its_own_turns(f):
    derived = grad(lambda x, v: np.sum(f(x, v)[0] ** 2))
    found = jit(vmap(derived), strict=True)(SORTED, LIMITS)
    expected = [jit(derived)(x, v) for x, v in zip(SORTED, LIMITS, strict=True)]
    numpy.testing.assert_allclose(found, expected, rtol=1e-12)


def while_below(x, v):
    k = 0
    while k < 10 and x[k] < v:
        if x[k] > -1:
            k += 1
    return k, k


@pytest.mark.filterwarnings("ignore:lazynp.vmap. the examples")
@pytest.mark.parametrize("largest", [0.9, 5.0], ids=["inside", "outside"])
@pytest.mark.parametrize("f", [by_halves, while_below], ids=lambda f: f.__name__)
def test_indices_that_differ(f, largest):
    """Examples that are done, or take the other branch, have indices that are out of range: that is no error."""
    limits = numpy.array([0.2, largest, 0.5, 0.01])
    found = jit(vmap(f), strict=True)(SORTED, limits)
    for row, pair in enumerate(zip(*found, strict=True)):
        assert pair == (numpy.searchsorted(SORTED[row], limits[row]),) * 2


def test_a_variable_that_one_example_does_not_assign_is_its_error():
    def above(x, v):
        for value in x:
            if value > v:
                found = value
        return found

    numpy.testing.assert_array_equal(jit(vmap(above), strict=True)(SORTED, LIMITS / 2), SORTED[:, -1])
    with pytest.warns(lazynp.PerformanceWarning), pytest.raises(UnboundLocalError):
        jit(vmap(above))(SORTED, LIMITS * 10)


def test_numpys_own_error_about_a_missing_value() -> None:
    """NumPy asks for the number itself and raises a ValueError where it gets none."""

    def f(x: Any) -> Any:
        m = numpy.zeros((2, 2))
        m[1, 1] = x[0]
        return m

    with pytest.warns(lazynp.PerformanceWarning, match="one after the other: the value of a single example"):
        numpy.testing.assert_array_equal(vmap(f)(numpy.arange(3.0)[:, None])[:, 1, 1], numpy.arange(3.0))
    with pytest.raises(ValueError, match="broadcast"):
        vmap(lambda x: x + numpy.zeros(2))(numpy.ones((4, 3)))
