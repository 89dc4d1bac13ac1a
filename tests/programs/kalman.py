"""A Kalman filter that follows a moving body: small matrices in a Python loop."""

import sys

import numpy as np

N = int(sys.argv[1]) if sys.argv[1:] else 20_000

rng = np.random.default_rng(23)
F, H = np.array([[1, 0.1], [0, 1]]), np.array([[1.0, 0.0]])
Q, R = np.diag([1e-4, 1e-3]), np.array([[0.25]])
truth = np.cumsum(0.1 * np.cumsum(rng.normal(0, 0.03, N)))
seen = truth + rng.normal(0, 0.5, N)
state, P = np.zeros(2), np.eye(2)
estimates = np.zeros(N)
for k in range(N):
    state, P = F @ state, F @ P @ F.T + Q
    gain = P @ H.T @ np.linalg.inv(H @ P @ H.T + R)
    state = state + gain @ (seen[k : k + 1] - H @ state)
    P = (np.eye(2) - gain @ H) @ P
    estimates[k] = state[0]
error_before, error_after = np.sqrt(np.mean((seen - truth) ** 2)), np.sqrt(np.mean((estimates - truth) ** 2))
print("error", error_before, "->", error_after)
