"""np.unique of integers by counting and by sorting, np.digitize by the search of programs: NumPy's results, to the type and shape."""

from itertools import product

import numpy as np
import pytest

import lazynp
from lazynp.api.uniques import unique

RNG = np.random.default_rng(8)
COUNT = 3000
ARRAYS = {
    "few": RNG.integers(-5, 9, COUNT),
    "many": RNG.integers(-(10**9), 10**12, COUNT),
    "extremes": np.resize(np.array([np.iinfo(np.int64).min, 0, np.iinfo(np.int64).max]), COUNT),
    "bytes": RNG.integers(-128, 128, COUNT).astype(np.int8),
    "unsigned bytes": RNG.integers(3, 250, COUNT).astype(np.uint8),
    "large unsigned": RNG.integers(2**64 - 40, 2**64, COUNT, dtype=np.uint64),
    "one value": np.full(COUNT, 7, np.int32),
    "matrix": RNG.integers(0, 20, (60, 50)).astype(np.int16),
    "every other": RNG.integers(0, 20, (60, 100))[:, ::2],
    "swapped": RNG.integers(0, 20, COUNT).astype(">i4"),
    "short": RNG.integers(0, 3, 10),
    "floats": RNG.integers(0, 3, COUNT) / 2,
}


@pytest.mark.parametrize("name", ARRAYS)
@pytest.mark.parametrize("wanted", list(product((False, True), repeat=3)), ids=lambda flags: "".join("01"[f] for f in flags))
def test_unique(name, wanted):
    a = ARRAYS[name]
    expected, found = np.unique(a, *wanted), unique(a, *wanted)
    assert type(found) is type(expected)
    for x, y in zip(*[r if type(r) is tuple else (r,) for r in (expected, found)], strict=True):
        np.testing.assert_array_equal(x, y, strict=True)


def test_unique_of_lazy_arrays():
    a = RNG.integers(0, 1000, 100_000)
    x = lazynp.array(a) * 2
    values, inverse = lazynp.unique(x, return_inverse=True)
    np.testing.assert_array_equal(values, np.unique(2 * a))
    np.testing.assert_array_equal(np.asarray(values)[np.asarray(inverse)], 2 * a)
    np.testing.assert_array_equal(lazynp.unique(lazynp.array(a.reshape(1000, 100)), axis=0), np.unique(a.reshape(1000, 100), axis=0))
    with pytest.raises(TypeError):
        lazynp.unique(x, no_such_option=1)


EDGES = {
    "rising": np.linspace(-1, 1, 33),
    "falling": np.linspace(1, -1, 33),
    "repeated": np.array([0.0, 0.0, 0.5, 0.5]),
    "none": np.zeros(0),
}


@pytest.mark.parametrize("name", EDGES)
@pytest.mark.parametrize("right", [False, True], ids=["left", "right"])
def test_digitize(name, right):
    x = np.append(RNG.normal(size=1000), [np.nan, np.inf, -np.inf, *EDGES[name]])
    expected = np.digitize(x, EDGES[name], right)
    found = lazynp.jit(lambda x: lazynp.digitize(x, EDGES[name], right), strict=True)(x)
    np.testing.assert_array_equal(found, expected, strict=True)
    np.testing.assert_array_equal(lazynp.digitize(lazynp.lazy(x), EDGES[name], right), expected)


def test_digitize_with_bins_in_no_order():
    for edges in ([0.0, 2.0, 1.0], [0.0, np.nan, 1.0]):
        raised = []
        for call in (np.digitize, lambda x, e: np.asarray(lazynp.digitize(lazynp.lazy(x), e))):
            try:
                raised.append(call(np.ones(3), np.array(edges)).tolist())
            except ValueError as error:
                raised.append(str(error).splitlines()[0])
        assert raised[0] == raised[1]
