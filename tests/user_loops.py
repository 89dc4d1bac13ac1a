"""Loops as NumPy users write them, hostile to a compiler: views of carried arrays, numbers that change their types, jumps, records.

PROGRAMS: name -> (function, arguments). Each runs on NumPy, under jit and in lazy mode: tests/test_user_loops.py.
"""

# ruff: noqa: B007, B905, E731, F841, N802, PIE808

import math

import numpy as np

PROGRAMS = {}


def program(*arguments):
    def enter(function):
        again = sum(name.partition("_again")[0] == function.__name__ for name in PROGRAMS)
        PROGRAMS[function.__name__ + "_again" * again] = (function, arguments)
        return function

    return enter


rng = np.random.default_rng(0)
x12 = rng.normal(size=12)
m66 = rng.normal(size=(6, 6))
ints = rng.integers(0, 6, 12)
SCALE = 2.5
TABLE = np.arange(6.0) ** 2
CONF = {"a": 0.5, "b": 2}


class Model:
    def __init__(self):
        self.w = np.arange(6.0)
        self.bias = 1.0
        self.hist = []

    def step(self, v):
        return np.tanh(self.w * 0.1 + v) * self.bias

    def run(self, v, n):
        for _ in range(n):
            v = self.step(v)
        return v


MODEL = Model()


@program(x12)
def running_max(x):
    best = x[0]
    arg = 0
    for i in range(1, len(x)):
        if x[i] > best:
            best = x[i]
            arg = i
    return best, arg


@program(x12)
def int_to_float_carry(x):
    s = 0
    for i in range(len(x)):
        if i % 3 == 0:
            s += 1
        else:
            s += x[i]
    return s


@program(x12)
def int_stays_int(x):
    s = 0
    for i in range(len(x)):
        if x[i] > 0:
            s += i
    return s


@program(ints)
def dtype_changes(k):
    a = k.copy()
    for i in range(4):
        a = a * 0.5 + i
    return a


@program(x12)
def alias_view(x):
    y = x.copy()
    v = y[2:8]
    for i in range(6):
        v[i] += y[i + 1]
    return y, v


@program(x12)
def alias_view_after(x):
    y = x.copy()
    for i in range(1, 12):
        y[i] += 0.5 * y[i - 1]
    v = y[::2]
    v[1] = 7.0
    for i in range(3):
        y[i] *= v[i + 1]
    return y


@program(m66)
def row_views(m):
    m = m.copy()
    for i in range(5):
        r = m[i]
        n = m[i + 1]
        n -= r * (n[i] / (r[i] + 3))
    return m


@program(m66)
def columns_from_T(m):
    m = m.copy()
    t = m.T
    for i in range(6):
        t[i] -= t[i].mean()
    return m


@program(x12)
def negative_range(x):
    out = []
    for i in range(len(x) - 1, -1, -2):
        out.append(x[i] * i)
    return np.array(out)


@program(x12, ints)
def range_from_data(x, k):
    s = 0.0
    for i in range(k[0], k[1] + 5, k[2] + 1):
        s += x[i] * i
    return s


@program(m66)
def varying_slices(m):
    out = np.zeros(6)
    for i in range(6):
        out[i] = m[i, i:].sum() - m[:i, i].sum() + m[i, :i].prod()
    return out


@program(m66)
def triangular_append(m):
    rows = []
    for i in range(6):
        acc = 0.0
        for j in range(i + 1, 6):
            acc += m[i, j] * m[j, i]
        rows.append(acc)
    return np.stack(rows)


@program(x12)
def while_break(x):
    i = 0
    s = 0.0
    while True:
        s += x[i] ** 2
        i += 1
        if s > 3 or i == len(x):
            break
    return s, i


@program(x12)
def while_else(x):
    i = 0
    while i < len(x):
        if x[i] > 100:
            break
        i += 1
    else:
        i = -1
    return i


@program(x12)
def for_else(x):
    for i, v in enumerate(x):
        if v > 1.0:
            r = i
            break
    else:
        r = -1
    return r


@program(x12)
def early_return(x):
    for i in range(len(x)):
        for j in range(i):
            if x[i] * x[j] < -1:
                return i, j, x[i] + x[j]
    return -1, -1, 0.0


@program(x12)
def continue_loop(x):
    s = 0.0
    for v in x:
        if v < 0:
            continue
        if v > 1:
            s -= v
            continue
        s += v
    return s


@program(x12)
def closure(x):
    k = 3.0

    def f(v, a=2.0):
        return a * v + k

    s = 0.0
    for v in x:
        s = f(s) * 0.1 + f(v, a=SCALE)
    return s


@program(x12)
def global_table(x):
    s = 0.0
    for i in range(6):
        s += TABLE[i] * x[i] * CONF["a"]
    return s


@program(rng.normal(size=6))
def method(v):
    return MODEL.run(v, 7)


@program({"u": x12.copy(), "v": x12[::-1].copy()})
def dict_of_arrays(d):
    for i in range(1, 11):
        d["u"][i] = 0.5 * (d["u"][i - 1] + d["v"][i + 1])
        d["v"][i] -= d["u"][i]
    return d


@program(x12)
def local_dict(x):
    st = {"pos": x.copy(), "t": 0.0}
    for _ in range(5):
        st["pos"] = st["pos"] + 0.1 * np.sin(st["pos"])
        st["t"] += 0.1
    return st["pos"], st["t"]


@program(np.zeros(0))
def zero_iter(x):
    s = 1.0
    last = None
    for v in x:
        s += v
    out = np.zeros(3)
    for i in range(5, 5):
        out[i] = s
    while s < 0:
        s += 1
    return s, out


@program(x12)
def zip_enumerate(x):
    s = 0.0
    for i, (a, b) in enumerate(zip(x[:-1], x[1:])):
        s += (b - a) * i
    return s


@program(m66)
def rows_iter(m):
    t = np.zeros(6)
    for r in m:
        t = np.maximum(t * 0.5, r)
    return t


@program(x12)
def exc_in_loop(x):
    for i in range(15):
        x[i] = 0.0
    return x


@program(x12)
def exc_value(x):
    s = 0.0
    for v in x:
        if v > 1.2:
            raise ValueError("too big")
        s += v
    return s


@program(x12)
def try_in_loop(x):
    s = 0.0
    for i in range(14):
        try:
            s += x[i]
        except IndexError:
            s += 100
    return s


@program(x12)
def bool_flags(x):
    found = False
    cnt = 0
    for v in x:
        if v > 0.5 and not found:
            found = True
        elif found and (v < 0 or v > 1):
            cnt += 1
    return found, cnt


@program(x12)
def cond_expr(x):
    s = 0.0
    for i in range(12):
        s += x[i] if i % 2 else -x[i] if x[i] > 0 else 1
    return s


@program(ints)
def int_division(k):
    s = 0
    for v in k:
        s += int(v) // 2 + int(v) % 3 - (-int(v)) // 4
    return s


@program(ints)
def bits(k):
    h = 5381
    for v in k:
        h = ((h << 5) + h ^ int(v)) & 0xFFFFFFFF
    return h


@program(np.arange(10, dtype=np.uint8))
def uint8_wrap(a):
    s = a[0]
    for v in a[1:]:
        s = s * 3 + v
    return s


@program(np.arange(10, dtype=np.float32))
def float32_carry(a):
    s = np.float32(0)
    for v in a:
        s = s * 0.5 + v
    return s


@program(np.arange(10, dtype=np.float32))
def float32_to_64(a):
    s = 0
    for v in a:
        s = s + v * np.float64(1.1)
    return s


@program(m66)
def inplace_swap(m):
    m = m.copy()
    for i in range(3):
        m[[i, 5 - i]] = m[[5 - i, i]]
    return m


@program(m66)
def pivot_lu(m):
    A = m.copy()
    n = 6
    p = np.arange(n)
    for k in range(n - 1):
        j = k + np.argmax(np.abs(A[k:, k]))
        if j != k:
            A[[k, j]] = A[[j, k]]
            p[[k, j]] = p[[j, k]]
        A[k + 1 :, k] /= A[k, k]
        A[k + 1 :, k + 1 :] -= np.outer(A[k + 1 :, k], A[k, k + 1 :])
    return A, p


@program(x12)
def bubble(x):
    x = x.copy()
    n = len(x)
    for i in range(n):
        for j in range(n - 1 - i):
            if x[j] > x[j + 1]:
                x[j], x[j + 1] = x[j + 1], x[j]
    return x


@program(x12)
def insertion(x):
    x = x.copy()
    for i in range(1, len(x)):
        key = x[i]
        j = i - 1
        while j >= 0 and x[j] > key:
            x[j + 1] = x[j]
            j -= 1
        x[j + 1] = key
    return x


@program(np.sort(x12), 0.3)
def bsearch(x, key):
    lo, hi = 0, len(x)
    while lo < hi:
        mid = (lo + hi) // 2
        if x[mid] < key:
            lo = mid + 1
        else:
            hi = mid
    return lo


@program(m66)
def nested_break(m):
    hits = 0
    for i in range(6):
        for j in range(6):
            if m[i, j] > 1:
                break
            hits += 1
        else:
            hits += 10
    return hits


@program(x12)
def tuple_state(x):
    a, b, c = 0.0, 1.0, (2.0, 3)
    for v in x:
        a, b, c = b + v, a * 0.5, (c[0] * 0.9 + v, c[1] + 1)
    return a, b, c


@program(x12)
def list_record(x):
    st = [0.0, 1.0, x[:3].copy()]
    for v in x:
        st[0] += v
        st[1] *= 0.9
        st[2] = st[2] + st[0]
    return st


@program(x12)
def append_cond(x):
    out = []
    for v in x:
        if v > 0:
            out.append(v)
    return np.array(out)


@program(x12)
def append_pairs(x):
    ts, ys = [], []
    t = 0.0
    y = 1.0
    for k in range(20):
        ts.append(t)
        ys.append(y)
        y += 0.1 * (-y + x[k % 12])
        t += 0.1
    return np.array(ts), np.array(ys)


@program(x12)
def slices_step(x):
    s = 0.0
    for k in range(1, 5):
        s += x[::k].sum() - x[k::-1].sum() + x[-k:].mean()
    return s


@program(x12, ints)
def scatter(x, k):
    out = np.zeros(6)
    cnt = np.zeros(6, int)
    for i in range(12):
        out[k[i]] += x[i]
        cnt[k[i]] += 1
    return out / np.maximum(cnt, 1)


@program(ints)
def linked(k):
    i = 0
    path = []
    for _ in range(8):
        path.append(i)
        i = int(k[i])
    return np.array(path)


@program(m66)
def matpow(m):
    r = np.eye(6)
    b = m.copy()
    e = 13
    while e:
        if e & 1:
            r = r @ b
        b = b @ b
        e >>= 1
    return r


@program(x12)
def neg_index(x):
    y = x.copy()
    for i in range(1, 6):
        y[-i] = y[i] - y[-i - 1]
    return y


@program(x12)
def loop_var_after(x):
    for i in range(5):
        t = x[i] * 2
    return i, t


@program(x12)
def del_and_reassign(x):
    s = 0.0
    for i in range(12):
        i = i + 1 if i < 11 else i
        s += x[i] * i
    return s, i


@program(x12)
def shadow(x):
    x = x.copy()
    for x_i in range(3):
        x = np.append(x[1:], x[0] + x_i)
    return x


@program(x12)
def grows(x):
    a = x[:2]
    for i in range(4):
        a = np.concatenate([a, a[-1:] + i])
    return a


@program(m66)
def while_norm(m):
    v = np.ones(6)
    k = 0
    while np.linalg.norm(v) > 1e-3 and k < 50:
        v = 0.1 * m @ v
        k += 1
    return v, k


@program(x12)
def walrus(x):
    i = 0
    s = 0.0
    while (v := x[i]) < 1.2 and i < 10:
        s += v
        i += 1
    return s, i


@program(np.array([1, 6, 27]))
def steps_of_collatz(numbers):
    steps = np.zeros(len(numbers), dtype=int)
    for k in range(len(numbers)):
        n = int(numbers[k])
        while n != 1:
            if n % 2 == 0:
                n //= 2
            else:
                n = 3 * n + 1
            steps[k] += 1
    return steps


@program(x12)
def walrus_in_a_later_operand(x):
    i = 0
    s = 0.0
    while i < 10 and (v := x[i]) < 1.2:
        if (v > 0 and (w := 2 * v) < 1) or not (w := v):
            s += w
        elif not (v < -1 and (u := v * v) > 2):
            continue_ = w
        else:
            s -= u
        i += 1
    return s, i, v, w, continue_


@program(x12)
def for_else_bound_on_either_way(x):
    places = np.zeros(4, int)
    for k, limit in enumerate((0.5, 1.0, 2.0, 9.0)):
        for i in range(len(x)):
            if x[i] > limit:
                place = i
                break
        else:
            place = -1
        places[k] = place
    return places


@program(x12, 0.1)
@program(x12, 99.0)
def for_else_that_raises(x, limit):
    for i in range(len(x)):
        if x[i] > limit:
            found = x[i] * 2
            break
    else:
        raise ValueError("nothing is large enough")
    return found


@program(x12)
def while_else_that_returns(x):
    i = 0
    while i < len(x):
        if x[i] > 1.2:
            found = x[i], i
            break
        i += 1
    else:
        return 0.0, -1
    return found


@program(x12)
def bound_in_the_first_turn(x):
    s = 0.0
    for i in range(len(x)):
        if i == 0:
            first = x[i]
        else:
            s += first * x[i]
    return s, first


@program(x12, 0.1)
@program(x12, 99.0)
def bound_when_seen(x, limit):
    seen = False
    s = 0.0
    for v in x:
        if not seen and v > limit:
            first = v
            seen = True
        if seen:
            s += first
    return s, first


@program(x12, 3)
@program(x12, 0)
def bound_by_turns_from_data(x, n):
    limit = int(x[0] * 0) + n
    k = 0
    while k < limit:
        last = x[k]
        k += 1
    return last, k


@program(x12)
def added_to_what_may_be_unbound(x):
    for v in x:
        if v > 0.1:
            s = v
        if v > 0.5:
            s += 1.0
    return s


@program(x12)
def nested_reads_of_what_may_be_unbound(x):
    for v in x:
        if v > 0.5:
            w = v
    double = lambda: 2 * w
    return double()


@program(x12)
def deleted_again(x):
    for v in x:
        if v > 0.5:
            w = v
    y = 2 * w
    del w
    try:
        return w
    except NameError:
        return y


@program(x12)
def recursion(x):
    def fib(n):
        return n if n < 2 else fib(n - 1) + fib(n - 2)

    s = 0.0
    for i in range(8):
        s += x[i] * fib(i)
    return s


@program(x12)
def mask_in_loop(x):
    y = x.copy()
    for k in range(4):
        y[y > k * 0.3] -= 0.5
        y = np.where(y < -1, y + 1, y)
    return y


@program(x12)
def complex_carry(x):
    z = 0
    for v in x:
        z = z * 1j + v
    return z


@program(x12)
def divide_zero(x):
    s = 1.0
    for i in range(3):
        s = s / (i)
    return s


@program(x12)
def np_divide_zero(x):
    s = 0.0
    for i in range(3):
        with np.errstate(divide="ignore"):
            s += x[i] / np.float64(i)
    return s


@program(x12)
def min_max_abs(x):
    lo, hi = np.inf, -np.inf
    for v in x:
        lo = min(lo, v)
        hi = max(hi, abs(v), round(float(v)))
    return lo, hi


@program(m66)
def ndindex(m):
    s = 0.0
    for i, j in np.ndindex(m.shape):
        s += m[i, j] * (i - j)
    for idx, v in np.ndenumerate(m):
        s += v * idx[0]
    return s


@program(m66)
def reversed_loop(m):
    s = 0.0
    for r in reversed(m):
        s = s * 0.5 + r.sum()
    for i in reversed(range(6)):
        s = s * 0.5 + m[i, i]
    return s


@program(x12)
def string_branch(x, mode="sum"):
    s = 0.0
    for v in x:
        if mode == "sum":
            s += v
        elif mode == "prod":
            s *= v
    return f"{len(x)}", s


@program(x12)
def attr_state(x):
    m = Model()
    for v in x:
        m.bias = m.bias * 0.9 + v
        m.hist.append(m.bias)
    return m.bias, np.array(m.hist)


@program(m66)
def outer_alias(m):
    a = m.copy()
    b = a
    for i in range(5):
        b[i + 1] += a[i]
    return a


@program(m66)
def buffer_reuse(m):
    buf = np.empty(6)
    out = []
    for i in range(6):
        np.multiply(m[i], 2, out=buf)
        out.append(buf.sum())
    return out, buf


@program(m66)
def keep_views(m):
    m = m.copy()
    keep = []
    for i in range(6):
        keep.append(m[i])
        m[i] *= 2
    return np.stack(keep)


@program(x12)
def swap_arrays(x):
    a, b = x.copy(), np.zeros(12)
    for k in range(5):
        b[1:-1] = a[:-2] + a[2:]
        a, b = b, a
    return a, b


big = rng.normal(size=(40, 40))
sq = rng.uniform(0.5, 2, (8, 8))


@program(sq)
def gs_upper(u):
    n = len(u)
    for it in range(3):
        for i in range(n):
            for j in range(i, n):
                s = 0.0
                for k in range(i):
                    s += u[k, i] * u[k, j]
                u[i, j] = u[i, j] - 0.01 * s
    return u


@program(sq)
def two_outputs_alias(u):
    a = u[0]
    b = u[1]
    for i in range(8):
        a[i], b[i] = b[i], a[i] + 1
    return u


@program(x12, 3)
def window_mean(x, w):
    out = np.empty(len(x) - w + 1)
    for i in range(len(out)):
        out[i] = np.mean(x[i : i + w])
    return out


@program(x12)
def ewm(x, alpha=0.3):
    y = np.zeros_like(x)
    y[0] = x[0]
    for t in range(1, len(x)):
        y[t] = alpha * x[t] + (1 - alpha) * y[t - 1]
    return y


@program(x12)
def first_diff_sign(x):
    count = 0
    prev = None
    for v in x:
        s = np.sign(v)
        if prev is not None and s != prev:
            count += 1
        prev = s
    return count


@program(x12)
def none_then_value(x):
    best = None
    for v in x:
        if best is None or v > best:
            best = v
    return best


@program(sq)
def power_method(A):
    v = np.ones(8) / 8
    lam = 0
    for it in range(100):
        w = A @ v
        new = v @ w / (v @ v)
        v = w / np.linalg.norm(w)
        if abs(new - lam) < 1e-10:
            break
        lam = new
    return lam, it


@program(x12)
def bisect(x):
    f = lambda t: t**3 - x[0] - 2
    a, b = -5.0, 5.0
    while b - a > 1e-8:
        c = 0.5 * (a + b)
        if f(a) * f(c) <= 0:
            b = c
        else:
            a = c
    return a


@program(sq)
def heat_until(u):
    k = 0
    while True:
        new = u.copy()
        new[1:-1, 1:-1] = 0.25 * (u[2:, 1:-1] + u[:-2, 1:-1] + u[1:-1, 2:] + u[1:-1, :-2])
        d = np.abs(new - u).max()
        u = new
        k += 1
        if d < 1e-3:
            break
    return u, k


@program(x12)
def nested_fn_state(x):
    acc = np.zeros(3)

    def add(i, v):
        acc[i] += v
        return acc.sum()

    tot = 0.0
    for k in range(12):
        tot += add(k % 3, x[k])
    return acc, tot


@program(x12)
def nonlocal_state(x):
    c = 0.0

    def bump(v):
        nonlocal c
        c = c * 0.5 + v

    for v in x:
        bump(v)
    return c


@program(ints)
def counts_dict(k):
    d = {}
    for v in k.tolist():
        d[v] = d.get(v, 0) + 1
    return d


@program(x12)
def generator_sum(x):
    return sum(x[i] * i for i in range(12)), sum([x[i] for i in range(3)]), max(x[i] for i in range(12))


@program(x12)
def comprehension(x):
    return np.array([x[i] - x[i - 1] for i in range(1, 12)]), [float(v) > 0 for v in x[:3]]


@program(sq)
def comp_2d(u):
    return np.array([[u[i, j] * (i < j) for j in range(8)] for i in range(8)])


@program(x12)
def any_all(x):
    r = []
    for i in range(3):
        if (x[i : i + 4] > 0).any():
            r.append(1)
        elif (x[i : i + 4] < 0).all():
            r.append(2)
        else:
            r.append(3)
    return r


@program(x12)
def int_arith(x):
    n = 0
    for i in range(12):
        n = n * 2 + (x[i] > 0)
    return n


@program(x12)
def int_truediv(x):
    n = 7
    for i in range(1, 4):
        n = n / i
    return n


@program(x12)
def mixed_where(x):
    s = np.zeros(12, dtype=int)
    for i in range(12):
        s[i] = x[i] * 3
    return s


@program(np.arange(8, dtype=np.int32))
def int32_acc(a):
    s = np.int32(1)
    for v in a:
        s = s * 3 + v
    return s


@program(np.arange(8, dtype=np.int8))
def int8_scalar(a):
    a = a.copy()
    for i in range(1, 8):
        a[i] += a[i - 1] * 10
    return a


@program(np.array([True, False, True]))
def bool_acc(a):
    s = False
    n = 0
    for v in a:
        s = s ^ v
        n += v
    return s, n


@program(x12)
def pow_loop(x):
    s = 0.0
    for i in range(5):
        s += x[i] ** i + 2**i + i**2
    return s


@program(x12)
def neg_step_slice(x):
    y = x.copy()
    for i in range(3, 8):
        y[i : i - 3 : -1] = y[i - 3 : i][::-1] + 1
    return y


@program(x12)
def empty_slices(x):
    s = 0.0
    for i in range(12):
        s += x[i:i].sum() + x[i : i - 1].sum() + x[12:].sum()
    return s


@program(x12)
def out_of_range_slices(x):
    s = 0.0
    for i in range(10, 16):
        s += x[i : i + 3].sum() + x[-i:].sum()
    return s


@program(sq)
def block_loop(u):
    u = u.copy()
    for b in range(0, 8, 2):
        u[b : b + 2, b : b + 2] = u[b : b + 2, b : b + 2] @ u[b : b + 2, b : b + 2].T
    return u


@program(sq)
def solve_in_loop(u):
    x = np.ones(8)
    for i in range(3):
        x = np.linalg.solve(u + i * np.eye(8) * 5, x)
    return x


@program(sq)
def svd_in_loop(u):
    s = 0.0
    for i in range(3):
        s += np.linalg.svd(u[i:, i:])[1][0]
    return s


@program(x12)
def sort_in_loop(x):
    y = x.copy()
    for i in range(0, 12, 4):
        y[i : i + 4].sort()
    return y, np.argsort(y)


@program(x12)
def fancy_in_loop(x):
    y = x.copy()
    idx = np.array([0, 3, 5])
    for i in range(4):
        y[idx + i] += y[idx] * 0.1
    return y


@program(sq)
def tuple_index(u):
    p = (0, 0)
    s = 0.0
    for k in range(7):
        s += u[p]
        p = (p[0] + 1, p[1]) if u[p] > 1 else (p[0], p[1] + 1)
    return s, p


@program(x12)
def enumerate_start(x):
    s = 0.0
    for k, v in enumerate(x[::2], start=3):
        s += k * v
    return s


@program(sq)
def zip_three(u):
    out = []
    for a, b, c in zip(u, u[1:], u[2:]):
        out.append((a * b - c).sum())
    return np.array(out)


@program(x12)
def while_two(x):
    i, j = 0, len(x) - 1
    while i < j:
        if x[i] + x[j] > 0:
            j -= 1
        else:
            i += 1
    return i, j


@program(x12)
def slope(x):
    s = x[0]
    tr = 0.0
    out = []
    for v in x[1:]:
        last = s
        s = 0.5 * v + 0.5 * (s + tr)
        tr = 0.1 * (s - last) + 0.9 * tr
        out.append(s + tr)
    return np.array(out)


@program(x12)
def raise_midway(x):
    y = x.copy()
    for i in range(12):
        y[i] = 0
        if x[i] > 1:
            raise RuntimeError("stop")
    return y


@program(x12.copy())
def raise_after_write(x):
    for i in range(12):
        x[i] = 0
        if i == 5:
            assert x[i + 1] < -100
    return x


@program(x12)
def shape_error(x):
    for i in range(3):
        x[i : i + 2] = np.ones(3)


@program(x12)
def zero_div_int(x):
    s = 0
    for i in range(3):
        s += 5 // i
    return s


@program(sq)
def aliased_swap_rows(u):
    for i in range(4):
        t = u[i]
        u[i] = u[7 - i]
        u[7 - i] = t
    return u


@program(sq)
def copy_swap_rows(u):
    for i in range(4):
        t = u[i].copy()
        u[i] = u[7 - i]
        u[7 - i] = t
    return u


@program(x12)
def overlap_shift(x):
    for i in range(4):
        x[1:] = x[:-1] + 1
    return x


@program(x12)
def inplace_view_ops(x):
    v = x[::-1]
    for i in range(3):
        v += x
    return x


@program(x12)
def carried_view_moves(x):
    v = x
    for i in range(5):
        v = v[1:]
    v[0] = 9
    return x, v


@program(big)
def reshape_view(m):
    f = m.reshape(-1)
    for i in range(0, 100):
        f[i * 3] = f[i] + 1
    return m


@program(big)
def diag_view(m):
    d = np.einsum("ii->i", m)
    for i in range(1, 40):
        d[i] = d[i - 1] * 0.5 + m[i, 0]
    return m


@program(x12)
def float_range_while(x):
    t = 0.0
    s = 0.0
    n = 0
    while t < 1.0:
        s += x[n % 12] * t
        t += 0.1
        n += 1
    return s, n


@program(x12)
def modulo_neg(x):
    s = 0
    for i in range(-5, 6):
        s += i % 3 - (i // 4) + (-i) % 5
    return s


@program(x12)
def chained_compare(x):
    n = 0
    for v in x:
        if -0.5 < v <= 0.5:
            n += 1
    return n


@program(x12)
def not_in(x):
    n = 0
    for i in range(12):
        if i not in (2, 5) and not x[i] > 0:
            n += 1
    return n


@program(x12)
def star_args(x):
    f = lambda *a, **k: a[0] * k["s"] + sum(a[1:])
    s = 0.0
    for i in range(10):
        s += f(x[i], x[i + 1], x[i + 2], s=2)
    return s


@program(x12)
def unpack_rows(x):
    m = x.reshape(4, 3)
    s = 0.0
    for a, b, c in m:
        s += a * b - c
    (p, q), *rest = m[:2, :2], m[2]
    return s, p, len(rest)


@program(x12)
def accumulate_matrix(x):
    M = np.eye(2)
    for v in x:
        M = np.array([[np.cos(v), -np.sin(v)], [np.sin(v), np.cos(v)]]) @ M
    return M


@program(x12)
def astype_loop(x):
    s = np.zeros(3, dtype=np.float32)
    for v in x:
        s += v
    t = np.float32(0)
    for v in x:
        t += v
    return s, t


@program(x12)
def string_key(x):
    r = {}
    for name, k in (("a", 1), ("b", 2)):
        s = 0.0
        for v in x:
            s += v * k
        r[name] = s
    return r


@program(x12)
def inf_loop_guard(x):
    n = 0
    while n < 1000:
        n += 1
        if np.isnan(x[n % 12]):
            return -1
    return n


@program(x12)
def set_loop(x):
    seen = set()
    for i in [1, 2, 1, 3]:
        seen.add(i)
    s = 0.0
    for i in sorted(seen):
        s += x[i]
    return s, len(seen)


@program(x12)
def appended_on_both_ways(x):
    out = []
    for v in x:
        if v > 1:
            w = v * v
            out.append(w - 1)
        elif v > 0:
            out.append(v)
        else:
            v = -v
            out.append(v)
    return np.array(out)


@program(x12)
def appended_to_different_lists(x):
    up, down = [], []
    if x[0] > 0:
        up.append(x[1])
    else:
        down.append(x[2])
    return len(up), len(down)


@program(x12)
def greatest_of_a_generator(x):
    return max(x[i] for i in range(12)), min(abs(v) for v in [x[0], x[1], -2.0]), max((x[2], 1.0))


@program(ints % 3 == 0, x12)
def prefix_with_resets(flags, x):
    out = np.empty_like(x)
    total = 0.0
    for i in range(len(x)):
        if flags[i]:
            total = 0.0
        total += x[i]
        out[i] = total
    return out


@program(ints[:5], ints[4:10])
def affine_gaps(a, b):
    n, m = len(a), len(b)
    H = np.zeros((n + 1, m + 1))
    E = np.full((n + 1, m + 1), -np.inf)
    F = np.full((n + 1, m + 1), -np.inf)
    best = 0.0
    for i in range(1, n + 1):
        for j in range(1, m + 1):
            E[i, j] = max(E[i, j - 1] - 1.0, H[i, j - 1] - 3.0)
            F[i, j] = max(F[i - 1, j] - 1.0, H[i - 1, j] - 3.0)
            s = 2.0 if a[i - 1] == b[j - 1] else -1.0
            H[i, j] = max(0.0, H[i - 1, j - 1] + s, E[i, j], F[i, j])
            best = max(best, H[i, j])
    return best, H


@program(x12[:5], x12[6:])
def dtw(x, y):
    n, m = len(x), len(y)
    D = np.full((n + 1, m + 1), np.inf)
    D[0, 0] = 0.0
    for i in range(1, n + 1):
        for j in range(1, m + 1):
            cost = abs(x[i - 1] - y[j - 1])
            D[i, j] = cost + min(D[i - 1, j], D[i, j - 1], D[i - 1, j - 1])
    return D[n, m]


@program(m66**2, np.full(6, 1 / 6), np.arange(1.0, 7.0) / 21, 5)
def sinkhorn(cost, a, b, steps):
    K = np.exp(-cost / 0.05)
    u = np.ones(len(a))
    v = np.ones(len(b))
    for _ in range(steps):
        u = a / (K @ v)
        v = b / (K.T @ u)
    return u[:, None] * K * v[None, :]


@program((ints % 2).astype(np.uint8), 110, 6)
def rule(cells, number, steps):
    n = len(cells)
    out = np.zeros((steps, n), dtype=np.uint8)
    table = np.zeros(8, dtype=np.uint8)
    for k in range(8):
        table[k] = (number >> k) & 1
    row = cells.copy()
    for t in range(steps):
        new = np.zeros_like(row)
        for i in range(n):
            left = row[i - 1]
            right = row[(i + 1) % n]
            new[i] = table[4 * left + 2 * row[i] + right]
        row = new
        out[t] = row
    return out


@program(np.where(m66 > -0.3, np.abs(m66), np.inf), 1)
def dijkstra(w, source):
    n = w.shape[0]
    dist = np.full(n, np.inf)
    done = np.zeros(n, dtype=np.bool_)
    dist[source] = 0.0
    for _ in range(n):
        best = -1
        least = np.inf
        for j in range(n):
            if not done[j] and dist[j] < least:
                best = j
                least = dist[j]
        if best < 0:
            break
        done[best] = True
        for j in range(n):
            d = least + w[best, j]
            if d < dist[j]:
                dist[j] = d
    return dist


@program(x12, 0.4, 3)
def crank_nicolson(u, r, steps):
    n = len(u)
    u = u.copy()
    c = np.zeros(n)
    d = np.zeros(n)
    for _ in range(steps):
        c[0] = 0.0
        d[0] = u[0]
        for i in range(1, n - 1):
            rhs = r / 2 * u[i - 1] + (1 - r) * u[i] + r / 2 * u[i + 1]
            m = 1 + r + r / 2 * c[i - 1]
            c[i] = -r / 2 / m
            d[i] = (rhs + r / 2 * d[i - 1]) / m
        for i in range(n - 2, 0, -1):
            u[i] = d[i] - c[i] * u[i + 1]
    return u


@program(1.0 + rng.random((9, 6, 5)), 0.6, 3)
def lattice_boltzmann(f, tau, steps):
    cx = np.array([0, 1, 0, -1, 0, 1, -1, -1, 1])
    cy = np.array([0, 0, 1, 0, -1, 1, 1, -1, -1])
    w = np.array([4 / 9, 1 / 9, 1 / 9, 1 / 9, 1 / 9, 1 / 36, 1 / 36, 1 / 36, 1 / 36])
    _, nx, ny = f.shape
    f = f.copy()
    g = np.zeros_like(f)
    for _ in range(steps):
        for x in range(nx):
            for y in range(ny):
                rho = 0.0
                ux = 0.0
                uy = 0.0
                for k in range(9):
                    rho += f[k, x, y]
                    ux += cx[k] * f[k, x, y]
                    uy += cy[k] * f[k, x, y]
                ux /= rho
                uy /= rho
                for k in range(9):
                    cu = cx[k] * ux + cy[k] * uy
                    eq = w[k] * rho * (1 + 3 * cu + 4.5 * cu * cu - 1.5 * (ux * ux + uy * uy))
                    g[k, (x + cx[k]) % nx, (y + cy[k]) % ny] = f[k, x, y] - (f[k, x, y] - eq) / tau
        f, g = g, f
    return f


@program(5, 6)
def ray_march(n, m):
    depth = np.zeros((n, m))
    for i in range(n):
        for j in range(m):
            dx = (i - n / 2) / n
            dy = (j - m / 2) / m
            norm = math.sqrt(dx * dx + dy * dy + 1.0)
            t = 0.0
            for _ in range(64):
                x = t * dx / norm
                y = t * dy / norm
                z = t / norm - 3.0
                d = math.sqrt(x * x + y * y + z * z) - 1.0
                if d < 1e-4 or t > 10.0:
                    break
                t += d
            depth[i, j] = t
    return depth


@program(12345, 30)
def lcg_pi(seed, n):
    inside = 0
    state = seed
    for _ in range(n):
        state = (1103515245 * state + 12345) % 2147483648
        x = state / 2147483648
        state = (1103515245 * state + 12345) % 2147483648
        y = state / 2147483648
        if x * x + y * y <= 1.0:
            inside += 1
    return 4.0 * inside / n


@program(ints, ints[::-1].copy())
def union_find(a, b):
    parent = np.arange(12)
    count = 12
    for k in range(len(a)):
        i = a[k]
        while parent[i] != i:
            parent[i] = parent[parent[i]]
            i = parent[i]
        j = b[k]
        while parent[j] != j:
            parent[j] = parent[parent[j]]
            j = parent[j]
        if i != j:
            parent[i] = j
            count -= 1
    return count, parent


@program(ints // 3)
def run_lengths(x):
    values = np.empty(len(x), dtype=x.dtype)
    lengths = np.zeros(len(x), dtype=np.int64)
    k = 0
    values[0] = x[0]
    lengths[0] = 1
    for i in range(1, len(x)):
        if x[i] == values[k]:
            lengths[k] += 1
        else:
            k += 1
            values[k] = x[i]
            lengths[k] = 1
    return values[: k + 1].sum(), lengths, k + 1


@program(np.array([0, 1, 0, 0, 1, 0, 0, 1, 0, 1, 0]), np.array([0, 1, 0]))
def kmp(text, pattern):
    m = len(pattern)
    fail = np.zeros(m, dtype=np.int64)
    k = 0
    for i in range(1, m):
        while k > 0 and pattern[i] != pattern[k]:
            k = fail[k - 1]
        if pattern[i] == pattern[k]:
            k += 1
        fail[i] = k
    found = 0
    k = 0
    for i in range(len(text)):
        while k > 0 and text[i] != pattern[k]:
            k = fail[k - 1]
        if text[i] == pattern[k]:
            k += 1
        if k == m:
            found += 1
            k = fail[k - 1]
    return found


@program(x12, 0.5 * x12 + np.abs(x12) * 0.1, ints.reshape(6, 2))
def ransac(x, y, pairs):
    best = -1
    slope = 0.0
    offset = 0.0
    for k in range(len(pairs)):
        i, j = pairs[k]
        if x[i] == x[j]:
            continue
        a = (y[j] - y[i]) / (x[j] - x[i])
        b = y[i] - a * x[i]
        inliers = 0
        for p in range(len(x)):
            if abs(y[p] - a * x[p] - b) < 0.05:
                inliers += 1
        if inliers > best:
            best = inliers
            slope = a
            offset = b
    return best, slope, offset


@program(x12, 0.3, 0.1)
def holt(x, alpha, beta):
    level = x[0]
    trend = x[1] - x[0]
    out = np.zeros_like(x)
    out[0] = level
    for t in range(1, len(x)):
        before = level
        level = alpha * x[t] + (1 - alpha) * (level + trend)
        trend = beta * (level - before) + (1 - beta) * trend
        out[t] = level + trend
    return out


@program(x12 * 0.01, 1e-6, 0.1, 0.85)
def garch(r, omega, alpha, beta):
    sigma2 = r.var()
    total = 0.0
    for t in range(1, len(r)):
        sigma2 = omega + alpha * r[t - 1] ** 2 + beta * sigma2
        total += math.log(2 * math.pi * sigma2) + r[t] ** 2 / sigma2
    return -0.5 * total


@program(rng.normal(size=16) + 1j * rng.normal(size=16))
def cooley_tukey(x):
    n = len(x)
    a = x.copy()
    j = 0
    for i in range(1, n):
        bit = n >> 1
        while j & bit:
            j ^= bit
            bit >>= 1
        j ^= bit
        if i < j:
            t = a[i]
            a[i] = a[j]
            a[j] = t
    length = 2
    while length <= n:
        ang = -2 * math.pi / length
        wl = complex(math.cos(ang), math.sin(ang))
        for i in range(0, n, length):
            w = 1.0 + 0.0j
            for k in range(length // 2):
                u = a[i + k]
                v = a[i + k + length // 2] * w
                a[i + k] = u + v
                a[i + k + length // 2] = u - v
                w *= wl
        length *= 2
    return a


@program(5)
def queens(n):
    full = (1 << n) - 1
    cols = np.zeros(n + 1, dtype=np.int64)
    left = np.zeros(n + 1, dtype=np.int64)
    right = np.zeros(n + 1, dtype=np.int64)
    free = np.zeros(n + 1, dtype=np.int64)
    depth = 0
    count = 0
    free[0] = full
    while depth >= 0:
        if free[depth] == 0:
            depth -= 1
            continue
        bit = free[depth] & -free[depth]
        free[depth] ^= bit
        if depth == n - 1:
            count += 1
            continue
        cols[depth + 1] = cols[depth] | bit
        left[depth + 1] = (left[depth] | bit) << 1
        right[depth + 1] = (right[depth] | bit) >> 1
        free[depth + 1] = full & ~(cols[depth + 1] | left[depth + 1] | right[depth + 1])
        depth += 1
    return count


@program(x12, x12 + 1)
def zip_of_equal_lengths(x, y):
    s = 0.0
    for a, b in zip(x, y, strict=True):
        s = 0.5 * s + a * b
    return s


@program(x12, x12[:7])
def zip_of_other_lengths(x, y):
    s = 0.0
    for a, b in zip(x, y, strict=True):
        s = 0.5 * s + a * b
    return s
