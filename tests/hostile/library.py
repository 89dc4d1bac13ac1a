"""Python's and NumPy's own functions and objects inside loops."""

import dataclasses
import functools
import heapq
import math
from collections import deque, namedtuple

import numpy as np

from hostile.cases import case, x6


@case((x6,))
def recursion_on_data(x):
    def f(v):
        return 1.0 if v < 1 else v * f(v - 1)

    return f(x[3])


@case((x6,))
def mutual(x):
    def even(n):
        return True if n == 0 else odd(n - 1)

    def odd(n):
        return False if n == 0 else even(n - 1)

    t = 0.0
    for i in range(4):
        t += x[i] if even(i) else 1.0
    return t


@case((x6,))
def draws(x):
    rng = np.random.default_rng(0)
    t = 0.0
    for i in range(6):
        t += rng.normal() * x[i]
    return t


@case((x6,))
def draws_array(x):
    rng = np.random.default_rng(0)
    for i in range(9):
        x = x + rng.normal(size=6)
    return x


@case((x6,))
def global_rng(x):
    np.random.seed(0)
    t = 0.0
    for i in range(6):
        t += np.random.rand() * x[i]
    return t


@case((x6,))
def tries_index(x):
    n = 0
    for i in range(9):
        try:
            x[i] += 1
        except IndexError:
            n += 1
    return n, x


@case((x6,))
def tries_solve(x):
    A = np.zeros((2, 2))
    A[0, 0] = x[0]
    try:
        y = np.linalg.inv(A)
    except np.linalg.LinAlgError:
        y = A
    return y


@case((x6,))
def tries_in_branch(x):
    if x[0] > 0:
        try:
            y = 1 / 0
        except ZeroDivisionError:
            y = 5
    else:
        y = 6
    return y


@case((x6,))
def linalg_in_loop(x):
    A = np.eye(3) * 4 + x[:3, None] * x[None, :3]
    for _ in range(6):
        A = np.linalg.inv(A) + np.eye(3)
    return A


@case((x6,))
def singular_in_loop(x):
    A = np.eye(3)
    for i in range(6):
        A[2, 2] = 3 - i
        B = np.linalg.inv(A)
    return B


@case((x6,))
def sorts(x):
    for i in range(6):
        x[:i].sort()
        x = np.sort(x)[::-1] * 0.9
    return x


@case((x6,))
def argsorts(x):
    k = np.argsort(x)
    t = 0
    for i in range(6):
        t = t * 7 + k[i]
    return t


@case((x6,))
def uniques(x):
    t = 0
    for i in range(6):
        t += len(np.unique(np.round(x * i)))
    return t


@case((x6,))
def filtered(x):
    return sum([v for v in x if v > 0])


@case((x6,))
def any_all(x):
    n = 0
    while np.any(x > 0.1) and n < 50:
        x = x * 0.7
        n += 1
        if np.all(x < 0.5):
            break
    return x, n


@case((x6,))
def any_generator(x):
    return any(v > 3 for v in x)


@case((x6,))
def masked(x):
    for i in range(6):
        x[x > i] -= 0.5
    return x


@case((x6,))
def fancy(x):
    k = np.array([3, 1, 2])
    for i in range(6):
        x[k] = x[k[::-1]] + i
        k = (k + 1) % 6
    return x


@case((x6,))
def wheres(x):
    for i in range(6):
        x = np.where(x > 0, x * 0.5, -x)
    return x


@case((x6,))
def stacked_columns(x):
    m = np.zeros((6, 6))
    for j in range(6):
        m[:, j] = x * j
        m[j] += m[:, j]
    return m


@case((x6,))
def transposed_view(x):
    m = np.outer(x, x)
    t = m.T
    for j in range(6):
        t[j, 0] = j
        m[j, j] += t[0, j]
    return m, t


@case((x6,))
def reshaped_view(x):
    m = x.reshape(2, 3)
    for j in range(3):
        m[1, j] += m[0, j] + x[5 - j]
    return x, m


@case((x6,))
def real_imag(x):
    z = x + 1j * x[::-1]
    for i in range(6):
        z.real[i] += i
        z.imag[i] *= 2
    return z, z.real


@case((x6,))
def flat_iter(x):
    m = np.outer(x, x)
    t = 0.0
    for v in m.flat:
        t += v
    for v in m.ravel():
        t += v
    return t


@case((x6,))
def nditer(x):
    t = 0.0
    for v in np.nditer(x):
        t += v
    return t


@case((x6,))
def ndindex(x):
    m = np.outer(x, x)
    t = 0.0
    for i, j in np.ndindex(6, 6):
        t += m[i, j] * (i - j)
    return t


@case((x6,))
def ndenumerate(x):
    t = 0.0
    for (i,), v in np.ndenumerate(x):
        t += v * i
    return t


@case((x6,))
def math_functions(x):
    t = 0.0
    for v in x:
        t += math.sin(v) + math.exp(v) + math.sqrt(abs(v)) + math.pi
    return t


@case((x6,))
def math_domain(x):
    t = 0.0
    for v in x:
        t += math.sqrt(v)
    return t


@case((x6,))
def rounding(x):
    t = 0
    for v in x:
        t += round(v) + round(v * 3.7, 1)
    return t


@case((x6,))
def divmods(x):
    t = 0
    for i in range(1, 6):
        q, r = divmod(17, i)
        t += q * r
    return t


@case((x6,))
def int_division(x):
    t = 0
    for i in range(-5, 6):
        t += (i // 2) * 3 + i % 3 - (-i) // 4
        t += (i * 7) % 5
    return t


@case((x6,))
def while_over_ints(x):
    lo, hi = 0, 5
    while lo < hi:
        mid = (lo + hi) // 2
        if x[mid] < 1:
            lo = mid + 1
        else:
            hi = mid
    return lo


@case((x6,))
def heap(x):
    h = []
    for v in x:
        heapq.heappush(h, float(v))
    return h[0]


@case((x6,))
def bounded_queue(x):
    d = deque(maxlen=3)
    t = 0.0
    for i in range(6):
        d.append(x[i])
        t += sum(d)
    return t


@case((x6,))
def namedtuple_state(x):
    S = namedtuple("S", "a b")
    s = S(0.0, x)
    for i in range(7):
        s = S(s.a + s.b[i % 6], s.b * 0.5)
    return s.a, s.b


@case((x6,))
def dataclass_state(x):
    @dataclasses.dataclass
    class S:
        a: float
        n: int = 0

    s = S(0.0)
    for v in x:
        s.a += v
        s.n += 1
    return s.a, s.n


@case((x6,))
def dataclass_replace(x):
    @dataclasses.dataclass(frozen=True)
    class S:
        a: float
        n: int = 0

    s = S(0.0)
    for v in x:
        s = dataclasses.replace(s, a=s.a + v, n=s.n + 1)
    return s.a, s.n


@case((x6,))
def prints(x):
    t = 0.0
    for v in x:
        t += v
        if t > 2:
            print("large", end="")
    return t


@case((x6,))
def formats(x):
    s = ""
    for v in x:
        s += f"{v:.2f} "
    return s


@case((x6,))
def slots(x):
    class S:
        __slots__ = ("v",)

    s = S()
    s.v = 0.0
    for v in x:
        s.v += v
    return s.v


@case((x6,))
def properties(x):
    class S:
        def __init__(self):
            self._v = 0.0
            self.sets = 0

        @property
        def v(self):
            return self._v

        @v.setter
        def v(self, value):
            self.sets += 1
            self._v = value

    s = S()
    for v in x:
        s.v = s.v + v
    return s.v, s.sets


@case((x6,))
def setitem_class(x):
    class S:
        def __init__(self):
            self.d = {}
            self.n = 0

        def __setitem__(self, k, v):
            self.n += 1
            self.d[0] = v

        def __getitem__(self, k):
            return self.d.get(0, 0.0)

    s = S()
    for v in x:
        s[1] = s[1] + v
    return s[1], s.n


@case((x6,))
def class_counter(x):
    class S:
        n = 0

        def __init__(self, v):
            S.n += 1
            self.v = v

    t = 0.0
    for v in x:
        t += S(v).v
    return t, S.n


@case((x6,))
def iter_class(x):
    class It:
        def __init__(self):
            self.k = 0

        def __iter__(self):
            return self

        def __next__(self):
            if self.k >= 6:
                raise StopIteration
            self.k += 1
            return self.k - 1

    t = 0.0
    for i in It():
        t += x[i]
    return t


@case((x6,))
def call_class(x):
    class F:
        def __init__(self):
            self.calls = 0

        def __call__(self, v):
            self.calls += 1
            return v * self.calls

    f = F()
    t = 0.0
    for v in x:
        t += f(v)
    return t, f.calls


@case((x6,))
def default_argument_effect(x):
    cache = {}

    def memo(k):
        if k not in cache:
            cache[k] = k * 2
        return cache[k]

    t = 0
    for i in range(6):
        t += memo(i % 2)
    return t, cache


@case((x6,))
def lru(x):
    @functools.lru_cache
    def g(k):
        return k * 2

    t = 0
    for i in range(6):
        t += g(i)
    return t


@case((x6,))
def map_lambda(x):
    t = 0.0
    for i in range(6):
        a, b = map(lambda v: v * 2, (x[i], 1.0))
        t += a * b
    return t


@case((x6,))
def sorted_key(x):
    return sorted([3, 1, 2], key=lambda v: -v), x


@case((x6,))
def starargs_unpack(x):
    def f(a, b, *c, d=1.0):
        return a + b * d + len(c)

    t = 0.0
    for i in range(4):
        t += f(*x[i : i + 2], *(1, 2), d=x[0])
    return t


@case((x6,))
def del_slice(x):
    left = [1, 2, 3, 4]
    for i in range(6):
        if i < 2:
            del left[1:2]
        x[i] += len(left)
    return x


@case((x6,))
def nested_tuple_swap(x):
    a, (b, c) = 0.0, (1.0, 2.0)
    for v in x:
        a, (b, c) = b, (c, a + v)
    return a, b, c


@case((x6,))
def aug_item_list(x):
    record = [0.0, [1.0]]
    for v in x:
        record[0] += v
        record[1] += [2.0]
    return record


@case((x6,))
def match_statement(x):
    t = 0.0
    for i in range(6):
        match i % 3:
            case 0:
                t += x[i]
            case 1:
                t -= x[i]
            case _:
                t *= 2
    return t


@case((x6,))
def conditional_import(x):
    for i in range(6):
        x[i] += math.pi
    return x


@case((x6,))
def with_return(x):
    for i in range(6):
        with np.errstate(all="ignore"):
            if x[i] > 3:
                return i
    return -1


@case((x6,))
def while_in_with(x):
    with np.errstate(all="ignore"):
        n = 0
        while x[0] < 50:
            x = x * 1.5
            n += 1
    return x, n


@case((x6,))
def zip_shortest(x):
    t = 0.0
    for a, b in zip(x, x[2:]):
        t += a * b
    for a, k in zip(x, range(100)):
        t += a * k
    for k, a in enumerate(x[1:], 5):
        t += a * k
    for k, (a, b) in enumerate(zip(range(3), x)):
        t += a * b * k
    return t


@case((x6,))
def last_values(x):
    for i, v in enumerate(x):
        pass
    for j in range(10, 0, -3):
        pass
    for a, b in zip(x, range(4)):
        pass
    return i, v, j, a, b


@case((x6,))
def strings_compare(x):
    modes = ["up", "down"]
    for i in range(6):
        if modes[i % 2] == "up":
            x[i] += 1
    return x


@case((x6,))
def step_negative_break(x):
    for i in range(5, -1, -1):
        if x[i] > 2:
            break
    return i, x[i]


@case((x6,))
def enumerate_break(x):
    for i, v in enumerate(x):
        if v > 1.5:
            break
    return i, v


@case((x6,))
def bool_index(x):
    t = 0.0
    for i in range(6):
        t += x[(i > 2 and 1) or 0]
    return t


@case((x6,))
def compare_arrays(x):
    n = 0
    while not np.array_equal(x, np.round(x)):
        x = x * 2
        n += 1
    return n, x


@case((x6,))
def allclose_loop(x):
    y = x
    while True:
        z = np.cos(y)
        if np.allclose(z, y, rtol=1e-12, atol=1e-12):
            return z
        y = z


@case((x6,))
def int32_loop(x):
    a = np.int32(7)
    for i in range(6):
        a = a * np.int32(1000) + i
    return a


@case((x6,))
def uint8_wrap(x):
    a = np.zeros(6, np.uint8)
    for i in range(300):
        a[i % 6] += 3
    return a


@case((x6,))
def float32_scalar(x):
    s = np.float32(0)
    for v in x.astype(np.float32):
        s = s + v * 2
    return s


@case((x6,))
def nan_max(x):
    x[2] = np.nan
    m = -np.inf
    for v in x:
        if v > m:
            m = v
    return m


@case((x6, x6 * 2))
def alias_after_a_loop_that_may_have_no_turn(a, b):
    k = 0
    while k < 7 and a[0] < 5:
        k += 1
        b = a
    k = 0
    while k < 6:
        k += 1
        b = a
        a[0] -= 0.5 * a.sum()
    return a, b
