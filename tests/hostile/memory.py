"""Memory: aliases, views, buffers that change places."""

import numpy as np

from hostile.cases import case, m45, x6


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


@case(
    (m45,),
)
def rows_are_views(a):
    for row in a:
        row[1:] += row[0]
        row *= 2
    for k, row in enumerate(a.T):
        row[0] = k
    return a


@case(
    (x6,),
)
def swaps_rows(x):
    a = np.outer(x, x)
    for i in range(3):
        a[[i, 5 - i]] = a[[5 - i, i]]
        a[:, i], a[:, 5 - i] = a[:, 5 - i].copy(), a[:, i].copy()
    return a


@case(
    (x6,),
)
def swaps_rows_badly(x):
    a = np.outer(x, x)
    for i in range(3):
        a[i], a[5 - i] = a[5 - i], a[i]
    return a


@case(
    (x6,),
)
def slices_of_slices(x):
    for i in range(1, 5):
        v = x[i:]
        w = v[: 6 - i - 1]
        w[0] += v[-1]
    return x


@case(
    (x6,),
)
def transposed_writes(x):
    a = np.zeros((6, 6))
    t = a.T
    for i in range(6):
        t[i, : i + 1] = x[: i + 1]
        a[i] += 1
    return a, t
