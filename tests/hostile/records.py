"""Lists that grow, records of arrays, numbers that change their type."""

import numpy as np

from hostile.cases import case, x6


@case((x6,))
def append_same_buffer(x):
    out = []
    u = np.zeros(6)
    for i in range(6):
        u += x[i]
        out.append(u)
    return np.stack(out)


@case((x6,))
def append_carried_then_inplace(x):
    out = []
    h = x
    for i in range(6):
        h = h * 0.5
        out.append(h)
        h += 1
    return np.array(out), h


@case((x6,))
def append_before_update(x):
    out = []
    y = x
    for i in range(6):
        out.append(y)
        y = y * 0.5
    return np.stack(out), out[0] is x


@case((x6,))
def append_before_update_own(x):
    out = []
    y = x.copy()
    for i in range(6):
        out.append(y)
        y = y * 0.5
    out[2][0] = 7
    return np.stack(out), y


@case((x6,))
def append_then_write_element(x):
    out = []
    y = x.copy()
    for i in range(6):
        y = y * 0.5
        out.append(y)
    y[0] = 100.0
    return out


@case((x6,))
def append_two(x):
    out = []
    for i in range(6):
        out.append(x[i])
        out.append(x * x[i])
    return out


@case((x6,))
def append_alias_list(x):
    out = []
    other = out
    for i in range(6):
        out.append(x[i] * len(other))
    return out, other


@case((x6,))
def append_scalars_sum(x):
    out = []
    for v in x:
        out.append(v * v)
    return sum(out), np.array(out).mean(), len(out), max(out)


@case((x6,))
def append_prefix(x):
    out = [x * 0]
    for i in range(6):
        out.append(x * i)
    return np.array(out), np.concatenate(out), np.vstack(out)


@case((x6,))
def append_rev(x):
    out = []
    for i in range(5, -1, -2):
        out.append(x[i])
    for i in range(8):
        out.append(x[0])
    return np.array(out)


@case((x6,))
def append_python_numbers(x):
    out = []
    for i in range(6):
        out.append(i)
    return out, x


@case((x6,))
def append_traced_pairs(x):
    out = []
    for i in range(6):
        out.append((i, x[i]))
    return out


@case((x6,))
def append_nested(x):
    rows = []
    for i in range(6):
        row = []
        for j in range(6):
            row.append(x[i] * x[j])
        rows.append(row)
    return np.array(rows)


@case((x6,))
def append_nested2(x):
    rows = []
    for i in range(6):
        row = []
        for j in range(6):
            row.append(x[i] * x[j])
        rows.append(np.array(row))
    return np.array(rows)


@case((x6, 0), (x6, 6))
def append_none(x, n):
    out = []
    for i in range(n):
        out.append(x[i])
    return out


@case((x6,))
def yields(x):
    while x[0] < 100:
        x = x * 2
        if x[1] < -50:
            return x
    return -x


@case((x6,))
def list_of_arrays(x):
    hs = [x, x * 2, x * 3]
    for t in range(7):
        for k in range(3):
            hs[k] = hs[k] * 0.5 + hs[k - 1]
    return hs


@case((x6,))
def dict_params(x):
    p = {"w": x.copy(), "b": x * 0}
    for t in range(7):
        g = {k: v * 0.1 for k, v in p.items()}
        p = {k: p[k] - g[k] for k in p}
    return p


@case((x6,))
def dict_params_inplace(x):
    p = {"w": x.copy(), "b": x * 0}
    for t in range(7):
        for k in p:
            p[k] = p[k] - 0.1 * p[k]
    return p


@case((x6,))
def optimizer(x):
    m = [0.0] * 3
    w = [x[0], x[1], x[2]]
    for t in range(9):
        for k in range(3):
            m[k] = 0.9 * m[k] + w[k]
            w[k] = w[k] - 0.1 * m[k]
    return w, m


@case((x6,))
def del_item(x):
    work = [1.0, 2.0, 3.0]
    for i in range(6):
        if i == 2:
            del work[0]
        x[i] += work[0]
    return x


@case((x6,))
def while_zero(x):
    n = 0
    while n < x[0]:
        x = x - 0.25
        n += 1
    return n


@case((x6,))
def while_zero_unbound(x):
    while x[0] > 100:
        y = x * 2
    return y


@case((x6,))
def chained(x):
    t = 0
    for v in x:
        if -1 < v <= 1 != 3:
            t += 1
    return t


@case((x6,))
def swap_scalars(x):
    a, b = 0.0, 1.0
    for v in x:
        a, b = b, a + v
    return a, b


@case((x6,))
def fib(x):
    a, b = 0, 1
    for i in range(100):
        a, b = b, a + b
    x[0] = float(a % 1000)
    return x


@case((x6,))
def fib_traced(x):
    a, b = 0, 1
    for i in range(100):
        a, b = b, a + b
        x[i % 6] = a % 7
    return x, a


@case((x6,))
def int_of_float(x):
    t = 0
    for v in x:
        t = t * 10 + int(abs(v))
    return t


@case((x6,))
def complexes(x):
    z = 0j
    for v in x:
        z = z * z * 0.1 + v * 1j
    return z, abs(z), z.real


@case((x6,))
def strings(x):
    names = []
    for i in range(6):
        names.append(f"n{i}")
    return names, x


@case((x6,))
def mode(x):
    m = "a"
    for i in range(6):
        x[i] *= 2 if m == "a" else 3
        m = "b" if i > 2 else "a"
    return x


@case((x6,))
def fnlist(x):
    fs = [np.sin, np.cos]
    for i in range(6):
        x[i] = fs[i % 2](x[i])
    return x


@case((x6,))
def matrix_pow(x):
    A = np.outer(x, x) / 10
    for _ in range(10):
        A = A @ A * 0.5
    return A


@case((x6,))
def dtype_change(x):
    y = np.zeros(6, dtype=int)
    for i in range(6):
        y = y + i * 0.5
    return y


@case((x6,))
def intarr(x):
    y = np.zeros(6, dtype=np.int32)
    for i in range(6):
        y[i] = i * 3
        y += 1
    return y


@case((x6,))
def bool_arr(x):
    m = np.zeros(6, dtype=bool)
    for i in range(6):
        m[i] = x[i] > 0
    return m, m.sum()


@case((x6,))
def nested_func(x):
    def inner(y, k):
        for i in range(k):
            y = y + i
        return y

    t = 0.0
    for j in range(6):
        t += inner(x[j], j)
    return t


@case((x6,))
def loop_else_return(x):
    for i in range(6):
        for j in range(i, 6):
            if x[i] + x[j] > 5:
                break
        else:
            continue
        return i, j
    return None


@case((x6,))
def nan_cond(x):
    x = x.copy()
    x[2] = np.nan
    t = 0
    for v in x:
        if v > 0:
            t += 1
        elif v <= 0:
            t += 10
        else:
            t += 100
    return t


@case((x6,))
def slices(x):
    for i in range(6):
        x[:i] += 1
        x[i:] *= 0.5
        x[-i - 1] += x[i - 1]
    return x


@case((x6,))
def neg_index(x):
    t = 0
    for i in range(-6, 6):
        t += x[i]
    return t


@case((x6,))
def oob_slice(x):
    t = 0
    for i in range(10):
        t += x[i : i + 3].sum()
    return t


@case((x6,))
def empty_reduce(x):
    t = 0.0
    for i in range(6):
        t = max(t, x[:i].max(initial=0))
    return t


@case((x6,))
def max_of_empty(x):
    t = 0.0
    for i in range(6):
        t = t + x[:i].max()
    return t


@case((x6, 0), (x6, 6))
def outer_zero_trip(x, n):
    for i in range(n):
        for j in range(i):
            x[j] = i
    return i
