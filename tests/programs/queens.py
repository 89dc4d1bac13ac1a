"""A puzzle: queens on a board, counted by backtracking over boolean masks."""

import sys

import numpy as np

n = int(sys.argv[1]) if len(sys.argv) > 1 else 7
rows, columns = np.indices((n, n))
attacked = np.zeros((n, n), int)


def place(row):
    if row == n:
        return 1
    found = 0
    for column in np.flatnonzero(attacked[row] == 0):
        lines = (columns == column) | (rows - columns == row - column) | (rows + columns == row + column)
        attacked[lines] += 1
        found += place(row + 1)
        attacked[lines] -= 1
    return found


print(n, "queens:", place(0), "ways")
