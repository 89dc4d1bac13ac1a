"""Programs in the manner of public benchmarks (Pythran's, the Computer Language Benchmarks Game, the twelve steps to Navier-Stokes,
cookbooks): each a function of arrays and numbers, with what it is called with. tests/test_public_programs.py runs them."""

from collections.abc import Callable
from typing import Any

import numpy as np

PROGRAMS: dict[str, tuple[Callable[..., Any], tuple[Any, ...]]] = {}


def program(*arguments: Any) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    def enter(f: Callable[..., Any]) -> Callable[..., Any]:
        PROGRAMS[f.__name__] = f, arguments
        return f

    return enter


def data(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).random(shape)


def escape_time(x, y, most):
    c = complex(x, y)
    z = 0.0j
    for i in range(most):
        z = z * z + c
        if z.real * z.real + z.imag * z.imag >= 4:
            return i
    return 255


DERIVED: dict[str, tuple[Callable[..., Any], np.ndarray]] = {}
"""Programs of one array whose elements, or one scalar, are derived by it."""


def derived(argument: np.ndarray) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    def enter(f: Callable[..., Any]) -> Callable[..., Any]:
        DERIVED[f.__name__] = f, argument
        return f

    return enter


@program(-2.0, 1.0, np.zeros((12, 18), dtype=np.uint8), 20)
def mandelbrot_by_points(lower, upper, image, most):
    for x in range(image.shape[1]):
        for y in range(image.shape[0]):
            image[y, x] = escape_time(lower + x * (upper - lower) / image.shape[1], -1 + y / 6, most)
    return image


@program(data(4, 5, 6))
def local_maxima(values):
    result = np.ones(values.shape, bool)
    for place in np.ndindex(values.shape):
        for offset in np.ndindex((3, 3, 3)):
            neighbour = tuple([min(n - 1, max(0, p + o - 1)) for p, o, n in zip(place, offset, values.shape)])  # noqa: B905
            result[place] &= values[neighbour] <= values[place]
    return result


@program(data(7, 9))
def moments_by_enumeration(image):
    total = moment = 0.0
    for (i, j), value in np.ndenumerate(image):
        if value > 0.5:
            total += value
            moment += value * (i - 2 * j)
    return total, moment


@derived(data(12, 12, seed=4) + 12 * np.eye(12)[::-1])
@program(data(9, 9) + np.eye(9))
def inverse_by_elimination(matrix):
    n = matrix.shape[0]
    a = np.hstack((matrix, np.eye(n)))
    for i in range(n):
        pivot = np.argmax(np.abs(a[i:, i])) + i
        if pivot != i:
            a[[i, pivot]] = a[[pivot, i]]
        a[i] /= a[i, i]
        for j in range(n):
            if j != i:
                a[j] -= a[j, i] * a[i]
    return a[:, n:]


@program(np.random.default_rng(1).integers(0, 64, 400))
def threshold_by_variance(image):
    share = np.bincount(image, minlength=64) / image.size
    best, threshold = -1.0, 0
    for t in range(1, 64):
        below = share[:t].sum()
        above = 1 - below
        if below == 0 or above == 0:
            continue
        means = (np.arange(t) * share[:t]).sum() / below, (np.arange(t, 64) * share[t:]).sum() / above
        between = below * above * (means[0] - means[1]) ** 2
        if between > best:
            best, threshold = between, t
    return threshold, best


@program(data(30))
def ranges_of_loop_variables(x):
    total = 0.0
    for i in range(1, 30):
        total += (
            np.arange(i, 0, -1).sum()
            + (np.arange(0, i, 3) * 2.0).sum()
            + np.arange(i, -i - 1, -2.0).sum()
            + (np.arange(i, 30) * x[i:]).sum()
        )
        total += np.arange(1.0, i).sum() + np.arange(i, dtype=np.float32).sum()
    return total


@program(data(200), 200)
def fern(u, n):
    points = np.zeros((n, 2))
    x = y = 0.0
    for i in range(n):
        if u[i] < 0.01:
            x, y = 0.0, 0.16 * y
        elif u[i] < 0.86:
            x, y = 0.85 * x + 0.04 * y, -0.04 * x + 0.85 * y + 1.6
        elif u[i] < 0.93:
            x, y = 0.2 * x - 0.26 * y, 0.23 * x + 0.22 * y + 1.6
        else:
            x, y = -0.15 * x + 0.28 * y, 0.26 * x + 0.24 * y + 0.44
        points[i] = x, y
    return points


@program(data(6))
def lists_of_loop_variables(a):
    rows = np.zeros((6, 3))
    total = 0.0
    for i in range(6):
        rows[i] = [i, i * i / 3.0, 1]
        total += np.array([[i, a[i]], [2.0, i]]).sum()
    return rows, total


@program(6)
def pancakes(n):
    order, flipped, signs = np.arange(n), np.zeros(n, dtype=np.int64), np.arange(n)
    sign, most, total = 1, 0, 0
    while True:
        first = order[0]
        if first != 0:
            flipped[1:] = order[1:]
            flips = 1
            while flipped[first] != 0:
                following = flipped[first]
                flipped[first] = first
                if first >= 3:
                    i, j = 1, first - 1
                    while i < j:
                        flipped[i], flipped[j] = flipped[j], flipped[i]
                        i += 1
                        j -= 1
                first = following
                flips += 1
            total += sign * flips
            most = max(most, flips)
        if sign == 1:
            order[0], order[1] = order[1], order[0]
            sign = -1
            continue
        order[1], order[2] = order[2], order[1]
        sign = 1
        for i in range(2, n):
            if signs[i] != 0:
                signs[i] -= 1
                break
            if i == n - 1:
                return total, most
            signs[i] = i
            kept = order[0]
            for j in range(i + 1):
                order[j] = order[j + 1]
            order[i + 1] = kept


@program(31, 31, 1e-2)
def step_9_laplace(nx, ny, target):
    dx, dy = 2 / (nx - 1), 2 / (ny - 1)
    p, y = np.zeros((ny, nx)), np.linspace(0, 1, ny)
    p[:, -1] = y
    norm = 1
    while norm > target:
        pn = p.copy()
        p[1:-1, 1:-1] = (dy**2 * (pn[1:-1, 2:] + pn[1:-1, :-2]) + dx**2 * (pn[2:, 1:-1] + pn[:-2, 1:-1])) / (2 * (dx**2 + dy**2))
        p[:, 0] = 0
        p[:, -1] = y
        p[0, :] = p[1, :]
        p[-1, :] = p[-2, :]
        norm = np.sum(np.abs(p[:]) - np.abs(pn[:])) / np.sum(np.abs(pn[:]))
    return p


@program(data(60), 11)
def smoothed_by_a_window(x, n):
    padded = np.r_[x[n - 1 : 0 : -1], x, x[-2 : -n - 1 : -1]]
    window = np.hanning(n)
    return np.convolve(window / window.sum(), padded, mode="valid"), np.c_[x, x * 2]


@derived(1 + data(7))
def decay_until_it_is_small(x):
    turns = 0
    while np.sum(x * x) > 1.0 and turns < 500:
        x = x * 0.9 + 0.01 * np.sin(x)
        turns += 1
    return x**3


@derived(data(24, 3, seed=5))
def recurrent_network(x):
    state, outputs = np.zeros(3), []
    weights = np.cos(np.arange(9.0)).reshape(3, 3)
    for row in x:
        state = np.tanh(row @ weights + state @ weights.T)
        outputs.append(state * row)
    return np.array(outputs)


@derived(0.5 + data(20, seed=6))
def tridiagonal_system(d):
    n = len(d)
    upper, right, x = np.zeros(n), np.zeros(n), np.zeros(n)
    for i in range(n):
        pivot = 4.0 + d[i] - upper[i - 1] if i > 0 else 4.0 + d[i]
        upper[i] = 1.0 / pivot
        right[i] = (d[i] - right[i - 1]) / pivot if i > 0 else d[i] / pivot
    for i in range(n - 1, -1, -1):
        x[i] = right[i] - upper[i] * x[i + 1] if i < n - 1 else right[i]
    return x


@program(data(12, 8, seed=8))
def householder(a):
    m, n = a.shape
    upper, q = a.copy(), np.eye(m)
    for j in range(n):
        x = upper[j:, j].copy()
        x[0] += np.copysign(np.linalg.norm(x), x[0])
        x /= np.linalg.norm(x)
        upper[j:, j:] -= 2 * np.outer(x, x @ upper[j:, j:])
        q[:, j:] -= 2 * np.outer(q[:, j:] @ x, x)
    return q, np.triu(upper), upper[2:, 0].ravel()
