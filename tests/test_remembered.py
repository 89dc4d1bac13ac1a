"""Derivatives outside of jit are derived once: later calls find the program, and anything that matters changes it."""

from typing import Any

import numpy
import pytest

import lazynp as np
from lazynp import config, custom_vjp, elementwise_grad, grad, hessian, hvp, jacobian, stats, value_and_grad
from lazynp.functional import run as runs

X = numpy.linspace(0.5, 2.0, 7)


@pytest.fixture
def derivations(monkeypatch: Any) -> list[str]:
    """Grows whenever a graph is differentiated."""
    seen: list[str] = []
    for name in ("pullback", "pushforward"):
        original = getattr(runs.derive, name)
        monkeypatch.setattr(runs.derive, name, lambda *a, _f=original, _n=name: (seen.append(_n), _f(*a))[1])
    return seen


@pytest.mark.parametrize("transform", [grad, value_and_grad, elementwise_grad, jacobian, lambda f: lambda x: hvp(f)(x, x)])
def test_a_second_call_derives_nothing(transform: Any, derivations: list[str]) -> None:
    f = lambda x: np.sum(np.sin(x) * x**3)  # noqa: E731
    first = transform(f)(X)
    before = len(derivations), stats()["programs"]
    second = transform(f)(X + 0.0)
    assert (len(derivations), stats()["programs"]) == before
    for a, b in zip(numpy.atleast_1d(first[-1]), numpy.atleast_1d(second[-1]), strict=True):
        assert a == b


def test_new_values_give_new_gradients() -> None:
    g = grad(lambda x, y: np.sum(x**2 * y), (0, 1))
    for k in range(4):
        by_x, by_y = g(X + k, X * k)
        numpy.testing.assert_allclose(by_x, 2 * (X + k) * X * k)
        numpy.testing.assert_allclose(by_y, (X + k) ** 2)


def test_constants_sizes_and_types_matter() -> None:
    for scale in (2.0, 3.0, 3.5):
        for x in (X, X[:4], X.astype("f4")):
            found = grad(lambda x, scale=scale: np.sum(scale * x * x))(x)
            assert found.dtype == x.dtype
            numpy.testing.assert_allclose(found, 2 * scale * x, rtol=1e-6)


def test_the_branch_taken_matters() -> None:
    f = lambda x: np.sum(x**2) if x[0] > 1 else np.sum(x**3)  # noqa: E731
    for x in (X, X + 1, X, X + 1):
        numpy.testing.assert_allclose(grad(f)(x), 2 * x if x[0] > 1 else 3 * x**2)


def test_arrays_from_outside_are_read_again() -> None:
    weights = numpy.ones(7)
    g = grad(lambda x: np.sum(weights * x * x))
    for k in range(3):
        weights[:] = k
        numpy.testing.assert_allclose(g(X), 2 * k * X)


def test_aux_has_its_own_tree() -> None:
    for aux in (lambda x: {"a": x, "text": "t"}, lambda x: [x * 2, None, 3], lambda x: x):
        slope, found = grad(lambda x, aux=aux: (np.sum(x * x), aux(x)), has_aux=True)(X)
        numpy.testing.assert_allclose(slope, 2 * X)
        expected = aux(X)
        assert type(found) is type(expected)
        numpy.testing.assert_equal(found, expected)


def test_results_are_the_callers() -> None:
    """A result that is written to changes no later one, and no argument."""
    y = X * 3
    g = grad(lambda x, y: np.sum(x * y))
    for _ in range(3):
        found = g(X, y)
        numpy.testing.assert_array_equal(found, X * 3)
        found[:] = 0
    numpy.testing.assert_array_equal(y, X * 3)


def test_arguments_that_are_one_array() -> None:
    g = grad(lambda x, y: np.sum(x * x * y), (0, 1))
    for other in (X, X * 2, X):
        by_x, by_y = g(X, other)
        numpy.testing.assert_allclose(by_x, 2 * X * other)
        numpy.testing.assert_allclose(by_y, X * X)


def test_warnings_come_every_time_they_would() -> None:
    g = grad(lambda x: np.sum(np.log(x)))
    g(X)
    for _ in range(2):
        with pytest.warns(RuntimeWarning, match="divide by zero"):
            g(X * 0)
        g(X)


def test_errors_name_the_line_every_time() -> None:
    g = grad(lambda x: np.sum(np.linalg.inv(x.reshape(2, 2))))
    g(numpy.array([2.0, 0.0, 0.0, 2.0]))
    for _ in range(2):
        with pytest.raises(numpy.linalg.LinAlgError):
            g(numpy.zeros(4))


def test_levels_are_kept_apart() -> None:
    f = lambda x: np.sum(np.log(1 + np.exp(x)))  # noqa: E731
    big = numpy.array([800.0])
    with config(level="exact"), numpy.errstate(all="ignore"):
        assert numpy.isnan(grad(f)(big)[0])
    assert grad(f)(big)[0] == 1.0


def test_rules_of_ones_own_are_asked_again() -> None:
    factor = [1.0]

    @custom_vjp
    def scaled(x: Any) -> Any:
        return x

    scaled.defvjp(lambda x: (x, None), lambda residuals, ct: (ct * factor[0],))
    for factor[0] in (1.0, 5.0):
        numpy.testing.assert_allclose(grad(lambda x: np.sum(scaled(x)))(X), factor[0])


def test_second_derivatives() -> None:
    for k in (1, 2):
        numpy.testing.assert_allclose(hessian(lambda x: np.sum(x**3))(X * k), numpy.diag(6 * X * k))
