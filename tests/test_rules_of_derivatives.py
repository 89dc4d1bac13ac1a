"""What derivatives are where a function has none, and what is said where they cannot be: the conventions of docs/derivatives.md."""

import numpy
import pytest

import lazynp
import lazynp as np
import lazynp.scipy
from lazynp import grad, hessian
from lazynp.testing import check_grads

SINGULAR = numpy.array([[1.0, 2.0], [2.0, 4.0]])
ZEROS = numpy.zeros(3)

CONVENTIONS = [
    ("norm at 0", lambda x: np.linalg.norm(x), ZEROS, [0, 0, 0]),
    ("norm of a row of zeros", lambda x: np.sum(np.linalg.norm(x, axis=1)), numpy.array([[0.0, 0], [3, 4]]), [[0, 0], [0.6, 0.8]]),
    ("3-norm at 0", lambda x: np.linalg.norm(x, 3), ZEROS, [0, 0, 0]),
    ("norm of a complex 0", lambda z: np.linalg.norm(z), numpy.zeros(2, complex), [0, 0]),
    ("std of equal values", lambda x: np.std(x), numpy.ones(3), [0, 0, 0]),
    ("sqrt at 0", np.sqrt, 0.0, numpy.inf),
    ("abs at 0", np.abs, 0.0, 0),
    ("abs of a complex 0", np.abs, 0j, 0),
    ("relu at 0 shares the tie", lambda x: np.maximum(x, 0), 0.0, 0.5),
    ("max shares a tie", np.max, numpy.array([2.0, 1.0, 2.0]), [0.5, 0, 0.5]),
    ("min shares a tie", np.min, numpy.array([1.0, 1.0, 2.0]), [0.5, 0.5, 0]),
    ("0**2", lambda x: x**2, 0.0, 0),
    ("0**1", lambda x: x**1.0, 0.0, 1),
    ("0**0", lambda x: x**0, 0.0, 0),
    ("0**y by y", lambda y: np.power(0.0, y), 2.0, 0),
    ("prod with a zero", np.prod, numpy.array([0.0, 2, 3]), [6, 0, 0]),
    ("prod with two zeros", np.prod, numpy.array([0.0, 0, 3]), [0, 0, 0]),
    ("where without log(0)", lambda x: np.sum(np.where(x > 0, np.log(x), 0)), numpy.array([0.0, 2.0]), [0, 0.5]),
    ("where without sqrt(-1)", lambda x: np.sum(np.where(x > 0, np.sqrt(x), x)), numpy.array([-1.0, 4.0]), [1, 0.25]),
    ("det of a singular matrix", np.linalg.det, SINGULAR, [[4, -2], [-2, 1]]),
    ("det of zeros", np.linalg.det, numpy.zeros((3, 3)), numpy.zeros((3, 3))),
    ("equal eigenvalues", lambda a: np.sum(np.linalg.eigh(a)[0] ** 2), numpy.eye(3), 2 * numpy.eye(3)),
    ("a matrix made again of its vectors", lambda a: _rebuilt(*np.linalg.eigh(a)), numpy.eye(3), numpy.ones((3, 3))),
    ("equal singular values", lambda a: np.sum(np.linalg.svd(a)[1] ** 2), numpy.eye(3), 2 * numpy.eye(3)),
    ("a stack of equal eigenvalues", lambda a: np.sum(np.linalg.eigh(a)[0] ** 2), numpy.stack([numpy.eye(2)] * 2), [2 * numpy.eye(2)] * 2),
    ("angle of 0", lambda x: np.hypot(x[0], x[1]), numpy.zeros(2), [0, 0]),
    ("sort with ties", lambda x: np.sort(x)[0], numpy.array([1.0, 1.0]), [1, 0]),
]


def _rebuilt(w, v):
    return np.sum((v * w) @ v.T)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # NumPy's, for the values
@pytest.mark.parametrize(("what", "f", "x", "expected"), CONVENTIONS, ids=[c[0] for c in CONVENTIONS])
@pytest.mark.parametrize("mode", [lambda f: f, np.jit], ids=["lazy", "jit"])
def test_conventions(what, f, x, expected, mode):
    numpy.testing.assert_allclose(mode(grad(f))(x), expected, atol=1e-14)


def test_second_derivatives_at_zeros():
    numpy.testing.assert_allclose(hessian(np.prod)(numpy.array([0.0, 0, 3])), [[0, 3, 0], [3, 0, 0], [0, 0, 0]])
    slopes = hessian(np.linalg.det)(SINGULAR).reshape(4, 4)
    numpy.testing.assert_allclose(slopes, [[0, 0, 0, 1], [0, 0, -1, 0], [0, -1, 0, 0], [1, 0, 0, 0]], atol=1e-14)


@pytest.mark.parametrize(
    "f", [lambda a: np.linalg.slogdet(a)[1], lambda a: np.sum(np.linalg.inv(a)), lambda a: np.linalg.solve(a, ZEROS[:2])[0]]
)
def test_singular_matrices_without_a_derivative_raise(f):
    with pytest.raises(numpy.linalg.LinAlgError):
        grad(f)(numpy.zeros((2, 2)))


def test_a_number_that_numpy_reads_is_no_constant():
    """Quantiles by their level, the step of a range, elements that a mask selects: these were silent zeros."""
    values = numpy.array([3.0, 1.0, 2.5])
    assert grad(lambda q: np.quantile(values, q))(0.25) == pytest.approx(3.0)
    assert grad(lambda h: np.sum(np.arange(0.0, 1.0, h)))(0.3) == pytest.approx(6.0)
    numpy.testing.assert_array_equal(grad(lambda x: np.sort(x[x > 1])[0])(values), [0, 0, 1])
    numpy.testing.assert_array_equal(grad(lambda x: np.max([x, 2 * x, numpy.ones(3)]))(values), [2, 0, 0])
    numpy.testing.assert_array_equal(grad(lambda x: sum([v * v for v in x.flat]) + x.flat[1])(values), [6, 3, 5])
    numpy.testing.assert_array_equal(grad(lambda x: np.sum(np.linspace([x, x], 0, 3)))(values), [3, 3, 3])
    assert grad(lambda x: np.heaviside(0.0, x) * x)(2.0) == 4.0
    assert grad(lambda x: np.sum(np.meshgrid(x, [1.0, 2.0], copy=False)[0]))(2.0) == 2.0


def _through_flat(x):
    y = np.zeros((2, 2))
    y.flat[:2] = x[:2]
    y.flat[[3, 2]] = x[2]
    return y


def _through_put(x):
    y = np.zeros(4)
    y.put([1, 2], [x[2] * 3, x[0]])
    return y


def _through_memory(x):
    """NumPy writes to what no derivative is taken by."""
    y = np.zeros(4)
    memoryview(y)[0] = 1.5
    z = y * x
    y.flat[2] = 3.0
    return y * x + z


def test_memory_that_numpy_writes_to_is_read_when_the_program_reads_it():
    def f(x):
        y = np.zeros(3)
        held = numpy.asarray(y)
        held[0] = 1.5
        z = y * x
        held[0] = 2.5
        return np.sum(z) + np.sum(y * x * x)

    numpy.testing.assert_allclose(grad(f)(numpy.ones(3)), [6.5, 0, 0])


def _by_iterator(x):
    y = np.zeros(4)
    with np.nditer(y, op_flags=["readwrite"]) as elements:
        for k, element in enumerate(elements):
            element[...] = k
    return y * x


@pytest.mark.parametrize("f", [_through_flat, _through_put, _through_memory, _by_iterator], ids=lambda f: f.__name__)
@pytest.mark.filterwarnings("ignore:lazynp.jit:lazynp.PerformanceWarning")
def test_writes_past_the_array_are_differentiated(f):
    """They went into memory that the derivative does not look at: silent zeros."""
    x = numpy.array([0.3, 0.8, 1.4, -0.6])
    check_grads(f, (x,))
    numpy.testing.assert_allclose(lazynp.jit(lazynp.jacrev(f))(x), lazynp.jacfwd(f)(x))
    numpy.testing.assert_allclose(lazynp.jit(f)(x), f(x))


def test_complex_gradients_descend_and_holomorphic_ones_are_derivatives():
    z = 1.0 + 2.0j
    assert grad(lambda z: np.abs(z) ** 2)(z) == pytest.approx(2 * z)
    assert grad(lambda z: z**3, holomorphic=True)(z) == pytest.approx(3 * z**2)
    assert abs(z - 0.1 * grad(lambda z: np.abs(z - 1j) ** 2)(z) - 1j) < abs(z - 1j)
    with pytest.raises(TypeError):
        grad(lambda z: z**3)(z)


# --- errors --------------------------------------------------------------------------------------------------------------

REFUSED = [
    ("numpy.unique", lambda x: np.sum(np.unique(x))),
    ("numpy.union1d", lambda x: np.sum(np.union1d(x, x + 1))),
    ("numpy.ndarray.byteswap", lambda x: np.sum(x.byteswap())),
    (r"<lambda> \(vectorized\)", lambda x: np.sum(numpy.frompyfunc(lambda v: v * v, 1, 1)(x))),
    ("scipy.special.jv", lambda x: np.sum(lazynp.scipy.special.jv(x, 1.0))),
    ("scipy.linalg.schur", lambda x: np.sum(lazynp.scipy.linalg.schur(np.diag(x))[0])),
    ("scipy.stats.norm.fit", lambda x: lazynp.scipy.stats.norm.fit(x)[0]),
]


@pytest.mark.parametrize(("name", "f"), REFUSED, ids=[r[0] for r in REFUSED])
def test_an_undifferentiable_function_is_named_with_the_users_line(name, f):
    with pytest.raises(TypeError, match=rf"{name} has no derivative") as error:
        grad(f)(numpy.array([1.0, 2.0, -3.0]))
    assert f'File "{__file__}", line {f.__code__.co_firstlineno}' in error.value.__notes__[0]


@pytest.mark.parametrize(
    ("x", "advice"),
    [
        (2, r"has dtype int64; derivatives need floating point: pass float\(a\)"),
        (numpy.arange(3), r"has dtype int64; derivatives need floating point: pass a.astype\(float\)"),
        (numpy.array([True]), r"has dtype bool; derivatives need floating point: pass a.astype\(float\)"),
        (numpy.arange(3, dtype="u1"), r"has dtype uint8"),
    ],
)
@pytest.mark.parametrize("transform", [grad, np.value_and_grad, np.jacobian, np.hessian], ids=lambda t: t.__name__)
def test_an_integer_argument_says_what_to_cast(x, advice, transform):
    with pytest.raises(TypeError, match=advice):
        transform(lambda a: np.sum(a * 2.0))(x)
