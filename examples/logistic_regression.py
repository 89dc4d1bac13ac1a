"""Logistic regression, after Theano's tutorial, on the breast-cancer data that scikit-learn ships.

The cross-entropy is written as in the book, -y*log(p) - (1-y)*log(1-p). In floating point it is NaN as soon as a prediction is
certain: p rounds to 1, and 0 * log(0) is no number. The first weights are drawn so that this happens. lazynp finds the formula that
keeps its digits, in the gradient too. Without lazynp the program uses that formula and its gradient, worked out by hand.
"""

import numpy as np
from sklearn.datasets import load_breast_cancer

try:
    import lazynp
except ImportError:
    lazynp = None

RATE = 0.5
STEPS = 1000


def probability(w, b, x):
    """w: (k,), b: (1,), x: (n, k) -> (n,)"""
    return 1 / (1 + np.exp(-(x @ w) - b))


def cost(w, b, x, y):
    """Mean cross-entropy of the labels y, (n,) of 0 and 1, plus weight decay."""
    p = probability(w, b, x)
    return np.mean(-y * np.log(p) - (1 - y) * np.log(1 - p)) + 0.01 * np.sum(w**2)


if lazynp:
    stable_cost = lazynp.jit(cost)

    @lazynp.jit
    def step(w, b, x, y):
        """One step of gradient descent."""
        gw, gb = lazynp.grad(cost, argnums=(0, 1))(w, b, x, y)
        return w - RATE * gw, b - RATE * gb

else:

    def stable_cost(w, b, x, y):
        z = x @ w + b
        return np.mean(y * np.logaddexp(0, -z) + (1 - y) * np.logaddexp(0, z)) + 0.01 * np.sum(w**2)

    def step(w, b, x, y):
        error = (probability(w, b, x) - y) / len(y)
        return w - RATE * (error @ x + 0.02 * w), b - RATE * error.sum()


data = load_breast_cancer()
x = (data.data - data.data.mean(axis=0)) / data.data.std(axis=0)
y = data.target.astype(float)

w = 10 * np.random.default_rng(0).normal(size=x.shape[1])
b = np.zeros(1)
first_cost = stable_cost(w, b, x, y)
for _ in range(STEPS):
    w, b = step(w, b, x, y)

last_cost = stable_cost(w, b, x, y)
accuracy = np.mean((probability(w, b, x) > 0.5) == (y > 0.5))
print(f"cost      {float(first_cost):.6f} -> {float(last_cost):.6f} in {STEPS} steps")
print(f"accuracy  {float(accuracy):.4f} on {len(y)} patients")
