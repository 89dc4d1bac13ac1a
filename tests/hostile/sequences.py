"""Rows, pairs, generators, records and shapes that change."""

import functools
import itertools

import numpy as np

from hostile.cases import case, m45, x6, x12


@case(
    (x6, x12),
)
def zips(x, y):
    s = 0.0
    for i, (a, b) in enumerate(zip(x, y), start=2):
        s += i * a * b
    for a, b, c in zip(x, reversed(y), range(4)):
        s += a * b - c
    return s


@case(
    (m45,),
)
def reversed_rows(a):
    last = np.zeros(5)
    for row in reversed(a):
        last = row - 0.5 * last
    for row in a[::-2]:
        last = last + row
    return last


@case(
    (x6,),
)
def strided_rows(x):
    s = 0.0
    for v in x[::2]:
        s = s * 0.5 + v
    for v in x[::-1]:
        s = s * 0.5 + v
    return s


@case(
    (x6,),
)
def generator_with_state(x):
    def running(values):
        total = 0.0
        for v in values:
            total += v
            yield total

    s = 0.0
    for t in running(x):
        s += t * t
    return s


@case(
    (x6,),
)
def sum_of_generator(x):
    return sum(v * v for v in x if v > 0), max(abs(v) for v in x), any(v > 3 for v in x), all(v > -2 for v in x)


@case(
    (x6,),
)
def comprehension_in_loop(x):
    s = 0.0
    for i in range(len(x)):
        parts = [x[j] * (i + 1) for j in range(3)]
        s += sum(parts) - max(parts)
    return s


@case(
    (x6,),
)
def appends_then_array(x):
    rows = []
    for i in range(len(x)):
        rows.append([x[i], x[i] ** 2, i])
    return np.array(rows)


@case(
    (x6,),
)
def appends_positives(x):
    out = []
    for v in x:
        if v > 0:
            out.append(v)
    return np.array(out), len(out)


@case(
    (x6,),
)
def dict_of_arrays(x):
    state = {"pos": x.copy(), "vel": np.zeros_like(x), "t": 0.0}
    for _ in range(10):
        state["vel"] -= 0.1 * state["pos"]
        state["pos"] = state["pos"] + 0.1 * state["vel"]
        state["t"] += 0.1
    return state


@case(
    (x6,),
)
def list_of_arrays_rotated(x):
    buffers = [x.copy(), x * 2, x * 3]
    for _ in range(7):
        buffers[0][1:-1] = 0.5 * (buffers[1][:-2] + buffers[2][2:])
        buffers = [buffers[2], buffers[0], buffers[1]]
    return buffers


@case(
    (x6,),
)
def defaults_and_keywords(x):
    def step(v, gain=0.5, *, offset=1.0, **rest):
        return v * gain + offset + rest.get("more", 0)

    s = 0.0
    for v in x:
        s = step(s) + step(v, offset=2.0) + step(v, 2, more=3)
    return s


@case(
    (x6,),
)
def closure_counts(x):
    calls = 0

    def bump(v):
        nonlocal calls
        if v > 0:
            calls += 1
        return calls * v

    s = 0.0
    for v in x:
        s += bump(v)
    return s, calls


@case((x6, 0), (x6, 1), (x6, -3))
def empty_ranges(x, n):
    s = -1.0
    for i in range(n):
        s = x[i]
    for i in range(5, 5):
        s = 0
    for i in range(3, 8, -1):
        s = 1
    for i in range(n, 0):
        s += 1
    while s > 1e9:
        s -= 1
    return s


@case((np.zeros((0, 3)),), (np.ones((2, 3)),))
def empty_rows(a):
    s = np.zeros(3)
    n = 0
    for row in a:
        s = s + row
        n += 1
    return s, n


@case(
    (x6,),
)
def itertools_loops(x):
    s = 0.0
    for a, b in itertools.product(range(3), range(2)):
        s += x[a] * x[b + 2]
    for i, j in itertools.combinations(range(4), 2):
        s += x[i] - x[j]
    for a, b in itertools.pairwise(x):
        s += a * b
    return s, functools.reduce(lambda p, q: p * 0.5 + q, x)


@case(
    (x6,),
)
def ndenumerate_and_ndindex(x):
    a = np.outer(x, x)
    s = 0.0
    for (i, j), v in np.ndenumerate(a):
        s += (i - j) * v
    for i, j in np.ndindex(2, 3):
        s += a[i, j]
    return s


@case(
    (x6,),
)
def strings_in_loop(x):
    names = ""
    for v in x:
        names += "+" if v > 0 else "-"
    return names


@case(
    (x6,),
)
def arrays_of_arrays(x):
    total = np.zeros(3)
    for i in range(len(x)):
        total += np.array([x[i], x[i - 1], i])
        total[i % 3] = 0
    return total


@case((x6,), (x12,))
def unpack_wrong(x):
    s = 0.0
    for k in range(10):
        a, b, c, d, e, f = x
        s += a + f * k
    return s


@case(
    (x6,),
)
def none_sentinel(x):
    best = None
    for v in x:
        if best is None or v > best:
            best = v
    return best


@case(
    (x6,),
)
def inf_sentinel(x):
    best, at = -float("inf"), -1
    for i, v in enumerate(x):
        if v > best:
            best, at = v, i
    return best, at


@case(
    (x6, 3),
)
def recursion_hanoi(x, n):
    def moves(k):
        return 0 if k == 0 else 2 * moves(k - 1) + 1

    s = 0.0
    for i in range(n):
        s += moves(i + 1) * x[i]
    return s


@case(
    (x6,),
)
def class_with_state(x):
    class Filter:
        def __init__(self, a):
            self.a, self.y = a, 0.0

        def __call__(self, v):
            self.y += self.a * (v - self.y)
            return self.y

    f = Filter(0.3)
    out = np.empty_like(x)
    for i, v in enumerate(x):
        out[i] = f(v)
    return out, f.y


@case(
    (x6,),
)
def conditional_shapes(x):
    y = x
    for i in range(3):
        if i == 1:
            y = y[:3]
        y = y * 2
    return y


@case(
    (x6,),
)
def growing_concatenation(x):
    y = x[:1]
    for i in range(1, 4):
        y = np.concatenate([y, x[i : i + 1] * y[-1]])
    return y


@case((16,), (8,))
def halving(n):
    y = np.arange(float(n))
    while len(y) > 1:
        y = y[::2] + y[1::2]
    return y


@case(
    (x6,),
)
def sums_along(x):
    a = np.outer(x, x)
    for i in range(5):
        a = a / a.sum(axis=1, keepdims=True)
        a = a / a.sum(axis=0)
    return a


@case(
    (x6,),
)
def fancy_update(x):
    idx = np.array([0, 2, 4])
    for k in range(3):
        x[idx] += k
        x[idx[k]] *= 2
        x[x > 3] -= 1
    return x


@case(
    (x6,),
)
def masked_count(x):
    n = 0
    z = x.copy()
    for _ in range(5):
        m = np.abs(z) < 2
        if not m.any():
            break
        z[m] = z[m] ** 2 + x[m]
        n += m.sum()
    return z, n


@case((x6,))
def empty_then_filled(x):
    y = np.empty_like(x)
    z = np.empty((3, len(x)))
    for i in range(len(x)):
        y[i] = x[i]
        z[:, i] = y[i]
    w = np.empty(4)
    w[:] = 2
    w[1:] += 1
    return y, z, w


@case((x6,))
def empty_where(x):
    y = np.empty(len(x))
    for i in range(len(x)):
        if x[i] > 0:
            y[i] = 1
        else:
            y[i] = -1
    u = np.empty(3)
    u.fill(5.0)
    np.add(x[:3], 1, out=u)
    return y, u
