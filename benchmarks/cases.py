"""The programs that are timed. Each is plain NumPy, written once; a peer that cannot run that source gets a form of its own.

The functions name `np` as a global: `benchmarks.peers.rebound` runs the same code object over another namespace.
"""

import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

COLUMNS = 100
HEAT_STEPS = 10

Function = Callable[..., Any]


class Case(NamedTuple):
    """One program.

    function: plain NumPy. arguments: (random generator, number of elements) -> its arguments. size: the only size, None: any size.
    passes: how often all arguments and results have to move from and to memory at least; None where arithmetic decides.
    gradient: the arguments by which function's scalar result is differentiated; the timed result is (value, gradients), and `by_hand`
    is the NumPy form of that. forms: peer -> a function of the same arguments that replaces the source there, None: not possible.
    """

    name: str
    formula: str
    function: Function
    arguments: Callable[[np.random.Generator, int], tuple[Any, ...]]
    size: int | None = None
    passes: int | None = None
    gradient: tuple[int, ...] | None = None
    by_hand: Function | None = None
    forms: Mapping[str, Function | None] = {}


# --- fused expressions -------------------------------------------------------------------------------------------------


def polynomial(a, b, c):
    return 2 * a + 3 * b**2 + np.exp(-c)


def polynomial_numexpr(numexpr, a, b, c):
    return numexpr.evaluate("2*a + 3*b**2 + exp(-c)", {"a": a, "b": b, "c": c})


def softplus(x):
    return np.log1p(np.exp(x))


def softplus_numexpr(numexpr, x):
    return numexpr.evaluate("log1p(exp(x))", {"x": x})


def softmax(x):
    e = np.exp(x - np.max(x, axis=1, keepdims=True))
    return e / np.sum(e, axis=1, keepdims=True)


def softmax_numexpr(numexpr, x):
    e = numexpr.evaluate("exp(x - m)", {"x": x, "m": x.max(axis=1, keepdims=True)})
    return numexpr.evaluate("e / s", {"e": e, "s": e.sum(axis=1, keepdims=True)})


def softmax_loops(x):
    out = np.empty_like(x)
    for i in range(x.shape[0]):
        e = np.exp(x[i] - np.max(x[i]))
        out[i] = e / np.sum(e)
    return out


def logsumexp(x):
    m = np.max(x, axis=1)
    return m + np.log(np.sum(np.exp(x - m[:, None]), axis=1))


def logsumexp_numexpr(numexpr, x):
    m = x.max(axis=1)
    s = numexpr.evaluate("sum(exp(x - m), axis=1)", {"x": x, "m": m[:, None]})
    return numexpr.evaluate("m + log(s)", {"m": m, "s": s})


def logsumexp_loops(x):
    out = np.empty(x.shape[0])
    for i in range(x.shape[0]):
        m = np.max(x[i])
        out[i] = m + np.log(np.sum(np.exp(x[i] - m)))
    return out


def squared_distance(a, b):
    return np.sum((a - b) ** 2)


def squared_distance_numexpr(numexpr, a, b):
    return numexpr.evaluate("sum((a - b)**2)", {"a": a, "b": b})


# --- stencil, written in place -----------------------------------------------------------------------------------------


def heat(u):
    for _ in range(HEAT_STEPS):
        u[1:-1, 1:-1] += 0.2 * (u[2:, 1:-1] + u[:-2, 1:-1] + u[1:-1, 2:] + u[1:-1, :-2] - 4 * u[1:-1, 1:-1])
    return u


def heat_jax(u):
    for _ in range(HEAT_STEPS):
        change = 0.2 * (u[2:, 1:-1] + u[:-2, 1:-1] + u[1:-1, 2:] + u[1:-1, :-2] - 4 * u[1:-1, 1:-1])
        u = u.at[1:-1, 1:-1].add(change)
    return u


# --- overhead ----------------------------------------------------------------------------------------------------------


def tiny(x):
    return x * 2 + 1


def chain20(x):
    for k in range(5):
        x = np.tanh(x * 0.5 + k) - x
    return x


def chain100(x):
    for k in range(25):
        x = np.tanh(x * 0.5 + k) - x
    return x


# --- models with gradients ---------------------------------------------------------------------------------------------


def logistic(w, b, X, y):
    p = 1 / (1 + np.exp(-(X @ w + b)))
    return np.mean(-y * np.log(p) - (1 - y) * np.log(1 - p)) + 0.01 * np.sum(w**2)


def logistic_by_hand(w, b, X, y):
    p = 1 / (1 + np.exp(-(X @ w + b)))
    cost = np.mean(-y * np.log(p) - (1 - y) * np.log(1 - p)) + 0.01 * np.sum(w**2)
    d = (p - y) / y.size
    return cost, (X.T @ d + 0.02 * w, np.sum(d))


def mlp(W1, b1, W2, b2, x, t):
    h = np.tanh(x @ W1 + b1)
    z = h @ W2 + b2
    return -np.mean(np.sum(t * (z - np.log(np.sum(np.exp(z), axis=1, keepdims=True))), axis=1))


def mlp_by_hand(W1, b1, W2, b2, x, t):
    h = np.tanh(x @ W1 + b1)
    e = np.exp(h @ W2 + b2)
    s = np.sum(e, axis=1, keepdims=True)
    cost = -np.mean(np.sum(t * np.log(e / s), axis=1))
    dz = (e / s - t) / x.shape[0]
    dh = (dz @ W2.T) * (1 - h**2)
    return cost, (x.T @ dh, np.sum(dh, axis=0), h.T @ dz, np.sum(dz, axis=0))


# --- whole kernels -----------------------------------------------------------------------------------------------------


def covariance(x):
    d = x - np.mean(x, axis=0)
    return d.T @ d / (x.shape[0] - 1)


def covariance_numba(x):
    mean = np.zeros(x.shape[1])
    for i in range(x.shape[0]):
        mean += x[i]
    d = x - mean / x.shape[0]
    return d.T @ d / (x.shape[0] - 1)


def distances(x):
    return np.sqrt(np.sum((x[:, None, :] - x[None, :, :]) ** 2, axis=2))


def distances_loops(x):
    n, d = x.shape
    out = np.empty((n, n))
    for i in range(n):
        for j in range(n):
            s = 0.0
            for k in range(d):
                s += (x[i, k] - x[j, k]) ** 2
            out[i, j] = np.sqrt(s)
    return out


def forces(x, m):
    d = x[None, :, :] - x[:, None, :]
    r2 = np.sum(d**2, axis=2) + 1e-4
    return np.sum(m[None, :, None] * d / (r2 * np.sqrt(r2))[:, :, None], axis=1)


def forces_loops(x, m):
    n = x.shape[0]
    out = np.zeros_like(x)
    for i in range(n):
        for j in range(n):
            d = x[j] - x[i]
            r2 = np.sum(d**2) + 1e-4
            out[i] += m[j] * d / (r2 * np.sqrt(r2))
    return out


# --- arguments ---------------------------------------------------------------------------------------------------------


def vectors(count: int) -> Callable[[np.random.Generator, int], tuple[Any, ...]]:
    return lambda rng, n: tuple(rng.standard_normal((count, n)))


def rows(rng: np.random.Generator, n: int) -> tuple[Any, ...]:
    columns = min(max(n // 2, 1), COLUMNS)
    return (rng.standard_normal((n // columns, columns)),)


def plate(rng: np.random.Generator, n: int) -> tuple[Any, ...]:
    """A square of n cells whose first row is hot: no decay into denormal numbers however long it runs."""
    side = max(math.isqrt(n), 4)
    u = rng.random((side, side))
    u[0] = 1
    return (u,)


def logistic_data(rng: np.random.Generator, n: int) -> tuple[Any, ...]:
    return rng.standard_normal(784) * 0.01, 0.0, rng.standard_normal((n, 784)), rng.integers(0, 2, n).astype(float)


def mlp_data(rng: np.random.Generator, n: int) -> tuple[Any, ...]:
    hot = np.eye(10)[rng.integers(0, 10, n)]
    W1, W2 = rng.standard_normal((784, 100)) * 0.05, rng.standard_normal((100, 10)) * 0.1
    return W1, np.zeros(100), W2, np.zeros(10), rng.standard_normal((n, 784)), hot


def points(rng: np.random.Generator, n: int) -> tuple[Any, ...]:
    """Points in space with n pairs."""
    return (rng.standard_normal((max(math.isqrt(n), 2), 3)),)


def bodies(rng: np.random.Generator, n: int) -> tuple[Any, ...]:
    (x,) = points(rng, n)
    return x, rng.random(len(x))


CASES = [
    Case("polynomial", "2*a + 3*b**2 + exp(-c)", polynomial, vectors(3), passes=1, forms={"numexpr": polynomial_numexpr}),
    Case("softplus", "log1p(exp(x))", softplus, vectors(1), passes=1, forms={"numexpr": softplus_numexpr}),
    Case(
        "softmax",
        "softmax over rows",
        softmax,
        rows,
        passes=1,
        forms={"numexpr": softmax_numexpr, "numba": softmax_loops},
    ),
    Case(
        "logsumexp",
        "logsumexp over rows",
        logsumexp,
        rows,
        passes=1,
        forms={"numexpr": logsumexp_numexpr, "numba": logsumexp_loops},
    ),
    Case(
        "squared_distance",
        "sum((a-b)**2)",
        squared_distance,
        vectors(2),
        passes=1,
        forms={"numexpr": squared_distance_numexpr},
    ),
    Case(
        "heat",
        f"{HEAT_STEPS} steps of 2-D diffusion, in place",
        heat,
        plate,
        passes=HEAT_STEPS,
        forms={"jax": heat_jax, "pytensor": None},
    ),
    Case("tiny", "x*2 + 1 on 10 elements", tiny, vectors(1), size=10),
    Case("chain20", "20 operations on 10 elements", chain20, vectors(1), size=10),
    Case("chain100", "100 operations on 10 elements", chain100, vectors(1), size=10),
    Case(
        "logistic",
        "logistic regression 400 x 784: cost and gradient",
        logistic,
        logistic_data,
        size=400,
        gradient=(0, 1),
        by_hand=logistic_by_hand,
    ),
    Case(
        "mlp",
        "784-100-10 network, 100 rows: loss and gradient",
        mlp,
        mlp_data,
        size=100,
        gradient=(0, 1, 2, 3),
        by_hand=mlp_by_hand,
        forms={"numba": None},
    ),
    Case("covariance", "covariance of 100 columns", covariance, rows, forms={"numba": covariance_numba}),
    Case("distances", "pairwise distances in space", distances, points, forms={"numba": distances_loops}),
    Case("forces", "n-body forces", forces, bodies, forms={"numba": forces_loops}),
]
