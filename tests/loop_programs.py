"""Programs with loops and branches as NumPy users write them: plain functions over the global `np`.

Each runs on NumPy, under `jit` and in lazy mode: tests/test_loop_programs.py. Each has a larger size for timing.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np


class Program(NamedTuple):
    """function; arguments(rng, n) -> its arguments; small, large: n in the tests and in the benchmarks."""

    function: Callable[..., Any]
    arguments: Callable[[np.random.Generator, int], tuple[Any, ...]]
    small: int
    large: int


PROGRAMS: dict[str, Program] = {}


def program(arguments: Callable[[np.random.Generator, int], tuple[Any, ...]], small: int, large: int) -> Callable[..., Any]:
    def enter(function: Callable[..., Any]) -> Callable[..., Any]:
        PROGRAMS[function.__name__] = Program(function, arguments, small, large)
        return function

    return enter


def vector(rng, n):
    return (rng.uniform(0.5, 2.0, n),)


def matrix(rng, n):
    return (rng.uniform(-1.0, 1.0, (n, n)),)


def definite(rng, n):
    a = rng.uniform(-1.0, 1.0, (n, n))
    return (a @ a.T + n * np.eye(n),)


def dominant(rng, n):
    return (rng.uniform(-1.0, 1.0, (n, n)) + n * np.eye(n),)


# --- linear algebra ----------------------------------------------------------------------------------------------------


@program(definite, 7, 200)
def cholesky(A):
    n = A.shape[0]
    L = np.zeros((n, n))
    for i in range(n):
        for j in range(i + 1):
            s = A[i, j] - L[i, :j] @ L[j, :j]
            if i == j:
                L[i, j] = np.sqrt(s)
            else:
                L[i, j] = s / L[j, j]
    return L


@program(dominant, 7, 300)
def lu(A):
    A = A.copy()
    n = A.shape[0]
    for k in range(n - 1):
        A[k + 1 :, k] /= A[k, k]
        A[k + 1 :, k + 1 :] -= A[k + 1 :, k, None] * A[k, k + 1 :]
    return A


@program(matrix, 6, 200)
def gram_schmidt(A):
    Q = A.copy()
    n = A.shape[1]
    R = np.zeros((n, n))
    for j in range(n):
        v = Q[:, j].copy()
        for i in range(j):
            R[i, j] = Q[:, i] @ v
            v -= R[i, j] * Q[:, i]
        R[j, j] = np.sqrt(v @ v)
        Q[:, j] = v / R[j, j]
    return Q, R


@program(lambda rng, n: (*dominant(rng, n), rng.uniform(size=n)), 8, 5000)
def triangular_solve(L, b):
    n = len(b)
    x = np.zeros(n)
    for i in range(n):
        x[i] = (b[i] - L[i, :i] @ x[:i]) / L[i, i]
    return x


def bands(rng, n):
    return rng.uniform(size=n), 4 + rng.uniform(size=n), rng.uniform(size=n), rng.uniform(size=n)


@program(bands, 9, 30_000)
def thomas(a, b, c, d):
    """Solves a tridiagonal system; c and d are overwritten."""
    n = len(d)
    c[0] /= b[0]
    d[0] /= b[0]
    for i in range(1, n):
        m = b[i] - a[i] * c[i - 1]
        c[i] = c[i] / m
        d[i] = (d[i] - a[i] * d[i - 1]) / m
    for i in range(n - 2, -1, -1):
        d[i] -= c[i] * d[i + 1]
    return d


@program(lambda rng, n: (0.5 ** np.arange(n) * rng.uniform(0.5, 1.0, n) + 2.0 * (np.arange(n) == 0),), 7, 2000)
def levinson_durbin(r):
    n = len(r) - 1
    a = np.zeros(n + 1)
    a[0] = 1.0
    e = r[0]
    for k in range(1, n + 1):
        acc = r[k]
        for j in range(1, k):
            acc += a[j] * r[k - j]
        reflection = -acc / e
        previous = a.copy()
        for j in range(1, k):
            a[j] = previous[j] + reflection * previous[k - j]
        a[k] = reflection
        e *= 1.0 - reflection * reflection
    return a, e


@program(dominant, 6, 400)
def power_iteration(A):
    x = np.ones(A.shape[0])
    value = 0.0
    for iteration in range(500):
        y = A @ x
        norm = np.sqrt(np.sum(y**2))
        y = y / norm
        if np.abs(norm - value) < 1e-9 * norm:
            return norm, y, iteration
        value = norm
        x = y
    return value, x, 500


def sparse(rng, n):
    counts = rng.integers(0, 6, n)
    indptr = np.concatenate([[0], np.cumsum(counts)])
    return rng.uniform(size=indptr[-1]), rng.integers(0, n, indptr[-1]), indptr, rng.uniform(size=n)


@program(sparse, 9, 40_000)
def csr_product(data, indices, indptr, x):
    y = np.zeros(len(indptr) - 1)
    for i in range(len(y)):
        total = 0.0
        for k in range(indptr[i], indptr[i + 1]):
            total += data[k] * x[indices[k]]
        y[i] = total
    return y


# --- graphs and tables -------------------------------------------------------------------------------------------------


@program(lambda rng, n: (rng.uniform(1.0, 10.0, (n, n)),), 6, 300)
def floyd_warshall(d):
    n = d.shape[0]
    for k in range(n):
        d = np.minimum(d, d[:, k, None] + d[k, None, :])
    return d


@program(lambda rng, n: (rng.integers(0, 100, (n, n)),), 7, 300)
def triangle_path(t):
    """The largest sum on a way down a triangle of numbers."""
    n = t.shape[0]
    best = t.copy()
    for i in range(n - 2, -1, -1):
        for j in range(i + 1):
            best[i, j] += max(best[i + 1, j], best[i + 1, j + 1])
    return best[0, 0]


def words(rng, n):
    return rng.integers(0, 4, n), rng.integers(0, 4, n + 2)


@program(words, 8, 300)
def edit_distance(a, b):
    m, n = len(a), len(b)
    d = np.zeros((m + 1, n + 1), dtype=np.int64)
    for i in range(m + 1):
        d[i, 0] = i
    for j in range(n + 1):
        d[0, j] = j
    for i in range(1, m + 1):
        for j in range(1, n + 1):
            cost = 0 if a[i - 1] == b[j - 1] else 1
            d[i, j] = min(d[i - 1, j] + 1, d[i, j - 1] + 1, d[i - 1, j - 1] + cost)
    return d[m, n]


def hidden(rng, n):
    states, symbols = 4, 5
    A, B, p = rng.uniform(0.1, 1, (states, states)), rng.uniform(0.1, 1, (states, symbols)), np.full(states, 1 / states)
    A /= A.sum(axis=1, keepdims=True)
    B /= B.sum(axis=1, keepdims=True)
    return A, B, p, rng.integers(0, symbols, n)


@program(hidden, 8, 10_000)
def viterbi(A, B, start, observed):
    T = len(observed)
    K = A.shape[0]
    score = np.zeros((T, K))
    back = np.zeros((T, K), dtype=np.int64)
    score[0] = np.log(start) + np.log(B[:, observed[0]])
    for t in range(1, T):
        step = score[t - 1][:, None] + np.log(A)
        back[t] = np.argmax(step, axis=0)
        score[t] = np.max(step, axis=0) + np.log(B[:, observed[t]])
    path = np.zeros(T, dtype=np.int64)
    path[T - 1] = np.argmax(score[T - 1])
    for t in range(T - 2, -1, -1):
        path[t] = back[t + 1, path[t + 1]]
    return path


@program(hidden, 8, 20_000)
def hmm_forward(A, B, start, observed):
    alpha = start * B[:, observed[0]]
    likelihood = np.log(alpha.sum())
    alpha = alpha / alpha.sum()
    for o in observed[1:]:
        alpha = (alpha @ A) * B[:, o]
        total = alpha.sum()
        likelihood += np.log(total)
        alpha = alpha / total
    return likelihood


# --- partial differential equations ------------------------------------------------------------------------------------


@program(lambda rng, n: (rng.uniform(size=(n, n)),), 8, 120)
def gauss_seidel(u):
    """Ten sweeps; u is overwritten."""
    n, m = u.shape
    for _ in range(10):
        for i in range(1, n - 1):
            for j in range(1, m - 1):
                u[i, j] = 0.25 * (u[i - 1, j] + u[i + 1, j] + u[i, j - 1] + u[i, j + 1])


@program(lambda rng, n: (rng.uniform(size=(n, n)), 1.5, 1e-3), 8, 60)
def sor(u, omega, tolerance):
    u = u.copy()
    n = u.shape[0]
    sweeps = 0
    while True:
        change = 0.0
        for i in range(1, n - 1):
            for j in range(1, n - 1):
                new = (1 - omega) * u[i, j] + omega * 0.25 * (u[i - 1, j] + u[i + 1, j] + u[i, j - 1] + u[i, j + 1])
                change = max(change, abs(new - u[i, j]))
                u[i, j] = new
        sweeps += 1
        if change < tolerance or sweeps == 200:
            break
    return u, sweeps


@program(lambda rng, n: (rng.uniform(size=n), 1e-4), 12, 2000)
def jacobi_1d(u, tolerance):
    steps = 0
    error = np.inf
    while error > tolerance and steps < 2000:
        new = u.copy()
        new[1:-1] = 0.5 * (u[:-2] + u[2:])
        error = np.max(np.abs(new - u))
        u = new
        steps += 1
    return u, steps


@program(lambda rng, n: (rng.uniform(size=(n, n)), 100), 9, 256)
def jacobi_2d(u, steps):
    new = u.copy()
    for _ in range(steps):
        new[1:-1, 1:-1] = 0.25 * (u[:-2, 1:-1] + u[2:, 1:-1] + u[1:-1, :-2] + u[1:-1, 2:])
        u, new = new, u
    return u


@program(lambda rng, n: (rng.uniform(size=(n, n, n)),), 6, 64)
def heat_3d(A):
    B = A.copy()
    for _ in range(1, 12):
        B[1:-1, 1:-1, 1:-1] = (
            0.125 * (A[2:, 1:-1, 1:-1] - 2.0 * A[1:-1, 1:-1, 1:-1] + A[:-2, 1:-1, 1:-1])
            + 0.125 * (A[1:-1, 2:, 1:-1] - 2.0 * A[1:-1, 1:-1, 1:-1] + A[1:-1, :-2, 1:-1])
            + 0.125 * (A[1:-1, 1:-1, 2:] - 2.0 * A[1:-1, 1:-1, 1:-1] + A[1:-1, 1:-1, :-2])
            + A[1:-1, 1:-1, 1:-1]
        )
        A[1:-1, 1:-1, 1:-1] = (
            0.125 * (B[2:, 1:-1, 1:-1] - 2.0 * B[1:-1, 1:-1, 1:-1] + B[:-2, 1:-1, 1:-1])
            + 0.125 * (B[1:-1, 2:, 1:-1] - 2.0 * B[1:-1, 1:-1, 1:-1] + B[1:-1, :-2, 1:-1])
            + 0.125 * (B[1:-1, 1:-1, 2:] - 2.0 * B[1:-1, 1:-1, 1:-1] + B[1:-1, 1:-1, :-2])
            + B[1:-1, 1:-1, 1:-1]
        )
    return A


@program(lambda rng, n: (rng.uniform(size=(n, n)), 6), 7, 200)
def adi(u, steps):
    """Alternating directions, as in PolyBench."""
    N = u.shape[0]
    v = np.zeros((N, N))
    p = np.zeros((N, N))
    q = np.zeros((N, N))
    a = -0.5 * N / steps
    b = 1.0 - 2 * a
    for _ in range(1, steps + 1):
        v[0, 1:-1] = 1.0
        p[1:-1, 0] = 0.0
        q[1:-1, 0] = v[0, 1:-1]
        for j in range(1, N - 1):
            p[1:-1, j] = -a / (a * p[1:-1, j - 1] + b)
            q[1:-1, j] = (-a * u[j, :-2] + (1.0 + 2.0 * a) * u[j, 1:-1] - a * u[j, 2:] - a * q[1:-1, j - 1]) / (a * p[1:-1, j - 1] + b)
        v[-1, 1:-1] = 1.0
        for j in range(N - 2, 0, -1):
            v[j, 1:-1] = p[1:-1, j] * v[j + 1, 1:-1] + q[1:-1, j]
        u[1:-1, 0] = 1.0
        u[1:-1, -1] = 1.0
        u[1:-1, 1:-1] = 0.5 * (v[1:-1, 1:-1] + v.T[1:-1, 1:-1])
    return u


@program(lambda rng, n: (rng.uniform(size=(n, n)), rng.uniform(size=(n, n)), rng.uniform(size=(n, n)), rng.uniform(size=40)), 8, 300)
def fdtd(ex, ey, hz, source):
    """Finite-difference time domain; the three fields are overwritten."""
    for t in range(len(source)):
        ey[0, :] = source[t]
        ey[1:, :] -= 0.5 * (hz[1:, :] - hz[:-1, :])
        ex[:, 1:] -= 0.5 * (hz[:, 1:] - hz[:, :-1])
        hz[:-1, :-1] -= 0.7 * (ex[:-1, 1:] - ex[:-1, :-1] + ey[1:, :-1] - ey[:-1, :-1])


def minmod(a, b):
    return np.where(a * b > 0, np.where(np.abs(a) < np.abs(b), a, b), 0.0)


@program(lambda rng, n: (rng.uniform(size=n), 0.4, 30), 16, 100_000)
def advection(u, courant, steps):
    """A slope limiter on a periodic grid."""
    for _ in range(steps):
        slope = minmod(u - np.roll(u, 1), np.roll(u, -1) - u)
        flux = courant * (u + 0.5 * (1 - courant) * slope)
        u = u - (flux - np.roll(flux, 1))
    return u


def pressure_poisson(p, b, dx, dy, sweeps):
    for _ in range(sweeps):
        pn = p.copy()
        p[1:-1, 1:-1] = ((pn[1:-1, 2:] + pn[1:-1, :-2]) * dy**2 + (pn[2:, 1:-1] + pn[:-2, 1:-1]) * dx**2) / (
            2 * (dx**2 + dy**2)
        ) - dx**2 * dy**2 / (2 * (dx**2 + dy**2)) * b[1:-1, 1:-1]
        p[:, -1] = p[:, -2]
        p[0, :] = p[1, :]
        p[:, 0] = p[:, 1]
        p[-1, :] = 0
    return p


@program(lambda rng, n: (n, 5, 8), 9, 301)
def cavity_flow(n, steps, sweeps):
    dx = dy = 2 / (n - 1)
    dt = 0.001
    u = np.zeros((n, n))
    v = np.zeros((n, n))
    p = np.zeros((n, n))
    for _ in range(steps):
        un = u.copy()
        vn = v.copy()
        b = np.zeros((n, n))
        b[1:-1, 1:-1] = (
            1 / dt * ((u[1:-1, 2:] - u[1:-1, :-2]) / (2 * dx) + (v[2:, 1:-1] - v[:-2, 1:-1]) / (2 * dy))
            - ((u[1:-1, 2:] - u[1:-1, :-2]) / (2 * dx)) ** 2
            - ((v[2:, 1:-1] - v[:-2, 1:-1]) / (2 * dy)) ** 2
        )
        p = pressure_poisson(p, b, dx, dy, sweeps)
        u[1:-1, 1:-1] = (
            un[1:-1, 1:-1]
            - un[1:-1, 1:-1] * dt / dx * (un[1:-1, 1:-1] - un[1:-1, :-2])
            - vn[1:-1, 1:-1] * dt / dy * (un[1:-1, 1:-1] - un[:-2, 1:-1])
            - dt / (2 * dx) * (p[1:-1, 2:] - p[1:-1, :-2])
            + 0.1 * dt / dx**2 * (un[1:-1, 2:] - 2 * un[1:-1, 1:-1] + un[1:-1, :-2])
        )
        v[1:-1, 1:-1] = (
            vn[1:-1, 1:-1]
            - un[1:-1, 1:-1] * dt / dx * (vn[1:-1, 1:-1] - vn[1:-1, :-2])
            - dt / (2 * dy) * (p[2:, 1:-1] - p[:-2, 1:-1])
            + 0.1 * dt / dy**2 * (vn[2:, 1:-1] - 2 * vn[1:-1, 1:-1] + vn[:-2, 1:-1])
        )
        u[-1, :] = 1
        v[0, :] = 0
    return u, v, p


@program(lambda rng, n: (rng.integers(0, 2, (n, n)), 12), 10, 512)
def game_of_life(board, steps):
    for _ in range(steps):
        count = np.zeros(board.shape, dtype=board.dtype)
        for dy in (-1, 0, 1):
            for dx in (-1, 0, 1):
                if dy != 0 or dx != 0:
                    count += np.roll(np.roll(board, dy, axis=0), dx, axis=1)
        board = np.where((count == 3) | ((board == 1) & (count == 2)), 1, 0)
    return board


# --- bodies, paths and steps -------------------------------------------------------------------------------------------


def accelerations(position, mass):
    apart = position[None, :, :] - position[:, None, :]
    cubed = (np.sum(apart**2, axis=-1) + 1e-3) ** -1.5
    return np.sum(apart * (cubed * mass)[:, :, None], axis=1)


@program(lambda rng, n: (rng.normal(size=(n, 3)), rng.normal(size=(n, 3)), rng.uniform(size=n), 20), 5, 250)
def n_body(position, velocity, mass, steps):
    dt = 0.01
    a = accelerations(position, mass)
    energy = np.zeros(steps)
    for t in range(steps):
        velocity += 0.5 * dt * a
        position += dt * velocity
        a = accelerations(position, mass)
        velocity += 0.5 * dt * a
        energy[t] = 0.5 * np.sum(mass * np.sum(velocity**2, axis=1))
    return energy


@program(lambda rng, n: (rng.uniform(size=n), rng.uniform(size=n), 0.05, 100), 6, 20_000)
def leapfrog(q, p, dt, steps):
    p = p - 0.5 * dt * np.sin(q)
    for _ in range(steps - 1):
        q = q + dt * p
        p = p - dt * np.sin(q)
    q = q + dt * p
    return q, p - 0.5 * dt * np.sin(q)


def lorenz(state):
    x, y, z = state
    return np.array([10.0 * (y - x), x * (28.0 - z) - y, x * y - 8.0 / 3.0 * z])


@program(lambda rng, n: (np.array([1.0, 1.0, 1.05]), 0.005, n), 20, 4000)
def runge_kutta(state, dt, steps):
    out = np.empty((steps + 1, 3))
    out[0] = state
    for i in range(steps):
        k1 = lorenz(state)
        k2 = lorenz(state + dt / 2 * k1)
        k3 = lorenz(state + dt / 2 * k2)
        k4 = lorenz(state + dt * k3)
        state = state + dt / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
        out[i + 1] = state
    return out


@program(lambda rng, n: (rng.normal(size=n), 3.0), 30, 200_000)
def random_walk(noise, wall):
    """A walk between two reflecting walls."""
    x = 0.0
    longest = 0.0
    for step in noise:
        x += step
        if x > wall:
            x = 2 * wall - x
        elif x < -wall:
            x = -2 * wall - x
        longest = max(longest, abs(x))
    return x, longest


def log_density(x):
    return -0.5 * x * x - 0.1 * x**4


@program(lambda rng, n: (rng.normal(size=n), rng.uniform(size=n)), 30, 50_000)
def metropolis(noise, uniform):
    n = len(noise)
    samples = np.empty(n)
    x = 0.0
    accepted = 0
    for i in range(n):
        proposal = x + noise[i]
        if np.log(uniform[i]) < log_density(proposal) - log_density(x):
            x = proposal
            accepted += 1
        samples[i] = x
    return samples, accepted


@program(lambda rng, n: (0.9, 0.01, rng.normal(size=n), 0.5), 12, 50_000)
def kalman_filter(a, q, observed, r):
    mean = 0.0
    variance = 1.0
    means = np.zeros(len(observed))
    for t in range(len(observed)):
        mean = a * mean
        variance = a * a * variance + q
        gain = variance / (variance + r)
        mean = mean + gain * (observed[t] - mean)
        variance = (1 - gain) * variance
        means[t] = mean
    return means, variance


# --- networks and filters ----------------------------------------------------------------------------------------------


@program(lambda rng, n: (rng.normal(size=(n, 4)), rng.normal(size=(4, 6)), rng.normal(size=(6, 6)) * 0.3, np.zeros(6)), 7, 20_000)
def rnn(xs, W, U, b):
    h = np.zeros(U.shape[0])
    states = []
    for x in xs:
        h = np.tanh(x @ W + h @ U + b)
        states.append(h)
    return np.stack(states)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


@program(lambda rng, n: (rng.normal(size=(n, 4)), rng.normal(size=(4, 24)), rng.normal(size=(6, 24)) * 0.3, np.zeros(24)), 7, 8000)
def lstm(xs, W, U, b):
    size = U.shape[0]
    h = np.zeros(size)
    c = np.zeros(size)
    for t in range(xs.shape[0]):
        gates = xs[t] @ W + h @ U + b
        i, f = sigmoid(gates[:size]), sigmoid(gates[size : 2 * size])
        o, g = sigmoid(gates[2 * size : 3 * size]), np.tanh(gates[3 * size :])
        c = f * c + i * g
        h = o * np.tanh(c)
    return h, c


@program(lambda rng, n: (rng.uniform(size=(n, n)), rng.uniform(size=(3, 3))), 8, 200)
def convolution(image, kernel):
    h, w = image.shape
    k = kernel.shape[0]
    out = np.zeros((h - k + 1, w - k + 1))
    for i in range(out.shape[0]):
        for j in range(out.shape[1]):
            out[i, j] = np.sum(image[i : i + k, j : j + k] * kernel)
    return out


@program(lambda rng, n: (np.array([0.2, 0.3, 0.1]), np.array([1.0, -0.5, 0.25]), rng.normal(size=n)), 15, 30_000)
def iir_filter(b, a, x):
    y = np.zeros_like(x)
    for n in range(len(x)):
        acc = 0.0
        for k in range(len(b)):
            if n - k >= 0:
                acc += b[k] * x[n - k]
        for k in range(1, len(a)):
            if n - k >= 0:
                acc -= a[k] * y[n - k]
        y[n] = acc / a[0]
    return y


@program(lambda rng, n: (rng.normal(size=n) + 1j * rng.normal(size=n),), 16, 2**18)
def stockham_fft(x):
    n = x.size
    y = x.reshape(n, 1)
    size = n
    while size > 1:
        half = size // 2
        w = np.exp(-2j * np.pi * np.arange(half) / size)[:, None]
        a, b = y[:half], y[half:]
        y = np.concatenate([a + b, (a - b) * w], axis=1)
        size = half
    return y.reshape(n)


@program(vector, 12, 200_000)
def cumulative_recurrence(x):
    y = np.empty_like(x)
    y[0] = x[0]
    for i in range(1, len(x)):
        y[i] = 0.5 * y[i - 1] + x[i] / (1.0 + y[i - 1] ** 2)
    return y


# --- roots -------------------------------------------------------------------------------------------------------------


@program(lambda rng, n: (rng.uniform(1.0, 50.0, n),), 9, 10_000)
def newton(values):
    """Cube roots, each with an early return."""

    def root(a):
        x = a
        for _ in range(60):
            new = x - (x * x * x - a) / (3 * x * x)
            if abs(new - x) < 1e-12 * abs(new):
                return new
            x = new
        return x

    out = np.zeros_like(values)
    for i in range(len(values)):
        out[i] = root(values[i])
    return out


@program(lambda rng, n: (rng.uniform(0.0, 5.0, n),), 5, 3000)
def bisection(targets):
    out = np.zeros(len(targets))
    for i, target in enumerate(targets):
        low, high = 0.0, 10.0
        while high - low > 1e-10:
            middle = (low + high) / 2
            if middle * np.exp(middle / 4) > target:
                high = middle
            else:
                low = middle
        out[i] = low
    return out


# --- integers ----------------------------------------------------------------------------------------------------------


@program(lambda rng, n: (np.linspace(-2, 1, n), np.linspace(-1.5, 1.5, n), 30), 9, 600)
def mandelbrot_masks(x, y, steps):
    c = x[None, :] + 1j * y[:, None]
    z = np.zeros(c.shape, dtype=complex)
    count = np.zeros(c.shape, dtype=np.int64)
    for _ in range(steps):
        inside = np.abs(z) <= 2
        z[inside] = z[inside] ** 2 + c[inside]
        count[inside] += 1
    return count


@program(lambda rng, n: (np.linspace(-2, 1, n), np.linspace(-1.5, 1.5, n), 50), 7, 80)
def mandelbrot(x, y, steps):
    out = np.zeros((len(y), len(x)), dtype=np.int64)
    for i in range(len(y)):
        for j in range(len(x)):
            re = im = 0.0
            n = 0
            while re * re + im * im <= 4 and n < steps:
                re, im = re * re - im * im + x[j], 2 * re * im + y[i]
                n += 1
            out[i, j] = n
    return out


@program(lambda rng, n: (n,), 60, 20_000_000)
def sieve(n):
    prime = np.ones(n + 1, dtype=bool)
    prime[:2] = False
    i = 2
    while i * i <= n:
        if prime[i]:
            prime[i * i :: i] = False
        i += 1
    return np.sum(prime)


@program(lambda rng, n: (n,), 30, 5000)
def collatz(n):
    lengths = np.zeros(n, dtype=np.int64)
    for i in range(1, n):
        k = i
        steps = 0
        while k != 1:
            if k % 2 == 0:
                k //= 2
            else:
                k = 3 * k + 1
            steps += 1
        lengths[i] = steps
    return lengths


@program(lambda rng, n: (rng.integers(0, 256, n).astype(np.uint8),), 16, 40_000)
def crc32(data):
    table = np.zeros(256, dtype=np.int64)
    for i in range(256):
        c = i
        for _ in range(8):
            if c & 1:
                c = 0xEDB88320 ^ (c >> 1)
            else:
                c = c >> 1
        table[i] = c
    crc = 0xFFFFFFFF
    for byte in data:
        crc = table[(crc ^ int(byte)) & 0xFF] ^ (crc >> 8)
    return crc ^ 0xFFFFFFFF


@program(lambda rng, n: (rng.uniform(size=n), 10), 40, 100_000)
def histogram(x, bins):
    counts = np.zeros(bins, dtype=np.int64)
    for value in x:
        k = int(value * bins)
        if k < 0 or k >= bins:
            continue
        counts[k] += 1
    return counts


@program(lambda rng, n: (rng.integers(0, 16, n),), 25, 100_000)
def bucket_sort(x):
    counts = np.zeros(16, dtype=np.int64)
    for v in x:
        counts[v] += 1
    out = np.empty_like(x)
    at = 0
    for value in range(16):
        for _ in range(counts[value]):
            out[at] = value
            at += 1
    return out


# --- kernels of scientific programs ---------------------------------------------------------------------------------------


def clouds(rng, n):
    centres = rng.uniform(-4.0, 4.0, (3, 2))
    return np.concatenate([c + 0.3 * rng.normal(size=(n, 2)) for c in centres]), centres + 0.1


@program(clouds, 12, 3000)
def k_means(x, centres):
    for _ in range(30):
        distances = ((x[:, None, :] - centres) ** 2).sum(axis=2)
        labels = np.argmin(distances, axis=1)
        new = np.array([x[labels == k].mean(axis=0) for k in range(len(centres))])
        if np.allclose(new, centres):
            break
        centres = new
    return centres, labels


@program(lambda rng, n: (np.concatenate([rng.normal(-2.0, 1.0, n), rng.normal(3.0, 0.5, n)]),), 20, 5000)
def mixture(x):
    """Two normal distributions by expectation and maximisation."""
    mean, spread, weight = np.array([-1.0, 1.0]), np.ones(2), np.full(2, 0.5)
    likelihoods = []
    for _ in range(20):
        densities = weight * np.exp(-0.5 * ((x[:, None] - mean) / spread) ** 2) / (np.sqrt(2 * np.pi) * spread)
        total = densities.sum(axis=1)
        likelihoods.append(float(np.log(total).sum()))
        share = densities / total[:, None]
        count = share.sum(axis=0)
        mean = (share * x[:, None]).sum(axis=0) / count
        spread = np.sqrt((share * (x[:, None] - mean) ** 2).sum(axis=0) / count)
        weight = count / len(x)
    return mean, spread, weight, np.array(likelihoods)


@program(lambda rng, n: (rng.uniform(size=(n, 5)), rng.uniform(size=(n + 1, 5))), 6, 60)
def distance_matrix(x, y):
    return np.array([[np.sqrt(np.sum((a - b) ** 2)) for b in y] for a in x])


@program(words, 8, 250)
def local_alignment(a, b):
    score = np.zeros((len(a) + 1, len(b) + 1), dtype=np.int64)
    best, place = 0, (0, 0)
    for i in range(1, len(a) + 1):
        for j in range(1, len(b) + 1):
            match = 2 if a[i - 1] == b[j - 1] else -1
            score[i, j] = max(0, score[i - 1, j - 1] + match, score[i - 1, j] - 1, score[i, j - 1] - 1)
            if score[i, j] > best:
                best, place = score[i, j], (i, j)
    return best, place[0], place[1]


@program(lambda rng, n: (rng.integers(0, 4, n),), 10, 60)
def folding(bases):
    """The most pairs of bases of which none cross."""
    n = len(bases)
    pairs = np.zeros((n, n), dtype=np.int64)
    for i in range(n - 1, -1, -1):
        for j in range(i + 1, n):
            pairs[i, j] = max(pairs[i + 1, j] if i + 1 < n else 0, pairs[i, j - 1])
            if i + 1 < j and bases[i] + bases[j] == 3:
                pairs[i, j] = max(pairs[i, j], pairs[i + 1, j - 1] + 1)
            for k in range(i + 1, j):
                pairs[i, j] = max(pairs[i, j], pairs[i, k] + pairs[k + 1, j])
    return pairs


@program(lambda rng, n: (rng.uniform(size=(n, n, 3)), rng.integers(0, 3, (n, n)), rng.uniform(size=(n, n))), 6, 24)
def growing_cells(image, owner, strength):
    """Each cell goes to the neighbour that attacks it hardest, the less so the less alike they are."""
    n, m = owner.shape
    new_owner, new_strength = owner.copy(), strength.copy()
    changes = 0
    for i in range(n):
        for j in range(m):
            for p in range(max(i - 1, 0), min(i + 2, n)):
                for q in range(max(j - 1, 0), min(j + 2, m)):
                    attack = (1.0 - np.sqrt(np.sum((image[i, j] - image[p, q]) ** 2)) / np.sqrt(3.0)) * strength[p, q]
                    if attack > new_strength[i, j]:
                        new_owner[i, j] = owner[p, q]
                        new_strength[i, j] = attack
                        changes += 1
    return new_owner, new_strength, changes


@program(lambda rng, n: (rng.normal(size=(4 * n, n)), rng.normal(size=4 * n)), 5, 60)
def coordinate_descent(X, y):
    w = np.zeros(X.shape[1])
    residual = y.copy()
    norms = (X**2).sum(axis=0)
    for _ in range(20):
        for j in range(X.shape[1]):
            slope = X[:, j] @ residual + norms[j] * w[j]
            new = np.sign(slope) * max(abs(slope) - 0.05 * len(y), 0.0) / norms[j]
            if new != w[j]:
                residual -= X[:, j] * (new - w[j])
                w[j] = new
    return w, residual


@program(lambda rng, n: (rng.choice([-1, 1], (n, n)), rng.uniform(size=(5, n, n))), 5, 40)
def spins(s, dice):
    n = s.shape[0]
    energies = np.zeros(len(dice))
    for t in range(len(dice)):
        for i in range(n):
            for j in range(n):
                around = s[(i + 1) % n, j] + s[(i - 1) % n, j] + s[i, (j + 1) % n] + s[i, (j - 1) % n]
                change = 2 * s[i, j] * around
                if change <= 0 or dice[t, i, j] < np.exp(-0.4 * change):
                    s[i, j] = -s[i, j]
        energies[t] = -np.sum(s * (np.roll(s, 1, 0) + np.roll(s, 1, 1)))
    return energies


@program(lambda rng, n: (rng.uniform(size=n), rng.uniform(size=n)), 60, 50_000)
def ring_averages(data, radius):
    most = radius.max()
    rings = np.zeros(8)
    for i in range(8):
        inside = np.logical_and(most * i / 8 <= radius, radius < most * (i + 1) / 8)
        rings[i] = data[inside].mean()
    return rings


@program(lambda rng, n: (rng.uniform(size=(n, n, 12)), rng.uniform(size=(n + 1, n, 12)), rng.uniform(size=(n, n, 12))), 4, 40)
def vertical_transport(field, wind, source):
    """An implicit step along the last axis: one tridiagonal system per column."""
    levels = field.shape[2]
    above = np.ndarray(field.shape, dtype=field.dtype)
    right = np.ndarray(field.shape, dtype=field.dtype)
    for k in range(levels):
        below = -0.125 * (wind[1:, :, k] + wind[:-1, :, k])
        diagonal = 1.5 - below
        above[:, :, k] = 0.125 * (wind[1:, :, k] + wind[:-1, :, k])
        right[:, :, k] = field[:, :, k] + source[:, :, k]
        if k > 0:
            diagonal = diagonal - above[:, :, k - 1] * below
            right[:, :, k] -= right[:, :, k - 1] * below
        above[:, :, k] /= diagonal
        right[:, :, k] /= diagonal
    for k in range(levels - 2, -1, -1):
        right[:, :, k] -= above[:, :, k] * right[:, :, k + 1]
    source[...] = right


def lattices(rng, n):
    return rng.uniform(size=(3, n, 2, 2)), rng.uniform(size=(n, 2, 2, 2, 2)), rng.integers(0, n, (n, 2))


@program(lattices, 6, 40)
def scattered(green, coupling, neighbours):
    """Sums over energies, shifts, atoms and their neighbours, of products of small matrices."""
    total = np.zeros_like(green)
    for energy in range(green.shape[0]):
        for shift in range(2):
            for i in range(2):
                for j in range(2):
                    for atom in range(neighbours.shape[0]):
                        for b in range(neighbours.shape[1]):
                            if energy - shift >= 0:
                                passed = green[energy - shift, neighbours[atom, b]] @ coupling[atom, b, i]
                                total[energy, atom] += passed @ coupling[atom, b, j]
    return total


@program(lambda rng, n: (rng.integers(0, 6, (n, n)).astype(float), rng.uniform(size=(n, 3)), rng.uniform(size=(n, 3))), 5, 30)
def factorised_ratings(ratings, users, items):
    for _ in range(3):
        for i in range(ratings.shape[0]):
            for j in range(ratings.shape[1]):
                if ratings[i][j] > 0:
                    error = ratings[i, j] - np.dot(users[i, :], items[j, :])
                    for k in range(users.shape[1]):
                        u = users[i, k]
                        users[i, k] += 0.002 * (2 * error * items[j, k] - 0.02 * u)
                        items[j, k] += 0.002 * (2 * error * u - 0.02 * items[j, k])
    return float(np.sum((ratings - users @ items.T) ** 2))
