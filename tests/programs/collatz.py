"""Lengths of Collatz chains of all numbers at once."""

import sys

import numpy as np

N = int(sys.argv[1]) if sys.argv[1:] else 300_000

value = np.arange(1, N + 1)
length = np.zeros(N, dtype=int)
for _ in range(150):
    going = value != 1
    length += going
    value = np.where(going, np.where(value % 2 == 0, value // 2, 3 * value + 1), value)
longest = int(length.argmax()) + 1
finished = int(np.sum(value == 1))
print("longest chain starts at", longest, "of", length.max(), "steps;", finished, "finished")
