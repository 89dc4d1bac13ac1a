"""Ways out of compiled functions: `raise` at the end of a search, early returns out of loops in loops, `del` of a loop variable."""

import numpy as np
import pytest

import lazynp


def newton(x):
    t = x[0]
    for k in range(1, 100):
        new = t - (t**3 - 2 * t - 5) / (3 * t**2 - 2)
        if abs(new - t) < 1e-12:
            return new, k
        t = new
    raise RuntimeError("no convergence")


def newton_with_else(x):
    t, k = x[0], 0
    while k < x[1]:
        new = t - (t**3 - 2 * t - 5) / (3 * t**2 - 2)
        k += 1
        if abs(new - t) < 1e-12:
            break
        t = new
    else:
        raise RuntimeError(f"no convergence in {k}")
    return t


def root(v):
    if v < 0:
        raise ValueError("negative")
    return np.sqrt(v)


def raised_by_a_helper(x):
    s = 0.0
    for v in x:
        s += root(v)
    return s


def raised_deep_inside(x):
    for i in range(len(x)):
        if x[i] > 0:
            if x[i] > 2:
                if x[i] > 5:
                    raise OverflowError(f"at {i}")
                x[i] = 1
            else:
                x[i] *= 2
        else:
            raise ZeroDivisionError
    return x


def found(x):
    for i, v in enumerate(x):
        if v > 2.5:
            return i
    raise LookupError("none")


def found_in_pairs(x):
    for i in range(5):
        for j in range(5):
            if x[i] * x[j] > 4:
                return i, j
        else:
            if i > 3:
                raise KeyError(i)
    raise KeyError("all")


def halved(x):
    while True:
        x = x / 2
        while x.max() > 0.5:
            x = x * 0.9
            if x.min() > -0.2:
                return x
        if np.abs(x).max() < 0.01:
            break
    return x


def shrunk(x):
    k = 0
    while k < 5:
        k += 1
        x = x / 2
        for _ in range(9):
            x = x * 0.9
            if x.min() > 0.2:
                return x
    return x


def deleted(x):
    total = 0.0
    for i in range(10):
        total += x[i % 5] * (i if i < 5 else -i)
    del i
    return total


def quotients(x):
    s = 0
    for k in range(30):
        q, r = divmod(k, 7)
        s += q * r
        q, r = divmod(100, k + 1)
        s -= q * r
    return s * x[0]


def pair_or_none(x):
    for i in range(len(x)):
        for j in range(i):
            if x[i] * x[j] < -0.2:
                return i, j
    return None


def element_or_none(x):
    for i in range(len(x)):
        if x[i] > 1.5:
            return x[i]


def array_or_none(x):
    if x[0] > 0:
        return x * 2


def procedure(x):
    for i in range(len(x)):
        x[i] += 1
        if x[i] > 3:
            return


def tree_or_none(x):
    for i in range(len(x)):
        if x[i] > 1.5:
            return x[i : i + 1], {"at": i}
        if x[i] < -0.5:
            return
    else:
        return None


def out_of_an_endless_loop(x):
    while True:
        x = x * 0.5
        if x[0] > 0.4:
            continue
        if x[1] < 0.15:
            break
        if x.max() < 0.1:
            return x
        x = x - 0.01


def number_or_none(x):
    if x[1] > 1:
        return None
    elif x[1] > 0.3:
        return 7
    return None


PROGRAMS = [
    pair_or_none, element_or_none, array_or_none, procedure, tree_or_none, out_of_an_endless_loop, number_or_none,
    newton, newton_with_else, raised_by_a_helper, raised_deep_inside, found, found_in_pairs, halved, shrunk, deleted, quotients,
]  # fmt: skip


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda f: f.__name__)
def test_ways_out_are_pythons(program):
    compiled = lazynp.jit(program, strict=True)
    for values in ([1.0, 2, 3, 1, 7], [-1.0, 0.2, 0.3, 0, 0], [1.0, 50, 2, 1, 2], [1.0, 0.5, 0.2, 1, 2]):

        def outcome(f, values=values):
            x = np.array(values)
            try:
                result = f(x)
            except (RuntimeError, ValueError, OverflowError, ZeroDivisionError, LookupError) as error:
                result = error
            return repr(result), x.tolist()

        assert outcome(compiled) == outcome(program)
