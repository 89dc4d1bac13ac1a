"""Confidence intervals of a mean and a median by resampling."""

import sys

import numpy as np

n, times = (int(a) for a in sys.argv[1:3]) if len(sys.argv) > 2 else (400, 2000)
rng = np.random.RandomState(12)
sample = rng.gamma(2.0, 1.5, n)
picks = rng.randint(0, n, (times, n))
draws = sample[picks]
means, medians = draws.mean(axis=1), np.median(draws, axis=1)
print("mean", np.percentile(means, [2.5, 97.5]), "median", np.percentile(medians, [2.5, 97.5]), f"bias {means.mean() - sample.mean():.3e}")
