"""An option on the average price: simulated paths, step by step."""

import sys

import numpy as np

N = int(sys.argv[1]) if sys.argv[1:] else 300_000

rng = np.random.default_rng(5)
price = np.full(N, 100.0)
total = np.zeros(N)
for _ in range(24):
    price *= np.exp((0.02 - 0.5 * 0.2**2) / 24 + 0.2 * np.sqrt(1 / 24) * rng.standard_normal(N))
    total += price
payoff = np.maximum(total / 24 - 100, 0) * np.exp(-0.02)
value, error = payoff.mean(), payoff.std() / np.sqrt(N)
print(f"{float(value):.4f} +- {float(error):.4f}")
