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
