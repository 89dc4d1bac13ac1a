"""What loops run over."""

import numpy as np

from hostile.cases import case, x6


@case((x6, 0, 6, 1), (x6, 5, -1, -1), (x6, 5, 0, -2), (x6, 3, 3, 1), (x6, 4, 1, 1), (x6, 0, 6, 5))
def ranges(x, a, b, c):
    out = np.zeros(6)
    for i in range(a, b, c):
        out[i] = x[i] * i
    return out


@case((x6, np.int64(6)), (x6, np.array(6)))
def range_of_numpy_integer(x, n):
    t = 0.0
    for i in range(n):
        t += x[i]
    return t


@case((x6, 2.0))
def range_of_float(x, n):
    for i in range(n):
        x[i] = 0
    return x


@case((np.arange(6),))
def range_from_data(k):
    n = 0
    for i in range(6):
        for j in range(k[i]):
            n += j
    return n


@case((x6,))
def triangular(x):
    out = np.zeros((6, 6))
    for i in range(6):
        for j in range(i, 6):
            out[i, j] = x[i] * x[j]
    return out


@case((x6,))
def reversed_loops(x):
    a = 1.0
    for i in reversed(range(6)):
        a = a * 0.5 + x[i]
    for v in reversed(x):
        a = a * 0.5 + v
    for v in x[::-1]:
        a = a * 0.5 + v
    return a


@case((x6,))
def loop_over_rows(x):
    m = np.outer(x, x)
    s = np.zeros(6)
    for row in m:
        s += row
        row[0] = 0.0
    return s, m


@case((x6,))
def loop_over_generator(x):
    t = 0.0
    for v in (x[i] * i for i in range(6)):
        t += v
    return t


@case((x6,))
def iterator_shared(x):
    it = iter([0, 1, 2, 3, 4, 5])
    t = 0.0
    for i in it:
        t += x[i]
        next(it)
    return t


@case((x6,))
def comprehension(x):
    m = [[x[i] * j for j in range(3)] for i in range(3)]
    total = 0.0
    for i in range(6):
        total += sum([x[i] * k for k in range(3)])
    return m, total, {i: x[i] for i in range(2)}
