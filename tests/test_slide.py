"""Updates in place that read their neighbours: one pass, the values of NumPy, for every size, radius and number of threads."""

import numpy
import pytest

import lazynp
from lazynp.debug.explain import show


def heat(u):
    u[1:-1, 1:-1] += 0.2 * (u[:-2, 1:-1] + u[2:, 1:-1] + u[1:-1, :-2] + u[1:-1, 2:] - 4 * u[1:-1, 1:-1])


def only_behind(u):
    u[2:, 1:] = 0.5 * u[:-2, :-1] + u[1:-1, 1:] * u[2:, 1:]


def only_ahead(u):
    u[:-3, :-1] -= u[3:, 1:] * 0.25 + u[1:-2, :-1]


def far(u):
    u[3:-2] = u[:-5] - u[5:] + 2 * u[3:-2]
    u[0] = 0


def same_row(u):
    u[:, 1:-1] = (u[:, :-2] + u[:, 2:]) / 2


def turned(u):
    u[1:-1, 1:-1] = u[1:-1, 1:-1].copy() - 0.1 * u.T[1:-1, 1:-1]


def reversed_rows(u):
    u[1:] = u[::-1][1:] + 0.5 * u[:-1]


def twice(u):
    u[1:-1] += 0.1 * (u[2:] - u[:-2])
    u[:, 1:-1] += 0.1 * (u[:, 2:] - u[:, :-2])


def waves(u):
    v = u * 0.5
    new = 2 * u[1:-1, 1:-1] - v[1:-1, 1:-1] + 0.3 * (u[:-2, 1:-1] + u[2:, 1:-1] - 2 * u[1:-1, 1:-1])
    v[1:-1, 1:-1] = u[1:-1, 1:-1]
    u[1:-1, 1:-1] = new
    return v


def coupled(u):
    v = numpy.ascontiguousarray(u[::-1]) if isinstance(u, numpy.ndarray) else u[::-1].copy()
    du = v[:-2, 1:-1] - u[2:, 1:-1]
    dv = u[:-2, 1:-1] * v[2:, 1:-1]
    u[1:-1, 1:-1] += du
    v[1:-1, 1:-1] -= dv
    return v


def cube(u):
    w = u.reshape(u.shape[0], -1, 2)
    w[1:-1, 1:-1] += 0.125 * (w[2:, 1:-1] + w[:-2, 1:-1] + w[1:-1, 2:] + w[1:-1, :-2] - 4 * w[1:-1, 1:-1])


PROGRAMS = [heat, only_behind, only_ahead, far, same_row, turned, reversed_rows, twice, waves, coupled, cube]
SLIDING = {heat, only_behind, only_ahead, far, twice, cube}


def check(program, jitted, shape):
    ours = numpy.random.default_rng(0).random(shape)
    real = ours.copy()
    returned = jitted(ours), program(real)
    numpy.testing.assert_array_equal(ours, real)
    if returned[1] is not None:
        numpy.testing.assert_array_equal(numpy.asarray(returned[0]), returned[1])


@pytest.mark.parametrize("threads", [1, 2, 5])
@pytest.mark.parametrize("program", PROGRAMS)
def test_in_place_updates_are_numpys(program, threads):
    def copied(u):
        u = u  # a function of its own for each setting: programs are cached by their graphs, threads are asked for at every call
        return program(u)

    jitted = lazynp.jit(copied, strict=True)
    with lazynp.config(threads=threads, parallel_threshold=1):
        for rows in (300, 299, 64, 7, 400):
            check(program, jitted, (rows, rows if program is turned else 2 * ((rows + 500) // 4)))


@pytest.mark.parametrize("program", sorted(SLIDING, key=lambda f: f.__name__))
def test_one_pass_over_memory(program):
    text = show(program, numpy.ones((200, 300)), stage="c")
    assert "done >= low" in text


def test_steps_in_a_loop():
    @lazynp.jit(strict=True)
    def simulate(u, steps):
        def step(i, u):
            heat(u)
            return u

        return lazynp.scan.fori_loop(0, steps, step, u)

    for n in (40, 130, 150):
        real = numpy.random.default_rng(1).random((n, n))
        ours = numpy.asarray(simulate(real.copy(), 20))
        for _ in range(20):
            heat(real)
        numpy.testing.assert_array_equal(ours, real)
