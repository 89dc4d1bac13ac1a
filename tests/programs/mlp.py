"""A network of two layers with backpropagation by hand."""

import sys

import numpy as np

n, rounds = (int(a) for a in sys.argv[1:3]) if len(sys.argv) > 2 else (4000, 15)
rng = np.random.default_rng(2)
X = rng.normal(size=(n, 64))
labels = (X[:, :3] ** 2).sum(axis=1).astype(int) % 10
target = np.eye(10)[labels]
W1, b1 = rng.normal(size=(64, 100)) * 0.1, np.zeros(100)
W2, b2 = rng.normal(size=(100, 10)) * 0.1, np.zeros(10)
for _ in range(rounds):
    hidden = np.maximum(X @ W1 + b1, 0)
    scores = hidden @ W2 + b2
    scores -= scores.max(axis=1, keepdims=True)
    probability = np.exp(scores)
    probability /= probability.sum(axis=1, keepdims=True)
    loss = -np.log(probability[np.arange(n), labels]).mean()
    d_scores = (probability - target) / n
    d_hidden = d_scores @ W2.T
    d_hidden[hidden <= 0] = 0
    W2 -= 0.5 * hidden.T @ d_scores
    b2 -= 0.5 * d_scores.sum(axis=0)
    W1 -= 0.5 * X.T @ d_hidden
    b1 -= 0.5 * d_hidden.sum(axis=0)
print(f"loss {loss:.9f}")
