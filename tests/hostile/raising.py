"""Errors that the program raises itself: `assert`, `raise` in branches. Compiled, they are checks; where one fails, Python runs."""

import math

import numpy as np

from hostile.cases import case, i6, x6


@case((i6,), (i6 * 0 + 9,))
def assert_in_loop_check(x):
    s = 0
    for v in x:
        assert v > 0, "neg"
        s += v
    return s


@case((i6,), (i6 * 0 + 9,))
def assert_after_write(x):
    s = 0
    for k, v in enumerate(x):
        x[k] = v * 2
        assert v < 9, "big"
        s += v
    return s


@case((i6,), (i6 * 0 + 9,))
def raise_in_loop(x):
    for v in x:
        if v == 9:
            raise ValueError("nine")
    return 1


@case((i6,), (i6 * 0 + 9,))
def raise_never(x):
    for v in x:
        if v == 77:
            raise ValueError(f"nine {v}")
    return 1


@case((i6,), (i6 * 0 + 9,))
def index_beyond(x):
    s = 0
    for k in x:
        if k >= len(x):
            raise ValueError("too large")
        s += x[k]
    return s


@case((i6,), (i6 * 0 + 9,))
def index_inside(x):
    s = 0
    for k in x:
        if k > 9:
            raise ValueError("too large")
        s += x[k % 8]
    return s


@case((i6,), (i6 * 0 + 9,))
def index_beyond_unnoticed(x):
    s = 0
    for k in x:
        if k > 9:
            raise ValueError("too large")
        s += x[k]
    return s


@case((x6,), (x6 + 60.0,), (-abs(x6),))
def raise_outside_of_loops(x):
    if x[0] > 0:
        raise ValueError("positive")
    assert x[1] < 0
    if x[2] > 100:
        msg = "big"
        raise RuntimeError(msg)
    elif x[3] > 50:
        raise KeyError(3)
    else:
        y = x * 2
    return y


@case((x6,), (x6 + 60.0,), (-abs(x6),))
def raise_at_once(x):
    if x[0] < 0:
        raise ValueError("negative")
    return x


@case((x6,), (x6 + 60.0,), (-abs(x6),))
def raise_in_a_branch(x):
    s = 0.0
    for v in x:
        if v > 0:
            if v > 3:
                raise ArithmeticError("v")
            s += v
    return s


@case((x6,), (x6 + 60.0,), (-abs(x6),))
def no_convergence_endless(x):
    k = 0
    s = 0.0
    while True:
        s += x[k]
        k += 1
        if k > 6:
            raise RuntimeError("no convergence")
        if s > 0:
            return k


@case((x6,), (x6 + 60.0,), (-abs(x6),))
def no_convergence_while(x):
    k = 0
    s = 0.0
    while s < 100:
        s += abs(x[k % 8])
        k += 1
        if k > 60:
            raise RuntimeError("no convergence")
    return k, s


@case((np.eye(4) * 3 + 1.0,))
def pivots(m):
    n = len(m)
    for k in range(n):
        p = m[k, k]
        if abs(p) < 1e-12:
            raise np.linalg.LinAlgError("singular")
        for i in range(k + 1, n):
            m[i, k:] -= m[i, k] / p * m[k, k:]
    return m


@case((np.ones((4, 4)),))
def singular_pivots(m):
    n = len(m)
    for k in range(n):
        p = m[k, k]
        if abs(p) < 1e-12:
            raise np.linalg.LinAlgError("singular")
        for i in range(k + 1, n):
            m[i, k:] -= m[i, k] / p * m[k, k:]
    return m


def checked(v):
    if v < 0:
        raise ValueError("neg")
    return math.sqrt(v)


@case((np.abs(x6),))
def raise_in_a_helper(x):
    s = 0.0
    for v in x:
        s += checked(v)
    return s


@case((x6,), (x6 + 60.0,), (-abs(x6),))
def raise_in_a_helper_of_some(x):
    s = 0.0
    for v in x:
        s += checked(v)
    return s


@case((x6,), (x6 + 60.0,), (-abs(x6),))
def raise_and_catch(x):
    s = 0.0
    for v in x:
        try:
            if v < 0:
                raise ValueError
            s += v
        except ValueError:
            s += 100
    return s


@case((x6,), (x6 + 60.0,), (-abs(x6),))
def raise_before_break(x):
    k = 0
    while True:
        k += 1
        if x[0] < 0:
            raise ValueError("neg")
        if k > 5 and x[0] > 0:
            break
    return k


@case((x6,), (x6 + 60.0,), (-abs(x6),))
def assert_with_a_message(x):
    for v in x:
        assert v < 3, ("v is", float(v))
    return 0


@case((x6,), (x6 + 60.0,), (-abs(x6),))
def raise_in_else(x):
    s = 0.0
    for v in x:
        if v < 10:
            s += v
        else:
            raise ValueError("x")
    return s


@case((x6,), (x6 + 60.0,), (-abs(x6),))
def raise_when_never_found(x):
    for i, v in enumerate(x):
        if v > 2:
            break
    else:
        raise ValueError("none")
    return i


@case((x6,), (x6 + 60.0,), (-abs(x6),))
def raise_when_not_found(x):
    for i, v in enumerate(x):
        if v > 20:
            break
    else:
        raise ValueError("none")
    return i


@case((x6,), (x6 + 60.0,), (-abs(x6),))
def raise_after_print(x):
    s = 0.0
    for v in x:
        if v > 20:
            raise ValueError
        s += v
    print("s")
    return s


@case((x6,), (x6 + 60.0,), (-abs(x6),))
def raise_is_the_only_way_out(x):
    while True:
        x[0] += 1
        if x[0] > 5:
            raise ValueError(x[0])


@case((x6,), (x6 + 60.0,), (-abs(x6),))
def raise_after_two_elifs(x):
    s = 0.0
    for v in x:
        if v < 0:
            s -= v
        elif v < 3:
            s += v
        elif v < 4:
            s += 100
        else:
            raise ValueError(v)
    return s


@case((x6,), (x6 + 60.0,), (-abs(x6),))
def raise_after_elif(x):
    s = 0.0
    for v in x:
        if v < 0:
            s -= v
        elif v < 3:
            s += v
        else:
            raise ValueError(float(v))
    return s


@case((x6,), (x6 + 60.0,), (-abs(x6),))
def return_or_raise(x):
    for v in x:
        if v < 3:
            return v
        else:
            raise ValueError


@case((x6,), (x6 + 60.0,), (-abs(x6),))
def raise_a_class(x):
    if x.ndim != 1:
        raise NotImplementedError
    if x.sum() > 100:
        raise NotImplementedError("sum")
    return x.sum()


@case((x6,), (x6 - 100.0,), (x6 + 200.0,), (x6 + 60.0,))
def checked_sums(x):
    s = 0.0
    for k in range(len(x)):
        assert x[k] > -100.0, "far away"
        if x[k] > 100.0:
            raise ValueError(f"{x[k]} is too large")
        elif x[k] < 50.0:
            s += x[k]
        else:
            raise ArithmeticError
        x[k] = s
    return s
