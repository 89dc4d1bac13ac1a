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


@program(data(4, 6, 6, 8), data(1, 1, 8, 3, seed=1), data(3, 3, 3, 3, seed=2), data(1, 1, 3, 8, seed=3))
def residual_block(x, first, second, third):
    def convolved(x, weights):
        k = weights.shape[0]
        out = np.empty((x.shape[0], x.shape[1] - k + 1, x.shape[2] - k + 1, weights.shape[3]))
        for i in range(out.shape[1]):
            for j in range(out.shape[2]):
                out[:, i, j, :] = np.sum(x[:, i : i + k, j : j + k, :, np.newaxis] * weights[np.newaxis], axis=(1, 2, 3))
        return out

    def normalized(x):
        return (x - np.mean(x, axis=0, keepdims=True)) / np.sqrt(np.std(x, axis=0, keepdims=True) + 1e-5)

    padded = np.zeros((x.shape[0], x.shape[1] + 2, x.shape[2] + 2, first.shape[3]))
    padded[:, 1:-1, 1:-1, :] = convolved(x, first)
    y = normalized(convolved(np.maximum(normalized(padded), 0), second))
    return np.maximum(normalized(convolved(np.maximum(y, 0), third)) + x, 0)


@program(2, 6, data(64) + 1j * data(64, seed=1))
def stockham_in_place(radix, rounds, y):
    n = radix**rounds
    rows, columns = np.empty((radix, n), np.uint32), np.empty((radix, n), np.uint32)
    for i in range(radix):
        rows[i, :] = i
    for j in range(n):
        columns[:, j] = j
    turned = np.exp(-2.0j * np.pi * rows[:, :radix] * columns[:, :radix] / radix)
    for i in range(rounds):
        moved = np.transpose(np.reshape(y, (radix**i, radix, radix ** (rounds - i - 1))), (1, 0, 2))
        twiddles = np.exp(-2.0j * np.pi * rows[:, : radix**i] * columns[:, : radix**i] / radix ** (i + 1))
        spread = np.repeat(np.reshape(twiddles, (radix, radix**i, 1)), radix ** (rounds - i - 1), axis=2)
        y[:] = np.reshape(turned @ np.reshape(np.reshape(moved, (n,)) * np.reshape(spread, (n,)), (radix, radix ** (rounds - 1))), (n,))
    return y


@program(data(400), data(400, seed=1), 20)
def azimuthal_means(values, radius, bins):
    greatest = radius.max()
    means = np.zeros(bins)
    for i in range(bins):
        means[i] = values[np.logical_and(greatest * i / bins <= radius, radius < greatest * (i + 1) / bins)].mean()
    return means, np.histogram(radius, bins, weights=values)[0] / np.histogram(radius, bins)[0]


@program(data(3, 6, 6) + 1j * data(3, 6, 6, seed=1), data(8, seed=2) + 1j * data(8, seed=3), data(6, 9, seed=4))
def contour_integral(hamiltonian, points, right):
    sums = np.zeros((6, 9), complex), np.zeros((6, 9), complex)
    for z in points:
        matrix = np.zeros((6, 6), complex)
        for n in range(3):
            matrix += np.power(z, 1 - n) * hamiltonian[n]
        x = np.linalg.solve(matrix, right)
        if abs(z) < 1.0:
            x = -x
        sums[0][...] += x
        sums[1][...] += z * x
    return sums


@program(0.25, data(19, 13))
def recursive_smoothing(alpha, image):
    decay = np.exp(-alpha)
    k = (1 - decay) * (1 - decay) / (1 + alpha * decay - np.exp(2 * alpha))
    b1, b2 = np.power(2.0, -alpha), -np.exp(-2.0 * alpha)
    there, back = np.empty_like(image), np.empty_like(image)
    there[:, 0] = k * image[:, 0]
    there[:, 1] = k * image[:, 1] + k * decay * (alpha - 1) * image[:, 0] + b1 * there[:, 0]
    for j in range(2, image.shape[1]):
        there[:, j] = k * image[:, j] + k * decay * (alpha - 1) * image[:, j - 1] + b1 * there[:, j - 1] + b2 * there[:, j - 2]
    back[:, -1] = 0.0
    back[:, -2] = k * decay * (alpha + 1) * image[:, -1]
    for j in range(image.shape[1] - 3, -1, -1):
        fed = k * decay * (alpha + 1) * image[:, j + 1] - k * np.exp(-2 * alpha) * image[:, j + 2]
        back[:, j] = fed + b1 * back[:, j + 1] + b2 * back[:, j + 2]
    image[:] = there + back
    return image


@program(np.full(50, 100.0), np.full(50, 0.04), data(12, 50) - 0.5, data(12, 50, seed=1) - 0.5)
def heston(price, variance, first, second):
    for t in range(len(first)):
        positive = np.maximum(variance, 0)
        price *= np.exp((0.03 - positive / 2) / 12 + np.sqrt(positive / 12) * first[t])
        variance += 2 * (0.04 - positive) / 12 + 3.0 * np.sqrt(positive / 12) * (-0.7 * first[t] + np.sqrt(1 - 0.49) * second[t])
    return np.maximum(price - 100, 0).mean()


@program(np.where(data(12, 12) < 0.4, data(12, 12, seed=1), np.inf), 0)
def shortest_paths_by_arrays(weights, start):
    distance, done, before = np.full(len(weights), np.inf), np.zeros(len(weights), bool), np.full(len(weights), -1)
    distance[start] = 0
    for _ in range(len(weights)):
        nearest = np.argmin(np.where(done, np.inf, distance))
        done[nearest] = True
        through = distance[nearest] + weights[nearest]
        better = ~done & (through < distance)
        distance[better] = through[better]
        before[better] = nearest
    return distance, before


@program(np.zeros(2), 0.1, 6, data(15, 2) - 0.5, data(15, seed=1))
def hamiltonian_sampler(x, step, leaps, momenta, uniform):
    def density(x):
        return -0.5 * (x[0] ** 2 + 10 * (x[1] - x[0] ** 2) ** 2)

    def slope(x):
        return np.array([-x[0] + 20 * x[0] * (x[1] - x[0] ** 2), -10 * (x[1] - x[0] ** 2)])

    samples, accepted = np.empty((len(momenta), 2)), 0
    for i in range(len(momenta)):
        q, p = x.copy(), momenta[i].copy()
        energy = density(q) - 0.5 * p @ p
        p += 0.5 * step * slope(q)
        for leap in range(leaps):
            q += step * p
            if leap != leaps - 1:
                p += step * slope(q)
        p += 0.5 * step * slope(q)
        if np.log(uniform[i]) < density(q) - 0.5 * p @ p - energy:
            x = q
            accepted += 1
        samples[i] = x
    return samples, accepted / len(momenta)


@program(0.5, 1.0, data(800))
def slice_sampler(x, width, uniform):
    def density(t):
        return -abs(t) - 0.1 * t**2

    k, samples = 0, np.zeros(20)
    for i in range(20):
        level = density(x) + np.log(uniform[k])
        low = x - width * uniform[k + 1]
        high, k = low + width, k + 2
        while density(low) > level:
            low -= width
        while density(high) > level:
            high += width
        while True:
            new = low + uniform[k] * (high - low)
            k += 1
            if density(new) > level:
                break
            if new < x:
                low = new
            else:
                high = new
        samples[i] = x = new
    return samples, k


@program(np.r_[np.full(10, 2.0), np.full(10, 6.0)] + np.round(data(20) * 2), data(12, seed=1), 1 + 0.1 * data(12, 2, seed=2))
def change_point(counts, uniform, noise):
    place, samples = 10, np.zeros((12, 3))
    for i in range(12):
        early = (counts[:place].sum() + 1) / (place + 1) * noise[i, 0]
        late = (counts[place:].sum() + 1) / (len(counts) - place + 1) * noise[i, 1]
        head, rest = np.cumsum(counts)[:-1], counts.sum() - np.cumsum(counts)[:-1]
        at = np.arange(1, len(counts))
        odds = np.exp(head * np.log(early) - at * early + rest * np.log(late) - (len(counts) - at) * late - 40)
        place = int(np.searchsorted(np.cumsum(odds / odds.sum()), uniform[i])) + 1
        samples[i] = early, late, place
    return samples


@program(np.r_[data(9, 2) - 1, data(9, 2, seed=1) + 0.2], np.repeat([-1.0, 1.0], 9), np.arange(6 * 18).reshape(6, 18) * 7 % 18)
def sequential_minimal_optimization(x, y, partners):
    a, b, products, limit, changes = np.zeros(len(y)), 0.0, x @ x.T, 1.0, 0
    for turn in range(len(partners)):
        for i in range(len(y)):
            error = (a * y) @ products[:, i] + b - y[i]
            if (y[i] * error < -1e-3 and a[i] < limit) or (y[i] * error > 1e-3 and a[i] > 0):
                j = partners[turn, i]
                other = (a * y) @ products[:, j] + b - y[j]
                old_i, old_j = a[i], a[j]
                if y[i] != y[j]:
                    low, high = max(0, old_j - old_i), min(limit, limit + old_j - old_i)
                else:
                    low, high = max(0, old_i + old_j - limit), min(limit, old_i + old_j)
                curvature = 2 * products[i, j] - products[i, i] - products[j, j]
                if low == high or curvature >= 0:
                    continue
                a[j] = np.clip(old_j - y[j] * (error - other) / curvature, low, high)
                a[i] += y[i] * y[j] * (old_j - a[j])
                b -= (error + other) / 2
                changes += 1
    return a, b, changes


@program(np.arange(25) * 7 % 4, data(3, 3) + 0.1, data(3, 4, seed=1) + 0.1, np.full(3, 1 / 3))
def baum_welch(seen, moves, emits, start):
    moves, emits = moves / moves.sum(1, keepdims=True), emits / emits.sum(1, keepdims=True)
    for _ in range(3):
        ahead, scale = np.zeros((len(seen), 3)), np.zeros(len(seen))
        ahead[0] = start * emits[:, seen[0]]
        scale[0] = 1 / ahead[0].sum()
        ahead[0] *= scale[0]
        for t in range(1, len(seen)):
            ahead[t] = (ahead[t - 1] @ moves) * emits[:, seen[t]]
            scale[t] = 1 / ahead[t].sum()
            ahead[t] *= scale[t]
        back = np.zeros((len(seen), 3))
        back[-1] = scale[-1]
        for t in range(len(seen) - 2, -1, -1):
            back[t] = scale[t] * (moves @ (emits[:, seen[t + 1]] * back[t + 1]))
        state, pairs = ahead * back, np.zeros((3, 3))
        state /= state.sum(1, keepdims=True)
        for t in range(len(seen) - 1):
            pairs += np.outer(ahead[t], emits[:, seen[t + 1]] * back[t + 1]) * moves
        moves, start = pairs / pairs.sum(1, keepdims=True), state[0]
        emits = np.stack([state[seen == k].sum(0) for k in range(4)], 1) / state.sum(0)[:, None]
    return moves, emits, start, -np.log(scale).sum()


@program(np.sin(np.linspace(0, 3, 12))[:, None] + 0.1 * data(12, 1), np.array([0.0, 1.0]), np.eye(2))
def unscented_filter(measured, x, spread):
    weights = np.full(5, 1 / 6)
    weights[0] = 1 / 3
    states = []
    for z in measured:
        root = np.linalg.cholesky(3 * spread)
        points = np.vstack([x, x + root.T, x - root.T])
        points = np.column_stack([points[:, 0] + 0.1 * points[:, 1], points[:, 1] - 0.1 * np.sin(points[:, 0])])
        x = weights @ points
        off, seen = points - x, np.sin(points[:, :1])
        wrong = seen - weights @ seen
        gain = (off.T * weights) @ wrong @ np.linalg.inv((wrong.T * weights) @ wrong + 0.01)
        spread = (off.T * weights) @ off + 0.01 * np.eye(2) - gain @ ((wrong.T * weights) @ wrong + 0.01) @ gain.T
        x = x + gain @ (z - weights @ seen)
        states.append(x)
    return np.array(states), spread


@program(data(16, 18) + (np.add.outer(np.arange(16), np.arange(18)) > 15), 0.5, 2.5)
def edges_by_hysteresis(image, low, high):
    p = np.pad(image, 1, mode="edge")
    across = (p[:-2, 2:] + 2 * p[1:-1, 2:] + p[2:, 2:]) - (p[:-2, :-2] + 2 * p[1:-1, :-2] + p[2:, :-2])
    down = (p[2:, :-2] + 2 * p[2:, 1:-1] + p[2:, 2:]) - (p[:-2, :-2] + 2 * p[:-2, 1:-1] + p[:-2, 2:])
    steep, angle = np.hypot(across, down), (np.rad2deg(np.arctan2(down, across)) + 180) % 180
    sector = np.zeros(image.shape, np.uint8)
    for k in (1, 2, 3):
        sector[(angle >= 45 * k - 22.5) & (angle < 45 * k + 22.5)] = k
    padded, kept, (rows, columns) = np.pad(steep, 1), np.zeros(image.shape, bool), image.shape
    for k, (dy, dx) in enumerate([(0, 1), (1, 1), (1, 0), (1, -1)]):
        one, other = (padded[1 + s * dy : 1 + s * dy + rows, 1 + s * dx : 1 + s * dx + columns] for s in (1, -1))
        kept |= (sector == k) & (steep >= one) & (steep >= other)
    strong, weak = kept & (steep > high), kept & (steep > low)
    while True:
        wide, near = np.pad(strong, 1), np.zeros_like(strong)
        for dy in range(3):
            for dx in range(3):
                near |= wide[dy : dy + rows, dx : dx + columns]
        new = near & weak | strong
        if (new == strong).all():
            return strong, steep
        strong = new


@program(data(5, 4, 7), data(5, 4, 7, seed=1), 1e-3 * data(5, 4, 7, seed=2), data(5, 4, 7, seed=3) * 0.1, data(5, 4, 7, seed=4) > 0.2)
def turbulent_kinetic_energy(u, v, stability, energy, mask):
    shear = np.zeros_like(u)
    shear[:, :, :-1] = ((u[:, :, 1:] - u[:, :, :-1]) / 2.0) ** 2 + ((v[:, :, 1:] - v[:, :, :-1]) / 2.0) ** 2
    speed = np.sqrt(np.maximum(0, energy))
    length = np.sqrt(2) * speed / np.sqrt(np.maximum(1e-12, stability))
    for k in range(u.shape[2] - 2, -1, -1):
        length[:, :, k] = np.minimum(length[:, :, k], length[:, :, k + 1] + 2.0)
    for k in range(1, u.shape[2]):
        length[:, :, k] = np.minimum(length[:, :, k], length[:, :, k - 1] + 2.0)
    mixing = np.minimum(10, 0.1 * length * speed) * mask
    number = np.clip(6.6 * stability / np.maximum(shear, 1e-12), 1, 10)
    above, below = np.zeros_like(u), np.zeros_like(u)
    above[:, :, :-1] = -0.6 * (mixing[:, :, 1:] + mixing[:, :, :-1])
    below[:, :, 1:] = above[:, :, :-1]
    middle = 1 - below - above + 3.5 * speed / np.maximum(length, 1e-3)
    right = energy + 5.0 * (mixing * shear - mixing / number * stability)
    for k in range(1, u.shape[2]):
        factor = below[:, :, k] / middle[:, :, k - 1]
        middle[:, :, k] -= factor * above[:, :, k - 1]
        right[:, :, k] -= factor * right[:, :, k - 1]
    right[:, :, -1] /= middle[:, :, -1]
    for k in range(u.shape[2] - 2, -1, -1):
        right[:, :, k] = (right[:, :, k] - above[:, :, k] * right[:, :, k + 1]) / middle[:, :, k]
    return np.where(mask, right, energy), number


@program(data(14, 11))
def seam_of_least_energy(energy):
    rows, cost = energy.shape[0], energy.copy()
    back = np.zeros(energy.shape, dtype=np.int64)
    for i in range(1, rows):
        left, right = np.roll(cost[i - 1], 1), np.roll(cost[i - 1], -1)
        left[0] = right[-1] = np.inf
        choice = np.argmin(np.stack([left, cost[i - 1], right]), axis=0)
        back[i] = choice - 1
        cost[i] += np.choose(choice, [left, cost[i - 1], right])
    seam = np.empty(rows, dtype=int)
    seam[-1] = np.argmin(cost[-1])
    for i in range(rows - 2, -1, -1):
        seam[i] = seam[i + 1] + back[i + 1, seam[i + 1]]
    return seam, cost[-1].min()


@program(data(60), data(60, seed=1), 0.05)
def adaptive_filter(x, wanted, rate):
    weights, errors = np.zeros(5), np.zeros(len(x))
    for n in range(5, len(x)):
        seen = x[n - 5 : n][::-1]
        errors[n] = wanted[n] - weights @ seen
        weights += rate * errors[n] * seen
    return weights, errors


@program(6 * data(30), data(30, seed=1) - 0.5, 25)
def coupled_oscillators(phase, speed, steps):
    order = np.empty(steps)
    for t in range(steps):
        mean = np.exp(1j * phase).mean()
        order[t] = abs(mean)
        phase = (phase + 0.05 * (speed + 2.0 * abs(mean) * np.sin(np.angle(mean) - phase))) % (2 * np.pi)
    return phase, order


@program(np.pad([[300]], 6))
def sandpile(grains):
    rounds = 0
    while (grains > 3).any():
        falling = grains // 4
        grains -= 4 * falling
        grains[1:] += falling[:-1]
        grains[:-1] += falling[1:]
        grains[:, 1:] += falling[:, :-1]
        grains[:, :-1] += falling[:, 1:]
        rounds += 1
    return grains, rounds
