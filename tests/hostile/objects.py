"""Python objects that turns change: lists, dicts, attributes."""

import numpy as np

from hostile.cases import case, x6, x12


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
