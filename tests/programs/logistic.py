"""Logistic regression by gradient descent, written out."""

import sys

import numpy as np

n, rounds = (int(a) for a in sys.argv[1:3]) if len(sys.argv) > 2 else (20_000, 60)
rng = np.random.RandomState(0)
X = rng.randn(n, 20)
true = rng.randn(20)
y = (X @ true + 0.5 * rng.randn(n) > 0).astype(float)
w, b = np.zeros(20), 0.0
for _ in range(rounds):
    p = 1 / (1 + np.exp(-(X @ w + b)))
    error = p - y
    w -= 0.5 * (X.T @ error / n + 1e-3 * w)
    b -= 0.5 * error.mean()
loss = -np.mean(y * np.log(p + 1e-12) + (1 - y) * np.log(1 - p + 1e-12))
print(f"loss {loss:.9f}, right {np.mean((p > 0.5) == y):.4f}")
