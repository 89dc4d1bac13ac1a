"""NumPy's scalar types called in compiled functions: `np.float32(x[i])` of what is known when the program runs."""

import numpy as np
import pytest

import lazynp

X = np.linspace(0.0, 3.0, 40)
TYPES = (np.bool_, np.int8, np.uint8, np.int32, np.int64, np.uint64, np.float32, np.float64, np.complex64, np.complex128)


def of_an_element(kind, x):
    return kind(x[7]), kind(x[7]) * 2


def of_arrays(kind, x):
    return kind(x), kind(x[:1])


def summed(kind, x):
    s = 0.0
    for i in range(40):
        s = s + kind(x[i])
    return (s,)


def of_the_loop_variable(kind, x):
    a = kind(0)
    for i in range(40):
        a = kind(i) if x[i] > 1 else a
    return (a,)


def stored(kind, x):
    c = np.zeros(40, kind)
    for i in range(40):
        c[i] = kind(x[i] * 1.5)
    return c, kind(3)


@pytest.mark.parametrize("kind", TYPES)
@pytest.mark.parametrize("function", [of_an_element, of_arrays, summed, of_the_loop_variable, stored])
def test_as_in_numpy(function, kind):
    found = lazynp.jit(lambda x: function(kind, x), strict=True)(X)
    for ours, numpys in zip(found, function(kind, X), strict=True):
        assert type(ours) is type(numpys)
        assert np.asarray(ours).dtype == np.asarray(numpys).dtype
        np.testing.assert_allclose(ours, numpys)


@pytest.mark.parametrize(("kind", "turns"), [(np.int8, 128), (np.int8, 129), (np.uint8, 256), (np.uint8, 300), (np.int64, 300)])
def test_python_numbers_must_fit(kind, turns):
    def last(x):
        s = kind(0)
        for i in range(turns):
            s = kind(i)
        return s

    def outcome(f):
        try:
            return f(X)
        except OverflowError as error:
            return str(error)

    assert outcome(lazynp.jit(last)) == outcome(last)


@pytest.mark.parametrize("value", [np.nan, np.inf, 3.7, -3.7])
def test_integers_of_python_floats(value):
    def outcome(f):
        try:
            return f(np.array([value]))
        except (ValueError, OverflowError) as error:
            return str(error)

    def truncated(x):
        return np.int64(float(x[0]))

    assert outcome(lazynp.jit(truncated)) == outcome(truncated)
