"""Whole kernels as applications have them: stencils, physics, statistics, layers of networks. Plain NumPy, written once; `Case.size` is
the size at which they are timed. Numba gets loops where it cannot compile the source, JAX values in place of writes.
"""

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.cases import CASES, Case

STEPS = 10
TURNS = 50
RADIUS = 2

# --- stencils ------------------------------------------------------------------------------------------------------------


def jacobi_2d(a, b):
    for _ in range(STEPS):
        b[1:-1, 1:-1] = 0.2 * (a[1:-1, 1:-1] + a[1:-1, :-2] + a[1:-1, 2:] + a[2:, 1:-1] + a[:-2, 1:-1])
        a[1:-1, 1:-1] = 0.2 * (b[1:-1, 1:-1] + b[1:-1, :-2] + b[1:-1, 2:] + b[2:, 1:-1] + b[:-2, 1:-1])
    return a, b


def jacobi_2d_jax(a, b):
    for _ in range(STEPS):
        b = b.at[1:-1, 1:-1].set(0.2 * (a[1:-1, 1:-1] + a[1:-1, :-2] + a[1:-1, 2:] + a[2:, 1:-1] + a[:-2, 1:-1]))
        a = a.at[1:-1, 1:-1].set(0.2 * (b[1:-1, 1:-1] + b[1:-1, :-2] + b[1:-1, 2:] + b[2:, 1:-1] + b[:-2, 1:-1]))
    return a, b


def jacobi_2d_loops(a, b):
    for _ in range(STEPS):
        for i in range(1, a.shape[0] - 1):
            for j in range(1, a.shape[1] - 1):
                b[i, j] = 0.2 * (a[i, j] + a[i, j - 1] + a[i, j + 1] + a[i + 1, j] + a[i - 1, j])
        for i in range(1, a.shape[0] - 1):
            for j in range(1, a.shape[1] - 1):
                a[i, j] = 0.2 * (b[i, j] + b[i, j - 1] + b[i, j + 1] + b[i + 1, j] + b[i - 1, j])
    return a, b


def heat_3d(a, b):
    for _ in range(STEPS):
        b[1:-1, 1:-1, 1:-1] = (
            0.125 * (a[2:, 1:-1, 1:-1] - 2 * a[1:-1, 1:-1, 1:-1] + a[:-2, 1:-1, 1:-1])
            + 0.125 * (a[1:-1, 2:, 1:-1] - 2 * a[1:-1, 1:-1, 1:-1] + a[1:-1, :-2, 1:-1])
            + 0.125 * (a[1:-1, 1:-1, 2:] - 2 * a[1:-1, 1:-1, 1:-1] + a[1:-1, 1:-1, :-2])
            + a[1:-1, 1:-1, 1:-1]
        )
        a[1:-1, 1:-1, 1:-1] = (
            0.125 * (b[2:, 1:-1, 1:-1] - 2 * b[1:-1, 1:-1, 1:-1] + b[:-2, 1:-1, 1:-1])
            + 0.125 * (b[1:-1, 2:, 1:-1] - 2 * b[1:-1, 1:-1, 1:-1] + b[1:-1, :-2, 1:-1])
            + 0.125 * (b[1:-1, 1:-1, 2:] - 2 * b[1:-1, 1:-1, 1:-1] + b[1:-1, 1:-1, :-2])
            + b[1:-1, 1:-1, 1:-1]
        )
    return a, b


def heat_3d_jax(a, b):
    for _ in range(STEPS):
        for _ in range(2):
            c = a[1:-1, 1:-1, 1:-1]
            new = (
                0.125 * (a[2:, 1:-1, 1:-1] - 2 * c + a[:-2, 1:-1, 1:-1])
                + 0.125 * (a[1:-1, 2:, 1:-1] - 2 * c + a[1:-1, :-2, 1:-1])
                + 0.125 * (a[1:-1, 1:-1, 2:] - 2 * c + a[1:-1, 1:-1, :-2])
                + c
            )
            a, b = b.at[1:-1, 1:-1, 1:-1].set(new), a
    return a, b


def heat_3d_loops(a, b):
    for _ in range(STEPS):
        for turn in range(2):
            x, y = (a, b) if turn == 0 else (b, a)
            for i in range(1, a.shape[0] - 1):
                for j in range(1, a.shape[1] - 1):
                    for k in range(1, a.shape[2] - 1):
                        c = x[i, j, k]
                        y[i, j, k] = (
                            0.125 * (x[i + 1, j, k] - 2 * c + x[i - 1, j, k])
                            + 0.125 * (x[i, j + 1, k] - 2 * c + x[i, j - 1, k])
                            + 0.125 * (x[i, j, k + 1] - 2 * c + x[i, j, k - 1])
                            + c
                        )
    return a, b


def horizontal_diffusion(field, coefficient):
    """Fourth order with flux limiters (the COSMO model's). field: (i + 4, j + 4, k), coefficient: (i, j, k)."""
    laplacian = 4 * field[1:-1, 1:-1] - (field[2:, 1:-1] + field[:-2, 1:-1] + field[1:-1, 2:] + field[1:-1, :-2])
    flux = laplacian[1:, 1:-1] - laplacian[:-1, 1:-1]
    along_i = np.where(flux * (field[2:-1, 2:-2] - field[1:-2, 2:-2]) > 0, 0, flux)
    flux = laplacian[1:-1, 1:] - laplacian[1:-1, :-1]
    along_j = np.where(flux * (field[2:-2, 2:-1] - field[2:-2, 1:-2]) > 0, 0, flux)
    return field[2:-2, 2:-2] - coefficient * (along_i[1:] - along_i[:-1] + along_j[:, 1:] - along_j[:, :-1])


def horizontal_diffusion_loops(field, coefficient):
    rows, columns, levels = coefficient.shape
    laplacian = np.empty((rows + 2, columns + 2, levels))
    for i in range(rows + 2):
        for j in range(columns + 2):
            for k in range(levels):
                laplacian[i, j, k] = 4 * field[i + 1, j + 1, k] - (
                    field[i + 2, j + 1, k] + field[i, j + 1, k] + field[i + 1, j + 2, k] + field[i + 1, j, k]
                )
    along_i = np.empty((rows + 1, columns, levels))
    for i in range(rows + 1):
        for j in range(columns):
            for k in range(levels):
                flux = laplacian[i + 1, j + 1, k] - laplacian[i, j + 1, k]
                along_i[i, j, k] = 0.0 if flux * (field[i + 2, j + 2, k] - field[i + 1, j + 2, k]) > 0 else flux
    along_j = np.empty((rows, columns + 1, levels))
    for i in range(rows):
        for j in range(columns + 1):
            for k in range(levels):
                flux = laplacian[i + 1, j + 1, k] - laplacian[i + 1, j, k]
                along_j[i, j, k] = 0.0 if flux * (field[i + 2, j + 2, k] - field[i + 2, j + 1, k]) > 0 else flux
    out = np.empty_like(coefficient)
    for i in range(rows):
        for j in range(columns):
            for k in range(levels):
                change = along_i[i + 1, j, k] - along_i[i, j, k] + along_j[i, j + 1, k] - along_j[i, j, k]
                out[i, j, k] = field[i + 2, j + 2, k] - coefficient[i, j, k] * change
    return out


def vertical_solve(a, b, c, d):
    """Tridiagonal systems along the last axis: a below, b on, c above the diagonal, d the right sides; all (i, j, k)."""
    levels = a.shape[2]
    factors, x = np.empty_like(a), np.empty_like(a)
    factors[:, :, 0] = c[:, :, 0] / b[:, :, 0]
    x[:, :, 0] = d[:, :, 0] / b[:, :, 0]
    for k in range(1, levels):
        scale = 1 / (b[:, :, k] - a[:, :, k] * factors[:, :, k - 1])
        factors[:, :, k] = c[:, :, k] * scale
        x[:, :, k] = (d[:, :, k] - a[:, :, k] * x[:, :, k - 1]) * scale
    for k in range(levels - 2, -1, -1):
        x[:, :, k] -= factors[:, :, k] * x[:, :, k + 1]
    return x


def vertical_solve_jax(a, b, c, d):
    levels = a.shape[2]
    factors, x = [c[:, :, 0] / b[:, :, 0]], [d[:, :, 0] / b[:, :, 0]]
    for k in range(1, levels):
        scale = 1 / (b[:, :, k] - a[:, :, k] * factors[k - 1])
        factors.append(c[:, :, k] * scale)
        x.append((d[:, :, k] - a[:, :, k] * x[k - 1]) * scale)
    for k in range(levels - 2, -1, -1):
        x[k] = x[k] - factors[k] * x[k + 1]
    return np.stack(x, axis=2)


def vertical_solve_loops(a, b, c, d):
    levels = a.shape[2]
    factors, x = np.empty_like(a), np.empty_like(a)
    for i in range(a.shape[0]):
        for j in range(a.shape[1]):
            factors[i, j, 0] = c[i, j, 0] / b[i, j, 0]
            x[i, j, 0] = d[i, j, 0] / b[i, j, 0]
            for k in range(1, levels):
                scale = 1 / (b[i, j, k] - a[i, j, k] * factors[i, j, k - 1])
                factors[i, j, k] = c[i, j, k] * scale
                x[i, j, k] = (d[i, j, k] - a[i, j, k] * x[i, j, k - 1]) * scale
            for k in range(levels - 2, -1, -1):
                x[i, j, k] -= factors[i, j, k] * x[i, j, k + 1]
    return x


def shallow_water(h, u, v):
    """A Lax-Friedrichs step on a periodic grid: height and the two momenta."""
    g, ratio = 9.81, 0.01
    across, along = u * v / h, 0.5 * g * h * h
    fluxes = ((h, u, v), (u, u * u / h + along, across), (v, across, v * v / h + along))
    new = []
    for q, f, k in fluxes:
        mean = 0.25 * (np.roll(q, 1, 0) + np.roll(q, -1, 0) + np.roll(q, 1, 1) + np.roll(q, -1, 1))
        new.append(mean - 0.5 * ratio * (np.roll(f, -1, 0) - np.roll(f, 1, 0) + np.roll(k, -1, 1) - np.roll(k, 1, 1)))
    return new[0], new[1], new[2]


def shallow_water_loops(h, u, v):
    g, ratio = 9.81, 0.01
    rows, columns = h.shape
    a, b, c = np.empty_like(h), np.empty_like(h), np.empty_like(h)
    for i in range(rows):
        for j in range(columns):
            n, s, w, e = (i - 1) % rows, (i + 1) % rows, (j - 1) % columns, (j + 1) % columns
            a[i, j] = 0.25 * (h[n, j] + h[s, j] + h[i, w] + h[i, e]) - 0.5 * ratio * (u[s, j] - u[n, j] + v[i, e] - v[i, w])
            hn, hs, hw, he = h[n, j], h[s, j], h[i, w], h[i, e]
            fn = u[n, j] * u[n, j] / hn + 0.5 * g * hn * hn
            fs = u[s, j] * u[s, j] / hs + 0.5 * g * hs * hs
            kw, ke = u[i, w] * v[i, w] / hw, u[i, e] * v[i, e] / he
            b[i, j] = 0.25 * (u[n, j] + u[s, j] + u[i, w] + u[i, e]) - 0.5 * ratio * (fs - fn + ke - kw)
            fn, fs = u[n, j] * v[n, j] / hn, u[s, j] * v[s, j] / hs
            kw = v[i, w] * v[i, w] / hw + 0.5 * g * hw * hw
            ke = v[i, e] * v[i, e] / he + 0.5 * g * he * he
            c[i, j] = 0.25 * (v[n, j] + v[s, j] + v[i, w] + v[i, e]) - 0.5 * ratio * (fs - fn + ke - kw)
    return a, b, c


def sea_water(s, t, p):
    """Density (kg/m3) by salinity, temperature (Celsius) and pressure (bar): UNESCO's equation of state of 1980."""
    root = s * np.sqrt(s)
    water = 999.842594 + t * (6.793952e-2 + t * (-9.095290e-3 + t * (1.001685e-4 + t * (-1.120083e-6 + t * 6.536332e-9))))
    linear = 0.824493 + t * (-4.0899e-3 + t * (7.6438e-5 + t * (-8.2467e-7 + t * 5.3875e-9)))
    surface = water + s * linear + root * (-5.72466e-3 + t * (1.0227e-4 - t * 1.6546e-6)) + 4.8314e-4 * s * s
    stiff = 19652.21 + t * (148.4206 + t * (-2.327105 + t * (1.360477e-2 - t * 5.155288e-5)))
    stiff = stiff + s * (54.6746 + t * (-0.603459 + t * (1.09987e-2 - t * 6.1670e-5)))
    stiff = stiff + root * (7.944e-2 + t * (1.6483e-2 - t * 5.3009e-4))
    a = 3.239908 + t * (1.43713e-3 + t * (1.16092e-4 - t * 5.77905e-7))
    a = a + s * (2.2838e-3 + t * (-1.0981e-5 - t * 1.6078e-6)) + 1.91075e-4 * root
    b = 8.50935e-5 + t * (-6.12293e-6 + t * 5.2787e-8) + s * (-9.9348e-7 + t * (2.0816e-8 + t * 9.1697e-10))
    return surface / (1 - p / (stiff + p * (a + p * b)))


# --- networks ------------------------------------------------------------------------------------------------------------------


def network(x, w1, b1, w2, b2, w3, b3):
    h = np.maximum(x @ w1 + b1, 0)
    h = np.maximum(h @ w2 + b2, 0)
    z = h @ w3 + b3
    e = np.exp(z - np.max(z, axis=1, keepdims=True))
    return e / np.sum(e, axis=1, keepdims=True)


def network_loops(x, w1, b1, w2, b2, w3, b3):
    h = np.maximum(x @ w1 + b1, 0)
    h = np.maximum(h @ w2 + b2, 0)
    z = h @ w3 + b3
    for i in range(z.shape[0]):
        e = np.exp(z[i] - np.max(z[i]))
        z[i] = e / np.sum(e)
    return z


def convolution(x, w, b):
    """x: (n, h, w, channels), w: (k, k, channels, out): a layer with bias and relu."""
    k = w.shape[0]
    high, wide = x.shape[1] - k + 1, x.shape[2] - k + 1
    out = np.zeros((x.shape[0], high, wide, w.shape[3]))
    for i in range(k):
        for j in range(k):
            out += x[:, i : i + high, j : j + wide] @ w[i, j]
    return np.maximum(out + b, 0)


def convolution_jax(x, w, b):
    k = w.shape[0]
    high, wide = x.shape[1] - k + 1, x.shape[2] - k + 1
    out = 0.0
    for i in range(k):
        for j in range(k):
            out = out + x[:, i : i + high, j : j + wide] @ w[i, j]
    return np.maximum(out + b, 0)


def convolution_loops(x, w, b):
    size, inner, outer = w.shape[0], w.shape[2], w.shape[3]
    high, wide = x.shape[1] - size + 1, x.shape[2] - size + 1
    out = np.empty((x.shape[0], high, wide, outer))
    for n in range(x.shape[0]):
        for i in range(high):
            for j in range(wide):
                for o in range(outer):
                    out[n, i, j, o] = b[o]
                for k in range(size):
                    for m in range(size):
                        for c in range(inner):
                            for o in range(outer):
                                out[n, i, j, o] += x[n, i + k, j + m, c] * w[k, m, c, o]
                for o in range(outer):
                    out[n, i, j, o] = max(out[n, i, j, o], 0.0)
    return out


def convolution_windows(x, w, b):
    """The same by a view of all windows and one contraction."""
    windows = np.lib.stride_tricks.sliding_window_view(x, (w.shape[0], w.shape[1]), axis=(1, 2))
    return np.maximum(np.einsum("nhwcij,ijco->nhwo", windows, w) + b, 0)


def attention(x, wq, wk, wv, wo, heads):
    """A block of self-attention with its residual. x: (tokens, width)."""
    tokens, width = x.shape
    q, k, v = [(x @ w).reshape(tokens, heads, width // heads).transpose(1, 0, 2) for w in (wq, wk, wv)]
    scores = q @ k.transpose(0, 2, 1) / np.sqrt(width // heads)
    e = np.exp(scores - np.max(scores, axis=-1, keepdims=True))
    mixed = (e / np.sum(e, axis=-1, keepdims=True)) @ v
    return x + mixed.transpose(1, 0, 2).reshape(tokens, width) @ wo


def attention_loops(x, wq, wk, wv, wo, heads):
    tokens, width = x.shape
    size = width // heads
    q, k, v = x @ wq, x @ wk, x @ wv
    mixed = np.empty((tokens, width))
    for h in range(heads):
        own = slice(h * size, (h + 1) * size)
        scores = np.ascontiguousarray(q[:, own]) @ np.ascontiguousarray(k[:, own]).T / np.sqrt(size)
        for i in range(tokens):
            e = np.exp(scores[i] - np.max(scores[i]))
            scores[i] = e / np.sum(e)
        mixed[:, own] = scores @ np.ascontiguousarray(v[:, own])
    return x + mixed @ wo


# --- linear algebra, statistics -----------------------------------------------------------------------------------------------------


def k3mm(a, b, c, d):
    return a @ b @ (c @ d)


def gemver(alpha, beta, a, u1, v1, u2, v2, x, y, z):
    a = a + np.outer(u1, v1) + np.outer(u2, v2)
    x = x + beta * (y @ a) + z
    return a, x, alpha * (a @ x)


def gesummv(alpha, beta, a, b, x):
    return alpha * (a @ x) + beta * (b @ x)


def correlation(x):
    d = x - np.mean(x, axis=0)
    d = d / np.std(x, axis=0)
    return d.T @ d / x.shape[0]


def correlation_numba(x):
    mean, square = np.zeros(x.shape[1]), np.zeros(x.shape[1])
    for i in range(x.shape[0]):
        mean += x[i]
    d = x - mean / x.shape[0]
    for i in range(x.shape[0]):
        square += d[i] * d[i]
    d = d / np.sqrt(square / x.shape[0])
    return d.T @ d / x.shape[0]


def azimuthal_integration(data, radius, bins):
    """Mean of the data in rings of one width."""
    counts = np.histogram(radius, bins)[0]
    sums = np.histogram(radius, bins, weights=data)[0]
    return sums / counts


def azimuthal_integration_numba(data, radius, bins):
    low, high = radius.min(), radius.max()
    counts, sums = np.zeros(bins), np.zeros(bins)
    scale = bins / (high - low)
    for i in range(radius.size):
        k = min(int((radius[i] - low) * scale), bins - 1)
        if radius[i] < low + k / scale:
            k -= 1
        elif k < bins - 1 and radius[i] >= low + (k + 1) / scale:
            k += 1
        counts[k] += 1
        sums[k] += data[i]
    return sums / counts


# --- finance, fractals -----------------------------------------------------------------------------------------------------------


def black_scholes(price, strike, time, rate, volatility):
    """Prices of calls and puts; the normal distribution by Abramowitz and Stegun's 26.2.17."""
    spread = volatility * np.sqrt(time)
    d1 = (np.log(price / strike) + (rate + 0.5 * volatility * volatility) * time) / spread
    chances = []
    for d in (d1, d1 - spread):
        k = 1 / (1 + 0.2316419 * np.abs(d))
        series = k * (0.31938153 + k * (-0.356563782 + k * (1.781477937 + k * (-1.821255978 + k * 1.330274429))))
        tail = 0.3989422804014327 * np.exp(-0.5 * d * d) * series
        chances.append(np.where(d > 0, 1 - tail, tail))
    worth = strike * np.exp(-rate * time)
    call = price * chances[0] - worth * chances[1]
    return call, worth - price + call


def mandelbrot(c):
    z, count = np.zeros_like(c), np.zeros(c.shape, np.int64)
    for turn in range(TURNS):
        inside = np.abs(z) < RADIUS
        count[inside] = turn
        z[inside] = z[inside] ** 2 + c[inside]
    return count


def mandelbrot_jax(c):
    z, count = np.zeros_like(c), np.zeros(c.shape, np.int64)
    for turn in range(TURNS):
        inside = np.abs(z) < RADIUS
        count = np.where(inside, turn, count)
        z = np.where(inside, z**2 + c, z)
    return count


def mandelbrot_loops(c):
    count = np.zeros(c.shape, np.int64)
    for i in range(c.shape[0]):
        for j in range(c.shape[1]):
            z = 0j
            for turn in range(TURNS):
                if z.real * z.real + z.imag * z.imag >= RADIUS * RADIUS:
                    break
                count[i, j] = turn
                z = z * z + c[i, j]
    return count


# --- arguments --------------------------------------------------------------------------------------------------------------------

Arguments = Callable[[np.random.Generator, int], tuple[Any, ...]]


def grids(count: int, axes: int, low: float = 0.0, high: float = 1.0) -> Arguments:
    """Fields of n cells between low and high."""

    def made(rng: np.random.Generator, n: int) -> tuple[Any, ...]:
        side = max(round(n ** (1 / axes)), 5)
        return tuple(low + (high - low) * rng.random((count, *[side] * axes)))

    return made


def diffusion_data(rng: np.random.Generator, n: int) -> tuple[Any, ...]:
    side = max(round((n / 64) ** 0.5), 2)
    return rng.random((side + 4, side + 4, 64)), rng.random((side, side, 64))


def tridiagonal_data(rng: np.random.Generator, n: int) -> tuple[Any, ...]:
    side = max(round((n / 64) ** 0.5), 2)
    a, c, d = rng.random((3, side, side, 64))
    return a, 2 + rng.random((side, side, 64)), c, d


def water_data(rng: np.random.Generator, n: int) -> tuple[Any, ...]:
    side = max(math.isqrt(n), 3)
    return 1 + rng.random((side, side)), rng.random((side, side)) - 0.5, rng.random((side, side)) - 0.5


def ocean(rng: np.random.Generator, n: int) -> tuple[Any, ...]:
    side = max(round(n ** (1 / 3)), 2)
    return tuple(rng.random((3, side, side, side)) * np.array([40.0, 30.0, 500.0])[:, None, None, None])


def network_data(rng: np.random.Generator, n: int) -> tuple[Any, ...]:
    sizes = (784, 256, 128, 10)
    layers: list[Any] = [rng.random((n, 784))]
    for inner, outer in zip(sizes[:-1], sizes[1:], strict=True):
        layers += [rng.standard_normal((inner, outer)) / math.sqrt(inner), rng.standard_normal(outer)]
    return tuple(layers)


def pictures(rng: np.random.Generator, n: int) -> tuple[Any, ...]:
    side = max(math.isqrt(n // 8), 6)
    return rng.random((8, side, side, 3)), rng.standard_normal((5, 5, 3, 16)), rng.standard_normal(16)


def tokens(rng: np.random.Generator, n: int) -> tuple[Any, ...]:
    return (rng.standard_normal((n, 256)), *(rng.standard_normal((4, 256, 256)) / 16), 8)


def matrices(count: int) -> Arguments:
    return lambda rng, n: tuple(rng.random((count, n, n)))


def gemver_data(rng: np.random.Generator, n: int) -> tuple[Any, ...]:
    return (1.5, 1.2, rng.random((n, n)), *rng.random((7, n)))


def gesummv_data(rng: np.random.Generator, n: int) -> tuple[Any, ...]:
    return (1.5, 1.2, *rng.random((2, n, n)), rng.random(n))


def table(rng: np.random.Generator, n: int) -> tuple[Any, ...]:
    return (rng.random((5 * n, n)) + np.arange(n),)


def rings(rng: np.random.Generator, n: int) -> tuple[Any, ...]:
    return rng.random(n), rng.random(n), min(1000, max(n // 10, 1))


def options(rng: np.random.Generator, n: int) -> tuple[Any, ...]:
    price, strike, time = 10 + 20 * rng.random((3, n))
    return price, strike, time / 20, 0.02, 0.3


def plane(rng: np.random.Generator, n: int) -> tuple[Any, ...]:
    side = max(math.isqrt(n), 2)
    return (np.linspace(-2, 0.5, side) + 1j * np.linspace(-1.2, 1.2, side)[:, None],)


_OLDER = {"forces": 250_000, "distances": 1_000_000, "covariance": 1_000_000}

APPLICATIONS = [
    Case("jacobi_2d", f"{2 * STEPS} steps, two arrays", jacobi_2d, grids(2, 2), 250_000,
         forms={"jax": jacobi_2d_jax, "numba": jacobi_2d_loops}),
    Case("heat_3d", f"{2 * STEPS} steps, two arrays", heat_3d, grids(2, 3), 250_000, forms={"jax": heat_3d_jax, "numba": heat_3d_loops}),
    Case("horizontal_diffusion", "fourth order, limited", horizontal_diffusion, diffusion_data, 1_000_000,
         forms={"numba": horizontal_diffusion_loops}),
    Case("vertical_solve", "tridiagonal, 64 levels", vertical_solve, tridiagonal_data, 1_000_000,
         forms={"jax": vertical_solve_jax, "numba": vertical_solve_loops}),
    Case("shallow_water", "a Lax-Friedrichs step", shallow_water, water_data, 1_000_000, forms={"numba": shallow_water_loops}),
    Case("sea_water", "equation of state, 42 coefficients", sea_water, ocean, 1_000_000),
    Case("network", "784-256-128-10, forward", network, network_data, 256, forms={"numba": network_loops}),
    Case("convolution", "5 x 5 x 3 x 16, bias, relu", convolution, pictures, 32_768,
         forms={"jax": convolution_jax, "numba": convolution_loops}),
    Case("convolution_windows", "the same by windows and einsum", convolution_windows, pictures, 32_768,
         forms={"jax": convolution_jax, "numba": convolution_loops}),
    Case("attention", "8 heads of 32, residual", attention, tokens, 256, forms={"numba": attention_loops}),
    Case("k3mm", "a @ b @ (c @ d)", k3mm, matrices(4), 400),
    Case("gemver", "rank-2 update, two products", gemver, gemver_data, 1500),
    Case("gesummv", "alpha a @ x + beta b @ x", gesummv, gesummv_data, 1500),
    Case("correlation", "of the columns of 5n x n", correlation, table, 300, forms={"numba": correlation_numba}),
    Case("azimuthal_integration", "two histograms of 1000 bins", azimuthal_integration, rings, 1_000_000,
         forms={"numba": azimuthal_integration_numba}),
    Case("black_scholes", "calls and puts", black_scholes, options, 1_000_000),
    Case("mandelbrot", f"{TURNS} turns over a grid, masks", mandelbrot, plane, 250_000,
         forms={"jax": mandelbrot_jax, "numba": mandelbrot_loops}),
    *[case._replace(size=_OLDER[case.name]) for case in CASES if case.name in _OLDER],
]  # fmt: skip
