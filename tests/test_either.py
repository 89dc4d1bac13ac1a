"""Numbers that are of one kind or another, as branches and loops over traced values decide: Python hands out the one it has."""

import json
import math

import numpy as np
import pytest
from outcomes import made, outcome, same
from random_numbers import Writer

import lazynp


def sum_of_some(x):
    s = 0
    for v in x:
        if v > 0:
            s += v
    return s


def sum_and_count(x):
    s = 0
    for _ in range(3):
        for v in x:
            if v > 1:
                s += v
            elif v < -1:
                s += 1
    return s, s * 2, s / 2, -s, s > 0


def found(x):
    for v in x:
        if v > 0:
            return v
    return -1


def largest(x):
    m = -1
    for v in x:
        if v > m:
            m = v
    return m


def above_a_tenth(x):
    m = 0.1
    for v in x:
        if v > m:
            m = v
    return m, m + 1


def complex_sum(x):
    z = 0
    for v in x:
        if v > 0:
            z += v * 1j
    return z


def flag_or_value(x):
    found = False
    for v in x:
        if v > 0:
            found = v
    return found


def factor(x):
    k = 2 if x[0] > 0 else 2.5
    return k, k * x, k * np.arange(3), np.full(3, 7) // k, 1 / k


def steps(x):
    n = 0
    while n < 5 and n * 2 < 9:
        n = n + 1 if x[0] > 0 else n + 0.5
    return n


def of_its_type(x):
    k = 2 if x[0] > 0 else 2.5
    return (1 if isinstance(k, float) else 0), float(k), int(k), math.sqrt(k), round(k), bool(k), type(k) is int


def divided(x):
    s = 0
    for v in x:
        if v > 0:
            s += v
    return 1.0 / s


def stored(x):
    s = 0
    out = np.zeros(len(x))
    for i in range(len(x)):
        if x[i] > 0:
            s += x[i]
        out[i] = s
    return out, s


def reset(x):
    s = x[0]
    for v in x:
        s = 0 if v < 0 else s + v
    return s


def appended(x):
    out, s = [], 0
    for v in x:
        if v > 0:
            s += v
        out.append(s)
    return np.array(out), s


def mean_of_some(x):
    s, n = 0.0, 0
    for v in x:
        if v > 0:
            s += v
            n += 1
    return s / n


def ratio(x):
    s, n = 0, 0
    for v in x:
        if v > 0:
            s += v
        if v < 0:
            n += v
    return s / n, s // n, s % n


def largest_of_all(x):
    n = 0
    for v in x:
        n = max(n, v)
    return n


def scaled_square(x):
    n = largest_of_all(x)
    return n * 2**40 * n * 2**40


def shifted(x):
    n = largest_of_all(x)
    return 1 << n if n < 3 else n << 62


def powers(x):
    n = 2
    for v in x:
        if v > 0:
            n = v
    return n**100, n ** (n - 3)


def root(x):
    r = -1.0
    for v in x:
        if v > 0:
            r = -v
    return r**0.5, r**2


def beside_small_arrays(x):
    n, r, b = 0, 0.5, False
    for v in x:
        if v > 0:
            n, r, b = v, v * 1.0, v > 1
    return n * np.arange(3, dtype="u1"), r * np.ones(3, "f4"), n + np.int8(1), r + np.float32(1), b + b, -n, ~n if n == 0 else n


def indexed(x):
    k = 0
    y = np.arange(10.0)
    out = np.zeros(10, "u1")
    for i in range(len(x)):
        if x[i] > 0:
            k = np.argmax(x)
        out[i] = k
    return y[k], y[k:], y[:k], out, [0, 1, 2, 3, 4][k]


def running(x):
    m = 0
    out = np.zeros(len(x), "i8")
    for i in range(len(x)):
        if x[i] > m:
            m = x[i]
        out[i] = m
    return out


def kinds(x):
    m, b = 0.0, False
    for v in x:
        m = max(m, v)
        b = b or v > 2
    return isinstance(m, float), isinstance(m, np.floating), type(b) is bool, str(bool(b)), f"{float(m):.1f}", int(m)


def while_loop(x):
    k, s = 0, 0
    while k < len(x) and x[k] > 0:
        s = s + x[k]
        k += 1
    return s, 10 / (s + 1), s * 100


def in_arrays(x):
    s, n = 0.0, 0
    for v in x:
        if v > 0:
            s += v
            n = max(n, v)
    return np.array([s, 1.0, n]), np.asarray(s), np.array(n), np.array([[n, n], [n, 1]])


FUNCTIONS = [
    mean_of_some, ratio, largest_of_all, scaled_square, shifted, powers, root, beside_small_arrays, indexed, running, kinds, while_loop,
    in_arrays,
    sum_of_some, sum_and_count, found, largest, above_a_tenth, complex_sum, flag_or_value, factor, steps, of_its_type, divided, stored,
    reset, appended,
]  # fmt: skip
VALUES = {
    "none": [-1, -1, -1, -1, -1],
    "some": [-1, 2, -3, 4, -1],
    "all": [1, 2, 3, 4, 5],
    "zeros": [0, 0, 0, 0, 0],
}


@pytest.mark.parametrize("values", VALUES)
@pytest.mark.parametrize("dtype", ["f8", "f4", "i8", "i1", "u1"])
@pytest.mark.parametrize("function", FUNCTIONS)
def test_result_and_its_type(function, dtype, values):
    x = np.abs(VALUES[values]).astype(dtype) if dtype == "u1" else np.array(VALUES[values], dtype)
    expected = outcome(function, (x,)).result
    compiled = lazynp.jit(function)
    for _ in range(2):
        same(outcome(compiled, (x,)).result, expected, rtol=0, atol=0)


def replaced(y):
    u = y * 1.0
    for i in range(12):
        u = np.arange(5) * i
    return u


def widened(y):
    u = np.arange(5)
    for _ in range(12):
        u = u + y
    return u


def widened_while(y):
    u, k = np.arange(5), 0
    while y[k] > 0:
        u = u + y
        k += 1
    return u


def replaced_while(y):
    u, k = y * 1.0, 0
    while y[k] > 0:
        u = np.arange(5) * k
        k += 1
    return u


def widened_so_often(y):
    u = np.arange(5, dtype="u1")
    for _ in range(int(y[1])):
        u = u * np.int32(2)
    return u


@pytest.mark.parametrize("function", [replaced, widened, widened_while, replaced_while, widened_so_often])
def test_arrays_that_a_turn_gives_another_dtype(function):
    """Without a turn they keep the one they had."""
    compiled = lazynp.jit(function)
    for y in ([1.0, 2.0, -1.0, 0.0, 0.0], [-1.0, 0.0, -1.0, 0.0, 0.0], [0.0, 1.0, 2.0, -1.0, 0.0]):
        expected = outcome(function, (np.array(y),)).result
        for _ in range(2):
            same(outcome(compiled, (np.array(y),)).result, expected, rtol=0, atol=0)


def test_no_fallback():
    for x in (np.full(5, -1.0), np.ones(5)):
        for function in (sum_of_some, sum_and_count, found, largest, flag_or_value, steps, reset):
            assert not outcome(lazynp.jit(function, strict=True), (x,)).warned
    assert json.dumps(lazynp.jit(sum_of_some)(np.full(5, -1.0))) == "0"


def test_lazy_arrays_hand_out_the_same():
    x = lazynp.asarray(np.full(70_000, -1.0))
    result = lazynp.jit(sum_of_some)(x)
    assert type(result) is int and result == 0


@pytest.mark.parametrize("seed", range(120))
def test_random_programs(seed):
    program = made(Writer(seed).program(), f"<numbers {seed}>")
    rng = np.random.default_rng(seed)
    compiled = lazynp.jit(program)
    for dtype in ("f8", ["f4", "i8", "i2"][seed % 3]):
        x = np.round(rng.standard_normal(6) * 2).astype(dtype)
        y = rng.standard_normal(6)
        expected = outcome(program, (x, y)).result
        same(outcome(compiled, (x, y)).result, expected, where=f"{Writer(seed).program()}\n{x!r} {y!r}")


@pytest.mark.parametrize("function", [sum_of_some, found, largest, flag_or_value, stored, reset, largest_of_all, while_loop])
def test_nothing_is_doubted(function):
    """A program that doubts its results where they are of one kind would run twice."""
    x = np.arange(5) - 2.0
    assert "doubt" not in lazynp.show(lazynp.jit(function, strict=True), x)
