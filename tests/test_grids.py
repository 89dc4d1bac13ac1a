"""mgrid, ogrid, r_ and c_: NumPy's results, messages and derivatives; large ones are lazy."""

from collections.abc import Callable
from typing import Any

import numpy
import pytest

import lazynp
from lazynp.test_util import check_grads

KEYS = """np.mgrid[0:5, 0:5] | np.mgrid[-1:1:5j] | np.mgrid[0:5] | np.mgrid[0:5,] | np.mgrid[0:0, 0:3]
np.mgrid[0:10:3, 0:1:3j] | np.mgrid[3] | np.ogrid[0:5, 1:3:0.5] | np.ogrid[0:4:2] | np.r_[1, 2, 3]
np.r_['0,2', [1, 2], [3, 4]] | np.r_['r', [1, 2]] | np.r_[0:1:5j] | np.r_[:3, 1.5]
np.r_[np.array([1, 2]), 0, np.array([4.5])] | np.r_['1 2; 3 4'] | np.r_[True, False] | np.r_[2j]
np.r_['-1', np.ones((2, 2)), np.ones((2, 1))] | np.r_['a'] | np.c_[[1, 2], [3, 4]] | np.c_[1:3, 4:6]
np.c_[np.ones((2, 1)), np.ones(3)] | len(np.r_)"""


@pytest.mark.parametrize("threshold", [0, 65536])
@pytest.mark.parametrize("text", [key.strip() for key in KEYS.replace("\n", "|").split("|")])
def test_as_numpy(text: str, threshold: int) -> None:
    def outcome(np: Any) -> tuple[Any, ...]:
        try:
            value = eval(text, {"np": np})
            return repr(value), getattr(value, "dtype", None)
        except Exception as error:
            return type(error), str(error)

    with lazynp.config(lazy_threshold=threshold):
        assert outcome(lazynp) == outcome(numpy)


def test_large_ones_are_lazy() -> None:
    assert type(lazynp.mgrid[0:300, 0:300]) is not numpy.ndarray
    assert type(lazynp.r_[0:1:100000j]) is not numpy.ndarray


def _columns(x: Any) -> Any:
    return lazynp.c_[x, x * 2]


def _ends(x: Any) -> Any:
    return lazynp.r_[x[0], x, 0, 1:3]


def _dense(x: Any) -> Any:
    i, j = lazynp.mgrid[0:3, 0:1:4j]
    return x[1] * i + j


def _open(x: Any) -> Any:
    i, j = lazynp.ogrid[0 : x.shape[0], 0 : x.shape[0]]
    return x * i + j


@pytest.mark.parametrize("function", [_columns, _ends, _dense, _open])
def test_in_programs(function: Callable[..., Any]) -> None:
    for n in (4, 5, 6):
        x = numpy.arange(1.0, n + 1)
        numpy.testing.assert_array_equal(lazynp.jit(function, strict=True)(x), function(x))
    check_grads(function, (numpy.arange(1.0, 5.0),), order=1)


@pytest.mark.parametrize("threshold", [0, 65536])
def test_indices(threshold: int) -> None:
    with lazynp.config(lazy_threshold=threshold):
        for shape, options in [((2, 3), {}), ((4,), {"dtype": float}), ((0, 3), {}), ((), {}), ((2, 3), {"sparse": True}), (3, {})]:
            try:
                expected = numpy.indices(shape, **options)
            except Exception as error:
                with pytest.raises(type(error)):
                    lazynp.indices(shape, **options)
                continue
            found = lazynp.indices(shape, **options)
            assert type(found) is tuple if options.get("sparse") else found.dtype == expected.dtype
            for ours, numpys in zip(found, expected, strict=True):
                numpy.testing.assert_array_equal(ours, numpys, strict=True)
