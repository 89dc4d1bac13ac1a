"""Loops and branches captured from the source: hostile Python, each time on NumPy and under jit. Results, what is left in arguments and
variables, and exceptions are equal; no wrong answer, whatever is compiled."""

import copy
import linecache
import subprocess
import sys
import warnings

import numpy as np
import pytest

import lazynp

CASES = {}


def case(*arguments):
    """Enter a function; each element of `arguments` is a tuple of its arguments."""

    def enter(function):
        CASES[function.__name__] = function, arguments
        return function

    return enter


def outcome(function, arguments):
    """What a call returns or raises, and what it leaves in its arguments."""
    arguments = copy.deepcopy(arguments)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            result = function(*arguments)
        except Exception as error:
            return type(error), arguments
    return result, arguments


def close(actual, expected, where="result"):
    if isinstance(expected, (tuple, list)):
        assert type(actual) is type(expected) and len(actual) == len(expected), where
        for k, (a, b) in enumerate(zip(actual, expected, strict=True)):
            close(a, b, f"{where}[{k}]")
    elif isinstance(expected, dict):
        assert list(actual) == list(expected), where
        for key in expected:
            close(actual[key], expected[key], f"{where}[{key!r}]")
    elif isinstance(expected, (np.ndarray, np.generic, int, float, complex)) and not isinstance(expected, type):
        a, b = np.asarray(actual), np.asarray(expected)
        assert a.shape == b.shape and a.dtype == b.dtype, (where, a.dtype, b.dtype, actual, expected)
        if a.dtype == object:  # integers of more than 64 bits
            assert actual == expected
        else:
            np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-12, err_msg=where)
    elif hasattr(expected, "__dict__") and not isinstance(expected, type):
        close(vars(actual), vars(expected), where)
    else:
        assert actual == expected, (where, actual, expected)


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


@pytest.mark.parametrize("name", CASES)
def test_jit_is_numpy(name):
    function, cases = CASES[name]
    for arguments in cases:
        expected, theirs = outcome(function, arguments)
        compiled = lazynp.jit(function)
        for _ in range(2):
            actual, ours = outcome(compiled, arguments)
            close(actual, expected)
            close(ours, theirs, "arguments")


# --- derivatives ------------------------------------------------------------------------------------------------------------


def with_branches(x):
    s = 0.0
    for v in x:
        s = s + v * v if v > 0 else s - np.sin(v)
    return s


def written_in_place(x):
    y = np.zeros(len(x))
    y[0] = x[0]
    for i in range(1, len(x)):
        y[i] = 0.5 * np.sin(y[i - 1]) + x[i] ** 2
    return np.sum(y * y)


def with_early_return(x):
    for i in range(len(x)):
        if x[i] > 1.5:
            return x[i] ** 2
    return x.sum()


def many_steps(x):
    for _ in range(50):
        x = np.tanh(1.1 * x)
    return x.sum()


@pytest.mark.parametrize("f", [with_branches, written_in_place, with_early_return, many_steps])
def test_derivatives_of_captured_loops(f):
    step = 1e-6 * np.eye(6)
    differences = np.array([(f(x6 + e) - f(x6 - e)) / 2e-6 for e in step])
    np.testing.assert_allclose(lazynp.jit(lazynp.grad(f), strict=True)(x6), differences, rtol=1e-6, atol=1e-8)


# --- what the user is told -----------------------------------------------------------------------------------------------------


def reason(function, *arguments):
    with pytest.warns(lazynp.PerformanceWarning) as caught:
        lazynp.jit(function)(*arguments)
    with pytest.raises(lazynp.CaptureError):
        lazynp.jit(function, strict=True)(*arguments)
    return str(caught[0].message)


def test_the_line_is_named():
    def collects(x):
        seen = set()
        for v in x:
            seen.add(v > 0)
        return len(seen)

    first = collects.__code__.co_firstlineno
    assert f"line {first + 3}, in collects" in reason(collects, x12)


def test_without_source():
    exec("def f(x):\n    return x if x[0] > 0 else -x", space := {})
    assert "source is not available" in reason(space["f"], x6)


def test_a_loop_that_is_too_long_to_be_written_out():
    def grows(x):
        for _ in range(2000):
            x = np.concatenate([x[1:], x[:1], x[:1]])[: len(x) + 1]
        return x

    text = reason(grows, x6)
    assert "too long to be written out" in text and "in grows" in text


def test_changes_that_outlive_the_call():
    log = []

    def logs(x):
        log.append(1)
        return x * 2

    assert "the length of a list" in reason(logs, x6)
    log.clear()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", lazynp.PerformanceWarning)
        f = lazynp.jit(logs)
        f(x6), f(x6)
    assert log == [1, 1]


def test_tracebacks_show_the_users_lines():
    def fails(x):
        for i in range(3):
            if i == 1:
                raise KeyError("here")
        return x

    with pytest.raises(KeyError) as caught:
        lazynp.jit(fails)(x6)
    lines = [(entry.name, entry.lineno + 1) for entry in caught.traceback if entry.path.name == "test_capture.py"]
    assert lines[-1] == ("fails", fails.__code__.co_firstlineno + 3)


def test_cells_of_a_notebook():
    """A cell is a file that exists in linecache only."""
    source = "def f(x):\n    for i in range(len(x)):\n        if x[i] < 0:\n            x[i] = 0\n    return x\n"
    linecache.cache["<cell 7>"] = (len(source), None, source.splitlines(True), "<cell 7>")
    exec(compile(source, "<cell 7>", "exec"), space := {})
    np.testing.assert_array_equal(lazynp.jit(space["f"], strict=True)(x6.copy()), np.maximum(x6, 0))


SCRIPT = """
import numpy as np, lazynp
@lazynp.jit(strict=True)
def f(x):
    t = 0.0
    for v in x:
        if v > 1:
            t += v
    return t
print(f(np.arange(5.0)))
"""


def test_functions_of_a_script(tmp_path):
    path = tmp_path / "script.py"
    path.write_text(SCRIPT)
    done = subprocess.run([sys.executable, path], capture_output=True, text=True)
    assert done.stdout.strip() == "9.0", done.stderr


class Model:
    def __init__(self):
        self.rate = 0.5

    @lazynp.jit
    def run(self, x, n):
        for _ in range(n):
            x = x - self.rate * x
        return x


def test_methods_and_the_attributes_they_read():
    model = Model()
    np.testing.assert_allclose(model.run(x6, 9), x6 * 0.5**9)
    model.rate = 0.25
    np.testing.assert_allclose(model.run(x6, 9), x6 * 0.75**9)
