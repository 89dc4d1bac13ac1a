"""European and Asian options by Monte Carlo, and the closed form of the first."""

import math
import sys

import numpy as np

paths, steps = (int(a) for a in sys.argv[1:3]) if len(sys.argv) > 2 else (40_000, 40)
S, K, r, sigma, T = 100.0, 105.0, 0.03, 0.25, 1.0
rng = np.random.default_rng(6)
dt = T / steps
increments = (r - sigma**2 / 2) * dt + sigma * math.sqrt(dt) * rng.standard_normal((paths, steps))
prices = S * np.exp(np.cumsum(increments, axis=1))
european = math.exp(-r * T) * np.maximum(prices[:, -1] - K, 0)
asian = math.exp(-r * T) * np.maximum(prices.mean(axis=1) - K, 0)
d1 = (math.log(S / K) + (r + sigma**2 / 2) * T) / (sigma * math.sqrt(T))
phi = [0.5 * (1 + math.erf(d / math.sqrt(2))) for d in (d1, d1 - sigma * math.sqrt(T))]
print(f"european {european.mean():.6f} (exact {S * phi[0] - K * math.exp(-r * T) * phi[1]:.6f}), asian {asian.mean():.6f}")
