"""Ridge regression over a path of penalties, with the error of leaving one out."""

import sys

import numpy as np

n, m = (int(a) for a in sys.argv[1:3]) if len(sys.argv) > 2 else (3000, 60)
rng = np.random.default_rng(50)
X = rng.normal(size=(n, m))
y = X @ np.where(np.arange(m) < 5, 2.0, 0.0) + rng.normal(size=n)
U, s, Vt = np.linalg.svd(X, full_matrices=False)
Uy = U.T @ y
penalties = np.logspace(-2, 4, 30)
errors = []
for penalty in penalties:
    shrink = s**2 / (s**2 + penalty)
    fitted = (U * shrink) @ Uy
    leverage = np.sum(U**2 * shrink, axis=1)
    errors.append(np.mean(((y - fitted) / (1 - leverage)) ** 2))
best = penalties[np.argmin(errors)]
beta = Vt.T @ (s / (s**2 + best) * Uy)
print(f"penalty {best:.6f}, error {min(errors):.9f}, first coefficients", np.round(beta[:6], 4))
