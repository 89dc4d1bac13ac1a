"""Calls, closures, defaults, generators, operators and conversions."""

import numpy as np

from hostile.cases import case, x6


def doubled(f):
    def wrapper(*args, **kwargs):
        return f(*args, **kwargs) * 2

    return wrapper


@doubled
def helper(v, *, scale=1.0, power=2):
    r = 1.0
    for _ in range(power):
        r = r * v
    if r > 1:
        return r * scale
    return r


@case((x6,))
def calls_decorated(x):
    total = 0.0
    for v in x:
        total += helper(v, scale=0.5, power=5)
    return total


def variadic(*values, **named):
    total = 0.0
    for v in values:
        total = total + v
    for k in named:
        total = total * named[k]
    return total


@case((x6,))
def star_args(x):
    t = 0.0
    for i in range(5):
        t += variadic(x[i], *(x[i + 1], 1.0), **{"b": 2.0})
    return t


def power(v, n):
    return 1.0 if n == 0 else v * power(v, n - 1)


@case((x6,))
def recursion(x):
    return sum([power(v, 6) for v in x])


@case((x6,))
def recursion_in_loop(x):
    t = 0.0
    for v in x:
        t += power(v, 3)
    return t


@case((x6,))
def default_is_mutable(x):
    def add(v, seen=[]):  # noqa: B006
        seen.append(v)
        return len(seen)

    n = 0
    for i in range(6):
        n += add(i)
    return n


@case((x6,))
def closure_reads_loop_variable(x):
    fs = []
    for i in range(6):
        fs.append(lambda v: v * i)
    return [f(x[1]) for f in fs]


@case((x6,))
def lambda_with_branch(x):
    f = lambda v: v if v > 0 else -v
    t = 0.0
    for v in x:
        t += f(v)
    return t


@case((x6,))
def lambda_with_effect(x):
    seen = []
    f = lambda v: seen.append(v)
    for v in x:
        f(v)
    return len(seen)


@case((x6,))
def generator_function(x):
    def pairs():
        for i in range(5):
            yield x[i], x[i + 1]

    t = 0.0
    for a, b in pairs():
        t += a * b
    return t


class Stepper:
    def __init__(self, rate):
        self.rate = rate
        self.count = 0

    def step(self, x):
        self.count += 1
        return x - self.rate * x

    def run(self, x, n):
        for _ in range(n):
            x = self.step(x)
        return x

    def __call__(self, x):
        return self.run(x, 6)


@case((x6, Stepper(0.1)))
def methods(x, stepper):
    y = stepper.run(x, 7)
    return stepper(y), stepper.count


@case((x6,))
def conditional_expressions(x):
    t = 0.0
    for v in x:
        t += v if v > 0 else (-v if v < -0.5 else 1.0)
        t = t if not (v > 1 and t > 3) else t - 1
        if 0 < v < 3 or v == -1:
            t += 10
    return t


@case((x6,))
def and_or_values(x):
    t = 0.0
    for v in x:
        t += (v > 0 and v) or 5.0
    return t


@case((x6,))
def minimum_and_maximum(x):
    lo, hi = x[0], x[0]
    for v in x:
        lo = min(lo, v)
        hi = max(hi, v, 0.0)
    return lo, hi


@case((np.array([1.0, np.nan, 3.0, 0.5, 2.0]),))
def maximum_with_nan(x):
    hi = 0.0
    lo = 9.0
    for v in x:
        hi = max(hi, v)
        lo = min(v, lo)
    return hi, lo


@case((x6,), (np.array([1.0, np.nan, 3.0, 0.5, 2.0, 7.0]),))
def conversions(x):
    t = 0
    for v in x:
        t += int(v * 3)
        t += float(v) > 1
        t += bool(v > 0)
        t += abs(int(v))
    return t


@case((x6,))
def types_asked(x):
    t = 0
    for i in range(6):
        v = x[i]
        t += isinstance(v, float) + isinstance(i, int) + (type(i) is int) + isinstance(x, np.ndarray)
    return t


@case((x6,))
def integer_operators(x):
    t = 0
    for i in range(6):
        t += (i << 2) ^ (i & 5) | (i >> 1)
        t -= -i // 2 + (-i) % 3 + i**2
    return t


@case((x6,))
def float_of_loop_variable(x):
    t = 0.0
    for i in range(6):
        t += i / 2 + i * 0.5 + np.sqrt(i) + 2**i
    return t
