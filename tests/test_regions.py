"""Results that branches and loops have chosen among views: they lie where NumPy's lie, and writes through them reach the same elements."""

import warnings

import numpy as np
import pytest

import lazynp

PROGRAMS = {}


def program(function):
    PROGRAMS[function.__name__] = function
    return function


@program
def slices(x, c):
    return x[:2] if c > 0 else x[2:4]


@program
def steps(x, c):
    y = x[::2] if c > 0 else x[::-2]
    return y


@program
def of_a_view(x, c):
    half = x[1:]
    return half[:2] if c > 0 else x[2:4]


@program
def view_of_the_chosen(x, c):
    y = x[::-1] if c > 0 else x
    return y[1:3]


@program
def chosen_twice(x, c):
    if c > 0:
        y = x[:1] if c > 1 else x[1:2]
    else:
        y = x[2:3]
    return y, y[0]


@program
def early(x, c):
    if c > 0:
        return x[:1]
    return x[1:2]


@program
def new_or_not(x, c):
    if c > 0:
        return x
    return x * 2


@program
def found(x, c):
    for i in range(len(x)):
        if x[i] > c:
            return x[i : i + 1]
    return x[:1]


@program
def last_found(x, c):
    y = x[:1]
    for i in range(len(x)):
        if x[i] > c:
            y = x[i : i + 1]
    return y


@program
def greatest_row(x, c):
    rows = x.reshape(-1, 2)
    best = rows[0]
    for i in range(len(rows)):
        if rows[i].sum() > best.sum():
            best = rows[i]
    return best


@program
def row_of_a_number(x, c):
    rows, best = x.reshape(-1, 2), 0
    for i in range(len(rows)):
        if rows[i, 0] > rows[best, 0]:
            best = i
    return rows[best]


@program
def column(x, c):
    rows = x.reshape(2, -1)
    return rows[:, int(c) % 3], rows.T[int(c) % 2 - 1]


@program
def improved(x, c):
    for _ in range(50):
        new = 0.5 * (x + 2.0 / (np.abs(x) + 0.1))
        if np.abs(new - x).max() < c:
            return x
        x = new
    return x


@program
def halved(x, c):
    while x.sum() > np.abs(c):
        x = x / 2
    return x


@program
def of_its_own(x, c):
    z = np.zeros(len(x)) + x
    y = z[:2] if c > 0 else z[2:4]
    return y, z


@program
def kept_in_a_tuple(x, c):
    pair = (x[:2], x[2:4]) if c > 0 else (x[2:4], x[:2])
    return {"first": pair[0], "both": list(pair)}


@program
def either_argument(x, c, z):
    y = x if c > 0 else z
    return y


@program
def returned_as_it_is(x, c):
    y = x
    if c > 0:
        y = y[::-1][::-1]
    return y


@program
def in_another_shape(x, c):
    y = x.reshape(2, 3) if c > 0 else x[::-1].reshape(3, 2).T
    return y.reshape(-1), y.reshape(3, 2)


@program
def as_a_line(x, c):
    y = x if c > 0 else x[::-1]
    return y.ravel()


@program
def in_a_list(x, c):
    out = []
    for i in range(len(x)):
        y = x[i : i + 1] if c > 0 else x[:1]
        out.append(y)
    return out


LAYOUTS = {
    "plain": lambda x: x,
    "every second": lambda x: np.repeat(x, 2)[::2],
    "backwards": lambda x: x[::-1].copy()[::-1],
    "part": lambda x: np.concatenate([x, x])[3:9].copy(),
}


def arrays_in(tree):
    if isinstance(tree, dict):
        tree = list(tree.values())
    return (
        [a for part in tree for a in arrays_in(part)] if isinstance(tree, (list, tuple)) else [tree] if isinstance(tree, np.ndarray) else []
    )


def memory(array):
    return array.__array_interface__["data"][0], array.shape, array.strides


@pytest.mark.filterwarnings("ignore::lazynp.PerformanceWarning")
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("c", [-1.0, 0.5, 2.0, 100.0])
@pytest.mark.parametrize("name", PROGRAMS)
def test_results_lie_where_numpys_do(name, c, layout):
    function = PROGRAMS[name]
    compiled = lazynp.jit(function)
    x = LAYOUTS[layout](np.array([1.0, 5.0, 0.25, 4.0, 3.0, 0.5]))
    arguments = (x, np.float64(c), x * 2)[: function.__code__.co_argcount]
    for _ in range(2):
        expected = arrays_in(function(*arguments))
        actual = arrays_in(compiled(*arguments))
        known = [a for a in arguments if isinstance(a, np.ndarray)]
        assert len(actual) == len(expected)
        for k, (a, b) in enumerate(zip(actual, expected, strict=True)):
            np.testing.assert_array_equal(a, b)
            owners = [n for n, other in enumerate(known) if np.shares_memory(b, other)]
            assert [n for n, other in enumerate(known) if np.shares_memory(a, other)] == owners
            assert not owners or memory(a) == memory(b)
            shared = [np.shares_memory(b, other) for other in expected[:k]]
            assert [np.shares_memory(a, other) for other in actual[:k]] == shared
            assert a.flags.writeable == b.flags.writeable


@pytest.mark.parametrize("name", ["slices", "found", "greatest_row", "row_of_a_number", "improved", "halved", "either_argument"])
def test_they_compile(name):
    function = PROGRAMS[name]
    x = np.arange(6.0)
    with warnings.catch_warnings():
        warnings.simplefilter("error", lazynp.PerformanceWarning)
        lazynp.jit(function, strict=True)(*(x, np.float64(2.0), x)[: function.__code__.co_argcount])


@pytest.mark.parametrize("c", [-1.0, 1.0])
def test_writes_through_results(c):
    x = np.arange(6.0)
    y = lazynp.jit(slices)(x, np.float64(c))
    y += 100.0
    z = np.arange(6.0)
    slices(z, c)[...] += 100.0
    np.testing.assert_array_equal(x, z)


def test_lazy_arguments():
    x = lazynp.lazy(np.arange(6.0))
    y = lazynp.jit(slices)(x, np.float64(-1.0))
    x[2] = 50.0
    assert y[0] == 50.0
    y[1] = 70.0
    assert x[3] == 70.0


def test_results_of_read_only_arguments():
    x = np.arange(6.0)
    x.flags.writeable = False
    assert not lazynp.jit(slices)(x, np.float64(1.0)).flags.writeable


@pytest.mark.filterwarnings("ignore::lazynp.PerformanceWarning")
@pytest.mark.parametrize("c", [-1.0, 1.0])
def test_writes_through_what_was_chosen(c):
    def written(x, c):
        y = x[:1] if c > 0 else x[1:2]
        y[:] = 7.0
        return y

    x, z = np.arange(3.0), np.arange(3.0)
    for _ in range(2):
        ours, theirs = lazynp.jit(written)(x, np.float64(c)), written(z, c)
    np.testing.assert_array_equal(x, z)
    np.testing.assert_array_equal(ours, theirs)
    assert np.shares_memory(ours, x)
