"""Choices of a loop's single point as branches, and copies of rows: what they compute is NumPy's, whatever the compiler makes of them."""

import numpy as np
import pytest

import lazynp


def walk(noise, wall):
    x = 0.0
    longest = 0.0
    for step in noise:
        x += step
        if x > wall:
            x = 2 * wall - x
        elif x < -wall:
            x = -2 * wall - x
        longest = max(longest, abs(x))
    return x, longest


def nested(noise, wall):
    x, y = 0.5, 0.0
    for step in noise:
        if x > wall:
            x = (x - step if y > 0.0 else x * 0.5) + y
        else:
            x = x + (step if y < wall else -2.0 * step)
        y = y * 0.9 + (x if x == x else 1.0)
    return x, y


def single(noise, wall):
    x = np.float32(0.0)
    for step in noise.astype(np.float32):
        x = x + step
        x = x - np.float32(1.0) if x > np.float32(0.5) else x * np.float32(1.5)
    return x


@pytest.mark.parametrize("program", [walk, nested, single])
@pytest.mark.parametrize("scale", [0.1, 1.0, 10.0, np.nan])
def test_choice_is_a_branch(program, scale):
    noise = np.random.default_rng(3).normal(size=50) * (scale if scale == scale else 1.0)
    if scale != scale:
        noise[20] = np.nan
    compiled = lazynp.jit(program, strict=True)
    assert "__asm__" in lazynp.show(compiled, noise, 3.0, stage="c").split("/* loop")[1]
    np.testing.assert_array_equal(compiled(noise, 3.0), program(noise, 3.0))


@pytest.mark.parametrize("n", [0, 1, 2047, 2049, 40_000])
@pytest.mark.parametrize(
    "view", [slice(None), slice(None, None, 2), slice(None, None, -1), slice(1, None)], ids=["all", "second", "back", "rest"]
)
def test_copies(n, view):
    @lazynp.jit
    def copied(x):
        y = x[view].copy()
        y[3:] = x[view][:-3]
        return y, np.concatenate([x, y])

    x = np.arange(n, dtype=np.float64)
    y = x[view].copy()
    y[3:] = x[view][:-3]
    found = copied(x)
    np.testing.assert_array_equal(found[0], y)
    np.testing.assert_array_equal(found[1], np.concatenate([x, y]))
