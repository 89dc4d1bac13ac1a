"""Whole programs against numbers that were printed by NumPy, SciPy and autograd (A..: the programs of the acceptance list).

Each is written as a user writes it, with `import lazynp as np`.
"""

import numpy
import pytest
from numpy.testing import assert_allclose

import lazynp
import lazynp as np

RTOL = 1e-9


def close(actual, expected, rtol=RTOL, atol=0.0):
    assert_allclose(numpy.asarray(actual), expected, rtol=rtol, atol=atol)


def as_is(f):
    """In the place of lazynp.jit: lazy mode."""
    return f


@pytest.fixture(params=[lazynp.jit, as_is], ids=["jit", "lazy"])
def mode(request):
    """Run a program under jit and in lazy mode."""
    return request.param


# --- A02, A03: first derivatives ---------------------------------------------------------------------------------------


def test_a02_square(mode, threshold):
    slope = mode(lazynp.grad(lambda x: x**2))
    close(slope(4.0), 8.0)
    close(slope(94.2), 188.4)


def test_a03_sum_of_the_logistic_function(mode, threshold):
    slope = mode(lazynp.grad(lambda x: np.sum(1 / (1 + np.exp(-x)))))
    expected = [[0.25, 0.196611933241], [0.196611933241, 0.104993585404]]
    close(slope(np.array([[0.0, 1.0], [-1.0, -2.0]])), expected, rtol=1e-10)


# --- A08: logistic regression, the naive formula -----------------------------------------------------------------------


def logistic_data():
    rng = numpy.random.RandomState(0)
    X, y, w = rng.randn(400, 784), rng.randint(0, 2, 400).astype(float), rng.randn(784)
    return X, y, w


def logistic_cost(w, b, X, y):
    p = 1 / (1 + np.exp(-X @ w - b))
    cross_entropy = -y * np.log(p) - (1 - y) * np.log(1 - p)
    return np.mean(cross_entropy) + 0.01 * np.sum(w**2)


def logistic_step(w, b, X, y, rate):
    dw, db = lazynp.grad(logistic_cost, (0, 1))(w, b, X, y)
    return w - rate * dw, b - rate * db


def train(X, y, w, steps, rate):
    step = lazynp.jit(logistic_step, strict=True)
    b = 0.0
    for _ in range(steps):
        w, b = step(w, b, X, y, rate)
    return w, b


def test_a08_initial_cost_and_first_step():
    X, y, w = logistic_data()
    cost = lazynp.jit(logistic_cost, strict=True)
    close(cost(w, 0.0, X, y), 18.082170424166975)
    w, b = train(X, y, w, 1, 0.01)
    close(cost(w, b, X, y), 18.063932177394182)


def test_a08_in_lazy_mode(all_lazy):
    X, y, w = (np.array(a) for a in logistic_data())
    close(logistic_cost(w, 0.0, X, y), 18.082170424166975)
    close(logistic_cost(*logistic_step(w, 0.0, X, y, 0.01), X, y), 18.063932177394182)


def test_a08_thousand_steps():
    X, y, w = logistic_data()
    w, b = train(X, y, w, 1000, 0.1)
    close(lazynp.jit(logistic_cost)(w, b, X, y), 0.19831477836432654)
    assert numpy.all((X @ w + b > 0) == (y > 0.5))


@pytest.mark.slow
def test_a08_ten_thousand_steps():
    X, y, w = logistic_data()
    w, b = train(X, y, w, 10000, 0.01)
    close(lazynp.jit(logistic_cost)(w, b, X, y), 0.19863695736041237)
    close(b, 0.2524244101591111)
    close(numpy.linalg.norm(w), 3.939676059335851)
    assert numpy.all((X @ w + b > 0) == (y > 0.5))


def test_a09_single_precision():
    X, y, w = (a.astype(numpy.float32) for a in logistic_data())
    step = lazynp.jit(logistic_step, strict=True)
    b = numpy.float32(0)
    for _ in range(1000):
        w, b = step(w, b, X, y, numpy.float32(0.1))
    assert w.dtype == b.dtype == numpy.float32
    z = (X @ w + b).astype(numpy.float64)
    cost = numpy.mean(y * numpy.logaddexp(0, -z) + (1 - y) * numpy.logaddexp(0, z)) + 0.01 * numpy.sum(w.astype(float) ** 2)
    close(cost, 0.198315, rtol=0, atol=1e-5)


# --- A33: Black-Scholes -------------------------------------------------------------------------------------------------


def normal_cdf(x):
    """By the series of erf around zero (|x| < 3 here): lazynp has no erf in NumPy's namespace."""
    t = x / 2**0.5
    term = total = t
    for n in range(1, 60):
        term = -term * t * t / n
        total = total + term / (2 * n + 1)
    return 0.5 + total / np.pi**0.5


def call_price(S, sigma, r, T, K=110.0):
    d1 = (np.log(S / K) + (r + sigma * sigma / 2) * T) / (sigma * np.sqrt(T))
    d2 = d1 - sigma * np.sqrt(T)
    return S * normal_cdf(d1) - K * np.exp(-r * T) * normal_cdf(d2)


OPTION = (100.0, 0.2, 0.03, 0.75)


def test_a33_price_and_first_greeks(mode):
    price, greeks = mode(lazynp.value_and_grad(call_price, (0, 1, 2, 3)))(*OPTION)
    close(price, 4.007283666673068)
    delta, vega, rho, theta = greeks
    close(delta, 0.369277607186457)
    close(vega, 32.67761657380658)
    close(rho, 24.690357788979476)
    close(theta, 5.34462985473339)


def test_a33_second_greeks(mode):
    delta = lazynp.grad(call_price, 0)
    close(mode(lazynp.grad(delta, 0))(*OPTION), 0.02178507771587105)
    close(mode(lazynp.grad(delta, 1))(*OPTION), 0.9564757956409141)


# --- A35: Rosenbrock ----------------------------------------------------------------------------------------------------


def rosenbrock(x):
    return np.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)


START = numpy.array([-1.2, 1.0] * 5)


def test_a35_value_and_gradient(mode, threshold):
    value, gradient = mode(lazynp.value_and_grad(rosenbrock))(START)
    close(value, 2057.0)
    close(numpy.linalg.norm(gradient), 2069.427167116543)


def hessian(f, x):
    """Column by column: the derivative of the gradient along each axis."""
    product = lazynp.jit(lambda x, v: lazynp.jvp(lazynp.grad(f), (x,), (v,))[1])
    return numpy.array([product(x, v) for v in numpy.eye(x.size)])


def test_a35_hessian():
    H = hessian(rosenbrock, START)
    close(numpy.trace(H), 15178.0)
    close(numpy.sum(H @ numpy.ones(10)), 16778.0)


def test_a35_scipy_finds_the_local_minimum():
    optimize = pytest.importorskip("scipy.optimize", reason="SciPy, whose minimiser is used, is not installed")
    found = optimize.minimize(
        lazynp.jit(rosenbrock),
        START,
        jac=lazynp.jit(lazynp.grad(rosenbrock)),
        hess=lambda x: hessian(rosenbrock, x),
        method="trust-exact",
        options={"gtol": 1e-10},
    )
    close(found.fun, 3.9865791123471386)


# --- A36: eight schools -------------------------------------------------------------------------------------------------

EFFECT = numpy.array([28.0, 8, -3, 7, -1, 1, 18, 12])
ERROR = numpy.array([15.0, 10, 16, 11, 9, 11, 10, 18])


def eight_schools(q):
    mu, log_tau, eta = q[0], q[1], q[2:]
    tau = np.exp(log_tau)
    theta = mu + tau * eta
    prior_mu = -0.5 * (mu / 5) ** 2 - np.log(5) - 0.5 * np.log(2 * np.pi)
    prior_tau = np.log(2 / np.pi) - np.log(5) - np.log1p((tau / 5) ** 2) + log_tau
    prior_eta = np.sum(-0.5 * eta**2 - 0.5 * np.log(2 * np.pi))
    return prior_mu + prior_tau + prior_eta + np.sum(-0.5 * ((EFFECT - theta) / ERROR) ** 2 - np.log(ERROR) - 0.5 * np.log(2 * np.pi))


def test_a36_log_density_gradient_and_hessian(mode, threshold):
    q = numpy.concatenate([[3.0, 0.5], numpy.linspace(-1, 1, 8)])
    value, gradient = mode(lazynp.value_and_grad(eight_schools))(q)
    close(value, -43.83660078307107)
    close(numpy.asarray(gradient)[:3], [0.16079585659, 0.714271702655, 1.195272504871], rtol=1e-10)
    close(numpy.trace(hessian(eight_schools, q)), -8.763079649693138)


# --- A37: views and assignments -----------------------------------------------------------------------------------------


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


def test_a37_views_see_writes_and_copies_do_not(mode, threshold):
    a, b = mode(assignments)()
    close(a, [[40, 42, 52, -1], [40, 99, 60, -1], [7, 10, 100, -1]], rtol=0)
    close(b, [[40, 60], [7, 100]], rtol=0)


# --- A41: cross-entropy of logits of +-1000 -----------------------------------------------------------------------------

LOGITS = numpy.array([[1000.0, 0, -1000], [1, 2, 3]])
HOT = numpy.eye(3)[[2, 0]]


def cross_entropy(z):
    """log(softmax), as written without a thought of overflow."""
    return -np.mean(np.sum(HOT * np.log(np.exp(z) / np.sum(np.exp(z), axis=1, keepdims=True)), axis=1))


def test_a41_the_naive_formula_is_stable(mode, all_lazy):
    value, gradient = mode(lazynp.value_and_grad(cross_entropy))(LOGITS)
    close(value, 1001.2038029822222)
    close(numpy.asarray(gradient)[0], [0.5, 0, -0.5], rtol=0)
    softmax = numpy.exp(LOGITS[1] - 3) / numpy.exp(LOGITS[1] - 3).sum()
    close(numpy.asarray(gradient)[1], (softmax - HOT[1]) / 2)


# --- A46: Mandelbrot ----------------------------------------------------------------------------------------------------


def mandelbrot(n, steps):
    x = np.linspace(-2, 0.5, n)
    y = np.linspace(-1.25, 1.25, n)
    c = x[None] + 1j * y[:, None]
    z = np.zeros_like(c)
    count = np.zeros(c.shape, int)
    for _ in range(steps):
        inside = np.abs(z) <= 2
        z = np.where(inside, z * z + c, z)
        count += inside
    return count


def test_a46_mandelbrot(mode):
    count = numpy.asarray(mode(lambda: mandelbrot(101, 50))())
    assert abs(int(count.sum()) - 168324) <= 5
    assert abs(int((count == 50).sum()) - 2565) <= 5


def test_a46_small_and_lazy(all_lazy):
    with lazynp.fallbacks("error"):
        count = numpy.asarray(mandelbrot(31, 12))
    x, y = numpy.linspace(-2, 0.5, 31), numpy.linspace(-1.25, 1.25, 31)
    c = x[None] + 1j * y[:, None]
    z, expected = numpy.zeros_like(c), numpy.zeros(c.shape, int)
    for _ in range(12):
        inside = numpy.abs(z) <= 2
        z = numpy.where(inside, z * z + c, z)
        expected += inside
    assert numpy.array_equal(count, expected)


# --- A47: Jacobi iteration ----------------------------------------------------------------------------------------------


def jacobi(A, B):
    for _ in range(1, 50):
        B[1:-1, 1:-1] = 0.2 * (A[1:-1, 1:-1] + A[1:-1, :-2] + A[1:-1, 2:] + A[2:, 1:-1] + A[:-2, 1:-1])
        A[1:-1, 1:-1] = 0.2 * (B[1:-1, 1:-1] + B[1:-1, :-2] + B[1:-1, 2:] + B[2:, 1:-1] + B[:-2, 1:-1])


def test_a47_jacobi_in_place(mode, threshold):
    n = 64
    A = np.fromfunction(lambda i, j: i * (j + 2) / n, (n, n))
    B = np.fromfunction(lambda i, j: i * (j + 3) / n, (n, n))
    mode(jacobi)(A, B)
    close(A.sum(), 67797.94493669804)
    close(A[10, 20], 3.4376070540117425)
