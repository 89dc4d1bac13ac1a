"""Implicit derivatives: forward, reverse, second order, batched, under jit, against closed forms and against the unrolled iteration."""

from collections.abc import Callable
from typing import Any

import numpy
import pytest

import lazynp as np
from lazynp import custom_linear_solve, custom_root, fixed_point, grad, hessian, jacfwd, jacobian, jacrev, jit, jvp, scan, vmap
from lazynp.testing import check_grads

Function = Callable[..., Any]
A = numpy.array([[4.0, 1.0, 0.5], [0.2, 3.0, 0.3], [0.1, 0.4, 5.0]])
B = numpy.array([1.0, -2.0, 0.5])


def newton(f: Function, x: Any) -> Any:
    """Until it stands still: values are looked at."""
    for _ in range(60):
        step = f(x) / jvp(f, (x,), (np.ones_like(x),))[1]
        x = x - step
        if abs(step) < 1e-14:
            break
    return x


def newton_loop(f: Function, x: Any) -> Any:
    """The same as a loop that jit compiles; its number of turns comes from data, so it has no reverse derivative of its own."""

    def turn(state: Any) -> Any:
        x, _ = state
        step = f(x) / jvp(f, (x,), (np.ones_like(x),))[1]
        return x - step, abs(step) > 1e-14

    return scan.while_loop(lambda state: state[1], turn, (x, np.bool_(True)))[0]


def by_division(g: Function, y: Any) -> Any:
    return y / g(1.0)


def cube_root(a: Any, solve: Function = newton) -> Any:
    return custom_root(lambda x: x**3 - a, 1.0 + a * 0, solve, by_division)


PLAIN = {"plain": lambda f: f, "jit": jit}


# --- roots -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("wrap", PLAIN.values(), ids=PLAIN)
@pytest.mark.parametrize("order", range(4))
def test_derivatives_of_a_root_to_third_order(wrap: Function, order: int) -> None:
    f = lambda a: cube_root(a, newton_loop)  # noqa: E731
    expected = lambda a: a ** (1 / 3)  # noqa: E731
    for _ in range(order):
        f, expected = grad(f), grad(expected)
    numpy.testing.assert_allclose(wrap(f)(2.0), expected(2.0), rtol=1e-9)


def test_every_mode() -> None:
    check_grads(cube_root, (2.0,))
    numpy.testing.assert_allclose(jvp(cube_root, (2.0,), (1.0,))[1], 2 ** (-2 / 3) / 3)
    numpy.testing.assert_allclose(hessian(cube_root)(2.0), -2 / 9 * 2 ** (-5 / 3))


def test_batched_roots() -> None:
    values = numpy.array([1.0, 2.0, 5.0])
    f = lambda a: cube_root(a, newton_loop)  # noqa: E731
    numpy.testing.assert_allclose(vmap(f)(values), values ** (1 / 3))
    numpy.testing.assert_allclose(vmap(grad(f))(values), values ** (-2 / 3) / 3)
    numpy.testing.assert_allclose(grad(lambda a: np.sum(vmap(f)(a)))(values), values ** (-2 / 3) / 3)
    numpy.testing.assert_allclose(jit(vmap(grad(grad(f))))(values), -2 / 9 * values ** (-5 / 3))


def test_a_system_of_equations_in_a_tree() -> None:
    """x**2 + y = p, x - q*y = 0; Newton's steps with the Jacobian."""

    def equations(v: Any, p: Any, q: Any) -> Any:
        return {"x": v["x"] ** 2 + v["y"] - p, "y": v["x"] - q * v["y"]}

    def steps(f: Function, v: Any) -> Any:
        for _ in range(6):
            v = {k: v[k] - d for k, d in tangent_solve(lambda u, v=v: jvp(f, (v,), (u,))[1], f(v)).items()}
        return v

    def tangent_solve(g: Function, y: Any) -> Any:
        a, b = g({"x": 1.0, "y": 0.0}), g({"x": 0.0, "y": 1.0})
        matrix = np.array([[a["x"], b["x"]], [a["y"], b["y"]]])
        found = np.linalg.solve(matrix, np.array([y["x"], y["y"]]))
        return {"x": found[0], "y": found[1]}

    def root(p: Any, q: Any) -> Any:
        return custom_root(lambda v: equations(v, p, q), {"x": 1.0, "y": 1.0}, steps, tangent_solve)

    exact = lambda p, q: (-1 / q + np.sqrt(1 / q**2 + 4 * p)) / 2  # noqa: E731
    numpy.testing.assert_allclose(root(2.0, 3.0)["x"], exact(2.0, 3.0))
    check_grads(lambda p, q: (root(p, q)["x"], root(p, q)["y"]), (2.0, 3.0))
    for k in range(2):
        numpy.testing.assert_allclose(grad(lambda p, q: root(p, q)["x"], k)(2.0, 3.0), grad(exact, k)(2.0, 3.0))
    numpy.testing.assert_allclose(jit(hessian(lambda p: root(p, 3.0)["x"]))(2.0), hessian(lambda p: exact(p, 3.0))(2.0))


def test_a_root_with_aux() -> None:
    def counted(f: Function, x: Any) -> Any:
        return newton(f, x), {"turns": 60}

    def f(a: Any) -> Any:
        x, aux = custom_root(lambda x: x * x - a, a, counted, by_division, has_aux=True)
        return x, aux

    slope, aux = grad(f, has_aux=True)(4.0)
    numpy.testing.assert_allclose(slope, 0.25)
    assert aux == {"turns": 60}


def test_the_solver_is_not_differentiated() -> None:
    """Only the rounded result of the solver enters: its own dependence on a is wrong by a factor."""

    def rough(f: Function, x: Any) -> Any:
        return np.round(np.sqrt(a_outside[0]) * 8) / 8

    def root(a: Any) -> Any:
        a_outside[0] = a
        return custom_root(lambda x: x * x - a, 1.0, rough, by_division)

    a_outside = [0.0]
    numpy.testing.assert_allclose(grad(root)(4.0), 0.25)


# --- linear systems --------------------------------------------------------------------------------------------------


def conjugate_gradients(matvec: Function, b: Any) -> Any:
    def turn(_: Any, state: Any) -> Any:
        x, r, p = state
        ap = matvec(p)
        rr = np.sum(r * r) + 1e-300
        alpha = rr / (np.sum(p * ap) + 1e-300)
        fresh = r - alpha * ap
        return x + alpha * p, fresh, fresh + (np.sum(fresh * fresh) / rr) * p

    return scan.fori_loop(0, 12, turn, (b * 0, b, b))[0]


def dense(matvec: Function, b: Any) -> Any:
    return np.linalg.solve(jacobian(matvec)(b), b)


def solved(a: Any, b: Any) -> Any:
    return custom_linear_solve(lambda v: a @ v, b, dense)


def solved_with_both(a: Any, b: Any) -> Any:
    return custom_linear_solve(lambda v: a @ v, b, dense, transpose_solve=lambda vecmat, y: np.linalg.solve(a.T, y))


def solved_symmetric(a: Any, b: Any) -> Any:
    s = a @ a.T
    return custom_linear_solve(lambda v: s @ v, b, conjugate_gradients, symmetric=True)


EXACT = {
    solved: lambda a, b: np.linalg.solve(a, b),
    solved_with_both: lambda a, b: np.linalg.solve(a, b),
    solved_symmetric: lambda a, b: np.linalg.solve(a @ a.T, b),
}


@pytest.mark.parametrize("f", EXACT, ids=lambda f: f.__name__)
@pytest.mark.parametrize("argnum", [0, 1])
def test_linear_systems(f: Function, argnum: int) -> None:
    exact = EXACT[f]
    numpy.testing.assert_allclose(f(A, B), exact(A, B), rtol=1e-9)
    for jac in (jacrev, jacfwd, lambda g, k: jit(jacrev(g, k)), lambda g, k: jit(jacfwd(g, k))):
        numpy.testing.assert_allclose(jac(f, argnum)(A, B), jacrev(exact, argnum)(A, B), rtol=1e-6, atol=1e-9)
    loss = lambda g: lambda a, b: np.sum(np.sin(g(a, b)))  # noqa: E731
    numpy.testing.assert_allclose(hessian(loss(f), argnum)(A, B), hessian(loss(exact), argnum)(A, B), rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("wrap", PLAIN.values(), ids=PLAIN)
def test_batched_systems(wrap: Function) -> None:
    rights = numpy.stack([B, 2 * B, B + 1])
    loss = lambda f: lambda b: np.sum(f(A, b) ** 2)  # noqa: E731
    numpy.testing.assert_allclose(wrap(vmap(lambda b: solved(A, b)))(rights), numpy.linalg.solve(A, rights.T).T)
    expected = vmap(grad(loss(np.linalg.solve)))(rights)
    numpy.testing.assert_allclose(wrap(vmap(grad(loss(solved))))(rights), expected)
    numpy.testing.assert_allclose(wrap(grad(lambda b: np.sum(vmap(loss(solved))(b))))(rights), expected)


# --- fixed points ----------------------------------------------------------------------------------------------------


def kepler(mean: Any, e: Any) -> Any:
    """The eccentric anomaly: E = M + e sin(E)."""
    return fixed_point(lambda x, e: mean + e * np.sin(x), mean * 1.0, e)


def unrolled(mean: Any, e: Any) -> Any:
    x = mean * 1.0
    for _ in range(32):
        x = mean + e * np.sin(x)
    return x


M = numpy.array([0.3, 1.0, 2.5])


@pytest.mark.parametrize("wrap", PLAIN.values(), ids=PLAIN)
def test_fixed_points(wrap: Function) -> None:
    numpy.testing.assert_allclose(wrap(kepler)(M, 0.3), unrolled(M, 0.3), rtol=1e-14)
    for k in range(2):
        slope = grad(lambda m, e: np.sum(unrolled(m, e)), k)(M, 0.3)
        numpy.testing.assert_allclose(wrap(grad(lambda m, e: np.sum(kepler(m, e)), k))(M, 0.3), slope, rtol=1e-9)
    numpy.testing.assert_allclose(wrap(hessian(lambda e: np.sum(kepler(M, e))))(0.3), hessian(lambda e: np.sum(unrolled(M, e)))(0.3))
    numpy.testing.assert_allclose(wrap(vmap(grad(kepler), (0, None)))(M, 0.3), grad(lambda m: np.sum(unrolled(m, 0.3)))(M), rtol=1e-9)


def test_fixed_points_are_checked_to_second_order() -> None:
    check_grads(lambda m, e: kepler(m, e), (M, 0.3))


def test_fixed_points_with_a_solver_tolerance_and_single_precision() -> None:
    exact = lambda g, y: y / g(1.0)  # noqa: E731
    root = lambda e: fixed_point(lambda x: 1.0 + e * np.sin(x), 1.0, solve=exact, tol=1e-12)  # noqa: E731
    numpy.testing.assert_allclose(grad(root)(0.4), grad(lambda e: unrolled(1.0, e))(0.4), rtol=1e-9)
    found = grad(lambda e: fixed_point(lambda x: numpy.float32(1) + e * np.sin(x), numpy.float32(1)))(numpy.float32(0.4))
    assert found.dtype == numpy.float32
    numpy.testing.assert_allclose(found, grad(root)(0.4), rtol=1e-5)


def test_a_limit_of_turns() -> None:
    assert fixed_point(lambda x: x + 1.0, 0.0, max_iter=7) == 7.0


def test_a_fixed_point_inside_a_scan() -> None:
    def loss(find: Function) -> Function:
        return lambda e: scan.scan(lambda c, m: (c + find(m + 0.1 * c, e), ()), 0.0, numpy.linspace(0.1, 1.0, 12))[0]

    numpy.testing.assert_allclose(grad(loss(kepler))(0.3), grad(loss(unrolled))(0.3), rtol=1e-9)
    numpy.testing.assert_allclose(jit(grad(loss(kepler)))(0.3), grad(loss(unrolled))(0.3), rtol=1e-9)


# --- mistakes --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("attempt", "message"),
    [
        (lambda a: custom_root(lambda x: np.stack([x, x]) - a, 1.0, newton_free, by_division), "custom_root: the function must return"),
        (lambda a: custom_root(lambda x: x - a, a, newton_free, lambda g, y: (y, y)), "custom_root: the solver must return"),
    ],
    ids=["residual", "solver"],
)
def test_mistakes(attempt: Function, message: str) -> None:
    with pytest.raises(TypeError, match=message):
        grad(attempt)(0.5)


def newton_free(f: Function, x: Any) -> Any:
    return x * 1.0
