"""Conway's Game of Life on a torus."""

import sys

import numpy as np

n, steps = (int(a) for a in sys.argv[1:3]) if len(sys.argv) > 2 else (700, 30)
board = np.random.default_rng(1).integers(0, 2, (n, n))
for _ in range(steps):
    neighbours = sum(np.roll(np.roll(board, i, 0), j, 1) for i in (-1, 0, 1) for j in (-1, 0, 1) if (i, j) != (0, 0))
    board = ((neighbours == 3) | ((board == 1) & (neighbours == 2))).astype(int)
print("alive", board.sum())
