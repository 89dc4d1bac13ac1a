"""Elements that a turn of a loop reads, overwrites and then uses: they are kept from before the write, from where they were."""

import numpy as np
import pytest
from outcomes import outcome, same

import lazynp


def exchange_at_a_carried_index(a, start, n):
    i = start
    for j in range(n):
        t = a[i]
        a[i] = a[j]
        a[j] = t
        i = i + 2
    return a


def partition_of_ranges(a, ranges):
    for lo, hi in ranges:
        i = lo
        for j in range(lo, hi):
            if a[j] <= a[hi]:
                a[i], a[j] = a[j], a[i]
                i += 1
        a[i], a[hi] = a[hi], a[i]
    return a


def index_known_after_the_write(a, n):
    total = 0.0
    for j in range(n):
        before = a.copy()
        a[j] += 1
        total += before[int(a[j + 1]) % 5]
        a[0] = total % 3
    return total, a


NUMBERS = np.random.default_rng(3).uniform(0, 9, 12)
PROGRAMS = [
    (exchange_at_a_carried_index, (NUMBERS, np.int64(0), 5)),
    (partition_of_ranges, (NUMBERS, np.array([[0, 11], [0, 5], [6, 10]]))),
    (index_known_after_the_write, (NUMBERS, 5)),
]


@pytest.mark.parametrize(("function", "arguments"), PROGRAMS)
def test_as_numpy(function, arguments):
    expected, left, _ = outcome(function, arguments)
    result, after, warned = outcome(lazynp.jit(function), arguments)
    same((result, after), (expected, left))
    assert not warned
