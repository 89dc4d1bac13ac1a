"""grad, value_and_grad, vjp and jvp as a user calls them. Functions are built of operators and ops, so that only this floor is tested."""

import functools
import math
from collections.abc import Callable
from importlib import import_module
from typing import Any

import numpy as np
import pytest
from scipy.optimize import minimize

arrays = import_module("lazynp.array")  # `lazynp.array` itself is the function
from lazynp import operands
from lazynp.config import config
from lazynp.errors import DerivativeWarning
from lazynp.functional.gradients import elementwise_grad, grad, hvp, jvp, linearize, value_and_grad, vjp
from lazynp.functional.jacobians import hessian, jacobian
from lazynp.functional.linear import Linear
from lazynp.ir.node import toposort, transform
from lazynp.ops import elementwise as ew
from lazynp.ops.library import draw, inv, pack_state
from lazynp.ops.reduction import reduce_add
from lazynp.testing import check_grads
from lazynp.trace.jit import jit
from lazynp.trace.markers import stop_gradient


def _function(op: Any) -> Callable[[Any], Any]:
    return lambda x: arrays.wrap(op(operands.node_of(x)))


sin, cos, exp, log, total, inverse = map(_function, (ew.sin, ew.cos, ew.exp, ew.log, reduce_add, inv))
X = np.array([0.3, 1.2, 2.0])


def test_gradient_of_a_sum() -> None:
    found = grad(lambda x: total(sin(x) * x))(X)
    assert type(found) is np.ndarray
    np.testing.assert_allclose(found, np.cos(X) * X + np.sin(X))


def test_scalars_are_numpy_scalars() -> None:
    value, slope = value_and_grad(sin)(0.5)
    assert type(value) is type(slope) is np.float64
    assert (value, slope) == (np.sin(0.5), np.cos(0.5))


def test_any_order() -> None:
    f = sin
    for expected in (np.cos, lambda x: -np.sin(x), lambda x: -np.cos(x), np.sin):
        f = grad(f)
        assert f(0.7) == pytest.approx(expected(0.7), rel=1e-14)


@pytest.mark.parametrize("dtype", ["f", "d"])
def test_gradients_have_the_dtype_of_the_argument(dtype: str) -> None:
    found = grad(lambda x: total(exp(x) * 2.0))(X.astype(dtype))
    assert found.dtype == dtype
    np.testing.assert_allclose(found, 2 * np.exp(X), rtol=1e-6)


def test_pytrees() -> None:
    parameters = {"w": [X, X.astype("f")], "b": 1.5, "none": None}
    found = grad(lambda p: total(p["w"][0] * p["w"][1]) * p["b"])(parameters)
    assert found["none"] is None
    assert found["b"] == pytest.approx(np.sum(X * X), rel=1e-6)
    np.testing.assert_allclose(found["w"][0], 1.5 * X, rtol=1e-6)
    assert found["w"][1].dtype == np.float32


@pytest.mark.parametrize(("argnums", "expected"), [(0, 3.0), (1, np.sum(X)), (-1, np.sum(X)), ((1, 0), (np.sum(X), 3.0)), ((0,), (3.0,))])
def test_argnums(argnums: Any, expected: Any) -> None:
    found = grad(lambda x, y: total(x * y), argnums)(X, 3.0)
    if isinstance(expected, tuple):
        assert isinstance(found, tuple)
        for one, other in zip(found, expected, strict=True):
            np.testing.assert_allclose(one, np.broadcast_to(other, np.shape(one)))
    else:
        np.testing.assert_allclose(found, np.broadcast_to(expected, X.shape if argnums == 0 else ()))


def test_argnums_are_positions() -> None:
    by_y, by_x = grad(lambda x, y: total(x) * y, (1, 0))(X, 3.0)
    assert by_y == pytest.approx(np.sum(X))
    np.testing.assert_array_equal(by_x, [3, 3, 3])


def test_aux() -> None:
    (value, aux), slope = value_and_grad(lambda x: (total(x * x), {"sin": sin(x), "n": 7}), has_aux=True)(X)
    assert value == pytest.approx(np.sum(X * X))
    np.testing.assert_allclose(aux["sin"], np.sin(X))
    assert aux["n"] == 7
    np.testing.assert_allclose(slope, 2 * X)
    slope, aux = grad(lambda x: (total(x), x * 2), has_aux=True)(X)
    np.testing.assert_array_equal(aux, 2 * X)


def test_keyword_and_other_arguments() -> None:
    """Integers and arrays that are not differentiated pass through; they stay what they are for Python."""

    def f(x: Any, power: int, scale: Any = None, flags: str = "") -> Any:
        assert power == 3
        assert flags == "yes"
        return total(x**power * scale)

    np.testing.assert_allclose(grad(f)(X, 3, scale=np.array([1, 2, 3]), flags="yes"), 3 * X**2 * [1, 2, 3])


def test_independent_argument_has_zero_gradient() -> None:
    np.testing.assert_array_equal(grad(lambda x, y: total(y))(X, X), np.zeros(3))
    assert grad(lambda x: 3.0)(2.0) == 0


# --- closures, nesting -----------------------------------------------------------------------------------------------


def test_nested_variables_stay_apart() -> None:
    """Perturbation confusion: Siskind & Pearlmutter 2005."""
    assert grad(lambda x: x * grad(lambda y: x + y)(2.0))(1.0) == 1
    assert grad(lambda x: x * grad(lambda y: x * y)(2.0))(3.0) == 6


def test_equal_expressions_are_not_the_variable() -> None:
    """f(2x) computes 2x itself: that expression is not a function of its argument."""
    assert grad(lambda x: grad(lambda y: (x * 2.0) * y)(x * 2.0))(3.0) == 2


def test_closure_over_arrays() -> None:
    data, lazy = np.arange(3.0), operands.lazy(np.arange(3.0))
    np.testing.assert_allclose(grad(lambda x: total(x * data * lazy))(X), data * data)


def test_hessian_by_forward_over_reverse() -> None:
    def f(x: Any) -> Any:
        return total(x**3)

    rows = [jvp(grad(f), (X,), (row,))[1] for row in np.eye(3)]
    np.testing.assert_allclose(rows, np.diag(6 * X))


# --- values on the way -----------------------------------------------------------------------------------------------


def newton(a: Any) -> Any:
    x = a
    while abs(float(stop_gradient(x * x - a))) > 1e-13:
        x = (x + a / x) / 2
    return x


def test_loops_until_convergence() -> None:
    """The number of turns depends on the values; the derivatives are those of the turns taken."""
    assert newton(2.0) == pytest.approx(np.sqrt(2))
    assert grad(newton)(2.0) == pytest.approx(0.5 / np.sqrt(2))
    assert grad(grad(newton))(2.0) == pytest.approx(-0.25 * 2**-1.5)


def test_branches() -> None:
    f = grad(lambda x: x * x if x > 1 else -x)
    assert (f(3.0), f(0.5)) == (6, -1)


def test_a_value_that_is_read_stays_differentiable() -> None:
    def f(x: Any) -> Any:
        y = sin(x)
        seen.append(float(stop_gradient(y)))
        y = y * 2
        seen.append(float(stop_gradient(y)))
        return y

    seen: list[float] = []
    assert grad(f)(0.5) == pytest.approx(2 * np.cos(0.5))
    np.testing.assert_allclose(seen, [np.sin(0.5), 2 * np.sin(0.5)])


def test_views_that_are_read_follow_their_array() -> None:
    def f(x: Any) -> Any:
        y = x * 1.0
        view = y[1:]
        seen.append(float(stop_gradient(view[0])))
        y[1:] = y[1:] * 2
        seen.append(float(stop_gradient(view[0])))
        return total(y)

    seen: list[float] = []
    np.testing.assert_array_equal(grad(f)(X), [1, 2, 2])
    assert seen == [1.2, 2.4]


# --- in-place writes and views ---------------------------------------------------------------------------------------


def test_views_and_writes() -> None:
    def f(x: Any) -> Any:
        y = x * 2
        y[1:] = y[:-1] * y[1:]
        view = y[::-1]
        view[0] = view[0] + 1
        x[0] = 7 * x[0]
        return total(y) + x[0]

    before = X.copy()
    np.testing.assert_allclose(grad(f)(X), [2 + 4 * X[1] + 7, 4 * X[0] + 4 * X[2], 4 * X[1]])
    np.testing.assert_array_equal(X, before)


def test_writes_to_other_arrays_reach_them() -> None:
    """What the function leaves in an array of the surrounding program is its value, not its graph."""
    log_of_values = operands.lazy(np.zeros(3))

    def f(x: Any) -> Any:
        log_of_values[:] = x * 3
        return total(log_of_values * x)

    x = X.copy()
    np.testing.assert_allclose(grad(f)(x), 6 * X)
    x[:] = 100
    np.testing.assert_allclose(arrays.to_numpy(log_of_values), 3 * X)


def test_arrays_that_outlive_the_function_have_values() -> None:
    kept = []

    def f(x: Any) -> Any:
        kept.append(x * 2)
        return total(x)

    x = X.copy()
    grad(f)(x)
    x[:] = 100
    np.testing.assert_allclose(arrays.to_numpy(kept[0] + 1.0), 2 * X + 1)
    grad(f)(operands.lazy(X))
    np.testing.assert_allclose(arrays.to_numpy(kept[1] + 1.0), 2 * X + 1)


def test_pending_arguments() -> None:
    """A lazy argument gives a lazy gradient, also when its own value is still to be computed."""
    x = operands.lazy(X) * 2
    assert arrays.is_pending(x)
    found = grad(lambda x: total(x * x))(x)
    assert type(found) is arrays.ndarray
    np.testing.assert_allclose(arrays.to_numpy(found), 4 * X)


# --- jit -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "derived", [lambda f: jit(grad(f)), lambda f: grad(jit(f)), lambda f: jit(grad(jit(f))), lambda f: jit(lambda x: grad(f)(x))]
)
def test_jit_commutes_with_grad(derived: Any) -> None:
    g = derived(lambda x: total(sin(x) * x))
    for x in (X, 2 * X, X[:2].copy()):
        found = g(x)
        assert type(found) is np.ndarray
        np.testing.assert_allclose(found, np.cos(x) * x + np.sin(x))


def test_jit_of_a_gradient_sees_changed_variables() -> None:
    scale = 2.0
    g = jit(grad(lambda x: total(x * scale)))
    np.testing.assert_array_equal(g(X), [2, 2, 2])
    scale = 3.0
    np.testing.assert_array_equal(g(X), [3, 3, 3])


def test_jit_of_second_derivative() -> None:
    assert jit(grad(grad(lambda x: x**4)))(2.0) == pytest.approx(48)


def test_in_place_under_jit() -> None:
    def f(x: Any) -> Any:
        y = x * 1.0
        for k in range(1, 3):
            y[k] = y[k] * y[k - 1]
        return y[2]

    np.testing.assert_allclose(jit(grad(f))(X), [X[1] * X[2], X[0] * X[2], X[0] * X[1]])


# --- vjp, jvp --------------------------------------------------------------------------------------------------------


def test_vjp() -> None:
    value, pullback = vjp(lambda a, b: {"s": sin(a) * b, "t": total(b)}, X, 2 * X)
    np.testing.assert_allclose(value["s"], np.sin(X) * 2 * X)
    for scale in (1.0, 3.0):
        by_a, by_b = pullback({"s": np.full(3, scale), "t": 1.0})
        np.testing.assert_allclose(by_a, scale * np.cos(X) * 2 * X)
        np.testing.assert_allclose(by_b, scale * np.sin(X) + 1)


def test_vjp_keeps_the_values_it_saw() -> None:
    x = X.copy()
    _, pullback = vjp(lambda x: x * x, x)
    x[:] = 100
    np.testing.assert_allclose(pullback(np.ones(3))[0], 2 * X)


def test_jvp() -> None:
    value, change = jvp(lambda a, b: (sin(a), total(b)), (X, X), (np.ones(3), X))
    np.testing.assert_allclose(value[0], np.sin(X))
    np.testing.assert_allclose(change[0], np.cos(X))
    assert change[1] == pytest.approx(np.sum(X))


def test_vjp_and_jvp_agree() -> None:
    rng = np.random.default_rng(0)
    a, t, ct = rng.normal(size=(3, 3, 3))
    _, pullback = vjp(inverse, a)
    np.testing.assert_allclose(np.sum(ct * jvp(inverse, (a,), (t,))[1]), np.sum(pullback(ct)[0] * t))


# --- errors ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("attempt", "message"),
    [
        (lambda: grad(sin)(X), r"must return a scalar, got shape \(3,\); sum it, or use lazynp.vjp"),
        (
            lambda: grad(lambda weights: total(weights))(np.arange(3)),
            r"argument 0 \(weights\) has dtype int64.*pass weights.astype\(float\)",
        ),
        (lambda: grad(lambda p: p["n"] * 1.0)({"n": 3}), r"argument 0 \(p\['n'\]\) has dtype int64.*pass float\(p\['n'\]\)"),
        (lambda: grad(lambda p: 1.0)("text"), r"argument 0 \(p\) is str.*leave it out of argnums"),
        (lambda: grad(total, argnums=2)(X), r"argnums=2, but the function was called with 1 positional"),
        (lambda: grad(total, argnums=(0, -1))(X), "names an argument twice"),
        (lambda: grad(lambda x: None)(X), "must return a scalar, got NoneType"),
        (lambda: grad(lambda x: (total(x), x))(X), "got tuple; has_aux=True"),
        (lambda: grad(total, has_aux=True)(X), r"must return \(scalar, aux\)"),
        (lambda: grad(lambda x: total(x) * 1j)(X), "complex128; take its real part"),
        (lambda: grad(lambda x: total(x) > 1)(X), "real floating scalar, got bool"),
        (lambda: vjp(sin, X)[1](np.ones(4)), r"cotangent must be of shape \(3,\).*got \(4,\)"),
        (lambda: vjp(sin, X)[1]((X, X)), "must be a tree like the result"),
        (lambda: jvp(sin, (X,), (X, X)), "must be a tree like the primals"),
        (lambda: jvp(sin, (X,), (np.ones(2),)), r"tangents must be of shape \(3,\)"),
        (lambda: grad(3)(X), "expects a function"),
    ],
)
def test_errors_name_the_argument(attempt: Any, message: str) -> None:
    with pytest.raises(TypeError, match=message):
        attempt()


def test_an_exception_of_the_function_leaves_no_trace() -> None:
    outside = operands.lazy(np.zeros(3))

    def f(x: Any) -> Any:
        outside[:] = x
        raise RuntimeError("mine")

    with pytest.raises(RuntimeError, match="mine"):
        grad(f)(X)
    np.testing.assert_array_equal(arrays.to_numpy(outside), np.zeros(3))


def test_wrapping_keeps_name_and_text() -> None:
    def loss(x: Any) -> Any:
        """The text."""
        return total(x)

    assert grad(loss).__name__ == "loss"
    assert grad(loss).__doc__ == "The text."
    np.testing.assert_array_equal(grad(functools.partial(lambda y, x: total(x * y), 2.0))(X), [2, 2, 2])


def test_complex_gradient_descends() -> None:
    z = np.array([1 + 2j])
    found = grad(lambda z: total(abs(z - 3.0) ** 2))(z)
    np.testing.assert_allclose(found, 2 * (z - 3))


def test_scipy_takes_the_gradient() -> None:
    """L-BFGS-B and SLSQP refuse a jac that is not NumPy's own array."""
    target = np.array([1.0, -2.0, 0.5])

    def loss(x: Any) -> Any:
        return total((x - target) ** 4 + (x - target) ** 2)

    for method in ("L-BFGS-B", "SLSQP"):
        one = minimize(lambda x: float(loss(x)), np.zeros(3), jac=grad(loss), method=method)
        two = minimize(value_and_grad(loss), np.zeros(3), jac=True, method=method)
        np.testing.assert_allclose(one.x, target, atol=1e-2)
        np.testing.assert_array_equal(one.x, two.x)


def test_random_parameters() -> None:
    """The draw moves with its parameters while the underlying random numbers stay (the pathwise derivative)."""
    state = pack_state(np.random.PCG64(1))

    def drawn(mean: Any, scale: Any) -> Any:
        nodes = [operands.node_of(x) for x in (state, mean, scale)]
        return arrays.wrap(draw(*nodes, method="normal", generator="PCG64", size=(5,), out_dtype=np.dtype(float))[1])

    by_mean, by_scale = grad(lambda m, s: total(drawn(m, s)), (0, 1))(1.0, 2.0)
    assert by_mean == 5
    assert by_scale == pytest.approx(np.random.Generator(np.random.PCG64(1)).standard_normal(5).sum())


# --- names of arguments ----------------------------------------------------------------------------------------------


def weighted(x: Any, w: Any, b: Any = 0.0) -> Any:
    return total(x * w) + b


@pytest.mark.parametrize("call", [lambda g: g(X, 2.0, b=1.0), lambda g: g(X, w=2.0, b=1.0), lambda g: g(b=1.0, w=2.0, x=X)])
@pytest.mark.parametrize(
    ("argnums", "expected"), [("w", np.sum(X)), (("b", "w"), (1.0, np.sum(X))), (1, np.sum(X)), ((2, "x"), (1.0, 2.0))]
)
def test_argnums_by_name(call: Any, argnums: Any, expected: Any) -> None:
    found = call(grad(weighted, argnums))
    if not isinstance(expected, tuple):
        found, expected = (found,), (expected,)
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, np.broadcast_to(other, np.shape(one)))


@pytest.mark.parametrize("argnums", ["c", "b", ("x", 0)])
def test_argnums_that_name_nothing(argnums: Any) -> None:
    with pytest.raises(TypeError, match=r"without an argument '[bc]'|names an argument twice"):
        grad(weighted, argnums)(X, 2.0)


def test_methods_and_callable_objects() -> None:
    class Model:
        scale = 3.0

        def loss(self, x: Any) -> Any:
            return total(x * x) * self.scale

        def __call__(self, x: Any) -> Any:
            return self.loss(x)

        slope = grad(loss, 1)

    model = Model()
    for found in (grad(model.loss)(X), grad(model.__call__)(X), model.slope(X)):
        np.testing.assert_allclose(found, 6 * X)
    model.scale = 4.0
    np.testing.assert_allclose(grad(model.loss)(X), 8 * X)


# --- linearize, elementwise_grad, hvp --------------------------------------------------------------------------------


def test_linearize() -> None:
    value, derivative = linearize(lambda a, b: (sin(a) * b, total(b)), X, 2 * X)
    np.testing.assert_allclose(value[0], np.sin(X) * 2 * X)
    for scale in (1.0, -2.0):
        change = derivative(np.full(3, scale), X)
        np.testing.assert_allclose(change[0], scale * np.cos(X) * 2 * X + np.sin(X) * X)
        assert change[1] == pytest.approx(np.sum(X))


def test_linearize_inside_a_gradient() -> None:
    found = grad(lambda x: total(linearize(sin, x)[1](X)))(X)
    np.testing.assert_allclose(found, -np.sin(X) * X)


def test_residuals_are_computed_once(monkeypatch: Any) -> None:
    """A second pullback runs no sine: only what is linear in the cotangent."""
    made = []
    original = Linear._with_residuals

    def watched(self: Any) -> Any:
        made.append(self)
        return original(self)

    monkeypatch.setattr(Linear, "_with_residuals", watched)
    _, pullback = vjp(lambda x: sin(x * x), X)
    for scale in (1.0, 2.0):
        np.testing.assert_allclose(pullback(np.full(3, scale))[0], scale * np.cos(X * X) * 2 * X)
    (linear,) = made
    assert all(node.op not in (ew.sin, ew.cos) for node in toposort(linear.outputs))


def test_elementwise_grad() -> None:
    np.testing.assert_allclose(elementwise_grad(lambda x, k: sin(x) * k)(X, 2.0), 2 * np.cos(X))
    np.testing.assert_allclose(elementwise_grad(elementwise_grad(sin))(X), -np.sin(X))
    z = X + 1j
    np.testing.assert_allclose(elementwise_grad(sin)(z), np.cos(z))


def test_hvp() -> None:
    rng = np.random.default_rng(0)
    x, v = rng.normal(size=(2, 4))
    np.testing.assert_allclose(hvp(lambda x: total(x**3) + total(x) ** 2)(x, v), 6 * x * v + 2 * v.sum())
    found = hvp(lambda p, k: total(p["a"] * p["b"]) * k)({"a": x, "b": v}, 3.0, {"a": v, "b": x})
    np.testing.assert_allclose(found["a"], 3 * x)
    np.testing.assert_allclose(found["b"], 3 * v)
    np.testing.assert_allclose(jit(hvp(lambda x: total(sin(x))))(x, v), -np.sin(x) * v)


def test_newton_cg_takes_the_product() -> None:
    def loss(x: Any) -> Any:
        return total((x - 1.0) ** 4 + (x - 1.0) ** 2)

    found = minimize(lambda x: float(loss(x)), np.zeros(3), jac=grad(loss), hessp=hvp(loss), method="Newton-CG")
    np.testing.assert_allclose(found.x, 1, atol=1e-6)


# --- holomorphic functions -------------------------------------------------------------------------------------------


def test_holomorphic_gradient_is_the_derivative() -> None:
    z = 0.3 + 0.7j
    assert grad(sin, holomorphic=True)(z) == pytest.approx(np.cos(z))
    assert grad(grad(lambda z: z**3, holomorphic=True), holomorphic=True)(z) == pytest.approx(6 * z)
    with pytest.raises(TypeError, match="argument must be complex, got float64"):
        grad(lambda x: x * 1j, holomorphic=True)(1.0)
    with pytest.raises(TypeError, match="result must be complex, got float64"):
        grad(abs, holomorphic=True)(z)


# --- stop_gradient ---------------------------------------------------------------------------------------------------


def test_stop_gradient() -> None:
    np.testing.assert_allclose(grad(lambda x: total(x * stop_gradient(sin(x))))(X), np.sin(X))
    found = grad(lambda p: total(stop_gradient(p)["a"] * p["b"]))({"a": X, "b": 2 * X})
    np.testing.assert_array_equal(found["a"], 0 * X)
    np.testing.assert_allclose(found["b"], X)
    value, change = jvp(lambda x: stop_gradient(x) * x, (X,), (np.ones(3),))
    np.testing.assert_allclose((value, change), (X * X, X))
    np.testing.assert_allclose(jit(grad(lambda x: total(x * stop_gradient(x))))(X), X)
    assert grad(grad(lambda x: stop_gradient(x) * x * x))(3.0) == pytest.approx(6.0)


def test_stop_gradient_of_anything_else_is_itself() -> None:
    tree = {"a": X, "n": 3, "s": "text", "none": None}
    assert stop_gradient(tree) is tree
    assert grad(lambda x: x * stop_gradient(3) * len(stop_gradient("ab")))(2.0) == 6


# --- check_grads -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("dtype", "shape"), [("f", (3,)), ("d", ()), ("d", (0,)), ("F", (2, 3)), ("D", (3,))])
def test_check_grads_accepts_right_derivatives(dtype: str, shape: tuple[int, ...]) -> None:
    x = np.asarray(np.random.default_rng(0).normal(size=shape), dtype) + np.asarray(0.5, dtype)
    check_grads(lambda p, n: {"s": sin(p["x"]) * p["x"], "n": n}, ({"x": x, "k": 3}, 7), order=2)


@pytest.mark.parametrize("modes", [("fwd",), ("rev",), "fwd"])
def test_check_grads_finds_wrong_derivatives(modes: Any) -> None:
    with pytest.raises(AssertionError, match="derivative of f is .* expected"):
        check_grads(lambda x: x * stop_gradient(x), (X,), order=1, modes=modes)
    check_grads(lambda x: x * x + stop_gradient(3.0), modes=modes, order=1)(X)


def test_check_grads_finds_wrong_second_derivatives() -> None:
    def square(x: Any) -> Any:
        """x*x with the right first derivative and no second one."""
        return total(2 * x * stop_gradient(x) - stop_gradient(x * x))

    with pytest.raises(AssertionError, match=r"derivative of (jvp|vjp)\(f\) is"):
        check_grads(square, (X,), order=2)


def test_check_grads_refuses_what_it_cannot_check() -> None:
    with pytest.raises(TypeError, match="no argument is floating point"):
        check_grads(sin, (3,))
    with pytest.raises(ValueError, match="modes are 'fwd' and 'rev'"):
        check_grads(sin, (X,), modes=("reverse",))


# --- movement that the optimizer rewrites ----------------------------------------------------------------------------


def test_a_flip_comes_back_flipped() -> None:
    """The transpose of a flip writes backwards into an array of the same shape."""
    weights = np.arange(6.0).reshape(2, 3)
    for region in ((slice(None, None, -1), slice(None)), (slice(None), slice(None, None, -1)), (slice(None, None, -1),) * 2):
        found = grad(lambda x, region=region: total(x[region] * weights))(weights + 1)
        np.testing.assert_array_equal(found, weights[region])


def test_an_inner_gradient_reads_the_present_value() -> None:
    """An array of the outer function that was written between two inner gradients."""

    def f(x: Any) -> Any:
        y = x * 1.0
        before = grad(lambda z: total(z * y))(X)
        y[0] = 5.0
        return total(before * grad(lambda z: total(z * y))(X))

    np.testing.assert_allclose(grad(f)(X), [5, 2 * X[1], 2 * X[2]])
    np.testing.assert_allclose(jit(grad(f))(X), [5, 2 * X[1], 2 * X[2]])


# --- origins of NaN --------------------------------------------------------------------------------------------------


def line_of(error: BaseException) -> str:
    return "\n".join(error.__notes__)


@pytest.mark.parametrize("wrap", [lambda g: g, jit], ids=["plain", "jit"])
def test_nan_names_the_forward_line(wrap: Any) -> None:
    def forward(x: Any) -> Any:
        return total(log(x - 1.0) * 0.0)  # line 1: -inf * 0

    def backward(x: Any) -> Any:
        root = x**0.5  # line 1: finite at 0, its derivative is not
        return total(root * root * 0.0)

    zero, one = np.zeros(2), np.ones(2)
    with config(debug_nans=True):
        for f, at in ((forward, one), (backward, zero)):
            with pytest.raises(FloatingPointError, match="made a NaN") as caught:
                wrap(grad(f))(at)
            assert f"line {f.__code__.co_firstlineno + 1}" in line_of(caught.value)
        np.testing.assert_allclose(wrap(grad(lambda x: total(x * x)))(X), 2 * X)
        assert np.isnan(wrap(grad(lambda x: total(x * x)))(np.array([np.nan, 1.0]))[0])


@pytest.mark.parametrize("transform", [grad, value_and_grad, elementwise_grad, jacobian, hessian], ids=lambda f: f.__name__)
def test_argnum_is_argnums(transform: Any) -> None:
    f = lambda x, y: x**2 * y**3  # noqa: E731
    np.testing.assert_equal(transform(f, argnum=1)(2.0, 3.0), transform(f, 1)(2.0, 3.0))
    np.testing.assert_equal(transform(f, argnum=(0, 1))(2.0, 3.0), transform(f, (0, 1))(2.0, 3.0))


LEAVING = {
    "math": lambda x: math.sin(x[0]) * x[1],
    "float": lambda x: float(x[0]) * x[1],
    "item": lambda x: x[0].item() * x[1],
}


@pytest.mark.parametrize("name", LEAVING)
def test_a_number_read_from_a_value_is_a_constant_and_says_so(name: str) -> None:
    with pytest.warns(DerivativeWarning, match="counts as constant") as found:
        slope = grad(LEAVING[name])(np.array([1.0, 2.0]))
    assert slope[0] == 0 and slope[1] != 0 and found[0].filename == __file__
    grad(lambda x: LEAVING[name](stop_gradient(x)) * x[0])(np.array([1.0, 2.0]))  # no warning


def test_an_array_made_of_a_value_is_an_error() -> None:
    for make in (np.asarray, lambda x: np.array([x[0], x[1]])):
        with pytest.raises(TypeError, match="has no derivative"):
            grad(lambda x: np.sum(make(x) ** 2) + x[0])(np.array([1.0, 2.0]))  # noqa: B023


def test_whole_numbers_may_leave_the_derivative() -> None:
    assert grad(lambda x: x[int(x[0])] * float(np.argmax(x)))(np.array([1.0, 2.0])).tolist() == [0.0, 1.0]


def test_values_asked_for_in_a_loop_walk_only_what_is_new(monkeypatch: pytest.MonkeyPatch) -> None:
    visits = []

    def counted(nodes, visit, memo):
        return transform(nodes, lambda node, args: (visits.append(node), visit(node, args))[1], memo)

    def visited(turns: int) -> int:
        def settled(x):
            k = 0
            while abs(np.sum(x)) > 1e-9 and k < turns:
                x, k = np.sin(x) * 0.9, k + 1
            return np.sum(x)

        visits.clear()
        grad(settled)(np.ones(3))
        return len(visits)

    monkeypatch.setattr("lazynp.functional.run.transform", counted)
    assert 0 < visited(40) < 2.5 * visited(20)
