"""Flow: break, continue, else, early returns, exceptions."""

import numpy as np

from hostile.cases import case, m45, x6, x12


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


@case((x12,), (-abs(x12),), (abs(x12),))
def several_breaks(x):
    i = 0
    why = 0
    while True:
        if i >= len(x):
            why = 1
            break
        if x[i] > 1.5:
            why = 2
            break
        i += 1
        if x[i - 1] < -0.9:
            why = 3
            continue
        if i == 7:
            break
    else:
        why = 9
    return i, why


@case((m45,), (-m45,), (m45 * 0,))
def returns_from_two_loops(a):
    for i in range(a.shape[0]):
        for j in range(a.shape[1]):
            if a[i, j] > 10:
                return i, j
            if a[i, j] < -12:
                return j, i
        if a[i].sum() > 20:
            return -1, i
    return -1, -1


@case((m45,), (-m45,), (m45 * 0 + 1,))
def else_of_nested_loops(a):
    found = 0
    for row in a:
        for v in row:
            if v == 3:
                break
        else:
            found += 1
            continue
        found += 100
        break
    else:
        found = -found
    return found


@case((x6,), (-x6,))
def try_finally(x):
    log = 0
    for v in x:
        try:
            if v < 0:
                continue
            if v > 3:
                break
            log += 1
        finally:
            log += 10
    return log


@case((x6,), (np.array([1.0, 0.0]),))
def try_except_zero(x):
    s = 0.0
    for v in x:
        try:
            s += 1 / float(v)
        except ZeroDivisionError:
            s -= 1
    return s


@case((x6, np.array([0, 7, 2])), (x6, np.array([0, 1, -6])), (x6, np.array([0, 1, -7])))
def try_except_index(x, idx):
    s = 0.0
    for k in idx:
        try:
            s += x[k]
        except IndexError:
            s += 1000
    return s


@case((x6,), (x6 + 5,))
def raises_under_a_condition(x):
    for i in range(len(x)):
        if x[i] > 5:
            raise ValueError(f"too large at {i}")
    return x.sum()


@case((x6,), (x6 * 0,))
def assert_in_loop(x):
    for v in x:
        assert v != 0, "zero"
    return 1


@case(
    (x6,),
)
def walrus_while(x):
    i = 0
    s = 0.0
    while (v := x[i]) < 3:
        s += v
        i += 1
    return s, v, i


@case(
    (x6,),
)
def walrus_in_comprehension(x):
    total = 0.0
    parts = [total := total + v for v in x]
    return total, parts[2]


@case(
    (x6, x6[::-1].copy()),
)
def early_exit_vectors(a, b):
    for step in range(100):
        new = 0.5 * (a + b)
        if np.all(np.abs(new - a) < 1e-6):
            return new, step
        a, b = new, a
    return a, -1


@case(
    (x6,),
)
def while_with_and(x):
    i = 0
    while i < len(x) and x[i] < 3:
        i += 1
    j = len(x) - 1
    while j >= 0 and not x[j] < 0:
        j -= 1
    return i, j


@case(
    (x6,),
)
def ternaries(x):
    s = 0.0
    for i in range(len(x)):
        s += 1.0 if x[i] > 1 else -1.0 if x[i] < 0 else (0.5 if i % 2 else 0.25)
    return s


@case(
    (x6,),
)
def matches(x):
    s = 0.0
    for i in range(len(x)):
        match i % 3:
            case 0:
                s += x[i]
            case 1 | 5:
                s -= x[i]
            case _:
                s *= 0.5
    return s


@case(
    (x6,),
)
def any_break(x):
    y = x.copy()
    for k in range(100):
        y = y * 0.9
        if ((y < 0.1).any() and y.max() < 1) or k > 50:
            break
    return y, k


@case((x12,))
def condition_that_assigns(x):
    k, s = 0, 0.0
    while (v := x[k]) < 1.0:
        s += v
        k += 1
    return k, v, s


@case((x12,))
def condition_that_assigns_with_else(x):
    k = 0
    while (v := x[k]) < 1.0:
        k += 1
        if v > 0.9:
            break
    else:
        v = v * 10
    return k, v


@case((x12,))
def condition_that_counts(x):
    k, s = 0, 0.0
    while (k := k + 1) < len(x):
        if x[k] < 0:
            continue
        s += x[k]
    return s, k
