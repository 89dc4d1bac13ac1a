"""Numbers that loops store into arrays of integers: where NumPy raises an error, casts, or casts and warns, so does the program."""

import warnings

import numpy as np
import pytest
from outcomes import made, outcome, same

import lazynp
from lazynp.ir.node import constant, new_input
from lazynp.ir.types import ArrayType
from lazynp.ops import elementwise as ew
from lazynp.ops.ranges import limits_of, lost

DTYPES = ["u1", "i1", "i4", "u4", "i8", "u8", "?"]

STORES = {
    "element": "o[i] = v",
    "slice": "o[i : i + 2] = v",
    "fill": "o[i:].fill(v)",
    "places": "o[places] = v",
    "mask": "o[o == 0] = v",
    "added": "o[i] += v",
    "full": "o[:] = np.full(len(o), v, o.dtype)",
    "branch": "if x[i] > 3.0:\n            o[i] = v",
}

VALUES = {
    "counted": "i * 9",
    "below": "i - 5",
    "inside": "i * 9 % 100",
    "integer of a float": "int(x[i] * 9)",
    "python float": "float(x[i] * 9)",
    "float scalar": "x[i] * 9",
    "integer scalar": "k[i] * 9",
}


def program(store, value):
    return made(
        "def program(o, x, k):\n    places = np.array([1, 3])\n    for i in range(len(o)):\n"
        f"        v = {VALUES[value]}\n        {STORES[store]}\n    return o\n",
        f"<stored {store} {value}>",
    )


def check(function, *arguments):
    """The same array, error and warnings at both calls, and the arguments as NumPy leaves them."""
    compiled = lazynp.jit(function)
    for _ in range(2):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", lazynp.PerformanceWarning)
            ours, theirs = outcome(compiled, arguments), outcome(function, arguments)
        for actual, expected in zip(ours, theirs, strict=True):
            same(actual, expected)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("value", VALUES)
@pytest.mark.parametrize("store", STORES)
def test_what_does_not_fit(store, value, dtype):
    x = np.arange(40) * 1.25
    check(program(store, value), np.zeros(40, dtype), x, np.arange(40))


@pytest.mark.parametrize("dtype", ["u1", "i1", "i4", "i8"])
@pytest.mark.parametrize("wild", [np.nan, np.inf, -1e30], ids=str)
@pytest.mark.parametrize("value", ["python float", "float scalar"])
def test_floats_that_are_no_integers(value, wild, dtype):
    x = np.where(np.arange(40) == 30, wild, 1.5)
    check(program("element", value), np.zeros(40, dtype), x, np.arange(40))


@pytest.mark.parametrize("dtype", ["u1", "i1", "i4", "u8", "f4"])
@pytest.mark.parametrize("sign", ["<", "==", ">="])
def test_comparisons_with_integers_that_do_not_fit(sign, dtype):
    function = made(
        "def program(o):\n    count = 0\n    for i in range(len(o)):\n"
        f"        if o[i] {sign} (i - 20) * 30:\n            count += 1\n    return count\n",
        f"<compared {sign}>",
    )
    check(function, np.arange(40).astype(dtype))


def test_integers_of_unsigned_scalars():
    def rest_of(x):
        total = 0
        for i in range(len(x)):
            total += int(x[i]) % 1000
        return total

    check(rest_of, np.array([2**63 + 4] + [7] * 30, np.uint64))


def test_choices_cast():
    def chosen(o):
        for i in range(len(o)):
            o[i] = np.where(o[i] > 3, o[i], i * 10)
        return o

    check(chosen, np.zeros(40, np.uint8))


def squeezed(k, o):
    for i in range(len(k)):
        o[i] = (k[i] * 31 + 7) % 256
    return o


def test_no_question_where_it_always_fits():
    arguments = np.arange(40), np.zeros(40, np.uint8)
    assert "goto done" not in lazynp.show(lazynp.jit(squeezed, strict=True), *arguments, stage="c")


def test_limits():
    byte, number = new_input(ArrayType((), np.dtype(np.uint8))), new_input(ArrayType((), np.dtype(np.int64)))
    wide = ew.cast(byte, to=np.dtype(np.int64))
    assert limits_of(wide * 3 - 5) == (-5, 760)
    assert limits_of(ew.bitwise_and(number, constant(63))) == (0, 63)
    assert limits_of(ew.remainder(number, constant(10))) == (0, 9)
    assert limits_of(ew.minimum(ew.absolute(wide - 100), constant(7))) == (0, 7)
    assert limits_of(ew.right_shift(wide, constant(4))) == (0, 15)
    assert limits_of(ew.bitwise_xor(wide, constant(256))) == (0, 511)
    assert limits_of(ew.where(ew.less(number, constant(0)), constant(-1), wide)) == (-1, 255)
    assert limits_of(number + 1) == limits_of(number)  # which may wrap around
    assert lost(ew.remainder(number, constant(256)), np.dtype(np.uint8)) is None
    assert lost(wide - 1, np.dtype(np.uint8)) is not None
