"""jacobian, jacrev, jacfwd, hessian: shapes as JAX's, values against formulas, batched into one program."""

from typing import Any

import numpy
import pytest

import lazynp
import lazynp as np
from lazynp import grad, hessian, jacfwd, jacobian, jacrev, jit, vmap

R = numpy.random.default_rng(0)
x = R.normal(size=3)
W = R.normal(size=(3, 4))
BOTH = pytest.mark.parametrize("jac", [jacrev, jacfwd, jacobian])


def layer(x: Any) -> Any:
    return np.tanh(x @ W)


def layer_jacobian(x: Any) -> Any:
    return (1 - numpy.tanh(x @ W) ** 2)[:, None] * W.T


@BOTH
@pytest.mark.parametrize("wrap", [lambda j: j, jit], ids=["plain", "jit"])
def test_vector_to_vector(jac: Any, wrap: Any) -> None:
    numpy.testing.assert_allclose(wrap(jac(layer))(x), layer_jacobian(x))


@BOTH
def test_shapes_are_result_then_argument(jac: Any) -> None:
    a = R.normal(size=(2, 3))
    found = jac(lambda a: {"m": a.T * 2, "s": np.sum(a * a), "none": None})(a)
    assert found["m"].shape == (3, 2, 2, 3)
    numpy.testing.assert_allclose(
        found["m"], 2 * numpy.einsum("il,jk->jikl", numpy.eye(3), numpy.eye(2)).transpose(1, 0, 2, 3).reshape(3, 2, 2, 3)
    )
    numpy.testing.assert_allclose(found["s"], 2 * a)
    assert found["none"] is None


@BOTH
def test_argnums_and_trees(jac: Any) -> None:
    def f(p: Any, y: Any, k: int) -> Any:
        return p["a"] * p["b"] ** k + y

    by_p, by_y = jac(f, (0, "y"))({"a": x, "b": 2.0}, 1.5, k=3)
    numpy.testing.assert_allclose(by_p["a"], 8 * numpy.eye(3))
    numpy.testing.assert_allclose(by_p["b"], 12 * x)
    numpy.testing.assert_allclose(by_y, numpy.ones(3))
    value, aux = jac(lambda x: (x * x, {"x": x, "n": 3}), has_aux=True)(x)
    numpy.testing.assert_allclose(value, numpy.diag(2 * x))
    assert aux["n"] == 3


@BOTH
def test_zero_and_constant_entries(jac: Any) -> None:
    numpy.testing.assert_array_equal(jac(lambda x, y: y * 2.0)(x, numpy.ones(2)), numpy.zeros((2, 3)))
    numpy.testing.assert_array_equal(jac(lambda x: np.cumsum(x))(x), numpy.tril(numpy.ones((3, 3))))
    assert jac(lambda x: x[:0])(x).shape == (0, 3)
    assert jac(lambda x: np.sum(x) * np.ones(2))(numpy.ones(0)).shape == (2, 0)
    assert jac(lambda x: x * 2)(1.0) == 2


@BOTH
def test_single_precision_stays(jac: Any) -> None:
    """A derivative has the precision of the argument, as every gradient has."""
    found = jac(layer)(x.astype("f"))
    assert found.dtype == numpy.float32
    numpy.testing.assert_allclose(found, layer_jacobian(x), rtol=1e-5)


@BOTH
def test_complex_entries_follow_grad(jac: Any) -> None:
    z = x + 1j * x[::-1]
    numpy.testing.assert_allclose(jac(lambda x: np.exp(1j * x))(x), numpy.diag(1j * numpy.exp(1j * x)))
    numpy.testing.assert_allclose(jac(lambda z: np.abs(z) ** 2)(z), numpy.diag(2 * z))
    numpy.testing.assert_allclose(jac(np.sin, holomorphic=True)(z), numpy.diag(numpy.cos(z)))
    with pytest.raises(TypeError, match="pass holomorphic=True"):
        jac(np.sin)(z)


@BOTH
def test_refusals(jac: Any) -> None:
    with pytest.raises(TypeError, match=r"argument 0 \(x\) has dtype int64.*pass x.astype\(float\)"):
        jac(lambda x: x * 2.0)(numpy.arange(3))
    with pytest.raises(TypeError, match="a result has dtype int64.*return it as aux"):
        jac(lambda x: np.argsort(x))(x)


def test_through_writes_and_linear_algebra() -> None:
    def f(x: Any) -> Any:
        a = np.eye(3) * 4
        a[0] += x
        a[:, 1] *= x[1]
        return np.linalg.solve(a, x)

    reverse, forward = jacrev(f)(x), jacfwd(f)(x)
    numpy.testing.assert_allclose(reverse, forward)
    step = 1e-6 * numpy.eye(3)
    numpy.testing.assert_allclose(forward, numpy.stack([(f(x + h) - f(x - h)) / 2e-6 for h in step], 1), atol=1e-8)


def test_hessian() -> None:
    def f(x: Any) -> Any:
        return np.sum(x**3) + x[0] * x[1]

    expected = numpy.diag(6 * x) + numpy.array([[0, 1, 0], [1, 0, 0], [0, 0, 0]])
    for derived in (hessian(f), jit(hessian(f)), jacrev(jacrev(f)), jacrev(jacfwd(f)), jacfwd(jacfwd(f)), jacobian(grad(f))):
        numpy.testing.assert_allclose(derived(x), expected, atol=1e-14)
    numpy.testing.assert_allclose(vmap(hessian(f))(numpy.stack([x, 2 * x])), [hessian(f)(x), hessian(f)(2 * x)])
    third = jacfwd(hessian(f))(x)
    numpy.testing.assert_allclose(third, 6 * numpy.eye(3)[:, :, None] * numpy.eye(3)[:, None, :], atol=1e-14)


def test_hessian_of_a_tree() -> None:
    found = hessian(lambda p: np.sum(p["a"] ** 2 * p["b"]))({"a": x, "b": 2.0})
    numpy.testing.assert_allclose(found["a"]["a"], 4 * numpy.eye(3))
    numpy.testing.assert_allclose(found["a"]["b"], 2 * x)
    numpy.testing.assert_allclose(found["b"]["a"], 2 * x)
    assert found["b"]["b"] == 0
    by_x, by_y = hessian(lambda x, y: np.sum(x) * y, (0, 1))(x, 2.0)
    numpy.testing.assert_allclose(by_x[1], numpy.ones(3))
    numpy.testing.assert_allclose(by_y[0], numpy.ones(3))


def test_one_program() -> None:
    """The directions are an axis of the kernels: their number does not change with the size."""

    def kernels(n: int) -> int:
        data = R.normal(size=n)
        return lazynp.explain(hessian(lambda x: np.sum(np.tanh(x) * x)))(data).kernels

    assert kernels(10) == kernels(50) <= 6
    assert lazynp.explain(jacobian(lambda x: np.sin(x) * x))(R.normal(size=100)).kernels == 2
