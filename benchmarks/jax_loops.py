"""The programs of tests/loop_programs.py as a JAX user has to write them: scan, fori_loop and while_loop by hand, no array is written to.

    forms() -> {name: function with the program's arguments}, jitted, in double precision; {} where JAX is not installed

Sizes and numbers of steps are static, as in the plain programs under `lazynp.jit`.
"""

import functools
import importlib
import importlib.util
from collections.abc import Callable
from typing import Any

import numpy as np

Call = Callable[..., Any]


def forms() -> dict[str, Call]:
    """Each converts its arguments, runs, and waits for results as NumPy arrays."""
    if importlib.util.find_spec("jax") is None:
        return {}
    jax = importlib.import_module("jax")
    jax.config.update("jax_enable_x64", True)
    return {name: waiting(jax, function, static) for name, (function, static) in programs(jax).items()}


def waiting(jax: Any, function: Call, static: tuple[int, ...]) -> Call:
    compiled = jax.jit(function, static_argnums=static)

    def call(*arguments: Any) -> Any:
        return jax.tree_util.tree_map(np.asarray, compiled(*arguments))

    return call


def programs(jax: Any) -> dict[str, tuple[Call, tuple[int, ...]]]:
    """name: (function, positions of its static arguments)."""
    jnp, lax = jax.numpy, jax.lax

    def jacobi_1d(u, tolerance):
        def going(state):
            return (state[1] > tolerance) & (state[2] < 2000)

        def step(state):
            u, _, steps = state
            new = u.at[1:-1].set(0.5 * (u[:-2] + u[2:]))
            return new, jnp.max(jnp.abs(new - u)), steps + 1

        u, _, steps = lax.while_loop(going, step, (u, jnp.inf, 0))
        return u, steps

    def jacobi_2d(u, steps):
        def step(_, u):
            return u.at[1:-1, 1:-1].set(0.25 * (u[:-2, 1:-1] + u[2:, 1:-1] + u[1:-1, :-2] + u[1:-1, 2:]))

        return lax.fori_loop(0, steps, step, u)

    def heat_3d(A):
        def half(A, B):
            middle = A[1:-1, 1:-1, 1:-1]
            return B.at[1:-1, 1:-1, 1:-1].set(
                0.125 * (A[2:, 1:-1, 1:-1] - 2.0 * middle + A[:-2, 1:-1, 1:-1])
                + 0.125 * (A[1:-1, 2:, 1:-1] - 2.0 * middle + A[1:-1, :-2, 1:-1])
                + 0.125 * (A[1:-1, 1:-1, 2:] - 2.0 * middle + A[1:-1, 1:-1, :-2])
                + middle
            )

        def step(_, state):
            A, B = state
            B = half(A, B)
            return half(B, A), B

        return lax.fori_loop(1, 12, step, (A, A))[0]

    def fdtd(ex, ey, hz, source):
        def step(state, value):
            ex, ey, hz = state
            ey = ey.at[0, :].set(value).at[1:, :].add(-0.5 * (hz[1:, :] - hz[:-1, :]))
            ex = ex.at[:, 1:].add(-0.5 * (hz[:, 1:] - hz[:, :-1]))
            hz = hz.at[:-1, :-1].add(-0.7 * (ex[:-1, 1:] - ex[:-1, :-1] + ey[1:, :-1] - ey[:-1, :-1]))
            return (ex, ey, hz), None

        return lax.scan(step, (ex, ey, hz), source)[0]

    def advection(u, courant, steps):
        def step(_, u):
            a, b = u - jnp.roll(u, 1), jnp.roll(u, -1) - u
            slope = jnp.where(a * b > 0, jnp.where(jnp.abs(a) < jnp.abs(b), a, b), 0.0)
            flux = courant * (u + 0.5 * (1 - courant) * slope)
            return u - (flux - jnp.roll(flux, 1))

        return lax.fori_loop(0, steps, step, u)

    def rnn(xs, W, U, b):
        def step(h, x):
            h = jnp.tanh(x @ W + h @ U + b)
            return h, h

        return lax.scan(step, jnp.zeros(U.shape[0]), xs)[1]

    def lstm(xs, W, U, b):
        size = U.shape[0]

        def step(state, x):
            h, c = state
            gates = x @ W + h @ U + b
            i, f, o = [1 / (1 + jnp.exp(-gates[k * size : (k + 1) * size])) for k in range(3)]
            c = f * c + i * jnp.tanh(gates[3 * size :])
            return (o * jnp.tanh(c), c), None

        return lax.scan(step, (jnp.zeros(size), jnp.zeros(size)), xs)[0]

    def viterbi(A, B, start, observed):
        logs = jnp.log(A)

        def forwards(score, o):
            step = score[:, None] + logs
            return jnp.max(step, axis=0) + jnp.log(B[:, o]), jnp.argmax(step, axis=0)

        def backwards(state, back):
            return back[state], state

        last, back = lax.scan(forwards, jnp.log(start) + jnp.log(B[:, observed[0]]), observed[1:])
        first, path = lax.scan(backwards, jnp.argmax(last), back, reverse=True)
        return jnp.concatenate([first[None], path])

    def hmm_forward(A, B, start, observed):
        def step(state, o):
            alpha, likelihood = state
            alpha = (alpha @ A) * B[:, o]
            total = alpha.sum()
            return (alpha / total, likelihood + jnp.log(total)), None

        alpha = start * B[:, observed[0]]
        return lax.scan(step, (alpha / alpha.sum(), jnp.log(alpha.sum())), observed[1:])[0][1]

    def kalman_filter(a, q, observed, r):
        def step(state, value):
            mean, variance = state
            mean, variance = a * mean, a * a * variance + q
            gain = variance / (variance + r)
            mean = mean + gain * (value - mean)
            return (mean, (1 - gain) * variance), mean

        (_, variance), means = lax.scan(step, (0.0, 1.0), observed)
        return means, variance

    def runge_kutta(state, dt, steps):
        def lorenz(state):
            x, y, z = state
            return jnp.array([10.0 * (y - x), x * (28.0 - z) - y, x * y - 8.0 / 3.0 * z])

        def step(state, _):
            k1 = lorenz(state)
            k2 = lorenz(state + dt / 2 * k1)
            k3 = lorenz(state + dt / 2 * k2)
            k4 = lorenz(state + dt * k3)
            state = state + dt / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
            return state, state

        return jnp.concatenate([state[None], lax.scan(step, state, None, length=steps)[1]])

    def leapfrog(q, p, dt, steps):
        def step(_, state):
            q, p = state
            q = q + dt * p
            return q, p - dt * jnp.sin(q)

        q, p = lax.fori_loop(0, steps - 1, step, (q, p - 0.5 * dt * jnp.sin(q)))
        q = q + dt * p
        return q, p - 0.5 * dt * jnp.sin(q)

    def n_body(position, velocity, mass, steps):
        dt = 0.01

        def accelerations(position):
            apart = position[None, :, :] - position[:, None, :]
            cubed = (jnp.sum(apart**2, axis=-1) + 1e-3) ** -1.5
            return jnp.sum(apart * (cubed * mass)[:, :, None], axis=1)

        def step(state, _):
            position, velocity, a = state
            velocity = velocity + 0.5 * dt * a
            position = position + dt * velocity
            a = accelerations(position)
            velocity = velocity + 0.5 * dt * a
            return (position, velocity, a), 0.5 * jnp.sum(mass * jnp.sum(velocity**2, axis=1))

        return lax.scan(step, (position, velocity, accelerations(position)), None, length=steps)[1]

    def iir_filter(b, a, x):
        def step(past, value):
            xs, ys = past
            xs = jnp.concatenate([value[None], xs[:-1]])
            y = (jnp.dot(b, xs) - jnp.dot(a[1:], ys)) / a[0]
            return (xs, jnp.concatenate([y[None], ys[:-1]])), y

        return lax.scan(step, (jnp.zeros(len(b)), jnp.zeros(len(a) - 1)), x)[1]

    def random_walk(noise, wall):
        def step(state, value):
            x, longest = state
            x = x + value
            x = jnp.where(x > wall, 2 * wall - x, jnp.where(x < -wall, -2 * wall - x, x))
            return (x, jnp.maximum(longest, jnp.abs(x))), None

        return lax.scan(step, (0.0, 0.0), noise)[0]

    def metropolis(noise, uniform):
        def density(x):
            return -0.5 * x * x - 0.1 * x**4

        def step(state, drawn):
            x, accepted = state
            proposal = x + drawn[0]
            taken = jnp.log(drawn[1]) < density(proposal) - density(x)
            x = jnp.where(taken, proposal, x)
            return (x, accepted + taken), x

        (_, accepted), samples = lax.scan(step, (0.0, 0), (noise, uniform))
        return samples, accepted

    def power_iteration(A):
        def going(state):
            return ~state[3] & (state[2] < 500)

        def step(state):
            value, x, iteration, _ = state
            y = A @ x
            norm = jnp.sqrt(jnp.sum(y**2))
            done = jnp.abs(norm - value) < 1e-9 * norm
            return norm, y / norm, jnp.where(done, iteration, iteration + 1), done

        return lax.while_loop(going, step, (0.0, jnp.ones(A.shape[0]), 0, False))[:3]

    def floyd_warshall(d):
        return lax.fori_loop(0, d.shape[0], lambda k, d: jnp.minimum(d, d[:, k, None] + d[k, None, :]), d)

    def newton(values):
        def root(a):
            def going(state):
                return ~state[1] & (state[2] < 60)

            def step(state):
                x, _, turns = state
                new = x - (x * x * x - a) / (3 * x * x)
                return new, jnp.abs(new - x) < 1e-12 * jnp.abs(new), turns + 1

            return lax.while_loop(going, step, (a, False, 0))[0]

        return jax.vmap(root)(values)

    def bisection(targets):
        def root(target):
            def step(state):
                low, high = state
                middle = (low + high) / 2
                above = middle * jnp.exp(middle / 4) > target
                return jnp.where(above, low, middle), jnp.where(above, middle, high)

            return lax.while_loop(lambda state: state[1] - state[0] > 1e-10, step, (0.0, 10.0))[0]

        return jax.vmap(root)(targets)

    def cumulative_recurrence(x):
        def step(y, value):
            y = 0.5 * y + value / (1.0 + y**2)
            return y, y

        return jnp.concatenate([x[:1], lax.scan(step, x[0], x[1:])[1]])

    def game_of_life(board, steps):
        def step(_, board):
            count = sum([jnp.roll(board, (dy, dx), (0, 1)) for dy in (-1, 0, 1) for dx in (-1, 0, 1) if dy or dx])
            return jnp.where((count == 3) | ((board == 1) & (count == 2)), 1, 0)

        return lax.fori_loop(0, steps, step, board)

    def mandelbrot_masks(x, y, steps):
        c = x[None, :] + 1j * y[:, None]

        def step(_, state):
            z, count = state
            inside = jnp.abs(z) <= 2
            return jnp.where(inside, z**2 + c, z), count + inside

        return lax.fori_loop(0, steps, step, (jnp.zeros(c.shape, complex), jnp.zeros(c.shape, jnp.int64)))[1]

    def crc32(data):
        def entry(c):
            return functools.reduce(lambda c, _: jnp.where(c & 1, 0xEDB88320 ^ (c >> 1), c >> 1), range(8), c)

        table = entry(jnp.arange(256))
        crc = lax.scan(lambda crc, byte: (table[(crc ^ byte) & 0xFF] ^ (crc >> 8), None), 0xFFFFFFFF, data.astype(jnp.int64))[0]
        return crc ^ 0xFFFFFFFF

    steps_second, steps_third, steps_fourth = (1,), (2,), (3,)
    return {
        "jacobi_1d": (jacobi_1d, ()), "jacobi_2d": (jacobi_2d, steps_second), "heat_3d": (heat_3d, ()), "fdtd": (fdtd, ()),
        "advection": (advection, steps_third), "rnn": (rnn, ()), "lstm": (lstm, ()), "viterbi": (viterbi, ()),
        "hmm_forward": (hmm_forward, ()), "kalman_filter": (kalman_filter, ()), "runge_kutta": (runge_kutta, steps_third),
        "leapfrog": (leapfrog, steps_fourth), "n_body": (n_body, steps_fourth), "iir_filter": (iir_filter, ()),
        "random_walk": (random_walk, ()), "metropolis": (metropolis, ()), "power_iteration": (power_iteration, ()),
        "floyd_warshall": (floyd_warshall, ()), "newton": (newton, ()), "bisection": (bisection, ()),
        "cumulative_recurrence": (cumulative_recurrence, ()), "game_of_life": (game_of_life, steps_second),
        "mandelbrot_masks": (mandelbrot_masks, steps_third), "crc32": (crc32, ()),
    }  # fmt: skip
