"""lazynp.scipy.integrate.odeint: derivatives by the initial state, the times, arguments and what the right side reads from outside."""

from typing import Any

import numpy
import pytest

integrate = pytest.importorskip("scipy.integrate", reason="SciPy, whose functions these are, is not installed")

import lazynp as np
from lazynp.scipy.integrate import odeint
from lazynp.testing import check_grads

Y, T = numpy.array([1.0, 0.5]), numpy.array([0.0, 0.3, 0.7, 1.2])
EXACT = {"rtol": 1e-10, "atol": 1e-11}


def oscillator(y: Any, t: Any, a: Any, b: Any) -> Any:
    return [a * y[1] - t * y[0], -b * y[0]]


def test_values_are_scipys() -> None:
    expected = integrate.odeint(oscillator, Y, T, (1.3, 0.7), **EXACT)
    numpy.testing.assert_array_equal(odeint(oscillator, Y, T, (1.3, 0.7), **EXACT), expected)
    numpy.testing.assert_allclose(np.jit(lambda y: odeint(oscillator, y, T, (1.3, 0.7), **EXACT))(Y), expected, rtol=1e-8)
    swapped = odeint(lambda t, y: oscillator(y, t, 1.3, 0.7), np.lazy(Y), T, tfirst=True, **EXACT)
    numpy.testing.assert_allclose(swapped, expected)
    states, report = odeint(oscillator, Y, T, (1.3, 0.7), full_output=True)
    assert states.shape == (4, 2)
    assert report["nst"][-1] > 3


def test_derivatives_of_any_order() -> None:
    def f(y: Any, t: Any, a: Any, b: Any) -> Any:
        return odeint(oscillator, y, t, (a, b), **EXACT)

    check_grads(f, (Y, T, 1.3, 0.7), eps=1e-3, rtol=1e-5, atol=1e-6, identity=1e-7)


def test_a_linear_equation_has_the_derivatives_of_the_exponential() -> None:
    def last(rate: Any, y: Any) -> Any:
        return odeint(lambda y, t: rate * y, y, [0.0, 1.0], **EXACT)[-1, 0]

    start = numpy.array([2.0])
    e = numpy.exp(0.4)
    for wrap in (lambda f: f, np.jit):
        numpy.testing.assert_allclose(wrap(np.grad(last))(0.4, start), 2 * e, rtol=1e-7)
        numpy.testing.assert_allclose(wrap(np.grad(last, 1))(0.4, start), [e], rtol=1e-7)
        numpy.testing.assert_allclose(wrap(np.hessian(last))(0.4, start), 2 * e, rtol=1e-6)
    rates = numpy.array([0.1, 0.4])
    numpy.testing.assert_allclose(np.vmap(np.grad(last), in_axes=(0, None))(rates, start), 2 * numpy.exp(rates), rtol=1e-7)


def test_branches_and_parameters_of_other_types() -> None:
    def last(p: dict[str, Any]) -> Any:
        def slope(y: Any, t: Any) -> Any:
            if t < 0.5:
                return p["w"] @ y
            return np.real(p["z"] * np.conj(p["z"])) * y

        return np.sum(odeint(slope, Y, T, hmax=0.05, **EXACT)[-1])

    p = {"w": numpy.array([[0.1, 0.4], [-0.3, 0.2]]), "z": numpy.complex128(0.3 + 0.4j)}
    g = np.grad(last)(p)
    numpy.testing.assert_allclose(g["z"], 2 * p["z"] * 0.7 * last(p), rtol=1e-3)  # the step that meets the jump is not exact
    narrow = {"w": p["w"].astype(numpy.float32), "z": p["z"]}
    assert np.grad(last)(narrow)["w"].dtype == numpy.float32
    numpy.testing.assert_allclose(np.grad(last)(narrow)["w"], g["w"], rtol=1e-3)


def test_what_is_wrong_says_so() -> None:
    with pytest.raises(RuntimeError, match="size of the array returned by func"):
        np.grad(lambda y: np.sum(odeint(lambda y, t: y[:1], y, T)))(Y)
    with pytest.raises(TypeError, match="odeint has no derivative"):
        np.grad(lambda y: np.sum(odeint(oscillator, y, T, (1.0, 1.0), full_output=True)[0]))(Y)
    with pytest.raises(TypeError, match="no derivative by rtol"):
        np.grad(lambda r: np.sum(odeint(oscillator, Y, T, (1.0, 1.0), rtol=r)))(1e-8)
    with pytest.raises(TypeError, match=r"scipy.integrate.simpson has no derivative"):
        np.grad(lambda y: integrate_by_simpson(y))(Y)


def integrate_by_simpson(y: Any) -> Any:
    return np.scipy.integrate.simpson(y)
