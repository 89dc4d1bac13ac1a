"""Programs in the manner of HIPS/autograd's examples directory, shortened: with the imports changed they give autograd's numbers."""

from collections.abc import Callable
from importlib import import_module
from typing import Any

import numpy
import pytest
import scipy.optimize
from test_autograd_programs import Library, Program, data, same_numbers

EXAMPLES: dict[str, Program] = {}


def example(f: Program) -> Program:
    EXAMPLES[f.__name__] = f
    return f


def module(lib: Library, name: str) -> Any:
    return import_module(f"{lib.ag.__name__}.{name}")


# --- parts that several examples share --------------------------------------------------------------------------------


def pinwheel(classes: int = 3, count: int = 12) -> numpy.ndarray:
    rs = numpy.random.RandomState(0)
    angles = numpy.linspace(0, 2 * numpy.pi, classes, endpoint=False)
    points = rs.randn(classes * count, 2) * numpy.array([0.3, 0.05]) + numpy.array([1.0, 0.0])
    turns = numpy.repeat(angles, count) + 0.4 * numpy.exp(points[:, 0])
    rows = numpy.stack([numpy.cos(turns), -numpy.sin(turns), numpy.sin(turns), numpy.cos(turns)]).T.reshape(-1, 2, 2)
    return 2 * rs.permutation(numpy.einsum("ti,tij->tj", points, rows))


def layers(scale: float, sizes: list[int], seed: int = 0) -> list[tuple[numpy.ndarray, numpy.ndarray]]:
    rs = numpy.random.RandomState(seed)
    return [(rs.randn(m, n) * scale, rs.randn(n) * scale) for m, n in zip(sizes[:-1], sizes[1:], strict=True)]


def gaussian_process(lib: Library, covariance: Callable[..., Any], count: int) -> tuple[int, Any, Any]:
    """(number of parameters, predict, log marginal likelihood)."""
    np = lib.np

    def unpack(params: Any) -> Any:
        return params[0], params[2:], np.exp(params[1]) + 0.001

    def predict(params: Any, x: Any, y: Any, xstar: Any) -> Any:
        mean, rest, noise = unpack(params)
        across = covariance(rest, x, xstar)
        own = covariance(rest, x, x) + noise * np.eye(len(y))
        gain = np.linalg.solve(own, across).T
        return mean + np.dot(gain, y - mean), covariance(rest, xstar, xstar) - np.dot(gain, across)

    def likelihood(params: Any, x: Any, y: Any) -> Any:
        mean, rest, noise = unpack(params)
        own = covariance(rest, x, x) + noise * np.eye(len(y))
        return lib.mvn.logpdf(y, mean * np.ones(len(y)), own)

    return count + 2, predict, likelihood


def rbf(lib: Library) -> Callable[..., Any]:
    np = lib.np

    def covariance(params: Any, x: Any, y: Any) -> Any:
        scale, lengths = np.exp(params[0]), np.exp(params[1:])
        gaps = np.expand_dims(x / lengths, 1) - np.expand_dims(y / lengths, 0)
        return scale * np.exp(-0.5 * np.sum(gaps**2, axis=2))

    return covariance


# --- Gaussian processes and mixtures ----------------------------------------------------------------------------------


@example
def bayesian_optimization(lib: Library) -> Any:
    np, norm = lib.np, lib.norm
    low, high = numpy.array([0.0]), numpy.array([1.1])
    count, predict, likelihood = gaussian_process(lib, rbf(lib), 2)

    def target(x: Any) -> Any:
        return np.sum(x * np.sin(10.0 * x) + x) - 1

    x, y, params = np.array([[0.55]]), np.array([-0.5]), np.zeros(count)
    rs = numpy.random.RandomState(0)
    for i in range(4):
        if i > 1:

            def objective(p: Any, x: Any = x, y: Any = y) -> Any:
                return -likelihood(p, x, y) - np.sum(norm.logpdf(p, 0.0, 100.0))

            found = scipy.optimize.minimize(lib.ag.value_and_grad(objective), params, jac=True, method="CG", options={"maxiter": 3})
            params = found.x

        def acquisition(at: Any, x: Any = x, y: Any = y, params: Any = params) -> Any:
            mean, cov = predict(params, x, y, np.atleast_2d(at))
            std, top = np.sqrt(np.diag(cov)), np.max(y)
            return (top - (mean - top) * norm.cdf(mean, top, std) + std * norm.pdf(mean, top, std))[0]

        slope = lib.ag.value_and_grad(lambda at, f=acquisition: -f(at))
        tries = []
        for start in rs.rand(4, 1) * (high - low) + low:
            bounds = list(zip(low, high, strict=True))
            best = scipy.optimize.minimize(slope, start, jac=True, method="L-BFGS-B", options={"maxiter": 5}, bounds=bounds)
            tries.append((float(acquisition(best.x)), best.x))
        point = np.atleast_2d(max(tries, key=lambda pair: pair[0])[1])
        x, y = np.concatenate((x, point)), np.concatenate((y, np.reshape(target(point), (1,))))
    return x, y, params


@example
def a_mixture_of_gaussians_by_newton(lib: Library) -> Any:
    np, points = lib.np, pinwheel()
    rs = numpy.random.RandomState(0)
    start = {"log proportions": rs.randn(4) * 0.1, "means": rs.randn(4, 2) * 0.1, "lower triangles": np.zeros((4, 2, 2)) + np.eye(2)}

    def objective(params: Any) -> Any:
        weights = params["log proportions"] - lib.special.logsumexp(params["log proportions"])
        parts = []
        for weight, mean, root in zip(weights, params["means"], params["lower triangles"], strict=True):
            parts.append(weight + lib.mvn.logpdf(points, mean, np.dot(root.T, root)))
        return -np.sum(lib.special.logsumexp(np.vstack(parts), axis=0))

    f, unflatten, vector = module(lib, "misc.flatten").flatten_func(objective, start)
    found = scipy.optimize.minimize(
        f, vector, jac=lib.ag.grad(f), hessp=lib.ag.hessian_vector_product(f), method="Newton-CG", options={"maxiter": 4}
    )
    return found.x, unflatten(found.x)["means"], found.fun


@example
def a_latent_variable_model(lib: Library) -> Any:
    np, observed = lib.np, pinwheel(3, 6)
    count, _, likelihood = gaussian_process(lib, rbf(lib), 3)

    def objective(params: Any) -> Any:
        own, latents = np.reshape(params[: 2 * count], (2, count)), np.reshape(params[2 * count :], (18, 2))
        fit = sum([likelihood(own[i], latents, observed[:, i]) for i in range(2)])
        return -fit - np.sum(lib.norm.logpdf(latents))

    start = numpy.random.RandomState(1).randn(2 * count + 36) * 0.1
    return scipy.optimize.minimize(lib.ag.value_and_grad(objective), start, jac=True, method="CG", options={"maxiter": 3}).x


@example
def a_deep_gaussian_process(lib: Library) -> Any:
    np = lib.np
    x = np.linspace(-2, 2, num=12)
    y = np.sign(x) + numpy.random.RandomState(0).randn(12) * 0.1
    count, predict, likelihood = gaussian_process(lib, rbf(lib), 2)

    def objective(params: Any) -> Any:
        hidden = params[2 * count :]
        first = likelihood(params[:count], x.reshape((12, 1)), hidden)
        return -first - likelihood(params[count : 2 * count], np.atleast_2d(hidden).T, y)

    start = 0.1 * numpy.random.RandomState(0).randn(2 * count + 12)
    found = scipy.optimize.minimize(lib.ag.value_and_grad(objective), start, jac=True, method="CG", options={"maxiter": 3}).x
    mean, cov = predict(found[:count], x.reshape((12, 1)), found[2 * count :], np.reshape(np.linspace(-5, 5, 7), (7, 1)))
    return found, mean, cov


@example
def independent_components(lib: Library) -> Any:
    np, t = lib.np, module(lib, "scipy.stats.t")
    observed = data(20, 6, seed=2)

    def objective(params: Any) -> Any:
        weights, latents = np.reshape(params[:12], (6, 2)), np.reshape(params[12:52], (2, 20))
        return -np.sum(t.logpdf(np.dot(weights, latents).T, 2.4, observed, np.exp(params[-1]))) / 20

    return scipy.optimize.minimize(lib.ag.value_and_grad(objective), data(53), jac=True, method="CG", options={"maxiter": 4}).x


# --- variational inference --------------------------------------------------------------------------------------------


@example
def a_mixture_as_variational_family(lib: Library) -> Any:
    np, norm, k = lib.np, lib.norm, 3
    rs = numpy.random.RandomState(0)

    def log_density(x: Any, t: Any) -> Any:
        mu, log_sigma = x[:, 0], x[:, 1]
        one = norm.logpdf(log_sigma, 0, 1.35) + norm.logpdf(mu, -0.5, np.exp(log_sigma))
        return np.logaddexp(one, norm.logpdf(log_sigma, 0.1, 1.35) + norm.logpdf(mu, 0.5, np.exp(log_sigma)))

    def of_component(params: Any, x: Any) -> Any:
        return np.sum(norm.logpdf(x, params[:2], np.exp(params[2:])), axis=-1)

    def objective(params: Any, t: Any) -> Any:
        log_weights = params[:k] - lib.special.logsumexp(params[:k])
        components = np.reshape(params[k:], (k, -1))
        bounds = []
        for own in components:
            samples = rs.randn(10, 2) * np.exp(own[2:]) + own[:2]
            densities = np.vstack([of_component(p, samples) for p in components]).T
            mixed = lib.special.logsumexp(densities + log_weights, axis=1, keepdims=False)
            bounds.append(np.mean(np.reshape(log_density(samples, t), (10, -1)) - np.reshape(mixed, (10, -1))))
        return -np.sum(np.stack(bounds) * np.exp(log_weights))

    start = np.concatenate([np.ones(k), numpy.random.RandomState(1).randn(4 * k) * 0.1 - 1])
    return lib.optimizers.adam(lib.ag.grad(objective), start, step_size=0.1, num_iters=5)


@example
def natural_gradients(lib: Library) -> Any:
    np, norm = lib.np, lib.norm
    rs = numpy.random.RandomState(0)
    observed = data(5, 5).dot(data(5, seed=1))

    def objective(params: Any, t: Any) -> Any:
        mean, log_std = params[:10], params[10:]
        samples = rs.randn(30, 10) * np.exp(log_std) + mean
        mu, log_sigma = samples[:, :5], samples[:, 5:]
        density = np.sum(norm.logpdf(log_sigma, 0, 1.35), axis=1) + np.sum(norm.logpdf(observed, mu, np.exp(log_sigma)), axis=1)
        return -(0.5 * 10 * (1.0 + np.log(2 * np.pi)) + np.sum(log_std) + np.mean(density))

    slope = lib.ag.grad(objective)

    def natural(params: Any, i: int) -> Any:
        log_sigma = params[10:]
        return 1.0 / np.concatenate([np.exp(-2.0 * log_sigma), np.ones(len(log_sigma)) * 2]) * slope(params, i)

    start = np.concatenate([-1 * np.ones(10), -5 * np.ones(10)])
    return lib.optimizers.sgd(natural, start, step_size=0.1, num_iters=5, mass=0.001)


@example
def an_autoencoder(lib: Library) -> Any:
    np, sigmoid = lib.np, lib.special.expit
    images = numpy.where(data(14, 9) > 0.5, 1.0, -1.0)
    seed = numpy.random.RandomState(0)

    def normalized(x: Any) -> Any:
        return (x - np.mean(x, axis=0, keepdims=True)) / (np.std(x, axis=0, keepdims=True) + 1)

    def predict(params: Any, x: Any) -> Any:
        for w, b in params[:-1]:
            x = np.maximum(0, normalized(np.dot(x, w) + b))
        return np.dot(x, params[-1][0]) + params[-1][1]

    def density(x: Any, mean: Any, log_std: Any) -> Any:
        return np.sum(lib.norm.logpdf(x, mean, np.exp(log_std)), axis=-1)

    def objective(both: Any, i: int) -> Any:
        generator, recognizer = both
        coded = predict(recognizer, images)
        mean, log_std = coded[:, :2], coded[:, 2:]
        latents = seed.randn(*mean.shape) * np.exp(log_std) + mean
        fit = np.sum(-np.logaddexp(0, -predict(generator, latents) * images), axis=-1)
        return -np.mean(density(latents, 0, 0) + fit - density(latents, mean, log_std)) / 9

    start = (layers(0.1, [2, 5, 9]), layers(0.1, [9, 5, 4], seed=1))
    generator, recognizer = lib.optimizers.adam(lib.ag.grad(objective), start, step_size=0.01, num_iters=4)
    return generator, recognizer, sigmoid(predict(generator, data(2, 2)))


@example
def a_bayesian_neural_network(lib: Library) -> Any:
    np, shapes = lib.np, [(1, 4), (4, 1)]
    count = sum([(m + 1) * n for m, n in shapes])
    inputs = numpy.linspace(-2, 2, 8).reshape(8, 1)
    targets = numpy.cos(inputs)
    rs = numpy.random.RandomState(0)

    def predictions(weights: Any, x: Any) -> Any:
        x = np.expand_dims(x, 0)
        start = 0
        for m, n in shapes:
            w = weights[:, start : start + m * n].reshape((len(weights), m, n))
            b = weights[:, start + m * n : start + (m + 1) * n].reshape((len(weights), 1, n))
            start += (m + 1) * n
            outputs = np.einsum("mnd,mdo->mno", x, w) + b
            x = np.exp(-(outputs**2))
        return outputs

    def objective(params: Any, i: int) -> Any:
        mean, log_std = params[:count], params[count:]
        samples = rs.randn(6, count) * np.exp(log_std) + mean
        log_prior = -np.sum(samples**2, axis=1)
        log_lik = -np.sum((predictions(samples, inputs) - targets) ** 2, axis=1)[:, 0] / 0.01
        return -(np.sum(log_std) + np.mean(log_prior + log_lik))

    start = np.concatenate([data(count), -5 * np.ones(count)])
    return lib.optimizers.adam(lib.ag.grad(objective), start, step_size=0.1, num_iters=4)


# --- networks ---------------------------------------------------------------------------------------------------------


@example
def a_convolutional_network(lib: Library) -> Any:
    np, convolve = lib.np, module(lib, "scipy.signal").convolve
    images, labels = data(5, 1, 12, 12), numpy.eye(3)[numpy.arange(5) % 3]
    shapes = [((1, 2, 3, 3), (1, 2, 1, 1)), ((2, 4, 2, 2), (1, 4, 1, 1)), ((16, 3), (3,))]
    sizes = [int(numpy.prod(shape)) for pair in shapes for shape in pair]
    ends = numpy.cumsum([0, *sizes])

    def pooled(x: Any) -> Any:
        n, c, h, w = x.shape
        return np.max(np.max(x.reshape((n, c, h // 2, 2, w // 2, 2)), axis=3), axis=4)

    def loss(vector: Any, x: Any, targets: Any) -> Any:
        parts = [np.reshape(vector[a:b], s) for a, b, s in zip(ends[:-1], ends[1:], [s for p in shapes for s in p], strict=True)]
        for w, b in ((parts[0], parts[1]), (parts[2], parts[3])):
            x = pooled(convolve(x, w, axes=([2, 3], [2, 3]), dot_axes=([1], [0]), mode="valid") + b)
        x = np.tanh(np.dot(x.reshape((x.shape[0], np.prod(x.shape[1:]))), parts[4]) + parts[5])
        top = np.max(x)
        log_probabilities = x - (top + np.log(np.sum(np.exp(x - top), axis=1, keepdims=True)))
        return np.dot(vector, vector) - np.sum(log_probabilities * targets)

    slope, weights, direction = lib.ag.grad(loss), data(int(ends[-1]), seed=5) * 0.1, np.zeros(int(ends[-1]))
    for _ in range(3):
        direction = 0.9 * direction + 0.1 * slope(weights, images, labels)
        weights = weights - 0.01 * direction
    return weights, loss(weights, images, labels)


@example
def an_equation_with_a_network_inside(lib: Library) -> Any:
    np, odeint = lib.np, module(lib, "scipy.integrate").odeint
    tuple_ = import_module(f"{lib.ag.__name__}.builtins").tuple
    start, times = numpy.array([2.0, 0.0]), numpy.linspace(0.0, 1.5, 6)
    truth = odeint(lambda y, t, a: np.dot(y**3, a), start, times, args=(numpy.array([[-0.1, 2.0], [-2.0, -0.1]]),))

    def network(x: Any, t: Any, params: Any) -> Any:
        for w, b in params:
            outputs = np.dot(x, w) + b
            x = np.maximum(0, outputs)
        return outputs

    def loss(params: Any, i: int) -> Any:
        return np.mean(np.abs(odeint(network, start, times, tuple_((params,)), rtol=0.01) - truth))

    return truth, lib.optimizers.adam(lib.ag.grad(loss), layers(0.1, [2, 5, 2]), num_iters=3)


@example
def a_long_short_term_memory(lib: Library) -> Any:
    np = lib.np
    texts = numpy.eye(4)[numpy.random.RandomState(0).randint(0, 4, (5, 3))]
    rs = numpy.random.RandomState(0)
    params = {"init cells": rs.randn(1, 3), "init hiddens": rs.randn(1, 3), "predict": rs.randn(4, 4)}
    params |= {gate: rs.randn(8, 3) for gate in ("change", "forget", "ingate", "outgate")}

    def product(weights: Any, *parts: Any) -> Any:
        return np.dot(np.hstack([*parts, np.ones((parts[0].shape[0], 1))]), weights)

    def sigmoid(x: Any) -> Any:
        return 0.5 * (np.tanh(x) + 1.0)

    def loss(p: Any, i: int) -> Any:
        def scores(h: Any) -> Any:
            out = product(p["predict"], h)
            return out - lib.special.logsumexp(out, axis=1, keepdims=True)

        h, cells = np.repeat(p["init hiddens"], 3, axis=0), np.repeat(p["init cells"], 3, axis=0)
        outputs = [scores(h)]
        for x in texts:
            kept, entered = sigmoid(product(p["forget"], x, h)), sigmoid(product(p["ingate"], x, h))
            cells = cells * kept + entered * np.tanh(product(p["change"], x, h))
            h = sigmoid(product(p["outgate"], x, h)) * np.tanh(cells)
            outputs.append(scores(h))
        total = 0.0
        for t in range(len(texts)):
            total += np.sum(outputs[t] * texts[t])
        return -total / 15

    return lib.optimizers.adam(lib.ag.grad(loss), params, step_size=0.1, num_iters=4)


@example
def two_adversaries(lib: Library) -> Any:
    np, real = lib.np, data(6, 5)
    seed = numpy.random.RandomState(0)

    def predict(params: Any, x: Any) -> Any:
        x = np.maximum(0, np.dot(x, params[0][0]) + params[0][1])
        for w, b in params[1:-1]:
            y = np.dot(x, w) + b
            x = np.maximum(0, (y - np.mean(y, axis=0, keepdims=True)) / (np.std(y, axis=0, keepdims=True) + 1))
        return np.dot(x, params[-1][0]) + params[-1][1]

    def objective(generator: Any, judge: Any, i: int) -> Any:
        fake = 0.5 * (np.tanh(predict(generator, seed.rand(6, 3))) + 1.0)
        on_fake, on_real = [(lambda x: x - np.logaddexp(0, x))(predict(judge, x)) for x in (fake, real)]
        return np.mean(on_real) - np.mean(on_fake)

    both = lib.ag.grad(objective, argnum=(0, 1))
    generator, judge = layers(0.3, [3, 6, 4, 5]), layers(0.3, [5, 6, 1], seed=1)
    return [both(generator, judge, i) for i in range(2)]


# --- other programs ----------------------------------------------------------------------------------------------------


@example
def expectation_maximization(lib: Library) -> Any:
    np, logsumexp = lib.np, lib.special.logsumexp
    rs = numpy.random.RandomState(0)
    sequences = [rs.randint(0, 4, 7), rs.randint(0, 4, 5)]

    def normalize(a: Any) -> Any:
        total = a.sum(-1, keepdims=True)
        return a / np.where(total > 0.0, total, 1.0)

    def evidence(natural: Any, y: Any) -> Any:
        if isinstance(y, list):
            return sum([evidence(natural, part) for part in y])
        log_pi, log_a, log_b = natural
        alpha = log_pi
        for symbol in y:
            alpha = logsumexp(alpha[:, None] + log_a, axis=0) + log_b[:, symbol]
        return logsumexp(alpha)

    params = [normalize(rs.rand(*shape)) for shape in ((3,), (3, 3), (3, 4))]
    likelihoods = []
    for _ in range(5):
        value, statistics = lib.ag.value_and_grad(evidence)(list(map(np.log, params)), sequences)
        likelihoods.append(value)
        params = list(map(normalize, statistics))
    return likelihoods, params


@example
def a_negative_binomial_by_newton(lib: Library) -> Any:
    np, gammaln = lib.np, lib.special.gammaln
    rs = numpy.random.RandomState(0)
    counts = rs.poisson(rs.gamma(5, 1.0, size=200))

    def log_likelihood(r: Any, p: Any) -> Any:
        return np.sum(gammaln(r + counts) - gammaln(r) - gammaln(counts + 1) + counts * np.log(p) + r * np.log(1 - p))

    p = lambda r: np.sum(counts) / np.sum(r + counts)  # noqa: E731
    slope = lambda r: lib.ag.grad(log_likelihood)(r, p(r))  # noqa: E731
    r = scipy.optimize.newton(slope, 2.0, fprime=lib.ag.grad(slope), fprime2=lib.ag.grad(lib.ag.grad(slope)))
    return r, p(r)


@example
def a_wing_in_a_wind_tunnel(lib: Library) -> Any:
    np, rows, cols = lib.np, 8, 10

    def continuous(f: Any, wall: Any) -> Any:
        free = 1 - wall
        around = [(1, 0), (-1, 0), (1, 1), (-1, 1)]
        total = sum([np.roll(f, s, axis=a) * np.roll(free, s, axis=a) for s, a in around])
        return f * free + (1 - free) * total / (sum([np.roll(free, s, axis=a) for s, a in around]) + 0.001)

    def project(vx: Any, vy: Any, wall: Any) -> Any:
        p = np.zeros(vx.shape)
        spread = np.roll(vx, -1, axis=1) - np.roll(vx, 1, axis=1) + np.roll(vy, -1, axis=0) - np.roll(vy, 1, axis=0)
        div = continuous(-0.5 * spread, wall)
        for _ in range(5):
            p = (div + np.roll(p, 1, axis=1) + np.roll(p, -1, axis=1) + np.roll(p, 1, axis=0) + np.roll(p, -1, axis=0)) / 4.0
            p = continuous(p, wall)
        vx = vx - 0.5 * (np.roll(p, -1, axis=1) - np.roll(p, 1, axis=1))
        vy = vy - 0.5 * (np.roll(p, -1, axis=0) - np.roll(p, 1, axis=0))
        return vx * (1 - wall), vy * (1 - wall)

    def advect(f: Any, vx: Any, vy: Any) -> Any:
        xs, ys = np.meshgrid(np.arange(cols), np.arange(rows))
        xs, ys = (xs - vx).ravel(), (ys - vy).ravel()
        left, top = np.floor(ys).astype(int), np.floor(xs).astype(int)
        rw, bw = ys - left, xs - top
        left, top = np.mod(left, rows), np.mod(top, cols)
        right, bottom = np.mod(left + 1, rows), np.mod(top + 1, cols)
        upper = (1 - rw) * ((1 - bw) * f[left, top] + bw * f[left, bottom])
        return np.reshape(upper + rw * ((1 - bw) * f[right, top] + bw * f[right, bottom]), (rows, cols))

    def objective(params: Any) -> Any:
        mask = np.zeros((rows, cols))
        mask[2:6, 2:6] = 1.0
        wall = 0.5 * (np.tanh(np.reshape(params, (rows, cols))) + 1.0) * mask
        vx, vy = project(np.ones((rows, cols)), np.zeros((rows, cols)), wall)
        for _ in range(3):
            vx, vy = project(advect(vx, vx, vy), advect(vy, vx, vy), wall)
        return -np.mean(vy) / np.mean(1.0 - vx)

    start = data(rows * cols) * 0.1
    return scipy.optimize.minimize(lib.ag.value_and_grad(objective), start, jac=True, method="CG", options={"maxiter": 2}).x


@example
def a_nonlinear_constraint(lib: Library) -> Any:
    np, ag = lib.np, lib.ag
    f = lambda x: x[0] ** 2 + x[1] ** 2  # noqa: E731
    g = lambda x: np.array([x[0] ** 2 - (x[1] - 1) ** 2])  # noqa: E731
    constraint = scipy.optimize.NonlinearConstraint(g, 2, np.inf, ag.jacobian(g), lambda x, v: ag.hessian(lambda y: np.dot(v, g(y)))(x))
    found = scipy.optimize.minimize(
        f, [1.0, 2.0], method="trust-constr", jac=ag.jacobian(f), hessp=ag.hessian_vector_product(f), constraints=[constraint]
    )
    return found.x.round(5), found.fun.round(6)


def _average(x: Any, y: Any) -> Any:
    return (x + y) / 2


@example
def a_printed_trace(lib: Library) -> Any:
    """print_trace.py and dot_graph.py: names of functions, their arguments and values, in order."""
    tracer = module(lib, "tracer")
    lines: list[str] = []

    class Line(tracer.Node):
        def __init__(self, value: Any, fun: Any, args: Any, kwargs: Any, argnums: Any, parents: Any) -> None:
            self.names = parents[0].names
            self.name = next(self.names)
            shown = [str(numpy.float64(a)) for a in args]
            for argnum, parent in zip(argnums, parents, strict=True):
                shown[argnum] = parent.name
            lines.append(f"{self.name} = {fun.__name__}({', '.join(shown)}) = {value:.10f}")

        def initialize_root(self, x: Any) -> None:
            self.names = iter("ABCDEFGHIJ")
            self.name = next(self.names)

    def f(x: Any) -> Any:
        y = lib.np.sin(x + x)
        return _average(y, y) * lib.np.exp(x)

    value, last = tracer.trace(Line.new_root(1.23), f, 1.23)
    derivative, _ = tracer.trace(tracer.Node.__new__(_Silent(tracer.Node)), lib.ag.grad(f), 1.0)
    assert lines[0] == "B = add(A, A) = 2.4600000000"
    assert last.name == "G"
    return value, derivative, [numpy.frombuffer(line.encode(), numpy.uint8) for line in lines]


def _Silent(base: Any) -> Any:  # noqa: N802
    """A class of nodes that remember nothing."""

    class Silent(base):
        def __init__(self, *args: Any) -> None:
            pass

    return Silent


# --- the comparison ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_numbers_are_autograds(name: str) -> None:
    same_numbers(EXAMPLES[name])
