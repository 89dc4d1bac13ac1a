"""Names: what is bound where, before, in and after loops and branches."""

import numpy as np

from hostile.cases import case, x6, x12


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
    len = lambda a: 3
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


@case(
    (x6,),
)
def for_target_is_element(x):
    a = [0, 0]
    for a[0] in range(4):
        a[1] += x[a[0]]
    return a


@case(
    (x6,),
)
def loop_variable_of_comprehension(x):
    i = 5
    y = [x[i] * i for i in range(3)]
    return i, y


@case(
    (x6,),
)
def shadowed_builtins(x):
    sum = 0.0
    len_ = len
    max = lambda a, b: a - b
    for i in range(len_(x)):
        sum += max(x[i], i)
    return sum


@case(
    (x6,),
)
def names_in_two_roles(x):
    t = 0
    for t in x:
        pass
    y = t
    for t in range(3):
        y += t
    return y, t


@case(
    (x6,),
)
def swaps_three(x):
    a, b, c = x[0], x[1], 0.0
    for i in range(2, len(x)):
        a, b, c = b, c + x[i], a
    return a, b, c


@case(
    (x6,),
)
def del_in_loop(x):
    s = 0.0
    for i in range(len(x)):
        t = x[i]
        s += t
        del t
    return s


_count = 0
_level = 1.0


@case((x6,))
def global_counter_put_back(x):
    global _count
    for v in x:
        _count = _count + 1
    found = _count
    _count = 0
    return found, v


@case((x6,))
def global_sum_put_back(x):
    global _level
    for v in x:
        _level += v
    found = _level
    _level = 1.0
    return found


@case((x6,))
def global_in_a_branch_put_back(x):
    global _level
    total = 0.0
    for v in x:
        if v > 0.75:
            _level = _level * 2
        total += _level * v
    found, _level = _level, 1.0
    return total, found


@case((x6,))
def global_in_a_while_loop_put_back(x):
    global _count
    k = 0
    while x[k] < 3:
        _count += 2
        k += 1
    found, _count = _count, 0
    return found, k


def _counted(v):
    global _count
    _count += 1
    return v * _count


@case((x6,))
def global_of_a_helper_put_back(x):
    global _count
    total = 0.0
    for v in x:
        total += _counted(v)
    found, _count = _count, 0
    return total, found


@case((x6,))
def nonlocal_of_the_call(x):
    total, n = 0.0, 0

    def add(v):
        nonlocal total, n
        if v > 0:
            total += v
            n += 1
        return total

    history = []
    for v in x:
        history.append(add(v))
    return np.array(history), n


@case((x6,))
def lambda_over_the_loop_variable(x):
    s = 0.0
    for i in range(len(x)):
        f = lambda t: t * x[i] + i
        s += f(2.0)
    return s


@case((x6,))
def two_counters_of_a_factory(x):
    def make():
        n = 0.0

        def increase(v):
            nonlocal n
            n = n * 0.5 + v
            return n

        return increase

    a, b = make(), make()
    s = 0.0
    for v in x:
        s += a(v) - b(2 * v) * 0.1
    return s
