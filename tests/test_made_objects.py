"""What a function under jit makes that is no array: a new one at every call, as without jit. And what it returns that was there before."""

import warnings
from collections import Counter
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import pytest
import scipy.sparse

import lazynp


@dataclass(eq=False)
class Layer:
    size: int
    items: list


def instance(n):
    return Layer(n, [])


def instances_in_a_tuple(n):
    return np.zeros(2), Layer(n, [])


def iterator(n):
    return iter(range(n))


def generator(n):
    for i in range(n):
        yield i * i


def unordered(n):
    return {n, n + 1}


def counts(n):
    return Counter([n, n])


def memory(n):
    return bytearray(n)


def closure(n):
    seen = [n]

    def count():
        seen[0] += 1
        return seen[0]

    return count


@pytest.mark.parametrize("function", [instance, instances_in_a_tuple, iterator, generator, unordered, counts, memory, closure])
def test_a_new_object_at_every_call(function):
    """It was the same one: the second caller of a generator found it used up."""
    compiled = lazynp.jit(function)
    with pytest.warns(lazynp.PerformanceWarning, match="makes"):
        first = compiled(3)
    second = compiled(3)
    assert type(second) is type(function(3))
    assert first is not second
    if isinstance(first, tuple):
        assert first[1] is not second[1]


def pairs(n):
    return [i * 10 + j for i in range(n) for j in generator(i)]


def test_a_jitted_generator_within_another_function(monkeypatch):
    expected = pairs(4)
    monkeypatch.setitem(globals(), "generator", lazynp.jit(generator))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", lazynp.PerformanceWarning)
        for function in (pairs, lazynp.jit(pairs)):
            assert [function(4) for _ in range(3)] == [expected] * 3


_shared = Layer(1, [])


def the_shared_one(x):
    return x + 1, _shared


def the_argument(x, layer):
    return x + layer.size, layer


def values(x):
    return x, Fraction(1, 3), np.dtype("f4"), generator, Layer, frozenset([1])


def test_objects_that_were_there_before_compile():
    layer = Layer(2, [])
    assert lazynp.jit(the_shared_one, strict=True)(np.zeros(2))[1] is _shared
    assert lazynp.jit(the_argument, strict=True)(np.zeros(2), layer)[1] is layer
    assert lazynp.jit(values, strict=True)(np.zeros(2))[1:] == values(0)[1:]


def test_arguments_that_have_no_truth_value():
    """A sparse matrix raises ValueError when it is asked whether it is true."""
    matrix = scipy.sparse.eye_array(3, format="csr") * 2
    function = lazynp.jit(lambda a, x: a @ x)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", lazynp.PerformanceWarning)
        for _ in range(2):
            assert function(matrix, np.arange(3.0)).tolist() == [0, 2, 4]
