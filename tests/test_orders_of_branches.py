"""Branches and loops that make an array in C order on one way and in Fortran's on another: the result lies as NumPy's, is written to
through `ravel` and `reshape` where NumPy's is, and nothing is compiled where no one order would be right."""

import warnings

import numpy as np
import pytest

import lazynp


def chosen(x, c):
    if c[0] > 0:
        y = x.T.copy(order="K")
    else:
        y = np.zeros_like(x)
    return y


def read_as_a_line(x, c):
    return chosen(x, c).ravel()


def with_views(x, c):
    y = chosen(x, c)
    w = y.T
    for i in range(3):
        w[i] += i
    return y, w, y[0], float(y.sum())


def computed_with(x, c):
    y = chosen(x, c)
    y[0, 1] = 9
    return y * 2 + 1, y.copy(), y @ x, y.sum(axis=1)


def early(x, c):
    if c[0] > 0:
        return x.T * 2
    return x + 1


def perhaps_turns(x, c):
    y = np.zeros_like(x)
    for i in range(int(c[1])):
        y = x.T * i
    return y


def turned_over(x, c):
    y = x.copy()
    while c[1] > y[0, 0]:
        y = y.T + 1
    return y


def allocated(x, c):
    y = np.empty((3, 3), order="F") if c[0] > 0 else np.empty((3, 3))
    y[...] = x
    return y


def nested(x, c):
    y = x
    if c[0] > 0:
        if c[1] > 10:
            y = x.T + 0.0
        else:
            y = np.asfortranarray(x) * 2
    return y


COMPILED = [chosen, read_as_a_line, with_views, computed_with, early, perhaps_turns, turned_over, allocated, nested]


def written_as_a_line(x, c):
    y = chosen(x, c)
    z = y.ravel()
    z[1] = 77.0
    return y, z


def written_in_another_shape(x, c):
    y = x.T + 1 if c[0] > 0 else x + 1
    z = y.reshape(-1)
    z += 1
    return y


def line_in_memory(x, c):
    return chosen(x, c).ravel(order="K")


def asked(x, c):
    return chosen(x, c).flags.c_contiguous


def shaped(x, c):
    y = np.zeros_like(x) if c[0] > 0 else x + 0
    y.shape = (9,)
    return y


def after_turns(x, c):
    y = np.zeros_like(x)
    for i in range(int(c[1])):
        y = x.T * i
    z = y.ravel()
    z[1] = 5
    return y


def together(x, c):
    return np.where(x > 4, chosen(x, c), x), np.sort(chosen(x, c), axis=0)


UNCOMPILED = [written_as_a_line, written_in_another_shape, line_in_memory, asked, shaped, after_turns, together]


def _seen(result):
    if isinstance(result, tuple):
        return tuple(map(_seen, result))
    if isinstance(result, np.ndarray):
        return result.shape, result.strides, result.tolist()
    return type(result), result


def _outcome(f, x, c):
    try:
        result = f(x, c)
    except AttributeError as error:  # of a shape that NumPy does not give
        return str(error)
    shares = isinstance(result, tuple) and [np.shares_memory(result[0], part) for part in result]
    return _seen(result), shares, _seen(x)


@pytest.mark.parametrize("order", "CF")
@pytest.mark.parametrize("program", COMPILED + UNCOMPILED, ids=lambda f: f.__name__)
def test_arrays_of_branches_and_loops_lie_as_numpys(program, order):
    f = lazynp.jit(program, strict=program in COMPILED)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", lazynp.errors.PerformanceWarning)
        for c in ([1.0, 6.0], [-1.0, 0.0], [1.0, 31.0], [1.0, 6.0]):
            x = np.array(np.arange(9.0).reshape(3, 3) + 10 * np.eye(3), order=order)
            assert _outcome(f, x.copy(order="K"), np.array(c)) == _outcome(program, x, np.array(c))


def test_a_choice_of_values_is_in_c_order():
    x = np.asfortranarray(np.arange(6.0).reshape(2, 3))
    chosen = lazynp.scan.cond(lazynp.lazy(np.array(True)), lambda x: x * 2, lambda x: x.copy(), lazynp.lazy(x))
    assert np.array_equal(chosen.reshape(-1), (x * 2).reshape(-1))
