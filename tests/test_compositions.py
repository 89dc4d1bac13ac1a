"""Transformations in any order: every pair, with jit outside, between and inside, against derivatives worked out by hand."""

from collections.abc import Callable
from itertools import product
from typing import Any

import numpy as np
import pytest

import lazynp
from lazynp import (
    checkpoint,
    config,
    custom_jvp,
    elementwise_grad,
    fixed_point,
    grad,
    hvp,
    jacfwd,
    jacrev,
    jit,
    jvp,
    linearize,
    scan,
    stop_gradient,
    value_and_grad,
    vjp,
    vmap,
)
from lazynp.ir.node import toposort
from lazynp.scipy import special

Function = Callable[..., Any]
X = np.array([0.3, 0.8, 1.4])


@custom_jvp
def cubed(x: Any) -> Any:
    return x**3


cubed.defjvps(lambda t, ans, x: 3 * x**2 * t)


def quarter(x: Any) -> Any:
    """x / 4, as the fixed point of y = (x + y) / 5."""
    return fixed_point(lambda y: (x + y) / 5.0, x * 0.0)


def base(x: Any) -> Any:
    """x**3 * sin(x), elementwise for x of any shape."""
    return cubed(x) * lazynp.sin(x)


def exact(x: Any, order: int) -> Any:
    """Its derivatives, by Leibniz's rule."""
    cubes = [x**3, 3 * x**2, 6 * x, 6.0]
    waves = [np.sin(x), np.cos(x), -np.sin(x), -np.cos(x)]
    binomial = [[1], [1, 1], [1, 2, 1]]
    return sum(c * cubes[k] * waves[order - k] for k, c in enumerate(binomial[order]))


DERIVATIVES: dict[str, Function] = {
    "grad": lambda f: grad(lambda x: lazynp.sum(f(x))),
    "value_and_grad": lambda f: lambda x: value_and_grad(lambda x: lazynp.sum(f(x)))(x)[1],
    "elementwise_grad": elementwise_grad,
    "vjp": lambda f: lambda x: vjp(f, x)[1](lazynp.ones_like(x))[0],
    "jvp": lambda f: lambda x: jvp(f, (x,), (lazynp.ones_like(x),))[1],
    "linearize": lambda f: lambda x: linearize(f, x)[1](lazynp.ones_like(x)),
    "jacrev": lambda f: lambda x: lazynp.sum(jacrev(f)(x), axis=-1) if lazynp.ndim(x) else jacrev(f)(x),
    "jacfwd": lambda f: lambda x: lazynp.sum(jacfwd(f)(x), axis=-1) if lazynp.ndim(x) else jacfwd(f)(x),
    "checkpoint of grad": lambda f: checkpoint(grad(lambda x: lazynp.sum(f(x)))),
    "grad of checkpoint": lambda f: grad(lambda x: lazynp.sum(checkpoint(f)(x))),
    "vmap of grad": lambda f: lambda x: vmap(grad(f))(x) if lazynp.ndim(x) else grad(f)(x),
    "grad of vmap": lambda f: grad(lambda x: lazynp.sum(vmap(f)(x)) if lazynp.ndim(x) else f(x)),
}
JITS: dict[str, tuple[Function, Function]] = {
    "plain": (lambda f: f, lambda f: f),
    "jit outside": (jit, lambda f: f),
    "jit between": (lambda f: f, jit),
}


@pytest.mark.parametrize("outer", DERIVATIVES)
@pytest.mark.parametrize("inner", DERIVATIVES)
def test_every_pair(outer: str, inner: str) -> None:
    for name, (around, between) in JITS.items():
        f = around(DERIVATIVES[outer](between(DERIVATIVES[inner](base))))
        np.testing.assert_allclose(f(X), exact(X, 2), rtol=1e-9, err_msg=name)


@pytest.mark.parametrize("name", DERIVATIVES)
def test_with_a_jitted_function_inside(name: str) -> None:
    np.testing.assert_allclose(DERIVATIVES[name](jit(base))(X), exact(X, 1), rtol=1e-9)
    np.testing.assert_allclose(jit(DERIVATIVES[name](jit(base)))(X), exact(X, 1), rtol=1e-9)


@pytest.mark.parametrize("name", DERIVATIVES)
@pytest.mark.parametrize("wrap", [lambda f: f, jit], ids=["plain", "jit"])
def test_of_a_fixed_point(name: str, wrap: Function) -> None:
    np.testing.assert_allclose(wrap(DERIVATIVES[name](lambda x: quarter(x) ** 2))(X), X / 8, rtol=1e-9)


@pytest.mark.parametrize("name", DERIVATIVES)
def test_of_a_constant(name: str) -> None:
    np.testing.assert_allclose(DERIVATIVES[name](lambda x: stop_gradient(base(x)) * x)(X), exact(X, 0), rtol=1e-9)


@pytest.mark.parametrize("name", DERIVATIVES)
@pytest.mark.parametrize("wrap", [lambda f: f, jit], ids=["plain", "jit"])
def test_batched(name: str, wrap: Function) -> None:
    rows = np.stack([X, X + 1, X - 1])
    np.testing.assert_allclose(wrap(vmap(DERIVATIVES[name](base)))(rows), exact(rows, 1), rtol=1e-9)
    np.testing.assert_allclose(wrap(vmap(vmap(DERIVATIVES[name](base))))(rows), exact(rows, 1), rtol=1e-9)


def test_products_with_the_hessian() -> None:
    for wrap in (lambda f: f, jit):
        np.testing.assert_allclose(wrap(hvp(lambda x: lazynp.sum(base(x))))(X, X), exact(X, 2) * X, rtol=1e-9)


# --- in a loop -------------------------------------------------------------------------------------------------------

IN_LOOPS: dict[str, Function] = {
    "jit": jit(base),
    "grad": elementwise_grad(base),
    "checkpoint": checkpoint(base),
    "vmap": vmap(base),
    "custom_jvp": cubed,
    "stop_gradient": lambda x: stop_gradient(x) * base(x),
    "hvp": lambda x: hvp(lambda y: lazynp.sum(base(y)))(x, x),
    "fixed_point": quarter,
    "made in the loop": lambda x: elementwise_grad(lambda y: base(y) * y)(x),
}


@pytest.mark.parametrize("name", IN_LOOPS)
@pytest.mark.parametrize("order", [0, 1, 2])
def test_transformed_functions_in_a_python_loop(name: str, order: int) -> None:
    """The loop stays a loop: thirty turns need no more nodes than twenty."""
    step = IN_LOOPS[name]

    def turns(count: int) -> Function:
        def total(x: Any) -> Any:
            for _ in range(count):
                x = 0.5 * x + 0.05 * step(x)
            return lazynp.sum(x)

        return [total, grad(total), hvp(total)][order]

    given = (X, X) if order == 2 else (X,)
    np.testing.assert_allclose(jit(turns(20))(*given), turns(20)(*given), rtol=1e-9, atol=1e-12)
    sizes = [len(toposort(jit(turns(n)).lower(*given).traced.values)) for n in (20, 30)]
    assert sizes[0] == sizes[1]


# --- arguments -------------------------------------------------------------------------------------------------------


class Model:
    """w is an attribute; loss a method."""

    def __init__(self, w: float) -> None:
        self.w = w

    def loss(self, x: Any, *, shift: Any = 0.0) -> Any:
        return lazynp.sum((x * self.w + shift) ** 2)


TREE = {"a": X, "b": (X * 2, [1.5])}
WAYS: dict[str, tuple[Function, tuple[Any, ...], dict[str, Any], Any, Any]] = {
    "an int": (lambda x, y: lazynp.sum(x * y), (X, X + 1), {}, 1, X),
    "a negative int": (lambda x, y: lazynp.sum(x * y), (X, X + 1), {}, -1, X),
    "a tuple": (lambda x, y: lazynp.sum(x * y), (X, X + 1), {}, (1, 0), (X, X + 1)),
    "a name": (lambda x, y: lazynp.sum(x * y), (X, X + 1), {}, "y", X),
    "names and ints": (lambda x, y: lazynp.sum(x * y), (X,), {"y": X + 1}, ("y", 0), (X, X + 1)),
    "a keyword argument": (Model(3.0).loss, (X,), {"shift": 1.0}, "shift", np.sum(2 * (3 * X + 1))),
    "a method": (Model(3.0).loss, (X,), {}, 0, 18 * X),
    "a tree": (lambda t: lazynp.sum(t["a"] * t["b"][0]) * t["b"][1][0], (TREE,), {}, 0, {"a": 3 * X, "b": (1.5 * X, [np.sum(2 * X * X)])}),
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("wrap", [lambda f: f, jit], ids=["plain", "jit"])
def test_arguments(way: str, wrap: Function) -> None:
    f, args, kwargs, argnums, expected = WAYS[way]
    found = wrap(grad(f, argnums))(*args, **kwargs)
    found_leaves, found_tree = _flat(found)
    leaves, tree = _flat(expected)
    assert found_tree == tree
    for a, b in zip(found_leaves, leaves, strict=True):
        np.testing.assert_allclose(a, b)


def _flat(tree: Any) -> tuple[list[Any], Any]:
    if isinstance(tree, dict):
        parts = [(k, _flat(tree[k])) for k in sorted(tree)]
        return [x for _, (xs, _) in parts for x in xs], {k: s for k, (_, s) in parts}
    if isinstance(tree, (tuple, list)):
        flat = [_flat(part) for part in tree]
        return [x for xs, _ in flat for x in xs], type(tree)([s for _, s in flat])
    return [tree], None


@pytest.mark.parametrize(
    ("transform", "argument"),
    list(product([grad, value_and_grad, jacrev, jacfwd, lambda f: lambda x: vjp(f, x)], [np.arange(3), 2, True])),
)
def test_integers_say_what_to_cast(transform: Function, argument: Any) -> None:
    with pytest.raises(TypeError, match=r"x\.astype\(float\)|float\(x\)"):
        transform(lambda x: lazynp.sum(x * 2.0))(argument)


def test_an_undifferentiable_function_is_named_with_its_line() -> None:
    def loss(x: Any) -> Any:
        return lazynp.sum(special.jv(x * 1.0, 2.0))

    for wrap in (lambda f: f, jit):
        with pytest.raises(TypeError, match=r"jv has no derivative by its argument 0") as caught:
            wrap(grad(loss))(X)
        assert "in loss" in "".join([str(caught.value), *getattr(caught.value, "__notes__", [])])


# --- NaN of a derivative ---------------------------------------------------------------------------------------------


def root_of_nothing(x: Any) -> Any:
    """0 with a derivative of 0 * inf."""
    return lazynp.sum(lazynp.sqrt(x * 0.0)) + lazynp.sum(x)  # sqrt


def in_a_loop(x: Any) -> Any:
    return scan.fori_loop(0, 20, lambda i, total: total + lazynp.sum(lazynp.sqrt(x * 0.0)), 0.0)  # sqrt


NANS: dict[str, Function] = {
    "grad": lambda: grad(root_of_nothing)(X),
    "jit": lambda: jit(grad(root_of_nothing))(X),
    "forward": lambda: jacfwd(root_of_nothing)(X),
    "pullback": lambda: vjp(root_of_nothing, X)[1](1.0),
    "checkpoint": lambda: grad(checkpoint(root_of_nothing))(X),
    "batch": lambda: vmap(grad(root_of_nothing))(np.stack([X, X])),
    "batch, jit": lambda: jit(vmap(grad(root_of_nothing)))(np.stack([X, X])),
    "second order": lambda: hvp(root_of_nothing)(X, X),
    "loop": lambda: grad(in_a_loop)(X),
    "loop, jit": lambda: jit(grad(in_a_loop))(X),
}


@pytest.mark.parametrize("name", NANS)
def test_a_nan_of_the_reverse_pass_names_the_forward_line(name: str) -> None:
    for _ in range(2):  # the second call finds its program
        with config(debug_nans=True), np.errstate(all="ignore"), pytest.raises(FloatingPointError) as caught:
            NANS[name]()
        said = "".join([str(caught.value), *getattr(caught.value, "__notes__", [])])
        code = (in_a_loop if "loop" in name else root_of_nothing).__code__
        assert f"line {code.co_firstlineno + (1 if 'loop' in name else 2)}" in said
