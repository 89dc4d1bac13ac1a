"""Programs in the manner of public benchmarks: lazy mode gives NumPy's results, and so does jit, which compiles each of them."""

import copy
from pathlib import Path

import numpy as np
import public_programs
import pytest

import lazynp
from lazynp.debug.run_source import compile_source

_LAZY: dict = {"__name__": "public_programs_on_lazynp"}
exec(compile_source(Path(public_programs.__file__).read_bytes(), public_programs.__file__, True), _LAZY)


def called(function, arguments):
    """The result of a call and the arguments after it, as NumPy arrays."""
    arguments = copy.deepcopy(arguments)
    result = function(*arguments)
    return [np.asarray(x) for x in (*(result if isinstance(result, tuple) else (result,)), *arguments)]


def assert_same(ours, theirs):
    assert [(a.dtype, a.shape) for a in ours] == [(b.dtype, b.shape) for b in theirs]
    for a, b in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("name", public_programs.PROGRAMS)
def test_in_lazy_mode(name, threshold):
    function, arguments = public_programs.PROGRAMS[name]
    assert_same(called(_LAZY[name], arguments), called(function, arguments))


@pytest.mark.parametrize("name", public_programs.PROGRAMS)
def test_compiled(name):
    function, arguments = public_programs.PROGRAMS[name]
    with lazynp.config(unroll_nodes=100):  # loops are compiled as loops
        compiled = lazynp.jit(function, strict=True)
        for _ in range(2):
            assert_same(called(compiled, arguments), called(function, arguments))


@pytest.mark.parametrize("name", public_programs.DERIVED)
def test_derivatives(name):
    """Under jit, compiled, and outside; along one direction, against central differences of NumPy's results."""
    function, argument = public_programs.DERIVED[name]
    generator = np.random.default_rng(7)
    direction, step = generator.normal(size=argument.shape), 1e-6
    above, below = (np.asarray(function(argument + s * direction)) for s in (step, -step))
    weights = generator.normal(size=above.shape)
    expected = np.sum(weights * (above - below)) / (2 * step)

    def loss(x):
        return np.sum(weights * function(x))

    with lazynp.config(unroll_nodes=200):
        compiled = lazynp.jit(lazynp.grad(loss), strict=True)(argument)
    np.testing.assert_allclose(np.sum(compiled * direction), expected, rtol=1e-6)
    outside = lazynp.grad(lambda x: lazynp.sum(weights * _LAZY[name](x)))(argument)
    np.testing.assert_allclose(outside, compiled, rtol=1e-9, atol=1e-12)
