"""Whole programs of other libraries' tutorials, with `import lazynp as np`: what tests/test_acceptance_programs.py runs.

Each takes `mode`, lazynp.jit or the identity, which it puts around the functions that it calls, and returns its numbers by name.
Data come from NumPy's frozen legacy stream.
"""

import math
import pickle
from collections.abc import Callable
from typing import Any

import numpy
import scipy.linalg
import scipy.optimize

import lazynp
import lazynp as np
from lazynp import grad, hessian, hvp, jacobian, jvp, value_and_grad, vjp, vmap
from lazynp.scipy.special import expit, logsumexp
from lazynp.scipy.stats import multivariate_normal, norm

PROGRAMS: dict[str, Callable[..., dict[str, Any]]] = {}


def program(function: Callable[..., dict[str, Any]]) -> Callable[..., dict[str, Any]]:
    PROGRAMS[function.__name__] = function
    return function


def sigmoid(x):
    return 0.5 * (np.tanh(x / 2) + 1)


def softplus(x):
    return np.logaddexp(0.0, x)


def log_softmax(z):
    return z - logsumexp(z, axis=1, keepdims=True)


def sizes(trees):
    """The Euclidean norm of each array."""
    return [numpy.linalg.norm(x) for x in trees]


# --- tutorials of Theano -------------------------------------------------------------------------------------------------


@program
def a02(mode):
    slope = mode(grad(lambda x: x**2))
    text = lazynp.show(slope, numpy.array(4.0))
    return {"at 4": slope(4.0), "at 94.2": slope(94.2), "powers": text.count("power"), "multiplications": text.count("multiply")}


@program
def a03(mode):
    return {"gradient": mode(grad(lambda x: np.sum(1 / (1 + np.exp(-x)))))(numpy.array([[0.0, 1.0], [-1.0, -2.0]]))}


@program
def a04(mode):
    x, v = numpy.array([4.0, 4.0]), numpy.array([2.0, 2.0])
    W, at, along = numpy.ones((2, 2)), numpy.array([0.0, 1.0]), 2 * numpy.ones((2, 2))

    def cost(x):
        return np.sum(x**2)

    return {
        "jacobian": mode(jacobian(lambda x: x**2))(x),
        "hessian": mode(hessian(cost))(x),
        "right": mode(lambda W, V: jvp(lambda W: at @ W, (W,), (V,))[1])(W, along),
        "left": mode(lambda W, v: vjp(lambda W: at @ W, W)[1](v)[0])(W, v),
        "product": mode(lambda x, v: grad(lambda x: np.sum(grad(cost)(x) * v))(x))(x, v),
        "forward product": mode(hvp(cost))(x, v),
    }


@program
def a05(mode):
    add = mode(lambda x, y=1: x + y)
    scale = mode(lambda x, y=1, w=2: (x + y) * w)
    return {
        "two": [add(33), add(33, 2)],
        "three": [scale(33), scale(33, 2), scale(33, 0, 1), scale(33, w=1), scale(33, w=1, y=0)],
    }


# --- logistic regression -------------------------------------------------------------------------------------------------


def logistic_cost(w, b, X, y):
    """The formula of the textbook, which overflows."""
    p = 1 / (1 + np.exp(-X @ w - b))
    cross_entropy = -y * np.log(p) - (1 - y) * np.log(1 - p)
    return np.mean(cross_entropy) + 0.01 * np.sum(w**2)


def logistic_data(dtype):
    R = numpy.random.RandomState(0)
    X, y, w = R.randn(400, 784), R.randint(0, 2, 400), R.randn(784)
    return X.astype(dtype), y.astype(dtype), w.astype(dtype)


def logistic_training(mode, data, b, steps, rate):
    X, y, w = data

    @mode
    def step(w, b):
        dw, db = grad(logistic_cost, (0, 1))(w, b, X, y)
        return w - rate * dw, b - rate * db

    for _ in range(steps):
        w, b = step(w, b)
    return w, b


@program
def a08(mode):
    X, y, w = data = logistic_data(float)
    with numpy.errstate(all="ignore"):
        p = 1 / (1 + numpy.exp(-X @ w))
        naive = -y * numpy.log(p) - (1 - y) * numpy.log(1 - p)
    cost = lazynp.jit(logistic_cost)
    w1, b1 = logistic_training(mode, data, 0.0, 1, 0.01)
    w2, b2 = logistic_training(mode, data, 0.0, 1000, 0.1)
    return {
        "overflows in NumPy": numpy.sum(~numpy.isfinite(naive)),
        "mean in NumPy": numpy.mean(naive),
        "initial cost": cost(w, 0.0, X, y),
        "cost after a step": cost(w1, b1, X, y),
        "cost after 1000": cost(w2, b2, X, y),
    }


@program
def a08_long(mode):
    X, y, w = data = logistic_data(float)
    w, b = logistic_training(mode, data, 0.0, 10000, 0.01)
    right = numpy.mean((X @ w + b > 0) == (y > 0.5))
    return {"cost": lazynp.jit(logistic_cost)(w, b, X, y), "b": b, "norm": numpy.linalg.norm(w), "accuracy": right}


@program
def a09(mode):
    X, y, w = data = logistic_data("f")
    w, b = logistic_training(mode, data, numpy.float32(0), 1000, numpy.float32(0.1))
    z = (X @ w + b).astype(float)
    cost = numpy.mean(y * numpy.logaddexp(0, -z) + (1 - y) * numpy.logaddexp(0, z)) + 0.01 * (w.astype(float) ** 2).sum()
    return {"cost": cost, "bytes": [w.dtype.itemsize, b.dtype.itemsize]}


# --- networks ------------------------------------------------------------------------------------------------------------


@program
def a12(mode):
    """Elman's recurrent network, its gradient through all of time and through the last five steps."""
    R = numpy.random.RandomState(3)
    T, I, H, O = 50, 3, 8, 2  # noqa: E741
    U, Y = R.randn(T, I), R.randn(T, O)
    W, Wi, Wo, h0 = 0.1 * R.randn(H, H), 0.1 * R.randn(I, H), 0.1 * R.randn(H, O), numpy.zeros(H)

    def loss(p):
        W, Wi, Wo, h = p
        L = 0
        for t in range(T):
            h = np.tanh(U[t] @ Wi + h @ W)
            L = L + np.sum((h @ Wo - Y[t]) ** 2)
        return L

    def last(p, steps):
        W, Wi, Wo, h = p
        for t in range(T):
            if t == T - steps:
                h = lazynp.stop_gradient(h)
            h = np.tanh(U[t] @ Wi + h @ W)
        return np.sum((h @ Wo - Y[-1]) ** 2)

    p = (W, Wi, Wo, h0)
    whole, slope = mode(loss), mode(grad(loss))
    full, cut = mode(grad(lambda p: last(p, T + 1)))(p), mode(grad(lambda p: last(p, 5)))(p)
    q = p
    for _ in range(100):
        q = tuple([a - 0.005 * b for a, b in zip(q, slope(q), strict=True)])
    return {
        "loss": whole(p),
        "gradient": sizes(slope(p)),
        "last loss": last(p, T + 1),
        "last gradient": numpy.linalg.norm(full[0]),
        "truncated": sizes([cut[0], cut[3]]),
        "trained": whole(q),
    }


@program
def a14(mode):
    """A perceptron with one hidden layer, trained on minibatches that are slices of the data."""
    R = numpy.random.RandomState(1234)
    N, D, C, H = 600, 20, 5, 30
    mu, labels = R.randn(C, D), R.randint(0, C, N)
    X = mu[labels] + 1.5 * R.randn(N, D)
    bound = math.sqrt(6.0 / (D + H))
    p = [R.uniform(-bound, bound, (D, H)), numpy.zeros(H), numpy.zeros((H, C)), numpy.zeros(C)]

    def cost(p, i):
        W1, b1, W2, b2 = p
        x, t = X[i * 20 : (i + 1) * 20], labels[i * 20 : (i + 1) * 20]
        lp = log_softmax(np.tanh(x @ W1 + b1) @ W2 + b2)
        return -np.mean(lp[np.arange(20), t]) + 0.0 * np.sum(np.abs(W1)) + 0.0001 * (np.sum(W1**2) + np.sum(W2**2))

    @mode
    def full(p):
        W1, b1, W2, b2 = p
        z = np.tanh(X @ W1 + b1) @ W2 + b2
        return -log_softmax(z)[np.arange(N), labels].mean(), (z.argmax(1) != labels).mean()

    slope, epochs = mode(grad(cost)), [full(p)]
    for epoch in range(10):
        for i in range(30):
            p = [a - 0.1 * b for a, b in zip(p, slope(p, i), strict=True)]
        if epoch in (0, 9):
            epochs.append(full(p))
    return {"start": epochs[0][0], "after one": epochs[1], "after ten": epochs[2]}


def convolution(x, w):
    """Kernels are flipped. (b, c, i, j), (o, c, k, l) -> (b, o, i - k + 1, j - l + 1)."""
    size = w.shape[2]
    left, out, flipped = x.shape[2] - size + 1, 0, w[:, :, ::-1, ::-1]
    for i in range(size):
        for j in range(size):
            out = out + np.einsum("bcij,oc->boij", x[:, :, i : i + left, j : j + left], flipped[:, :, i, j])
    return out


def pooled(x):
    b, c, h, w = x.shape
    return np.max(np.max(np.reshape(x, (b, c, h // 2, 2, w // 2, 2)), axis=5), axis=3)


@program
def a15(mode):
    """LeNet: two convolutions, ten steps."""
    R = numpy.random.RandomState(23455)
    B = 8
    X, labels = R.rand(B, 1, 28, 28), R.randint(0, 10, B)

    def uniform(shape, fan_in, fan_out):
        bound = math.sqrt(6.0 / (fan_in + fan_out))
        return R.uniform(-bound, bound, shape)

    W0, W1 = uniform((4, 1, 5, 5), 25, 25), uniform((6, 4, 5, 5), 100, 37)
    W2, W3 = uniform((96, 50), 96, 50), numpy.zeros((50, 10))
    p = [W0, numpy.zeros(4), W1, numpy.zeros(6), W2, numpy.zeros(50), W3, numpy.zeros(10)]

    def cost(p):
        W0, b0, W1, b1, W2, b2, W3, b3 = p
        h = np.tanh(pooled(convolution(X, W0)) + b0[None, :, None, None])
        h = np.tanh(pooled(convolution(h, W1)) + b1[None, :, None, None])
        h = np.tanh(np.reshape(h, (B, -1)) @ W2 + b2)
        return -np.mean(log_softmax(h @ W3 + b3)[np.arange(B), labels])

    both, costs = mode(value_and_grad(cost)), []
    for _ in range(11):
        last = p
        value, slope = both(p)
        costs.append(value)
        p = [a - 0.1 * b for a, b in zip(p, slope, strict=True)]
    return {"costs": [*costs[:3], costs[-1]], "kernels": numpy.linalg.norm(last[0])}


@program
def a16(mode):
    """A denoising auto-encoder with tied weights."""
    R = numpy.random.RandomState(123)
    N, D, H = 60, 16, 8
    X, masks = (R.rand(N, D) > 0.5) * 1.0, (R.rand(6, N, D) > 0.3) * 1.0
    bound = 4 * math.sqrt(6.0 / (D + H))
    p = [R.uniform(-bound, bound, (D, H)), numpy.zeros(H), numpy.zeros(D)]

    def cost(p, mask):
        W, bh, bv = p
        z = sigmoid((X * mask) @ W + bh) @ W.T + bv
        return np.mean(np.sum(X * softplus(-z) + (1 - X) * softplus(z), axis=1))

    both, costs = mode(value_and_grad(cost)), []
    for mask in masks:
        value, slope = both(p, mask)
        costs.append(value)
        p = [a - 0.1 * b for a, b in zip(p, slope, strict=True)]
    return {"costs": costs, "clean": mode(cost)(p, numpy.ones((N, D)))}


@program
def a17(mode):
    """A contractive auto-encoder: the penalty is the square of a Jacobian."""
    R = numpy.random.RandomState(321)
    N, D, H = 10, 12, 6
    X = R.rand(N, D)
    bound = 4 * math.sqrt(6.0 / (D + H))
    W, bh, bv = R.uniform(-bound, bound, (D, H)), numpy.zeros(H), numpy.zeros(D)

    def cost(p):
        W, bh, bv = p
        h = sigmoid(X @ W + bh)
        z = h @ W.T + bv
        contraction = (h * (1 - h))[:, None, :] * W[None]
        return np.mean(np.sum(X * softplus(-z) + (1 - X) * softplus(z), axis=1)) + 0.1 * np.sum(contraction**2) / N

    def by_jacobian(p):
        W, bh, bv = p
        rows = vmap(jacobian(lambda x: sigmoid(x @ W + bh)))(X)
        z = sigmoid(X @ W + bh) @ W.T + bv
        return np.mean(np.sum(X * softplus(-z) + (1 - X) * softplus(z), axis=1)) + 0.1 * np.sum(rows**2) / N

    p = [W, bh, bv]
    J = mode(jacobian(lambda x: sigmoid(x @ W + bh)))(X[0])
    return {
        "cost": mode(cost)(p),
        "gradient": sizes(mode(grad(cost))(p)),
        "cost by jacobian": mode(by_jacobian)(p),
        "gradient by jacobian": sizes(mode(grad(by_jacobian))(p)),
        "jacobian": np.sum(J**2),
    }


@program
def a18(mode):
    """Contrastive divergence of a restricted Boltzmann machine; its likelihood by enumeration."""
    R = numpy.random.RandomState(7)
    nv, nh, B, k, S = 6, 4, 16, 5, 50
    V = (R.rand(B, nv) < numpy.array([0.9, 0.9, 0.1, 0.1, 0.5, 0.5])) * 1.0
    W, bv, bh = 0.1 * R.randn(nv, nh), numpy.zeros(nv), numpy.zeros(nh)
    every = ((numpy.arange(2**nv)[:, None] >> numpy.arange(nv)) & 1).astype(float)

    def free_energy(v, W, bv, bh):
        return -v @ bv - np.logaddexp(0, v @ W + bh).sum(1)

    @mode
    def likelihood(W, bv, bh):
        return (-free_energy(V, W, bv, bh)).mean() - logsumexp(-free_energy(every, W, bv, bh))

    def chain(W, bv, bh, uniforms):
        v = V
        for j in range(k):
            h = (uniforms[j, 0, :, :nh] < expit(v @ W + bh)) * 1.0
            v = (uniforms[j, 1, :, :nv] < expit(h @ W.T + bv)) * 1.0
        return v

    @mode
    def update(W, bv, bh, uniforms):
        """The gradient of the difference of free energies, the end of the chain being held fixed."""
        v = lazynp.stop_gradient(chain(W, bv, bh, uniforms))
        dW, dv, dh = grad(lambda p: np.mean(free_energy(V, *p) - free_energy(v, *p)))((W, bv, bh))
        return W - 0.1 * dW, bv - 0.1 * dv, bh - 0.1 * dh

    before = likelihood(W, bv, bh)
    U = R.rand(S, k, 2, B, max(nv, nh))
    for s in range(S):
        W, bv, bh = update(W, bv, bh, U[s])
    return {"before": before, "after": likelihood(W, bv, bh), "norm": numpy.linalg.norm(W)}


@program
def a19(mode):
    """Hamiltonian Monte Carlo on a Gaussian of five dimensions, with supplied noise."""
    R = numpy.random.RandomState(11)
    d, B, steps, size = 5, 3, 20, 0.05
    mu, A = R.rand(d) * 10, R.rand(d, d)
    covariance = A @ A.T
    Q = numpy.linalg.inv((covariance + covariance.T) / 2)

    def energy(x):
        return 0.5 * ((x - mu) @ Q * (x - mu)).sum(1)

    force = grad(lambda x: np.sum(energy(x)))

    @mode
    def move(x, v, u):
        q, p = x, v - 0.5 * size * force(x)
        q = q + size * p
        for _ in range(steps - 1):
            p = p - size * force(q)
            q = q + size * p
        p = p - 0.5 * size * force(q)
        change = energy(x) + 0.5 * (v**2).sum(1) - energy(q) - 0.5 * (p**2).sum(1)
        accepted = np.exp(np.minimum(change, 50)) > u
        return np.where(accepted[:, None], q, x), accepted.mean()

    x, rates = R.randn(B, d), []
    for _ in range(200):
        v, u = R.randn(B, d), R.rand(B)
        x, rate = move(x, v, u)
        rates.append(rate)
    return {"rate": numpy.mean(rates), "position": x[0]}


@program
def a20(mode):
    """A masked LSTM with the four gates in one product, mean pooling, adadelta."""
    R = numpy.random.RandomState(42)
    T, B, D, V = 9, 4, 6, 20
    x, y = R.randint(0, V, (T, B)), numpy.array([0, 1, 1, 0])
    m = numpy.zeros((T, B))
    for i, length in enumerate([9, 7, 5, 3]):
        m[:length, i] = 1
    E, W, U = 0.01 * R.rand(V, D), R.randn(D, 4 * D) * 0.3, R.randn(D, 4 * D) * 0.3
    p = [E, W, U, numpy.zeros(4 * D), 0.01 * R.randn(D, 2), numpy.zeros(2)]

    def cost(p):
        E, W, U, b, Uo, bo = p
        h, c, total = np.zeros((B, D)), np.zeros((B, D)), 0
        for t in range(T):
            z = E[x[t]] @ W + b + h @ U
            i, f, o, g = sigmoid(z[:, :D]), sigmoid(z[:, D : 2 * D]), sigmoid(z[:, 2 * D : 3 * D]), np.tanh(z[:, 3 * D :])
            mask = m[t][:, None]
            c = mask * (f * c + i * g) + (1 - mask) * c
            h = mask * (o * np.tanh(c)) + (1 - mask) * h
            total = total + h * mask
        lp = log_softmax((total / m.sum(0)[:, None]) @ Uo + bo)
        return -np.mean(np.log(np.exp(lp)[np.arange(B), y] + 1e-8))

    slope = mode(grad(cost))
    first = slope(p)
    ru, rg = [0 * a for a in p], [0 * a for a in p]
    q = p
    for _ in range(30):
        g = slope(q)
        rg = [0.95 * r + 0.05 * a**2 for r, a in zip(rg, g, strict=True)]
        step = [-np.sqrt(u + 1e-6) / np.sqrt(r + 1e-6) * a for u, r, a in zip(ru, rg, g, strict=True)]
        ru = [0.95 * u + 0.05 * a**2 for u, a in zip(ru, step, strict=True)]
        q = [a + d for a, d in zip(q, step, strict=True)]
    return {
        "cost": mode(cost)(p),
        "gradient": sizes(first),
        "after 30": mode(cost)(q),
        "unused rows": numpy.sum(numpy.abs(g[0]).sum(1) == 0),
    }


@program
def a21(mode):
    """Softmax regression by SciPy's conjugate gradients."""
    R = numpy.random.RandomState(8)
    N, D, C = 150, 6, 3
    mu, t = 2 * R.randn(C, D), R.randint(0, C, N)
    X = mu[t] + 1.5 * R.randn(N, D)

    def f(theta):
        W = np.reshape(theta[: D * C], (D, C))
        lp = log_softmax(X @ W + theta[D * C :])
        return -np.mean(lp[np.arange(N), t]) + 0.01 * np.sum(theta**2)

    start = numpy.zeros(D * C + C)
    found = scipy.optimize.minimize(mode(f), start, jac=mode(grad(f)), method="CG", options={"gtol": 1e-9, "maxiter": 2000})
    return {"at 0": mode(f)(start), "minimum": found.fun, "norm": numpy.linalg.norm(found.x)}


@program
def a22(mode):
    """Rows of a table, one of them twice; the gradient as an update in place."""
    R = numpy.random.RandomState(4)
    E, rows, target = R.randn(50, 4), numpy.array([3, 7, 7, 49, 0]), R.randn(5, 4)

    def loss(E):
        return np.sum((E[rows] - target) ** 2)

    g = mode(grad(loss))(E)
    by_row = mode(grad(lambda part: np.sum((part - target) ** 2)))(E[rows])
    dense, sparse = np.array(E), np.array(E)
    dense -= 0.1 * g
    np.add.at(sparse, rows, -0.1 * by_row)
    return {
        "loss": mode(loss)(E),
        "rows": numpy.nonzero(numpy.abs(g).sum(1))[0],
        "sum": g.sum(),
        "row 7": g[7],
        "sparse update": numpy.abs(numpy.asarray(dense) - numpy.asarray(sparse)).max(),
    }


# --- finance, statistics -------------------------------------------------------------------------------------------------


@program
def a33(mode):
    """Black and Scholes' price of a call with its greeks."""

    def price(S, sigma, r, T, K=110.0):
        d1 = (np.log(S / K) + (r + sigma * sigma / 2) * T) / (sigma * np.sqrt(T))
        d2 = d1 - sigma * np.sqrt(T)
        return S * norm.cdf(d1) - K * np.exp(-r * T) * norm.cdf(d2)

    option = (100.0, 0.2, 0.03, 0.75)
    delta = grad(price, 0)
    return {
        "price": mode(price)(*option),
        "delta, vega, rho, dC/dT": mode(grad(price, (0, 1, 2, 3)))(*option),
        "gamma": mode(grad(delta, 0))(*option),
        "vanna": mode(grad(delta, 1))(*option),
    }


@program
def a34(mode):
    """The marginal likelihood of a Gaussian process and its maximum."""
    R = numpy.random.RandomState(10)
    x = numpy.sort(R.uniform(-3, 3, 25))
    y = numpy.sin(2 * x) + 0.1 * R.randn(25)

    def nlml(t):
        l, s, n = np.exp(t)  # noqa: E741
        K = s**2 * np.exp(-0.5 * (x[:, None] - x[None]) ** 2 / l**2) + n**2 * np.eye(25)
        L = np.linalg.cholesky(K)
        return 0.5 * y @ np.linalg.solve(K, y) + np.sum(np.log(np.diag(L))) + 12.5 * np.log(2 * np.pi)

    t, slope = numpy.zeros(3), mode(grad(nlml))
    found = scipy.optimize.minimize(mode(nlml), t, jac=slope, method="L-BFGS-B", options={"ftol": 1e-14, "gtol": 1e-9})
    return {
        "at 0": mode(nlml)(t),
        "gradient": slope(t),
        "optimum": found.fun,
        "place": numpy.exp(found.x),
        "curvature": numpy.linalg.eigvalsh(mode(hessian(nlml))(found.x)),
    }


@program
def a35(mode):
    def rosenbrock(x):
        return np.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)

    x, curvature = numpy.array([-1.2, 1.0] * 5), mode(hessian(rosenbrock))
    value, slope = mode(value_and_grad(rosenbrock))(x)
    found = scipy.optimize.minimize(
        mode(rosenbrock), x, jac=mode(grad(rosenbrock)), hess=curvature, method="trust-exact", options={"gtol": 1e-10}
    )
    return {
        "value": value,
        "gradient": numpy.linalg.norm(slope),
        "trace": numpy.trace(curvature(x)),
        "product": np.sum(mode(hvp(rosenbrock))(x, numpy.ones(10))),
        "minimum": found.fun,
    }


@program
def a36(mode):
    """Eight schools, non-centred."""
    y = numpy.array([28.0, 8, -3, 7, -1, 1, 18, 12])
    s = numpy.array([15.0, 10, 16, 11, 9, 11, 10, 18])

    def logp(q):
        mu, log_tau, eta = q[0], q[1], q[2:]
        tau = np.exp(log_tau)
        theta = mu + tau * eta
        prior = -0.5 * (mu / 5) ** 2 - np.log(5) - 0.5 * np.log(2 * np.pi) + np.log(2 / np.pi) - np.log(5) - np.log1p((tau / 5) ** 2)
        school = -0.5 * ((y - theta) / s) ** 2 - np.log(s) - 0.5 * np.log(2 * np.pi)
        return prior + log_tau + np.sum(-0.5 * eta**2 - 0.5 * np.log(2 * np.pi)) + np.sum(school)

    def by_families(q):
        mu, log_tau, eta = q[0], q[1], q[2:]
        tau = np.exp(log_tau)
        prior = norm.logpdf(mu, 0, 5) + lazynp.scipy.stats.halfcauchy.logpdf(tau, scale=5) + log_tau
        return prior + np.sum(norm.logpdf(eta)) + np.sum(norm.logpdf(y, mu + tau * eta, s))

    q = numpy.concatenate([[3.0, 0.5], numpy.linspace(-1, 1, 8)])
    return {
        "logp": [mode(logp)(q), mode(by_families)(q)],
        "gradient": mode(grad(logp))(q)[:3],
        "gradient by families": mode(grad(by_families))(q)[:3],
        "trace": [numpy.trace(mode(hessian(f))(q)) for f in (logp, by_families)],
    }


@program
def a37(mode):
    """Views see writes, copies do not."""

    @mode
    def assignments():
        a = np.arange(12.0).reshape(3, 4)
        b = a[1:, ::2]
        b *= 10
        a[0] += b[0, 0]
        c = a.T
        c[3] = -1
        a[[0, 0, 2], 1] += 1
        np.add.at(a, ([0, 0], [2, 2]), 5)
        d = a[::-1]
        d[0, 0] = 7
        e = a.reshape(-1)
        e[5] = 99
        f = a[[0, 1]]
        f[:] = 0
        return a, b

    a, b = assignments()
    return {"a": a, "b": b}


@program
def a40(mode):
    """The density of a normal vector by three formulas; the inverse matrix is never built."""
    R = numpy.random.RandomState(6)
    A = R.randn(4, 4)
    S, m, x = A @ A.T + 4 * numpy.eye(4), R.randn(4), R.randn(4)

    def by_factor(S, m):
        L = np.linalg.cholesky(S)
        return -0.5 * (x - m) @ np.linalg.solve(S, x - m) - np.sum(np.log(np.diag(L))) - 2 * np.log(2 * np.pi)

    def by_inverse(S, m):
        return -0.5 * (x - m) @ (np.linalg.inv(S) @ (x - m)) - 0.5 * np.linalg.slogdet(S)[1] - 2 * np.log(2 * np.pi)

    def by_family(S, m):
        return multivariate_normal.logpdf(x, m, S)

    formulas = (by_factor, by_inverse, by_family)
    return {
        "logpdf": [mode(f)(S, m) for f in formulas],
        "by mean": [mode(grad(f, 1))(S, m) for f in formulas],
        "trace by covariance": [numpy.trace(mode(grad(f, 0))(S, m)) for f in formulas],
        "inverses": lazynp.show(by_inverse, S, m).count("inv("),
    }


@program
def a41(mode):
    """Cross-entropy of logits of +-1000, the formula of the textbook under jit and the stable one anywhere."""
    z, t = numpy.array([[1000.0, 0, -1000], [1, 2, 3]]), numpy.array([2, 0])

    def naive(z):
        return -np.mean(np.log(np.exp(z) / np.sum(np.exp(z), axis=1, keepdims=True))[np.arange(2), t])

    def stable(z):
        return -np.mean(log_softmax(z)[np.arange(2), t])

    values = [lazynp.jit(value_and_grad(naive))(z), mode(value_and_grad(stable))(z)]
    return {"values": [v for v, _ in values], "rows": [g[0] for _, g in values], "others": [numpy.sum(numpy.isnan(g)) for _, g in values]}


# --- simulation, linear algebra ------------------------------------------------------------------------------------------


@program
def a38(mode):
    """Lorenz' equations by Runge and Kutta's method, with the sensitivity of their end."""

    def field(u, p):
        return np.array([p[0] * (u[1] - u[0]), u[0] * (p[1] - u[2]) - u[1], u[0] * u[1] - p[2] * u[2]])

    def step(u, p, h=0.01):
        a = field(u, p)
        b = field(u + h / 2 * a, p)
        c = field(u + h / 2 * b, p)
        return u + h / 6 * (a + 2 * b + 2 * c + field(u + h * c, p))

    def end(p):
        return lazynp.scan.fori_loop(0, 200, lambda k, u: step(u, p), np.array([1.0, 1.0, 1.0]))

    p = numpy.array([10.0, 28.0, 8 / 3.0])
    return {"end": mode(end)(p), "jacobian": mode(jacobian(end))(p)[0]}


@program
def a39(mode):
    """The heat equation by Fourier transforms and its inverse problem."""
    n = 64
    x, k = numpy.arange(n) / n, numpy.fft.fftfreq(n, 1 / n)
    u0 = numpy.exp(-100 * (x - 0.5) ** 2)

    def solution(u, nu):
        return np.real(np.fft.ifft(np.fft.fft(u) * np.exp(-nu * (2 * np.pi * k) ** 2 * 0.1)))

    target = solution(u0, 0.02)

    def loss(u, nu):
        return np.sum((solution(u, nu) - target) ** 2)

    return {
        "largest": target.max(),
        "loss": mode(loss)(numpy.zeros(n), 0.05),
        "by nu": mode(grad(loss, 1))(u0, 0.05),
        "by start": numpy.linalg.norm(mode(grad(loss, 0))(numpy.cos(2 * numpy.pi * x), 0.05)),
    }


@program
def a43(mode):
    """The square root as the fixed point of Newton's iteration: its derivative from the equation, not from the iteration."""

    @lazynp.custom_jvp
    def root(a):
        x = lazynp.stop_gradient(a)
        for _ in range(60):
            x = 0.5 * (x + a / x)
        return x

    @root.defjvp
    def rule(primals, tangents):
        """x = g(x, a) gives dx = g_a da / (1 - g_x)."""
        x = root(primals[0])
        by_x, by_a = [jvp(lambda x, a: 0.5 * (x + a / x), (x, primals[0]), t)[1] for t in ((1.0, 0.0), (0.0, tangents[0]))]
        return x, by_a / (1 - by_x)

    return {"root": mode(root)(4.0), "first": mode(grad(root))(4.0), "second": mode(grad(grad(root)))(4.0)}


@program
def a44(mode):
    """A block of a transformer: norm, causal attention, two layers."""
    R = numpy.random.RandomState(2)
    T, D, H = 6, 8, 2
    x = R.randn(T, D)
    attention = [R.randn(D, D) / math.sqrt(D) for _ in range(4)]
    p = (*attention, R.randn(D, 4 * D) / math.sqrt(D), R.randn(4 * D, D) / math.sqrt(4 * D))
    mask = numpy.triu(numpy.full((T, T), -1e30), 1)

    def normalised(x):
        m = np.mean(x, -1, keepdims=True)
        return (x - m) / np.sqrt(np.mean((x - m) ** 2, -1, keepdims=True) + 1e-5)

    def split(a):
        return np.transpose(np.reshape(a, (T, H, D // H)), (1, 0, 2))

    def block(p):
        Wq, Wk, Wv, Wo, W1, W2 = p
        h = normalised(x)
        q, k, v = split(h @ Wq), split(h @ Wk), split(h @ Wv)
        s = np.einsum("htd,hsd->hts", q, k) / math.sqrt(D // H) + mask
        a = np.exp(s - logsumexp(s, axis=-1, keepdims=True))
        y = x + np.reshape(np.transpose(np.einsum("hts,hsd->htd", a, v), (1, 0, 2)), (T, D)) @ Wo
        z = normalised(y) @ W1
        return y + (z * (z > 0)) @ W2

    value, slopes = mode(value_and_grad(lambda p: np.sum(block(p) ** 2)))(p)
    return {"loss": value, "gradient": sizes(slopes)}


@program
def a49(mode):
    """Singular values, eigenvalues and the exponential of a matrix."""
    R = numpy.random.RandomState(12)
    A = R.randn(6, 4)
    B = A.T @ A
    value, slope = mode(value_and_grad(lambda A: np.sum(np.linalg.svd(A, compute_uv=False) ** 3)))(A)
    top, direction = mode(value_and_grad(lambda B: np.linalg.eigh(B)[0][-1]))(B)
    trace, by_B = mode(value_and_grad(lambda B: np.trace(lazynp.scipy.linalg.expm(0.1 * B))))(B)
    return {
        "cubes": value,
        "gradient": numpy.linalg.norm(slope),
        "top": top,
        "gradient of the top": numpy.linalg.norm(direction),
        "trace of the exponential": trace,
        "its gradient": numpy.abs(by_B - 0.1 * scipy.linalg.expm(0.1 * B).T).max(),
    }


@program
def a50(mode):
    """One gradient for each example."""
    R = numpy.random.RandomState(15)
    X, y, w = R.randn(32, 3), R.randn(32), R.randn(3)
    slope = grad(lambda w, x, t: (x @ w - t) ** 2)
    G = mode(vmap(slope, in_axes=(None, 0, 0)))(w, X, y)
    norms = numpy.linalg.norm(G, axis=1)
    one_by_one = [mode(slope)(w, x, t) for x, t in zip(X, y, strict=True)]
    return {"sum": norms.sum(), "largest": norms.max(), "from the loop": numpy.abs(G - numpy.array(one_by_one)).max()}


# --- size ----------------------------------------------------------------------------------------------------------------


def deep_network(x, layers):
    for W in layers:
        x = np.tanh(x @ W)
    return np.sum(x)


@program
def a52(mode):
    """The gradients of a thousand layers and of a graph of twenty thousand operations, built without recursion; both pickle."""
    R = numpy.random.RandomState(0)
    layers = [R.randn(32, 32) / math.sqrt(32) for _ in range(1000)]
    x = R.randn(4, 32)
    slopes = lazynp.jit(grad(deep_network, 1))(x, layers)
    back = numpy.ones((4, 32))
    states = [x]
    for W in layers:
        states.append(numpy.tanh(states[-1] @ W))
    expected = []
    for W, before, after in zip(reversed(layers), reversed(states[:-1]), reversed(states[1:]), strict=True):
        back = back * (1 - after**2)
        expected.append(before.T @ back)
        back = back @ W.T
    gaps = [numpy.abs(g - e).max() for g, e in zip(slopes, reversed(expected), strict=True)]
    start = numpy.linspace(0.1, 1.0, 8)
    slope = lazynp.jit(grad(long_chain))(start)
    again = pickle.loads(pickle.dumps(lazynp.jit(deep_network)))
    return {
        "gradient of the layers": max(gaps),
        "gradient of the chain": slope / chain_slope(start),
        "unpickled": again(x, layers) - states[-1].sum(),
    }


def long_chain(x):
    """Twenty thousand operations on one array."""
    for k in range(5000):
        x = x + 1e-4 * np.sin(x) * (k % 3)
    return np.sum(x)


def chain_slope(x):
    slope = numpy.ones_like(x)
    for k in range(5000):
        slope = slope * (1 + 1e-4 * (k % 3) * numpy.cos(x))
        x = x + 1e-4 * numpy.sin(x) * (k % 3)
    return slope
