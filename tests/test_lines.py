"""Updates in place of long rows that read their neighbours (backends/lines.py), and of rolled arrays: NumPy's values in one pass."""

import numpy as np
import pytest

import lazynp
from lazynp.debug.explain import show


def mean(u):
    u[1:-1] = 0.25 * u[:-2] + 0.5 * u[1:-1] + 0.25 * u[2:]


def only_behind(u):
    u[3:] -= 0.3 * (u[3:] - u[:-3])


def only_ahead(u):
    u[:-1] += 0.5 * u[1:]


def shifted(u):
    u[1:] = u[:-1]


def shifted_back(u):
    u[:-5] = u[5:]


def wide(u):
    u[20:-40] = u[:-60] + u[60:] - u[20:-40]


def coupled(u):
    v = u[::-1].copy()
    du = v[:-2] - u[2:]
    dv = u[:-2] * v[2:]
    u[1:-1] += du
    v[1:-1] -= dv
    return v


def other_way_round(u):
    v = u[::-1]
    v[1:-1] += 0.5 * (v[2:] - v[:-2])


def masked(u):
    u[1:-1] = np.where(u[1:-1] > 0.5, u[:-2] / u[2:], u[1:-1])


def old(u):
    before = u.copy()
    u[1:-1] = before[:-2] * before[2:] / 3.0


def first(u):
    u[1:] -= u[:-1] * u[0]


def steps(u):
    for _ in range(5):
        u[1:-1] += 0.1 * (u[2:] - 2 * u[1:-1] + u[:-2])
        u[0] = u[-1]


def new_each_step(u):
    for _ in range(4):
        v = u.copy()
        v[1:-1] = (u[:-2] + u[2:]) * 0.5
        u = v
    return u


def rolled(u):
    for _ in range(9):
        u = 0.25 * np.roll(u, 1) + 0.5 * u + 0.25 * np.roll(u, -2)
    return u


def rolled_rows(u):
    u = u[: len(u) // 100 * 100].reshape(-1, 100)
    for _ in range(9):
        u = u + 0.1 * (np.roll(u, 1, 0) + np.roll(u, -1, 0) + np.roll(u, 1, 1) - 3 * u)
    return u


def rolled_in_place(u):
    for _ in range(9):
        u[:] = u - 0.3 * (u - np.roll(u, 1))


PROGRAMS = [
    mean,
    only_behind,
    only_ahead,
    shifted,
    shifted_back,
    wide,
    coupled,
    other_way_round,
    masked,
    old,
    first,
    steps,
    new_each_step,
    rolled,
    rolled_rows,
]
PROGRAMS += [rolled_in_place]
SLIDING = [mean, only_behind, only_ahead, shifted, shifted_back, wide, masked, old, steps, new_each_step, rolled, rolled_in_place]


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("program", PROGRAMS)
def test_in_place_updates_are_numpys(program, threads):
    def copied(u):
        u = u  # a function of its own for each setting: programs are cached by their graphs, threads are asked for at every call
        return program(u)

    jitted = lazynp.jit(copied, strict=True)
    with lazynp.config(threads=threads, parallel_threshold=1):
        for n in (20_000, 70_000, 1_200, 9_999, 16_384 + 1_030, 33_000):
            ours = np.random.default_rng(n).random(n)
            real = ours.copy()
            returned = jitted(ours), program(real)
            np.testing.assert_array_equal(ours, real, strict=True)
            if returned[1] is not None:
                np.testing.assert_array_equal(returned[0], returned[1], strict=True)


@pytest.mark.parametrize("program", SLIDING)
def test_one_pass_over_memory(program):
    text = show(program, np.ones(20_000), stage="c")
    assert "const int64_t waits" in text


@pytest.mark.parametrize("dtype", [np.float32, np.int16, np.complex128, np.bool_])
def test_dtypes(dtype):
    def program(u):
        u[2:] ^= u[:-2]

    def sums(u):
        u[2:] += u[:-2]

    program = program if dtype == np.bool_ else sums
    ours = (np.random.default_rng(0).random(30_000) * 2).astype(dtype)
    real = ours.copy()
    lazynp.jit(program, strict=True)(ours)
    program(real)
    np.testing.assert_array_equal(ours, real, strict=True)


@pytest.mark.parametrize("radius", [1, 7, 63, 64, 65, 300])
def test_how_far_neighbours_are(radius):
    def program(u):
        u[radius:-radius] = u[: -2 * radius] - u[2 * radius :]

    ours = np.random.default_rng(0).random(50_000)
    real = ours.copy()
    lazynp.jit(program, strict=True)(ours)
    program(real)
    np.testing.assert_array_equal(ours, real)
