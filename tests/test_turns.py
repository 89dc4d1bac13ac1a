"""Products of windows as loops: as many windows at a time as one index of the result's first axis has."""

import numpy as np
import pytest
from numpy.lib.stride_tricks import sliding_window_view

import lazynp
from lazynp import show


def pictures(np, windows, x, w):
    return np.einsum("nhwcij,ijco->nhwo", windows(x, (5, 5), axis=(1, 2)), w)


def weights_first(np, windows, x, w):
    return np.einsum("ijco,nhwcij->nhwo", w, windows(x, (5, 5), axis=(1, 2)))


def of_expressions(np, windows, x, w):
    y = np.tanh(x) + 1
    return np.maximum(np.einsum("nhwcij,ijco->nhwo", windows(y[:, ::2], (5, 5), axis=(1, 2)), w * 2) + y[:, :1, :1, :1], 0)


def columns_first(np, windows, x, w):
    return np.einsum("nhwcij,ijco->onhw", windows(x, (5, 5), axis=(1, 2)), w)


@pytest.mark.parametrize("function", [pictures, weights_first, of_expressions, columns_first])
@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.complex128])
def test_windows(function, dtype):
    rng = np.random.default_rng(0)
    x, w = rng.random((4, 60, 50, 3)).astype(dtype), rng.random((5, 5, 3, 8)).astype(dtype)
    compiled = lazynp.jit(lambda x, w: function(lazynp, lazynp.lib.stride_tricks.sliding_window_view, x, w), strict=True)
    expected = function(np, sliding_window_view, x, w)
    result = compiled(x, w)
    assert result.dtype == expected.dtype
    np.testing.assert_allclose(result, expected, rtol=1e-4 if dtype is np.float32 else 1e-11)


def test_no_more_windows_are_held_than_a_turn_reads():
    rng = np.random.default_rng(0)
    x, w = rng.random((8, 64, 64, 3)), rng.random((5, 5, 3, 16))
    compiled = lazynp.jit(lambda x, w: 0.5 - pictures(lazynp, lazynp.lib.stride_tricks.sliding_window_view, x, w), strict=True)
    np.testing.assert_allclose(compiled(x, w), 0.5 - pictures(np, sliding_window_view, x, w), rtol=1e-11)
    windows = 8 * 60 * 60 * 75 * 8
    assert compiled.memory_plan(x, w).temporaries < windows / 5


def test_few_windows_at_a_time_are_made_at_once():
    x, w = np.random.default_rng(0).random(20_000), np.random.default_rng(1).random((50, 8))
    compiled = lazynp.jit(lambda x, w: lazynp.lib.stride_tricks.sliding_window_view(x, 50) @ w, strict=True)
    np.testing.assert_allclose(compiled(x, w), sliding_window_view(x, 50) @ w, rtol=1e-11)
    assert "loop0" not in show(compiled, x, w, stage="c")


def test_derivatives():
    rng = np.random.default_rng(0)
    x, w = rng.random((4, 60, 50, 3)), rng.random((5, 5, 3, 8))

    def total(w):
        return lazynp.sum(pictures(lazynp, lazynp.lib.stride_tricks.sliding_window_view, x, w) ** 2)

    gradient = lazynp.jit(lazynp.grad(total))(w)
    step = rng.standard_normal(w.shape) * 1e-6
    change = (total(w + step) - total(w - step)) / 2
    np.testing.assert_allclose(np.sum(gradient * step), float(change), rtol=1e-6)
