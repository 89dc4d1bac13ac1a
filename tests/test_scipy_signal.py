"""lazynp.scipy.signal: SciPy's convolve and correlate, and autograd's convolve over chosen axes."""

from typing import Any

import numpy
import pytest

scipy_signal = pytest.importorskip("scipy.signal", reason="SciPy, whose functions these are, is not installed")

import lazynp as np
from lazynp.scipy import signal
from lazynp.testing import check_grads

RNG = numpy.random.default_rng(8)
SHAPES = [((7,), (3,)), ((3,), (7,)), ((4,), (4,)), ((5, 6), (2, 3)), ((2, 3), (5, 6)), ((4, 1, 3), (2, 1, 2)), ((), ())]
MODES = ["full", "same", "valid"]


def arrays(*shapes: tuple[int, ...], dtype: Any = float) -> list[numpy.ndarray]:
    drawn = [numpy.asarray(RNG.standard_normal(shape)) for shape in shapes]
    if dtype is complex:
        drawn = [a + 1j * RNG.standard_normal(a.shape) for a in drawn]
    return [numpy.asarray(a, dtype) for a in drawn]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", ["convolve", "correlate"])
@pytest.mark.parametrize("shapes", SHAPES, ids=str)
def test_values_and_derivatives_are_scipys(shapes: Any, name: str, mode: str) -> None:
    for dtype in (float, complex, numpy.float32) if shapes == SHAPES[3] else (float,):
        a, b = arrays(*shapes, dtype=dtype)

        def f(a: Any, b: Any) -> Any:
            return getattr(signal, name)(a, b, mode=mode)

        expected = getattr(scipy_signal, name)(a, b, mode=mode)
        for found in (f(a, b), np.jit(f)(a, b)):
            assert found.dtype == expected.dtype
            numpy.testing.assert_allclose(found, expected, rtol=1e-4 if dtype is numpy.float32 else 1e-11, atol=1e-5)
        if dtype is not numpy.float32:
            check_grads(f, (a, b))


def test_what_does_not_fit_raises_scipys_error() -> None:
    a, b = arrays((5, 2), (2, 3))

    def derived(a: Any, b: Any, mode: str = "full") -> Any:
        return np.grad(lambda a: np.sum(signal.convolve(a, b, mode)))(a)

    for f in (scipy_signal.convolve, np.jit(signal.convolve, static_argnums=2), derived):
        with pytest.raises(ValueError, match="at least as large"):
            f(a, b, "valid")
        with pytest.raises(ValueError, match="same dimensionality"):
            f(a, b[0])
        with pytest.raises(ValueError, match="mode flags"):
            f(a, b, "all")


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("swapped", [False, True])
def test_chosen_axes_are_autograds(mode: str, swapped: bool) -> None:
    autograds = pytest.importorskip("autograd.scipy.signal", reason="autograd is not installed")
    images, filters = arrays((2, 3, 7, 6), (3, 4, 2, 3))
    args, dotted = ((images, filters), ([1], [0])) if not swapped else ((filters, images), ([0], [1]))
    options = {"axes": ([2, 3], [2, 3]), "dot_axes": dotted, "mode": mode}
    expected = autograds.convolve(*args, **options) if not (swapped and mode == "same") else None
    found = signal.convolve(*args, **options)
    assert type(found) is numpy.ndarray
    if expected is not None:
        numpy.testing.assert_allclose(found, expected, rtol=1e-11)
    numpy.testing.assert_allclose(np.jit(lambda a, b: signal.convolve(a, b, **options))(*args), found, rtol=1e-11)
    numpy.testing.assert_array_equal(signal.convolve(*args, options["axes"], dotted, mode), found)
    check_grads(lambda a, b: signal.convolve(a, b, **options), args, order=1)


def test_everything_else_is_scipys() -> None:
    x = arrays((30,))[0]
    numpy.testing.assert_array_equal(signal.detrend(x), scipy_signal.detrend(x))
    with pytest.raises(TypeError, match=r"scipy.signal.detrend has no derivative"):
        np.grad(lambda x: np.sum(signal.detrend(x)))(x)
