"""Warnings of compiled programs that depend on no value: told at every call that comes there, as NumPy tells them."""

import warnings

import numpy as np
import pytest

import lazynp


def in_a_loop(z, o):
    for i in range(len(z)):
        o[i] = z[i]
    return o


def in_a_branch(z, o):
    for i in range(len(z)):
        if o[i] > 5.0:
            o[i] = z[i]
        else:
            o[i] = 1.0


def in_no_turn(z, o):
    for i in range(int(o[0]), 1):
        o[i] = z[i]
    return o


def at_once(z, o):
    return z.astype(float) + o


def told(function, *arguments, filters="always"):
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter(filters)
        function(*arguments)
    return {(w.category, str(w.message), w.filename, w.lineno) for w in found}


@pytest.mark.parametrize("start", [0.0, 6.0])
@pytest.mark.parametrize("function", [in_a_loop, in_a_branch, in_no_turn, at_once])
def test_lost_imaginary_parts(function, start):
    compiled = lazynp.jit(function, strict=True)
    z = np.arange(40) * (1 + 2j)
    for _ in range(3):
        assert told(compiled, z, np.full(40, start)) == told(function, z, np.full(40, start))
        assert not told(compiled, z, np.full(40, start), filters="ignore")


def test_what_is_an_error():
    compiled = lazynp.jit(at_once)
    z = np.arange(40) * (1 + 2j)
    told(compiled, z, np.ones(40))
    with pytest.raises(np.exceptions.ComplexWarning):
        told(compiled, z, np.ones(40), filters="error")
