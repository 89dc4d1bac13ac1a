"""Axes in digits: arrays read in another shape are walked by nested loops, without divisions."""

import re

import numpy as np
import pytest

import lazynp
from lazynp.debug.explain import show

X = np.random.default_rng(0).uniform(size=(12, 30))
PROGRAMS = {
    "repeat": lambda x: np.repeat(x, 3) + 1,
    "repeat rows": lambda x: np.repeat(x, 2, axis=0) * 2,
    "tile": lambda x: np.tile(x, (2, 3)) - 1,
    "transposed": lambda x: x.reshape(4, 90).T.reshape(-1) * 2,
    "twice in another shape": lambda x: x.reshape(3, 4, 30).swapaxes(0, 1).reshape(-1) + x.reshape(30, 12).T.reshape(-1),
    "three digits": lambda x: x.reshape(2, 6, 30).transpose(2, 0, 1).ravel() * 3,
    "folded": lambda x: (x.reshape(90, 4).T.reshape(12, 30) * x).sum(axis=1),
    "where it stands": lambda x: np.argmax(x.reshape(30, 12).T.reshape(60, 6), axis=1),
    "butterfly": lambda x: (np.array([[1.0, 1], [1, -1]]) @ x.reshape(90, 2, 2).swapaxes(0, 1).reshape(2, 180)).reshape(-1),
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_values(name: str) -> None:
    np.testing.assert_allclose(lazynp.jit(PROGRAMS[name], strict=True)(X), PROGRAMS[name](X), rtol=1e-14)


@pytest.mark.parametrize("name", ["repeat", "tile", "transposed", "three digits"])
def test_no_division_is_left(name: str) -> None:
    kernels = show(PROGRAMS[name], X, stage="c").partition("/* kernels */")[2].partition("static void k0(")[2]
    assert "for (" in kernels and not re.search(r"\[[^]]*[/%]", kernels)


def test_sizes_that_are_no_chain_of_digits_keep_their_quotients() -> None:
    def f(x):
        return x.reshape(8, 45).T.reshape(-1) + x.reshape(9, 40).T.reshape(-1)

    np.testing.assert_array_equal(lazynp.jit(f, strict=True)(X), f(X))


def test_stages_of_a_transform_that_share_one_function_divide_by_constants() -> None:
    def f(x):
        for k in range(8):
            x = np.cumsum(x.reshape(2**k * 3, -1).T.reshape(-1) + x)
        return x

    x = np.arange(384.0) / 384
    np.testing.assert_allclose(lazynp.jit(f, strict=True)(x), f(x), rtol=1e-12)
