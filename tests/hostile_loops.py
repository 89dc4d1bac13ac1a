"""Loops and branches in hostile Python: what tests/test_capture.py runs on NumPy and under jit."""

import dataclasses
import functools
import heapq
import math
from collections import deque, namedtuple

import numpy as np

CASES = {}


def case(*arguments):
    """Enter a function; each element of `arguments` is a tuple of its arguments."""

    def enter(function):
        CASES[function.__name__] = function, arguments
        return function

    return enter


x6 = np.array([0.5, -1.0, 2.0, 3.5, -0.25, 1.0])
x12 = np.linspace(-1, 2, 12)


# --- names ----------------------------------------------------------------------------------------------------------------


@case((x6,), (x12,))
def loop_variable_after_loop(x):
    total = 0.0
    for i in range(len(x)):
        total += x[i]
    return total, i, x[i]


@case((x6, 0), (x6, 5), (x6, 6))
def loop_variable_after_no_turn(x, n):
    i = -7
    for i in range(n):
        x[i] = i
    return i


@case((x6, 0), (x6, 6))
def name_bound_in_loop_only(x, n):
    for i in range(n):
        y = x[i] * 2
    return y


@case((x6,), (-x6,))
def name_bound_in_one_branch(x):
    for i in range(len(x)):
        if x[i] > 2:
            found = i
    return found


@case((x6,))
def loop_variable_rebound(x):
    out = np.zeros(20)
    for i in range(6):
        out[i] = x[i]
        i = i + 6
        out[i] = 1.0
    return out, i


@case((x6,))
def deleted_name(x):
    total = 0.0
    for i in range(len(x)):
        t = x[i] + 1
        total += t
        del t
    return total


@case((x6,))
def deleted_then_read(x):
    t = 1.0
    for i in range(len(x)):
        if i == 3:
            del t
    return t


@case((x6,))
def walrus(x):
    total = 0.0
    i = 0
    while (i := i + 1) < len(x):
        total += x[i]
    return total, i


@case((x6,))
def walrus_in_branch(x):
    total = 0.0
    for v in x:
        if (w := v * 2) > 1:
            total += w
    return total, w


@case((x6,))
def shadowed_range(x):
    def range(n):
        return [0, 2, 1]

    out = []
    for i in range(3):
        out.append(x[i])
    return out


@case((x6,))
def shadowed_local(x):
    len = lambda a: 3  # noqa: E731
    total = 0.0
    for i in range(len(x)):
        total += x[i]
    return total


@case((x6,))
def tuple_targets(x):
    a = b = 0.0
    for i, (u, v) in enumerate(zip(x, x[::-1])):
        a, b = b + u * i, a - v
    return a, b, i, u, v


@case((x6,))
def starred(x):
    first, *rest = x[0], x[1], x[2]
    for _ in range(8):
        first, *rest = rest[0], rest[1], first + 1
    return first, rest


counter = 0


@case((x6,))
def global_state(x):
    global counter
    counter = 0
    total = 0.0
    for v in x:
        counter += 1
        if v > 0:
            counter += 10
            total += v
    return total, counter


@case((x6,))
def nonlocal_state(x):
    calls = 0

    def bump(v):
        nonlocal calls
        calls += 1
        return v * calls

    total = 0.0
    for v in x:
        total += bump(v)
    return total, calls


@case((x6,))
def nonlocal_state_in_branch(x):
    calls = 0

    def bump():
        nonlocal calls
        calls += 1

    for v in x:
        if v > 0:
            bump()
    return calls


# --- memory ---------------------------------------------------------------------------------------------------------------


@case((x6,))
def alias_of_argument(x):
    y = x
    for i in range(len(x)):
        y[i] += 1.0
        x[i] *= 2.0
    return y is x, y


@case((x6,))
def alias_made_in_loop(x):
    y = np.zeros(6)
    for i in range(6):
        z = y
        z[i] = x[i]
    z[0] = 100.0
    return y


@case((x6,), (-x6,))
def alias_made_in_branch(x):
    a = np.zeros(6)
    b = np.ones(6)
    c = a if x[0] > 0 else b
    c[1] = 5.0
    return a, b, c


@case((x6,), (-x6,))
def alias_made_in_branch_statement(x):
    a = np.zeros(6)
    b = np.ones(6)
    if x[0] > 0:
        c = a
    else:
        c = b
    a[2] = 7.0
    b[2] = 8.0
    return c


@case((x6,))
def best_is_an_alias(x):
    best = x
    trial = x.copy()
    for i in range(6):
        trial[i] += 1.0
        if trial.sum() > 4:
            best = trial
    return best, trial


@case((x6,))
def write_before_rebinding(x):
    u = x
    for i in range(6):
        u[0] = 10.0
        u = u * 0.5
    return u


@case((x6,))
def write_before_rebinding_own(x):
    u = x.copy()
    for i in range(6):
        u[0] = 10.0
        u = u * 0.5
    return u


@case((x6,))
def two_names_one_array(x):
    a = b = x + 1
    for i in range(6):
        a = b = a + 1
        a[0] = i
    return a, b


@case((x6,))
def shift_register(x):
    a, b, c = x.copy(), x * 2, x * 3
    for i in range(7):
        a, b, c = b, c, a + b
        c[0] += 1.0
    return a, b, c


@case((x6,))
def swap_buffers(x):
    a, b = x, x.copy()
    for i in range(5):
        b[1:] = a[:-1] + 1
        a, b = b, a
    return a, b


@case((x6,))
def view_carried(x):
    row = x[0:2]
    for i in range(5):
        row = x[i : i + 2]
        x[i] += 1.0
    row[0] = 50.0
    return row


@case((x6,))
def previous_is_a_view(x):
    prev = x[0:1]
    total = 0.0
    for i in range(1, 6):
        x[i] += prev[0]
        prev = x[i : i + 1]
        x[i] += 1.0
        total += prev[0]
    return total


@case((x6,))
def augmented_array(x):
    y = x
    for i in range(6):
        y += 1.0
    return y


@case((x6,))
def augmented_rebinds(x):
    y = x[0]
    for i in range(6):
        y += x[i]
    return y


# --- Python objects -----------------------------------------------------------------------------------------------------------


class Record:
    def __init__(self, value):
        self.value = value
        self.steps = 0


@case((x6,))
def list_as_record(x):
    state = [0.0, 1.0]
    other = state
    for v in x:
        state[0] += v
        state[1] = state[1] * 2
    return state, other, other is state


@case((x6,))
def list_changed_in_branch(x):
    state = [0.0, 1.0]
    for v in x:
        if v > 0:
            state[0] += v
    return state


@case((x6,))
def dict_as_record(x):
    d = {"a": 0.0, "n": 0}
    for v in x:
        d["a"] += v
        d["n"] += 1
    return d


@case((x6,))
def dict_gets_keys(x):
    d = {}
    for i in range(6):
        d[i] = x[i]
    return d


@case((x6, Record(1.0)))
def attributes(x, record):
    for v in x:
        record.value = record.value * 0.5 + v
        record.steps += 1
    return record.value


@case((x6, [1.0, 2.0]))
def argument_list(x, values):
    for v in x:
        values[0] = values[0] + v
    values.append(3.0)
    return values


@case((x6,))
def appended(x):
    out = []
    for v in x:
        out.append(v * 2)
    return out


@case((x6,), (x12,))
def appended_and_stacked(x):
    out = []
    y = x
    for _ in range(7):
        y = y * 0.5
        out.append(y)
    return np.array(out), np.stack(out, axis=1)


@case((x6,))
def appended_in_branch(x):
    out = []
    for v in x:
        if v > 0:
            out.append(v)
    return out


@case((x6,))
def appended_and_read(x):
    out = [x[0]]
    for i in range(1, 6):
        out.append(out[-1] + x[i])
    return out


@case((x6,))
def list_grows_by_augmented(x):
    out = []
    for v in x:
        out += [v]
    return out


@case((x6,))
def list_popped(x):
    work = [0, 1, 2, 3, 4, 5]
    total = 0.0
    while work:
        total += x[work.pop()]
    return total


@case((x6,))
def fresh_list_per_turn(x):
    total = 0.0
    for i in range(6):
        parts = []
        for k in range(2):
            parts.append(x[i] * k)
        total += sum(parts)
    return total


@case((x6,))
def set_and_membership(x):
    chosen = {1, 3}
    total = 0.0
    for i in range(6):
        if i in chosen:
            total += x[i]
    return total


@case((x6,))
def dict_by_loop_variable(x):
    weights = {0: 1.0, 1: 2.0, 2: 3.0, 3: 4.0, 4: 5.0, 5: 6.0}
    total = 0.0
    for i in range(6):
        total += weights[i] * x[i]
    return total


@case((x6,))
def dict_get_by_loop_variable(x):
    weights = {1: 2.0}
    total = 0.0
    for i in range(6):
        total += weights.get(i, 0.0) * x[i]
    return total


@case((x6,))
def names_made_of_numbers(x):
    d = {f"w{i}": i for i in range(6)}
    total = 0.0
    for i in range(6):
        total += d[f"w{i}"] * x[i]
        total += len(str(i))
    return total


@case((x6,))
def layers(x):
    layers = [(2.0, np.tanh), (0.5, np.sin), (1.5, None), (2.0, np.cos), (1.0, np.exp), (1.0, None)]
    for w, f in layers:
        x = x * w
        if f is not None:
            x = f(x)
    return x


@case((x6,))
def none_at_first(x):
    best = None
    for v in x:
        if best is None or v > best:
            best = v
    return best


@case((x6,))
def changes_type(x):
    y = 0
    for v in x:
        y = y + v
    z = 1
    for i in range(6):
        z = z / 2
    return y, z


@case((x6,))
def changes_shape(x):
    y = x[:1]
    for i in range(5):
        y = np.concatenate([y, x[:1]])
    return y


@case((3,), (30,))
def big_integers(n):
    p = 1
    for i in range(1, n):
        p *= i
    return float(p), p > 10


@case((x6, 30))
def big_integers_beside_arrays(x, n):
    p = 1
    for i in range(1, n):
        p *= i
        x[i % 6] = p % 7
    return p % 1000


@case((x6,))
def booleans(x):
    found = False
    count = 0
    for v in x:
        if v > 1:
            found = True
        count += found
    return found, count, found + found


# --- flow -------------------------------------------------------------------------------------------------------------------


@case((x6,), (x6 * 0,))
def break_and_else(x):
    for i in range(6):
        if x[i] > 1:
            break
    else:
        i = -1
    return i


@case((x6,), (x6 * 0,))
def while_else(x):
    i = 0
    while i < 6:
        if x[i] > 3:
            break
        i += 1
    else:
        i = 100
    return i


@case((x6,))
def continue_everywhere(x):
    total = 0.0
    for i in range(6):
        if x[i] < 0:
            continue
        if i == 3:
            continue
        total += x[i]
    return total


@case((x6,), (-x6,), (x6 * 0,))
def early_return(x):
    for i in range(6):
        if x[i] > 1:
            return x[i] * 2
    return x[0]


@case((x6,), (x6 * 0,))
def early_return_of_tuple(x):
    for i in range(6):
        if x[i] > 1:
            return i, x[i], x * 2
    return -1, x[0], x


@case((x6,), (x6 * 0,))
def return_none_or_value(x):
    for i in range(6):
        if x[i] > 1:
            return x[i]


@case((x6,), (x6 * 0,))
def nested_return(x):
    for i in range(6):
        for j in range(6):
            if x[i] * x[j] > 6:
                return i, j
    return -1, -1


@case((x6,), (x6 * 0,))
def nested_break(x):
    count = 0
    for i in range(6):
        for j in range(6):
            if x[i] * x[j] > 2:
                break
            count += 1
        else:
            count += 100
    return count


@case((x6,), (-x6,))
def returns_in_branches(x):
    if x[0] > 0:
        if x[1] > 0:
            return x + 1
        y = x * 2
    elif x[2] > 0:
        return x - 1
    else:
        y = x * 3
    return y + 0.5


@case((x6,))
def break_in_short_loop(x):
    total = 0.0
    for k in (1, 2, 3):
        total += x[k]
        if total > 0.5:
            break
        total -= 0.25
    return total, k


@case((x6,))
def break_in_list_loop(x):
    for w in [0.5, 2.0, 3.0, 0.1, 7.0, 8.0]:
        x = x * w
        if x[3] > 5:
            break
    return x


@case((x6,))
def infinite_with_break(x):
    n = 0
    s = 0.0
    while True:
        s += x[n % 6]
        n += 1
        if s > 10 or n >= 40:
            break
    return s, n


@case((x6,))
def finally_runs(x):
    log = []
    for i in range(6):
        try:
            x[i] += 1
        finally:
            log.append(i)
    return log, x


@case((x6,), (x6 * 0,))
def raises_in_loop(x):
    for v in x:
        if v > 3:
            raise ValueError("too large")
    return x


@case((x6,), (x6 * 0,))
def catches_in_loop(x):
    n = 0
    for v in x:
        try:
            if v > 3:
                raise ValueError
        except ValueError:
            n += 1
    return n


@case((x6,), (x6 + 5,))
def assertion(x):
    for v in x:
        assert v > -3
        assert v < 7, "too large"
    return x


@case((x6,))
def with_errstate(x):
    out = np.zeros(6)
    for i in range(6):
        with np.errstate(divide="ignore"):
            out[i] = 1.0 / x[i]
    return out


@case((x6, np.array([0, 3, 5])), (x6, np.array([0, 3, 6])), (x6, np.array([0, -7, 6])))
def index_error(x, k):
    total = 0.0
    for i in k:
        total += x[i]
    return total


@case((x6, 9))
def index_error_by_counter(x, n):
    total = 0.0
    for i in range(n):
        total += x[i]
    return total


@case((x6, 0.0), (x6, 1.0))
def zero_division(x, d):
    y = 1.0
    for i in range(6):
        y = y / d
    return y


@case((x6, 5), (x6, 3))
def integer_zero_division(x, k):
    n = 0
    for i in range(6):
        n += 10 // (k - i)
        x[i] = n
    return n


# --- ranges -----------------------------------------------------------------------------------------------------------------


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


# --- functions ----------------------------------------------------------------------------------------------------------------


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
    f = lambda v: v if v > 0 else -v  # noqa: E731
    t = 0.0
    for v in x:
        t += f(v)
    return t


@case((x6,))
def lambda_with_effect(x):
    seen = []
    f = lambda v: seen.append(v)  # noqa: E731
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


# --- lists, records and the rest -------------------------------------------------------------------------------------------


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


# --- functions of Python and of NumPy ------------------------------------------------------------------------------------------


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
