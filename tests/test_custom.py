"""Derivatives of one's own: rules are used in every mode and order, and only where a derivative is taken."""

from typing import Any

import numpy
import pytest

import lazynp as np
from lazynp import custom_jvp, custom_vjp, grad, hessian, jacfwd, jit, jvp, scan, stop_gradient, vmap

X = numpy.array([0.3, 1.2, 2.0])


@custom_vjp
def scaled_sin(x: Any, scale: Any) -> Any:
    """A sine whose rule says -7 times the truth, to be seen."""
    return np.sin(x) * scale


def _forward(x: Any, scale: Any) -> Any:
    return scaled_sin(x, scale), (x, scale)


def _backward(residuals: Any, ct: Any) -> Any:
    x, scale = residuals
    return -7 * ct * np.cos(x) * scale, None


scaled_sin.defvjp(_forward, _backward)


@custom_jvp
def cube(x: Any) -> Any:
    return x**3


@cube.defjvp
def _cube_jvp(primals: Any, tangents: Any) -> Any:
    return cube(primals[0]), 5 * primals[0] ** 2 * tangents[0]


def test_the_value_is_the_function() -> None:
    numpy.testing.assert_allclose(scaled_sin(X, 2.0), 2 * numpy.sin(X))
    numpy.testing.assert_allclose(jit(cube)(X), X**3)


@pytest.mark.parametrize("wrap", [lambda g: g, jit], ids=["plain", "jit"])
def test_the_rule_is_the_derivative(wrap: Any) -> None:
    by_x, by_scale = wrap(grad(lambda x, s: np.sum(scaled_sin(x, s)), (0, 1)))(X, 2.0)
    numpy.testing.assert_allclose(by_x, -14 * numpy.cos(X))
    assert by_scale == 0
    numpy.testing.assert_allclose(wrap(grad(lambda x: np.sum(cube(x) * x)))(X), 5 * X**3 + X**3)


def test_either_rule_serves_both_modes() -> None:
    numpy.testing.assert_allclose(jvp(lambda x: scaled_sin(x, 2.0), (X,), (X,))[1], -14 * numpy.cos(X) * X)
    numpy.testing.assert_allclose(jacfwd(cube)(X), numpy.diag(5 * X**2))


def test_rules_are_differentiated() -> None:
    numpy.testing.assert_allclose(hessian(lambda x: np.sum(cube(x)))(X), numpy.diag(10 * X))
    assert grad(grad(lambda x: scaled_sin(x, 1.0)))(0.5) == pytest.approx(7 * numpy.sin(0.5))


def test_batched() -> None:
    numpy.testing.assert_allclose(vmap(grad(cube))(X), 5 * X**2)
    numpy.testing.assert_allclose(grad(lambda x: np.sum(vmap(cube)(x)))(X), 5 * X**2)


def newton(a: Any) -> Any:
    x = a
    while abs(float(stop_gradient(x * x - a))) > 1e-14 * abs(float(stop_gradient(a))):
        x = (x + a / x) / 2
    return x


def test_an_implicit_derivative() -> None:
    """Newton's square root, differentiated by the equation that it solves: x*x = a, so dx = da / (2 x)."""
    root = custom_vjp(newton)
    root.defvjp(lambda a: ((x := root(a)), x), lambda x, ct: (ct / (2 * x),))
    assert root(4.0) == pytest.approx(2)
    assert grad(root)(4.0) == pytest.approx(0.25)
    assert grad(grad(root))(4.0) == pytest.approx(-0.03125)


def test_trees_static_arguments_and_partials() -> None:
    @custom_vjp
    def weighted(p: Any, k: int) -> Any:
        return {"y": p["a"] * p["b"] ** k}

    weighted.defvjp(lambda p, k: (weighted(p, k), p), lambda p, ct: ({"a": 2 * ct["y"], "b": 0 * p["b"]}, None))
    found = grad(lambda p: np.sum(weighted(p, k=2)["y"]))({"a": X, "b": X})
    numpy.testing.assert_array_equal(found["a"], 2)
    numpy.testing.assert_array_equal(found["b"], 0)

    @custom_jvp
    def product(x: Any, y: Any) -> Any:
        return x * y

    product.defjvps(lambda t, out, x, y: 3 * t * y, None)
    by_x, by_y = grad(product, (0, 1))(2.0, 5.0)
    assert (by_x, by_y) == (15, 0)


def test_mistakes() -> None:
    bare = custom_vjp(lambda x: x)
    with pytest.raises(AttributeError, match="has no rule yet; call its defvjp"):
        grad(bare)(1.0)
    bare.defvjp(lambda x: (x, None), lambda residuals, ct: ct)
    with pytest.raises(TypeError, match="must return a tuple of 1 cotangent"):
        grad(bare)(1.0)

    def closing(x: Any) -> Any:
        inner = custom_jvp(lambda y: x * y)
        inner.defjvp(lambda p, t: (p[0], t[0]))
        return inner(2.0 * x)

    with pytest.raises(TypeError, match="uses a differentiated value from outside; pass it as an argument"):
        grad(closing)(1.0)


def test_rules_hold_inside_a_scan() -> None:
    def loss(x: Any) -> Any:
        return np.sum(scan.scan(lambda c, row: (c + cube(row), ()), np.zeros(3), np.stack([x] * 20))[0])

    numpy.testing.assert_allclose(grad(loss)(X), 20 * 5 * X**2)
    numpy.testing.assert_allclose(jit(grad(loss))(X), 20 * 5 * X**2)
