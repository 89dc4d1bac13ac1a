"""`checkpoint`: the same values and derivatives, fewer values kept between the passes."""

import re
from collections.abc import Callable
from typing import Any

import numpy
import pytest

import lazynp as np
from lazynp import checkpoint, config, grad, hessian, jacfwd, jit, jvp, scan, stats, value_and_grad, vjp, vmap
from lazynp.runtime import evaluate
from lazynp.testing import check_grads

X = numpy.linspace(0.1, 1.5, 6)
EXAMPLES = numpy.stack([X, X + 0.5])

Function = Callable[..., Any]


def wave(x: Any) -> Any:
    return np.sin(np.exp(-x) * x) + 0.1 * np.cumsum(x)


def chain(step: Function, count: int = 3) -> Function:
    def loss(x: Any) -> Any:
        for _ in range(count):
            x = step(x)
        return np.sum(x * x)

    return loss


def in_scan(loss: Function) -> Function:
    return lambda x: scan.scan(lambda carry, row: (carry + loss(row * carry), ()), 1.0, np.stack([x, x + 1]))[0]


TRANSFORMS: dict[str, tuple[Function, Any]] = {
    "grad": (grad, X),
    "jit of grad": (lambda f: jit(grad(f)), X),
    "grad of jit": (lambda f: grad(jit(f)), X),
    "value": (lambda f: lambda x: value_and_grad(f)(x)[0], X),
    "forward": (jacfwd, X),
    "reverse over reverse": (lambda f: grad(lambda x: np.sum(np.sin(grad(f)(x)))), X),
    "forward over reverse": (hessian, X),
    "forward over reverse, jit": (lambda f: jit(hessian(f)), X),
    "reverse over forward": (lambda f: grad(lambda x: jvp(f, (x,), (np.cos(x),))[1]), X),
    "pullback": (lambda f: lambda x: vjp(f, x)[1](2.0)[0], X),
    "batch of gradients": (lambda f: vmap(grad(f)), EXAMPLES),
    "batch of gradients, jit": (lambda f: jit(vmap(grad(f))), EXAMPLES),
    "gradient of a batch": (lambda f: grad(lambda x: np.sum(vmap(f)(x))), EXAMPLES),
    "scan": (lambda f: grad(in_scan(f)), X * 0.1),
    "scan, jit": (lambda f: jit(grad(in_scan(f))), X * 0.1),
}


@pytest.mark.parametrize("name", TRANSFORMS)
def test_derivatives_are_those_of_the_function(name: str) -> None:
    transform, x = TRANSFORMS[name]
    numpy.testing.assert_allclose(transform(chain(checkpoint(wave)))(x), transform(chain(wave))(x), rtol=1e-9)


def test_regions_nest_and_are_checked_to_second_order() -> None:
    check_grads(checkpoint(lambda x: checkpoint(wave)(checkpoint(wave)(x * 0.3)) + x), (X,))


def test_outside_of_derivatives_it_is_the_function() -> None:
    numpy.testing.assert_array_equal(checkpoint(wave)(X), wave(X))
    numpy.testing.assert_array_equal(jit(checkpoint(wave))(X), jit(wave)(X))


def test_trees_keywords_closures_and_values() -> None:
    """What is read from anywhere is an argument; Python may ask for values and take a branch."""
    with_grad = {}
    for wrap in (lambda f: f, checkpoint):

        def loss(p: dict[str, Any], scale: float, wrap: Function = wrap) -> Any:
            outer = np.tanh(p["w"])

            def inside(q: dict[str, Any], *, shift: float) -> dict[str, Any]:
                h = q["w"] * outer + shift
                return {"even": h, "odd": np.sin(h)} if h[0] > 0 else {"even": -h, "odd": h}

            out = wrap(inside)(p, shift=scale)
            return np.sum(out["even"] * out["odd"])

        with_grad[wrap] = grad(loss)({"w": X}, 2.0)["w"]
    numpy.testing.assert_allclose(*with_grad.values(), rtol=1e-12)


def test_writes_reach_the_caller_and_results_share_memory() -> None:
    def loss(wrap: Function) -> Function:
        def inside(buffer: Any, x: Any) -> Any:
            buffer[1:3] = np.sin(x[1:3])
            buffer *= x
            return buffer[::2]

        def f(x: Any) -> Any:
            buffer = np.ones(6) * x[0]
            even = wrap(inside)(buffer, x)
            buffer += 1.0
            return np.sum(even * even) + np.sum(buffer)

        return f

    expected = grad(loss(lambda f: f))(X)
    numpy.testing.assert_allclose(grad(loss(checkpoint))(X), expected, rtol=1e-12)
    numpy.testing.assert_allclose(jit(grad(loss(checkpoint)))(X), expected, rtol=1e-12)


def test_random_numbers_are_drawn_once() -> None:
    def loss(wrap: Function, seed: int) -> Function:
        rng = np.random.default_rng(seed)
        return lambda x: np.sum(wrap(lambda x: np.sin(x * rng.normal(size=6)))(x))

    numpy.testing.assert_allclose(grad(loss(checkpoint, 3))(X), grad(loss(lambda f: f, 3))(X), rtol=1e-12)
    numpy.testing.assert_allclose(jit(grad(loss(checkpoint, 3)))(X), grad(loss(lambda f: f, 3))(X), rtol=1e-12)


# --- memory ----------------------------------------------------------------------------------------------------------


def _temporaries(f: Function, *args: Any) -> int:
    """Bytes of the arena of a gradient's program."""
    evaluate.clear_memory_cache()  # a program for all numbers of segments has no number of bytes
    text = jit(grad(f)).lower(*args).ready.program.blueprint.python
    found = re.search(r"take_arena\((.*)\)", text)
    return eval(found.group(1)) if found else 0


def _deep(wrap: Function, segments: int) -> Function:
    def layers(x: Any, w: Any) -> Any:
        for _ in range(6):
            x = np.sin(np.tanh(x @ w) @ w.T) + x
        return x

    segment = wrap(layers)

    def loss(w: Any, x: Any) -> Any:
        for k in range(segments):
            x = segment(x, w[k])
        return np.sum(x * x)

    return loss


@pytest.mark.parametrize("unroll", [4, 100], ids=["captured", "written out"])
def test_memory_grows_by_the_arguments_only(unroll: int) -> None:
    """Twelve more segments of six layers: without, all that their layers leave behind; with, twelve more arguments (and gradients)."""
    x, w = numpy.ones((512, 32)), numpy.ones((20, 32, 32)) * 0.01
    with config(unroll=unroll):
        growth = {wrap: _temporaries(_deep(wrap, 20), w, x) - _temporaries(_deep(wrap, 8), w, x) for wrap in (lambda f: f, checkpoint)}
    kept, again = growth.values()
    assert kept > 12 * 6 * 2 * x.nbytes
    assert again < 12 * 2 * x.nbytes


def test_the_second_computation_is_not_merged_with_the_first() -> None:
    """Two library steps more than without: the region is run again (and the optimizer has seen both copies in one graph)."""

    def loss(wrap: Function) -> Function:
        return lambda x: np.sum(wrap(lambda x: np.fft.fft(np.sin(x)).real ** 2)(wrap(lambda x: np.fft.fft(np.cos(x)).real ** 3)(x)))

    steps = [jit(value_and_grad(loss(wrap))).lower(X).ready.program.library_steps for wrap in (lambda f: f, checkpoint)]
    assert steps[1] >= steps[0] + 2


def test_through_the_interpreter() -> None:
    with config(backend="reference"):
        numpy.testing.assert_allclose(grad(chain(checkpoint(wave)))(X), grad(chain(wave))(X), rtol=1e-12)


def test_a_gradient_is_one_program() -> None:
    f = jit(grad(chain(checkpoint(wave))))
    f(X)
    before = stats()["program_runs"]
    f(X)
    assert stats()["program_runs"] == before + 1


def test_an_exception_leaves_no_trace() -> None:
    def wrong(x: Any) -> Any:
        raise ValueError("inside")

    with pytest.raises(ValueError, match="inside"):
        grad(checkpoint(wrong))(1.0)
    assert grad(lambda x: x * x)(3.0) == 6.0


def test_mistakes() -> None:
    with pytest.raises(TypeError, match="expects a function"):
        checkpoint(3)
