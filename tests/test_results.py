"""What jitted functions may return besides arrays: what holds traced values runs in lazy mode and returns NumPy's."""

import dataclasses

import numpy
import pytest

import lazynp as np
from lazynp.trace.leaks import holds_traced


class Pair:
    def __init__(self, first):
        self.first = [first]


@dataclasses.dataclass
class Row:
    first: object


RESULTS = {
    "masked": (lambda np, a: a[a > 3] % 2, numpy.asarray),
    "masked in a dict": (lambda np, a: {"x": (a, np.array(a)[a > 3])}, lambda r: numpy.asarray(r["x"][1])),
    "written by a mask": (lambda np, a: (a.__setitem__(a > 3, 1.0), a[a < 2])[1], numpy.asarray),
    "object": (lambda np, a: Pair(a * 2), lambda r: r.first[0]),
    "dataclass": (lambda np, a: Row(a.sum()), lambda r: r.first),
    "closure": (lambda np, a: lambda: a * 2, lambda r: r()),
    "method": (lambda np, a: (a * 2).sum, lambda r: r()),
    "generator": (lambda np, a: (x for x in [a * 2]), next),
    "slice": (lambda np, a: slice(a[1], a[2] + 1), lambda r: r.stop - r.start),
    "plain object": (lambda np, a: Pair("text"), lambda r: len(r.first[0])),
}


@pytest.mark.filterwarnings("ignore::lazynp.PerformanceWarning")
@pytest.mark.parametrize("name", RESULTS)
def test_as_numpy(name):
    function, values = RESULTS[name]
    compiled = np.jit(lambda a: function(np, a))
    for _ in range(3):
        expected = values(function(numpy, numpy.arange(9.0)))
        numpy.testing.assert_array_equal(values(compiled(numpy.arange(9.0))), expected)


def test_long_chains_of_objects_are_looked_through():
    chain = None
    for k in range(2000):
        chain = Pair((k, chain))
    assert not holds_traced(chain)
