"""Many walks at once: how far they get and when they first come home."""

import sys

import numpy as np

N = int(sys.argv[1]) if sys.argv[1:] else 5_000

rng = np.random.default_rng(2)
steps = rng.choice(np.array([-1, 1]), size=(N, 500))
walks = np.cumsum(steps, axis=1)
farthest = np.abs(walks).max(axis=1)
home = walks == 0
first = np.where(home.any(axis=1), home.argmax(axis=1), -1)
spread = walks.std(axis=0)
print("mean farthest", farthest.mean(), "come home", np.mean(first >= 0), "spread", spread[-1])
