"""Python's and NumPy's numbers: overflow, division, NaN, changes of type."""

import math

import numpy as np

from hostile.cases import case, i6, x6


@case((10,), (90,), (100,))
def fibonacci(n):
    a, b = 0, 1
    for _ in range(n):
        a, b = b, a + b
    return a


@case((i6, 30), (i6, 80))
def product_of_data(x, n):
    p = 1
    for i in range(n):
        p = p * int(x[i % 6])
    return p


@case((i6, 30), (i6, 80))
def product_of_numpy_integers(x, n):
    p = x[0]
    for i in range(n):
        p = p * x[i % 6]
    return p


@case(
    (np.array([100, 100, 100], dtype=np.int8),),
)
def int8_accumulates(x):
    s = x[0]
    for i in range(1, 3):
        s = s + x[i]
    t = 0
    for v in x:
        t += v
    return s, t


@case(
    (x6,),
)
def int_becomes_float(x):
    s = 0
    for i in range(len(x)):
        s += x[i]
    n = 0
    for i in range(len(x)):
        n = n / 2 + i
    return s, n


@case(
    (x6,),
)
def int_becomes_float_late(x):
    s = 1
    for i in range(len(x)):
        if i == 3:
            s = s * 0.5
    return s


@case(
    (x6,),
)
def float_becomes_complex(x):
    z = 1.0
    for i in range(len(x)):
        z = z * 1j + x[i]
    return z


@case(
    (np.array([np.nan, 1.0, np.nan, 3.0]),),
)
def nan_conditions(x):
    a = b = c = 0
    for v in x:
        if v > 1:
            a += 1
        elif v <= 1:
            b += 1
        else:
            c += 1
        if not v == v:
            c += 10
    return a, b, c, max(x[0], x[1]), max(x[1], x[0]), min(x[2], 1.0), min(1.0, x[2])


@case(
    (x6,),
)
def nan_while(x):
    y = x[0]
    n = 0
    while not (y > 100) and n < 50:
        y = y * y - 2.5 + x[1] * np.sqrt(-y)
        n += 1
    return n


@case(
    (np.array([1.0, 0.0, -2.0]),),
)
def divides_by_zero(x):
    s = 0.0
    with np.errstate(divide="ignore", invalid="ignore"):
        for v in x:
            s += 1 / v if v != 0 else np.float64(5.0) / v
    return s


@case((np.array([7, -7, 5, -5]), 3), (np.array([7, -7, 5, -5]), -3), (np.array([7, -7, 5, -5]), 0))
def python_division(a, d):
    out = []
    for v in a:
        k = int(v)
        out.append((k // d, k % d, k / d, -k // d))
    return out


@case(
    (np.array([7, -7, 5, 0]), 2),
)
def bits(a, s):
    r = 0
    for v in a:
        k = int(v)
        r ^= (k << s) | (k >> 1) & ~k
    return r


@case(
    (x6,),
)
def powers(x):
    s = 0.0
    for i in range(len(x)):
        s += x[i] ** i + 2.0**-i + abs(x[i]) ** 0.5 + 2**i
    return s


@case(
    (x6,),
)
def chained_and_mixed(x):
    n = 0
    for i, v in enumerate(x):
        if (0 < v < 3 and not (i % 2 or v == 2)) or v is None:
            n += 1
        n += (v > 0) + (v < 0) * 2
        n += True
    return n


@case(
    (x6,),
)
def bool_arithmetic(x):
    flag = False
    count = 0
    for v in x:
        flag = flag or v > 3
        flag &= bool(v < 9)
        count += flag
    return flag, count, not flag


@case(
    (np.frombuffer(b"hello world", dtype=np.uint8),),
)
def fnv_hash(data):
    h = 2166136261
    for byte in data:
        h = ((h ^ int(byte)) * 16777619) & 0xFFFFFFFF
    return h


@case(
    (np.frombuffer(b"hello world", dtype=np.uint8),),
)
def uint8_wraps(data):
    h = np.uint8(7)
    with np.errstate(over="ignore"):
        for byte in data:
            h = h * np.uint8(31) + byte
    return h


@case((5,), (12,))
def linear_congruential(n):
    state = 12345
    out = np.zeros(n)
    for i in range(n):
        state = (1103515245 * state + 12345) % 2**31
        out[i] = state / 2**31
    return out


@case((5,), (40,))
def xorshift64(n):
    s = np.uint64(88172645463325252)
    out = np.zeros(n, dtype=np.uint64)
    for i in range(n):
        s ^= s << np.uint64(13)
        s ^= s >> np.uint64(7)
        s ^= s << np.uint64(17)
        out[i] = s
    return out


@case(
    (x6,),
)
def math_module(x):
    s = 0.0
    for v in x:
        s += math.exp(-v) + math.hypot(v, 1.0) + math.floor(v) + math.copysign(1, v) + math.atan2(v, 2)
        if math.isnan(s) or math.isclose(s, 1.0):
            break
    return s


@case(
    (x6,),
)
def rounds(x):
    n = 0
    for v in x:
        n += round(float(v)) + int(np.floor(v)) + math.ceil(v) + int(v)
    return n, round(float(x.sum()), 1)


@case(
    (x6,),
)
def dtype_of_element_store(x):
    a = np.zeros(6, dtype=np.int64)
    b = np.zeros(6, dtype=np.float32)
    for i in range(6):
        a[i] = x[i] * 2
        b[i] = x[i] / 3
        a[i] += 1
    return a, b


@case(
    (x6,),
)
def inplace_int_by_float(x):
    a = np.arange(6)
    for i in range(6):
        a += 1
    a *= 2
    for i in range(3):
        a = a * 0.5
    return a


@case(
    (x6,),
)
def inplace_cast_error(x):
    a = np.arange(6)
    for i in range(5):
        a += x
    return a


@case(
    (x6,),
)
def float_counter(x):
    t, n = 0.0, 0
    while t < 1.0:
        t += 0.1
        n += 1
    s = 0.0
    for t in np.arange(0, 1, 0.25):
        s += t * x[0]
    for t in np.linspace(0, 1, 7):
        s -= t * x[1]
    return n, s, t


@case((x6,), (x6 * np.inf,))
def rounded_numbers(x):
    s, t = 0, 0.0
    for v in x:
        s += round(v)
        t += round(v * 1.07, 1)
    return s, t, round(x[0] * 3)


@case((x6,), (np.array([1.0, np.nan, 3.0, np.inf]),))
def not_numbers(x):
    c = 0
    for v in x:
        if math.isnan(v):
            c += 1
        elif math.isinf(v) or not math.isfinite(v):
            c += 10
    return c


@case((x6,), (np.abs(x6),), (np.array([np.nan]),))
def functions_of_the_module_math(x):
    s = 0.0
    for v in x:
        s += math.trunc(v * 1.7) + math.floor(v) * 2 + math.ceil(v)
        s += math.pow(v, 0.5) + math.fmod(v, 2.0)
    return s
