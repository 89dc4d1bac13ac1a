"""Loops of which some turns run abreast: the bits, the warnings and the doubts of the same turns one by one."""

import math
import random
import warnings

import numpy as np
import pytest
from loop_programs import PROGRAMS
from outcomes import made, outcome, same

import lazynp

SPECIAL = np.array([0.0, -0.0, 1.0, -1.0, 0.5, -3.0, 2.0, np.nan, np.inf, -np.inf, 1e-300, 3.25, 1e300])


def newton(a):
    out = np.empty_like(a)
    for i in range(len(a)):
        z = max(a[i], 1.0)
        for _ in range(50):
            following = 0.5 * (z + a[i] / z)
            if abs(following - z) < 1e-12:
                z = following
                break
            z = following
        out[i] = z
    return out


def bisection(a):
    out = np.empty_like(a)
    for i in range(len(a)):
        low, high = 0.0, 10.0
        while high - low > 1e-10:
            middle = 0.5 * (low + high)
            if middle * middle * middle + middle < a[i]:
                low = middle
            else:
                high = middle
        out[i] = 0.5 * (low + high)
    return out


def collatz(a):
    turns = np.zeros(len(a), np.int64)
    for i in range(len(a)):
        n, count = int(a[i]) + 1, 0
        while n != 1:
            n = n // 2 if n % 2 == 0 else 3 * n + 1
            count += 1
        turns[i] = count
    return turns


def mandelbrot(a):
    out = np.zeros((20, len(a)), np.int64)
    for i in range(20):
        for j in range(len(a)):
            x, y, n = 0.0, 0.0, 0
            while n < 40 and x * x + y * y < 4.0:
                x, y = x * x - y * y - 2.0 + 0.3 * a[j], 2.0 * x * y - 1.0 + 0.1 * i
                n += 1
            out[i, j] = n
    return out


def quotients(a):
    out = np.empty_like(a)
    for i in range(len(a)):
        d = a[i]
        s = 0.0
        while d > 0.0:
            s += 1.0 / d
            d -= 1.0
        out[i] = s
    return out


def kepler(a):
    out = np.empty_like(a)
    for i in range(len(a)):
        e = a[i]
        for _ in range(50):
            step = (e - 0.6 * np.sin(e) - a[i]) / (1 - 0.6 * np.cos(e))
            e -= step
            if abs(step) < 1e-9:
                break
        out[i] = e
    return out


def kepler_by_math(a):
    out = np.empty_like(a)
    for i in range(len(a)):
        e, step, turns = a[i], 1.0, 0
        while abs(step) > 1e-9 and turns < 50:
            step = (e - 0.6 * math.sin(e) - a[i]) / (1 - 0.6 * math.cos(e))
            e -= step
            turns += 1
        out[i] = e
    return out


def inverse_of_x_exp_x(a):
    out = np.zeros(len(a))
    for i in range(len(a)):
        x = np.log(1.0 + a[i])
        for _ in range(30):
            e = np.exp(x)
            step = (x * e - a[i]) / (e * (x + 1.0)) + 0.0 * np.tanh(x)
            x -= step
            if abs(step) < 1e-9:
                break
        out[i] = x
    return out


def laned(function, *arguments):
    compiled = lazynp.jit(function, strict=True)
    assert "_LANES; lane++" in lazynp.show(compiled, *arguments, stage="c")
    return compiled


@pytest.mark.parametrize("n", [33, 100, 512])
@pytest.mark.parametrize("function", [newton, bisection, collatz, mandelbrot])
def test_the_same_bits(function, n):
    a = np.random.default_rng(n).random(n) * 10
    same(laned(function, a)(a), function(a))


@pytest.mark.parametrize("n", [33, 100, 512])
@pytest.mark.parametrize("function", [kepler, kepler_by_math, PROGRAMS["bisection"].function, inverse_of_x_exp_x])
def test_functions_have_the_same_bits_alone(function, n):
    """Of 33 elements one goes alone; in another order it is another one."""
    a = np.random.default_rng(n).random(n) * 10
    compiled, order = laned(function, a), np.random.default_rng(0).permutation(n)
    found = compiled(a)
    np.testing.assert_allclose(found, function(a), rtol=1e-13, atol=1e-13)
    same(compiled(a[order]), found[order], rtol=0, atol=0)


@pytest.mark.parametrize("name", ["sin", "cos", "log", "exp", "tanh"])
def test_functions_of_lanes(name):
    ufunc = getattr(np, name)

    def once(a):
        out = np.empty_like(a)
        for i in range(len(a)):
            x, turns = a[i], 0
            while turns < 1:
                x = ufunc(x)
                turns += 1
            out[i] = x
        return out

    rng = np.random.default_rng(1)
    quarters = np.arange(-3000, 3000) * (np.pi / 2)
    drawn = [rng.uniform(-k, k, 2000) for k in (1e-5, 1.0, 30.0, 800.0, 1e6, 1e9)]
    a = np.concatenate([*drawn, np.exp(rng.uniform(-700, 700, 2000)), quarters, np.repeat([*SPECIAL, 5e-324, -1e-310, 2.0**20], 40)])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found, expected = laned(once, a)(a), ufunc(a)
    np.testing.assert_array_equal(np.isnan(found), np.isnan(expected))
    finite = np.isfinite(expected)
    np.testing.assert_array_max_ulp(found[finite], expected[finite], 4)
    same(found[~finite & ~np.isnan(expected)], expected[~finite & ~np.isnan(expected)])
    zero = expected == 0
    same(np.signbit(found[zero]), np.signbit(expected[zero]))


def test_lanes_that_are_done_divide_by_nothing(recwarn):
    a = np.arange(200.0) % 7
    same(laned(quotients, a)(a), quotients(a))
    assert not recwarn.list


def test_lanes_that_divide_by_zero_warn():
    def reciprocals(a):
        out = np.empty_like(a)
        for i in range(len(a)):
            s, n = a[i], 0
            while n < 3:
                s = 1.0 / s
                n += 1
            out[i] = s
        return out

    a = np.arange(64.0)
    compiled = laned(reciprocals, a)
    with pytest.warns(RuntimeWarning, match="divide by zero"):
        ours = compiled(a)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        same(ours, reciprocals(a))


def test_numbers_that_outgrow_64_bits():
    def powers(a):
        out = np.zeros(len(a))
        for i in range(len(a)):
            n, turns = 1, 0
            while turns < a[i]:
                n = n * 3
                turns += 1
            out[i] = n
        return out

    a = np.arange(60)
    same(lazynp.jit(powers)(a), powers(a))


class Writer:
    """Writes one program of a while loop for every element."""

    def __init__(self, seed, functions=False):
        self.random = random.Random(seed)
        self.functions = functions

    def pick(self, *choices):
        return self.random.choice(choices)

    def leaf(self):
        return self.pick("x", "y", "u", "a[i]", "b[i]", "0.5", "2.0", "1.0", "-x", "n")

    def number(self):
        one, other = self.leaf(), self.leaf()
        if self.functions and self.random.random() < 0.4:
            return self.pick(
                f"np.sin({one})", f"np.cos({one} - {other})", f"np.exp(-abs({one}))", f"np.log(abs({one}) + 0.1)", f"np.tanh({one})"
            )
        return self.pick(
            one, f"{one} {self.pick('+', '-', '*')} {other}", f"0.5 * ({one} + {other})", f"{one} / ({other} + 3.0)", f"abs({one})",
            f"max({one}, {other})", f"np.sqrt(abs({one}))", f"{one} if {other} < {self.leaf()} else {other}",
        )  # fmt: skip

    def test(self):
        left, right = self.pick("x", "y", "u", "x - y", "abs(x)", "a[i]"), self.pick("1.5", "y", "0.0", "b[i]", "10.0", "3")
        return f"{left} {self.pick('<', '>', '<=', '>=', '!=')} {right}"

    def statement(self, pad):
        assigned = f"{self.pick('x', 'y', 'u')} = {self.number()}\n"
        branch = f"{pad}if {self.test()}:\n{pad}    "
        other = f"{pad}else:\n{pad}    {self.pick('x', 'y', 'u')} = {self.number()}\n"
        return self.pick(
            pad + assigned, pad + assigned, branch + assigned, branch + assigned + other, f"{branch}break\n", f"{pad}p = p ^ n\n"
        )

    def program(self):
        pad = " " * 12
        head = self.pick(
            f"while n < {self.pick(7, 20, 60)} and {self.test()}:\n",
            f"for _ in range({self.pick(5, 30)}):\n",
            f"while p != 1 and n < 50:\n{pad}p = p // 2 if p % 2 == 0 else 3 * p + 1\n",
            f"while p > 3 and n < 50:\n{pad}p = p - (p & 3) - 1\n",
        )
        lines = ["def program(a, b, k):\n    out = np.zeros(len(a))\n    count = np.zeros(len(a), np.int64)\n    total = 0\n"]
        lines += [
            f"    for i in range(len(a)):\n        x, y, u, n, p = a[i], b[i], {self.pick('1.0', '0.5 * a[i]', 'abs(b[i])')}, 0, k[i]\n"
        ]
        lines += ["        ", head, *[self.statement(pad) for _ in range(self.random.randint(1, 4))], f"{pad}n += 1\n"]
        lines += [f"        out[i] = {self.pick('x', 'x + y', 'u + x')}\n        count[i] = n\n        total += n\n"]
        return "".join([*lines, "    return out, count, total\n"])


@pytest.mark.parametrize("seed", range(24))
def test_random_loops(seed):
    program = made(Writer(seed).program(), f"<random lanes {seed}>")
    rng = np.random.default_rng(seed)
    a, b = [rng.choice(SPECIAL, 100) if seed % 4 == 3 else rng.standard_normal(100) * 3 for _ in range(2)]
    arguments = (a, b, rng.integers(1, 200, 100))
    with np.errstate(all="ignore"):
        expected, _, _ = outcome(program, arguments)
        actual, _, _ = outcome(lazynp.jit(program), arguments)
    same(actual, expected)


@pytest.mark.parametrize("seed", range(12))
def test_random_loops_with_functions(seed):
    """The last bits are not NumPy's, but those of each element do not depend on its neighbours."""
    program = made(Writer(seed, functions=True).program(), f"<random functions {seed}>")
    rng = np.random.default_rng(seed)
    arguments = [
        *[rng.choice(SPECIAL, 100) if seed % 4 == 3 else rng.standard_normal(100) * 3 for _ in range(2)],
        rng.integers(1, 200, 100),
    ]
    order, compiled = rng.permutation(100), lazynp.jit(program)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        numbers, counts, total = compiled(*arguments)
        permuted = compiled(*[a[order] for a in arguments])
    same(permuted, (numbers[order], counts[order], total), rtol=0, atol=0)
