"""Programs in the style of HIPS/autograd's tutorial and examples: with the imports changed they give autograd's numbers."""

from collections.abc import Callable
from importlib import import_module
from types import SimpleNamespace
from typing import Any

import numpy
import pytest

Library = SimpleNamespace
Program = Callable[[Library], Any]
PROGRAMS: dict[str, Program] = {}


def library(name: str) -> Library:
    """What a program imports, from autograd or from lazynp."""
    pytest.importorskip("autograd", reason="autograd is not installed")
    own = import_module(name)
    parts = {
        "np": own if name == "lazynp" else import_module("autograd.numpy"),
        "extend": import_module(f"{name}.extend"),
        "misc": import_module(f"{name}.misc"),
        "optimizers": import_module(f"{name}.misc.optimizers"),
        "fixed_points": import_module(f"{name}.misc.fixed_points"),
        "special": import_module(f"{name}.scipy.special"),
        "mvn": import_module(f"{name}.scipy.stats.multivariate_normal"),
        "norm": import_module(f"{name}.scipy.stats").norm,
        "check_grads": import_module(f"{name}.test_util").check_grads,
    }
    return Library(ag=own, **parts)


def program(f: Program) -> Program:
    PROGRAMS[f.__name__] = f
    return f


def data(*shape: int, seed: int = 0) -> numpy.ndarray:
    return numpy.random.RandomState(seed).randn(*shape)


def _flat(result: Any) -> list[numpy.ndarray]:
    if isinstance(result, dict):
        result = [result[k] for k in sorted(result)]
    if isinstance(result, (tuple, list)):
        return [array for part in result for array in _flat(part)]
    return [numpy.asarray(result)]


# --- the tutorial ----------------------------------------------------------------------------------------------------


@program
def tanh_by_hand(lib: Library) -> Any:
    def tanh(x: Any) -> Any:
        y = lib.np.exp(-2.0 * x)
        return (1.0 - y) / (1.0 + y)

    return lib.ag.grad(tanh)(1.0), lib.ag.grad(lib.ag.grad(tanh))(0.3)


@program
def tanh_up_to_the_sixth_derivative(lib: Library) -> Any:
    x = lib.np.linspace(-7, 7, 50)
    f, found = lib.np.tanh, []
    for _ in range(6):
        f = lib.ag.elementwise_grad(f)
        found.append(f(x))
    return found


@program
def taylor_series_of_the_sine(lib: Library) -> Any:
    """A loop that ends when a term is small: the gradient goes through the turns taken."""

    def sine(x: Any) -> Any:
        ans = current = x
        i = 0
        while lib.np.abs(current) > 0.001:
            current = -current * x**2 / ((2 * i + 3) * (2 * i + 2))
            ans = ans + current
            i += 1
        return ans

    return [(sine(x), lib.ag.grad(sine)(x)) for x in (0.3, 1.7, 3.0)]


@program
def logistic_regression_by_descent(lib: Library) -> Any:
    np = lib.np
    inputs = np.array([[0.52, 1.12, 0.77], [0.88, -1.08, 0.15], [0.52, 0.06, -1.30], [0.74, -2.49, 1.39]])
    targets = np.array([True, True, False, True])

    def loss(weights: Any) -> Any:
        p = 0.5 * (np.tanh(np.dot(inputs, weights)) + 1)
        return -np.sum(np.log(p * targets + (1 - p) * (1 - targets)))

    slope, weights = lib.ag.grad(loss), np.array([0.0, 0.0, 0.0])
    for _ in range(100):
        weights = weights - slope(weights) * 0.01
    return loss(weights), weights


@program
def a_primitive_with_its_vjp(lib: Library) -> Any:
    np = lib.np

    @lib.extend.primitive
    def logsumexp(x: Any) -> Any:
        top = numpy.max(x)
        return top + numpy.log(numpy.sum(numpy.exp(numpy.asarray(x) - top)))

    def vjp(ans: Any, x: Any) -> Any:
        return lambda g: np.full(x.shape, g) * np.exp(x - np.full(x.shape, ans))

    lib.extend.defvjp(logsumexp, vjp)
    f = lambda y: logsumexp(y**2)  # noqa: E731
    lib.check_grads(f, modes=["rev"])(np.array([1.5, 6.7, 1e-10]))
    return lib.ag.grad(f)(np.array([1.5, 6.7, 1e-10])), lib.ag.hessian(f)(np.array([0.5, 0.7, 0.1]))


@program
def a_primitive_with_its_jvp(lib: Library) -> Any:
    @lib.extend.primitive
    def mixed(x: Any, y: Any, power: int = 2) -> Any:
        return numpy.asarray(x) ** power * numpy.asarray(y)

    lib.extend.defjvp(mixed, lambda g, ans, x, y, power=2: g * power * x ** (power - 1) * y, lambda g, ans, x, y, power=2: g * x**power)
    lib.extend.defvjp(mixed, lambda ans, x, y, power=2: lambda g: g * power * x ** (power - 1) * y, None)
    forward = lib.ag.make_jvp(lambda x: mixed(x, x + 1.0, power=3))(2.0)(1.0)
    return forward, lib.ag.grad(lambda x: mixed(x, x + 1.0, power=3))(2.0)


@program
def constants_in_between(lib: Library) -> Any:
    rounded = lib.extend.notrace_primitive(lambda x: numpy.round(numpy.asarray(x)))
    return lib.ag.grad(lambda x: lib.np.sum(rounded(x) * x))(data(4))


@program
def complex_arguments(lib: Library) -> Any:
    real = lib.ag.grad(lambda x: lib.np.real(lib.np.sin(x * (1.0 + 2.0j))))(0.4)
    return real, lib.ag.holomorphic_grad(lambda z: z**3)(1.0 + 2.0j)


# --- the operators ---------------------------------------------------------------------------------------------------


@program
def every_operator(lib: Library) -> Any:
    np, ag = lib.np, lib.ag
    x, v, a = data(3), data(3, seed=1), data(4, 3, seed=2)
    f = lambda x, y=2.0: np.sum(np.sin(x) ** 3) * y  # noqa: E731
    g = lambda x: np.tanh(np.dot(a, x))  # noqa: E731
    pullback, value = ag.make_vjp(g)(x)
    product, slope = ag.make_hvp(f)(x)
    return {
        "value_and_grad": ag.value_and_grad(f)(x),
        "second argument": ag.grad(f, 1)(x, 3.0),
        "jacobian": ag.jacobian(g)(x),
        "hessian": ag.hessian(f)(x),
        "vjp": (value, pullback(data(4))),
        "jvp": ag.make_jvp(g)(x)(v),
        "hvp": (product(v), slope),
        "hessian_vector_product": ag.hessian_vector_product(f)(x, v),
        "hessian_tensor_product": ag.hessian_tensor_product(f)(x, v),
        "vector_jacobian_product": ag.vector_jacobian_product(g)(x, data(4)),
        "tensor_jacobian_product": ag.tensor_jacobian_product(lambda x: np.outer(x, g(x)))(x, data(3, 4)),
        "gauss-newton": ag.make_ggnvp(g)(x)(v),
        "aux": ag.grad_and_aux(lambda x: (np.sum(x**3), x * 2))(x),
        "named": ag.grad_named(f, "y")(x, 3.0),
        "deriv": ag.deriv(lambda t: np.sin(t) * t)(0.7),
        "checkpoint": ag.grad(lambda x: np.sum(ag.checkpoint(g)(x) ** 2))(x),
    }


@program
def containers(lib: Library) -> Any:
    params = {"w": data(2, 3), "parts": (data(3), [data(2), 1.5])}

    def loss(p: Any) -> Any:
        b, (c, d) = p["parts"]
        return lib.np.sum(lib.np.dot(p["w"], b) * c) * d + d**2

    slope = lib.ag.grad(loss)(params)
    vector, unflatten = lib.misc.flatten(params)
    again = unflatten(vector * 2.0)
    return slope["w"], slope["parts"][0], slope["parts"][1], again["w"], again["parts"][1][0]


# --- the examples ----------------------------------------------------------------------------------------------------


@program
def optimizers(lib: Library) -> Any:
    np = lib.np
    start = {"w": data(3, 2), "b": data(2)}
    inputs, targets = data(20, 3, seed=3), data(20, 2, seed=4)
    losses: list[Any] = []

    def loss(p: Any, i: int) -> Any:
        return np.mean((np.tanh(np.dot(inputs, p["w"]) + p["b"]) - targets) ** 2) * (1 + 0.01 * i)

    def callback(p: Any, i: int, g: Any) -> None:
        losses.append(loss(p, i) + np.sum(g["b"]))

    found = []
    for name in ("sgd", "rmsprop", "adam"):
        found.append(getattr(lib.optimizers, name)(lib.ag.grad(loss), start, callback=callback, num_iters=15, step_size=0.05))
    return found, losses


@program
def a_square_root_as_a_fixed_point(lib: Library) -> Any:
    newton = lambda a: lambda x: 0.5 * (x + a / x)  # noqa: E731
    distance = lambda x, y: lib.np.abs(x - y)  # noqa: E731
    root = lambda a: lib.fixed_points.fixed_point(newton, a, 1.0, distance, 1e-12)  # noqa: E731
    return root(2.0), lib.ag.grad(root)(2.0), lib.ag.grad(lib.ag.grad(root))(2.0)


@program
def a_neural_network(lib: Library) -> Any:
    np = lib.np
    layers = [(data(5, 7) * 0.3, data(7)), (data(7, 3) * 0.3, data(3))]
    inputs, targets = data(11, 5, seed=5), numpy.eye(3)[numpy.arange(11) % 3]

    def log_probability(params: Any, x: Any) -> Any:
        for w, b in params:
            outputs = np.dot(x, w) + b
            x = np.tanh(outputs)
        return outputs - lib.special.logsumexp(outputs, axis=1, keepdims=True)

    def objective(params: Any, i: int) -> Any:
        return -np.sum(log_probability(params, inputs) * targets) + 0.5 * np.dot(lib.misc.flatten(params)[0], lib.misc.flatten(params)[0])

    return lib.optimizers.adam(lib.ag.grad(objective), layers, step_size=0.01, num_iters=10)


@program
def a_recurrent_network(lib: Library) -> Any:
    np = lib.np
    params = {"h": data(4) * 0.1, "change": data(3 + 4 + 1, 4) * 0.5, "predict": data(5, 2)}
    inputs, targets = data(6, 2, 3, seed=6), data(6, 2, 2, seed=7)

    def joined(w: Any, *parts: Any) -> Any:
        return np.dot(np.hstack([*parts, np.ones((parts[0].shape[0], 1))]), w)

    def loss(p: Any) -> Any:
        h, total = np.repeat(p["h"][None, :], 2, axis=0), 0.0
        for x, y in zip(inputs, targets, strict=True):
            h = np.tanh(joined(p["change"], x, h))
            total = total + np.sum((joined(p["predict"], h) - y) ** 2)
        return total

    return lib.ag.grad(loss)(params)


@program
def a_gaussian_process(lib: Library) -> Any:
    np = lib.np
    x, y = np.linspace(0, 3, 12)[:, None], np.sin(np.linspace(0, 3, 12))

    def likelihood(p: Any) -> Any:
        scaled = x / np.exp(p[2:])
        gaps = np.expand_dims(scaled, 1) - np.expand_dims(scaled, 0)
        k = np.exp(p[0]) * np.exp(-0.5 * np.sum(gaps**2, axis=2)) + np.exp(p[1]) * np.eye(12)
        return -0.5 * np.dot(y, np.linalg.solve(k, y)) - 0.5 * np.linalg.slogdet(k)[1]

    return lib.ag.value_and_grad(likelihood)(np.array([0.1, -1.0, 0.3]))


@program
def variational_inference(lib: Library) -> Any:
    np = lib.np
    noise = numpy.random.RandomState(8).randn(30, 2)

    def log_density(z: Any) -> Any:
        mu, log_sigma = z[:, 0], z[:, 1]
        return lib.norm.logpdf(log_sigma, 0, 1.35) + lib.norm.logpdf(mu, 0, np.exp(log_sigma))

    def objective(p: Any, i: int) -> Any:
        mean, log_std = p[:2], p[2:]
        entropy = np.sum(log_std) + 0.5 * 2 * (1.0 + np.log(2 * np.pi))
        return -(entropy + np.mean(log_density(noise * np.exp(log_std) + mean)))

    return lib.optimizers.adam(lib.ag.grad(objective), np.array([-1.0, 0.0, -1.0, 0.5]), step_size=0.1, num_iters=25)


@program
def black_box_variational_inference(lib: Library) -> Any:
    """With distributions imported as modules: import autograd.scipy.stats.multivariate_normal as mvn."""
    np = lib.np
    noise = numpy.random.RandomState(3).randn(20, 2)

    def lower_bound(p: Any) -> Any:
        mean, log_std = p[:2], p[2:]
        samples = noise * np.exp(log_std) + mean
        mu, log_sigma = samples[:, 0], samples[:, 1]
        density = lib.norm.logpdf(log_sigma, 0, 1.35) + lib.norm.logpdf(mu, 0, np.exp(log_sigma))
        return lib.mvn.entropy(mean, np.diag(np.exp(2 * log_std))) + np.mean(density)

    return lib.ag.value_and_grad(lower_bound)(np.array([-1.0, 0.2, -1.0, 0.5]))


@program
def a_posterior_density(lib: Library) -> Any:
    np = lib.np
    x, y = data(8, 1, seed=3), data(8, seed=4)

    def density(p: Any) -> Any:
        gaps = np.expand_dims(x / np.exp(p[2]), 1) - np.expand_dims(x / np.exp(p[2]), 0)
        k = np.exp(p[1]) * np.exp(-0.5 * np.sum(gaps**2, axis=2)) + np.exp(p[0]) * np.eye(8)
        return lib.mvn.logpdf(y, p[0] * np.ones(8), k)

    return lib.ag.value_and_grad(density)(np.array([0.1, 0.2, -0.3]))


@program
def a_loss_with_one_element(lib: Library) -> Any:
    return lib.ag.grad(lambda w: lib.np.dot(data(1, 3), w) ** 2)(data(3, seed=1))


@program
def a_mixture_of_gaussians(lib: Library) -> Any:
    np = lib.np
    points = data(9, 2, seed=9)
    params = {"weights": data(3), "means": data(3, 2), "roots": np.tile(np.eye(2), (3, 1, 1)) * 0.8 + 0.1}

    def log_likelihood(p: Any) -> Any:
        weights = p["weights"] - lib.special.logsumexp(p["weights"])
        parts = []
        for log_w, mean, root in zip(weights, p["means"], p["roots"], strict=True):
            precision = np.dot(root.T, root)
            gap = points - mean
            parts.append(log_w - 0.5 * np.sum(np.dot(gap, precision) * gap, axis=1) + np.log(np.abs(np.linalg.det(root))))
        return np.sum(lib.special.logsumexp(np.vstack(parts), axis=0))

    flat, unflatten = lib.misc.flatten(params)
    objective = lambda v: -log_likelihood(unflatten(v))  # noqa: E731
    return lib.ag.grad(objective)(flat), lib.ag.hessian_vector_product(objective)(flat, np.ones(len(flat)))


@program
def rosenbrock_by_scipy(lib: Library) -> Any:
    optimize = import_module("scipy.optimize")
    f = lambda x: 100 * (x[1] - x[0] ** 2) ** 2 + (1 - x[0]) ** 2  # noqa: E731
    return optimize.minimize(lib.ag.value_and_grad(f), numpy.array([0.0, 0.0]), jac=True, method="CG").x.round(6)


@program
def a_convolution_and_pooling(lib: Library) -> Any:
    np = lib.np
    images, filters = data(2, 6, 6), data(3, 3)

    def loss(w: Any) -> Any:
        out = sum([w[i, j] * images[:, i : i + 4, j : j + 4] for i in range(3) for j in range(3)])
        pooled = np.max(np.max(np.reshape(out, (2, 2, 2, 2, 2)), axis=4), axis=2)
        return np.sum(np.where(pooled > 0, pooled, 0.1 * pooled) ** 2)

    return lib.ag.grad(loss)(filters)


@program
def smoke_by_jacobi_iterations(lib: Library) -> Any:
    np = lib.np

    def project(v: Any) -> Any:
        p = np.zeros(v.shape)
        for _ in range(6):
            p = (v + np.roll(p, 1, axis=0) + np.roll(p, -1, axis=0) + np.roll(p, 1, axis=1) + np.roll(p, -1, axis=1)) / 4.0
        return p

    return lib.ag.grad(lambda v: np.mean((project(v) - 1.0) ** 2))(data(5, 5))


# --- the comparison ---------------------------------------------------------------------------------------------------


def same_numbers(program: Program) -> None:
    found, expected = [program(library(lib)) for lib in ("lazynp", "autograd")]
    for a, b in zip(_flat(found), _flat(expected), strict=True):
        assert a.shape == b.shape
        numpy.testing.assert_allclose(a, b, rtol=1e-7, atol=1e-10)


@pytest.mark.parametrize("name", PROGRAMS)
def test_the_numbers_are_autograds(name: str) -> None:
    same_numbers(PROGRAMS[name])


def test_gradients_by_all_arguments_as_a_dict() -> None:
    lazynp = import_module("lazynp")
    found = lazynp.multigrad_dict(lambda x, y: lazynp.sum(x * y))(data(3), y=data(3, seed=1))
    numpy.testing.assert_array_equal(found["x"], data(3, seed=1))
    numpy.testing.assert_array_equal(found["y"], data(3))


def test_a_primitive_names_the_derivative_that_is_missing() -> None:
    lazynp = import_module("lazynp")
    extend = import_module("lazynp.extend")
    f = extend.primitive(lambda x, y: numpy.asarray(x) * numpy.asarray(y))
    extend.defvjp(f, lambda ans, x, y: lambda g: g * y)
    assert lazynp.grad(f)(2.0, 3.0) == 3.0
    with pytest.raises(NotImplementedError, match="by argument 1 is not defined"):
        lazynp.grad(f, 1)(2.0, 3.0)
