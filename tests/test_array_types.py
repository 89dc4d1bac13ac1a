"""`np.ndarray` as a type: what dispatches by it, and its methods called with an array, take every array."""

import functools
import typing

import numpy
import pytest

import lazynp as np

SIZES = (3, 100, 100_000)


def arrays():
    return [part for n in SIZES for part in (np.arange(float(n)), np.arange(float(n)) * 2)]


@functools.singledispatch
def kind(x):
    return "other"


@kind.register
def _(x: np.ndarray):
    return "array"


@kind.register(float)
def _(x):
    return "float"


def test_single_dispatch(threshold):
    assert [kind(x) for x in arrays()] == ["array"] * 6
    assert kind(numpy.arange(3)) == "array"
    assert [kind(x.sum()) for x in arrays()] == ["float"] * 6
    assert [kind(x) for x in ("text", 1, [1.0])] == ["other"] * 3


def test_tables_by_type(threshold):
    table = {np.ndarray: "array", list: "list"}
    assert {table.get(type(x)) for x in arrays()} == {"array"}
    assert all(type(x) in {np.ndarray, list} for x in arrays())
    assert str not in table


@pytest.mark.parametrize("name", ["sum", "mean", "max", "argmax", "cumsum", "tolist", "copy", "std", "ravel", "astype", "reshape"])
def test_methods_of_the_type(threshold, name):
    arguments = {"astype": (int,), "reshape": (-1, 1)}.get(name, ())
    for x in arrays()[:4]:
        expected = getattr(numpy.ndarray, name)(numpy.array(x), *arguments)
        numpy.testing.assert_array_equal(getattr(np.ndarray, name)(x, *arguments), expected)
    with pytest.raises(TypeError):
        getattr(np.ndarray, name)("text", *arguments)
    assert getattr(np.ndarray, name).__doc__ == getattr(numpy.ndarray, name).__doc__


def test_the_largest_first(threshold):
    assert [len(x) for x in sorted(arrays(), key=np.ndarray.max)] == sorted(2 * SIZES)
    assert list(map(np.ndarray.min, arrays())) == [0.0] * 6


def test_attributes_that_subclasses_and_unpickling_use(threshold):
    for x in arrays():
        assert [name for name in dir(numpy.ndarray) if not hasattr(x.reshape(1, -1), name)] == []
        assert x.__array_priority__ == 0.0
        assert x.__array_finalize__(None) is None
        assert typing.get_origin(x.__class_getitem__(int)) == np.ndarray


def test_a_state_of_numpys(threshold):
    state = numpy.arange(40_000.0).reshape(200, 200).T.__reduce__()[2]
    x = np.ones(70_000) + 1
    x.__setstate__(state)
    numpy.testing.assert_array_equal(x, numpy.arange(40_000.0).reshape(200, 200).T)
    x += 1
    assert x[0, 1] == 201


def test_every_array_is_an_instance_of_the_type_of_another():
    """`isinstance(q, type(a))`, where a is of middling size: what is small, large or NumPy's own too."""
    a = np.random.default_rng(0).normal(size=(2, 2, 3, 4))
    for other in (*arrays(), numpy.zeros(2), *np.linalg.qr(a), a * 2):
        assert isinstance(other, type(a))
    assert not isinstance(3.0, type(a))

    class Derived(type(a)):
        pass

    assert isinstance(a.view(Derived), Derived)
    assert not isinstance(a, Derived)


def test_ufuncs_as_a_class_have_numpys_methods():
    for name in ("reduce", "accumulate", "reduceat", "outer", "at", "resolve_dtypes"):
        assert callable(getattr(np.ufunc, name))
