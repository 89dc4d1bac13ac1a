"""Smallest cases of what NumPy's own tests (tests/numpy_suite) found wrong."""

import numpy
import pytest

import lazynp as np


def same(actual, expected):
    actual = numpy.asarray(actual)
    assert actual.dtype == expected.dtype
    numpy.testing.assert_array_equal(actual, expected)


@pytest.mark.parametrize("indices", [(..., 1), ((), 1), ([0, 1], 2), (0, 3), (slice(None, None, 2), 5)], ids=str)
def test_ufunc_at_takes_basic_indices(all_lazy, indices):
    index, value = indices
    ours, theirs = np.ones((2, 2, 2)), numpy.ones((2, 2, 2))
    np.add.at(ours, index, value)
    numpy.add.at(theirs, index, value)
    same(ours, theirs)


def test_astype_of_an_array_without_axes_is_an_array(threshold):
    x = np.array(3.7).astype(int)
    x[()] = 5
    assert x == 5


def test_conjugate_of_real_numbers_is_the_array_itself(all_lazy):
    x = np.ones(3)
    assert x.conjugate() is x
    assert np.conjugate(x) is not x


def test_out_and_dtype_exclude_each_other(all_lazy):
    a = np.ones((2, 3))
    with pytest.raises(TypeError, match="only takes `out` or `dtype`"):
        np.concatenate((a, a), out=np.zeros((4, 3)), dtype=float)
    with pytest.raises(TypeError, match="only takes `out` or `dtype`"):
        np.stack((a, a), out=np.zeros((2, 2, 3)), dtype=float)


def test_out_ellipsis_asks_for_an_array(threshold):
    assert isinstance(np.add(1, 2, out=...), np.ndarray)
    assert isinstance(np.exp(np.float64(1), out=...), np.ndarray)


def test_lists_given_to_numpy_stay_themselves(threshold):
    ours, theirs = [[1, 2], [3], 4, 5], [[1, 2], [3], 4, 5]
    np.random.RandomState(3).shuffle(ours)
    numpy.random.RandomState(3).shuffle(theirs)
    assert ours == theirs
    loop = [1]
    loop.append(loop)
    with pytest.raises(ValueError):
        np.array(loop)


def test_subclasses_decide_what_an_operation_gives(threshold):
    class Tagged(np.ndarray):
        pass

    tagged = np.asarray([1.0, 2.0]).view(Tagged)
    masked = numpy.ma.masked_array([1.0, 2.0], mask=[True, False])
    lazy = np.lazy([10.0, 20.0])
    assert type(tagged) is Tagged and isinstance(tagged, np.ndarray) and type(lazy + tagged) is Tagged
    assert type(tagged.view(np.ndarray)) is np.ndarray and type(tagged.view(np.ndarray) + 1) is numpy.ndarray
    assert type(lazy + masked) is type(masked + lazy) is numpy.ma.MaskedArray
    assert (lazy + masked).tolist() == [None, 22.0]


def test_types_of_arrays_and_ufuncs():
    assert type(numpy.ones(3)) == np.ndarray and type(np.lazy([1.0])) == np.ndarray  # noqa: E721
    assert type(numpy.ones(3)) != type(np.add) and isinstance(np.add, np.ufunc) and isinstance(numpy.add, np.ufunc)  # noqa: E721
    assert np.add == numpy.add and np.add != numpy.subtract and {np.add: 1}[numpy.add] == 1
