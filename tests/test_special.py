"""lazynp.scipy.special: names, compositions and refusals. Its ops are rows of the op table (tests/test_ops.py)."""

import numpy
import pytest

special = pytest.importorskip("scipy.special", reason="SciPy, whose functions these are, is not installed")

import lazynp as np
from lazynp.scipy import special as lazy_special
from lazynp.testing import check_grads

X = numpy.array([[0.3, 1.2, 2.5], [0.7, 0.9, 1.1]])
CALLS = {
    "expit": (X,), "psi": (X,), "jn": (2, X), "polygamma": (1, X), "multigammaln": (X + 2, 3), "log_softmax": (X, 1), "softmax": (X, 0),
    "logsumexp": (X,), "gammaln": (X,), "xlogy": (X, X), "betainc": (1.5, 2.0, X / 3),
}  # fmt: skip


@pytest.mark.parametrize("name", CALLS)
def test_values_and_derivatives(name, threshold):
    args = CALLS[name]
    found = getattr(lazy_special, name)(*[np.lazy(a) if a is X else a for a in args])
    numpy.testing.assert_allclose(numpy.asarray(found), getattr(special, name)(*args), rtol=1e-13)
    places = [k for k, a in enumerate(args) if isinstance(a, numpy.ndarray)]

    def of_arrays(*arrays):
        full = list(args)
        for place, array in zip(places, arrays, strict=True):
            full[place] = array
        return getattr(lazy_special, name)(*full)

    check_grads(of_arrays, [args[k] for k in places], rtol=1e-6)


def test_logsumexp_over_axes_with_weights_and_infinities(threshold):
    x, b = np.lazy(X), numpy.array([[1.0, 2, 3], [4, 5, 6]])
    for options in ({"axis": 1}, {"axis": (0, 1)}, {"axis": 0, "keepdims": True}, {"b": b}):
        found = lazy_special.logsumexp(x, **options)
        numpy.testing.assert_allclose(numpy.asarray(found), special.logsumexp(X, **options), rtol=1e-14)
    low = numpy.full(3, -numpy.inf)
    assert numpy.asarray(lazy_special.logsumexp(np.lazy(low))) == -numpy.inf
    gradient = np.grad(lambda v: lazy_special.logsumexp(v))(numpy.array([1000.0, 0.0, -1000.0]))
    numpy.testing.assert_array_equal(gradient, [1, 0, 0])


def test_numpy_in_numpy_out():
    assert type(lazy_special.gammaln(X)) is numpy.ndarray
    assert lazy_special.gammaln(3.0) == special.gammaln(3.0)


def test_what_has_no_derivative_says_so():
    with pytest.raises(TypeError, match=r"scipy.special.jv has no derivative by its argument 0") as error:
        np.grad(lambda v: lazy_special.jv(v, 1.0))(2.0)
    assert __file__ in error.value.__notes__[0]
    with pytest.raises(AttributeError):
        lazy_special.no_such_function


def test_incomplete_functions_by_their_parameters():
    """At the ends of the support, in the tails, and outside of the domain."""
    by_a = np.grad(lazy_special.gammainc)
    for a, x in ((1e-3, 0.3), (0.5, 20.0), (300.0, 190.0), (1e4, 10200.0)):
        step = a * 1e-6
        slope = (special.gammaincc(a - step, x) - special.gammaincc(a + step, x)) / (2 * step)
        other = (special.gammainc(a + step, x) - special.gammainc(a - step, x)) / (2 * step)
        assert by_a(a, x) == pytest.approx(other if special.gammainc(a, x) < 0.5 else slope, rel=1e-6)
    assert by_a(2.0, 0.0) == by_a(2.0, numpy.inf) == 0
    assert numpy.isnan(by_a(-1.0, 1.0)) and numpy.isnan(by_a(numpy.nan, 1.0))
    by_both = np.grad(lazy_special.betainc, (0, 1))
    assert by_both(2.0, 3.0, 0.0) == by_both(2.0, 3.0, 1.0) == (0, 0)
    numpy.testing.assert_allclose(by_both(3.0, 1.0, 0.4), (0.4**3 * numpy.log(0.4), _by_b(3.0, 0.4)), rtol=1e-12)
    many = numpy.linspace(0.1, 30, 10_000)
    numpy.testing.assert_allclose(np.jit(np.vmap(by_a))(many, many)[::2500], [by_a(a, a) for a in many[::2500]], rtol=1e-14)
    assert type(by_a(numpy.float32(2), numpy.float32(1))) is numpy.float32


def _by_b(a, x):
    """betainc(a, b, x) by b at b = 1: of the integral of a t**(a - 1) (1 - t)**(b - 1) over its whole, x**a at b = 1."""
    integrate = pytest.importorskip("scipy.integrate", reason="SciPy is not installed")
    part = integrate.quad(lambda t: a * t ** (a - 1) * numpy.log1p(-t), 0, x, epsabs=1e-15)[0]
    return part - x**a * (special.digamma(1.0) - special.digamma(a + 1.0))


def test_where_a_factor_is_zero_so_is_the_slope_by_the_other():
    with numpy.errstate(all="ignore"):
        assert np.grad(lazy_special.xlogy, 1)(0.0, 0.0) == np.grad(lazy_special.xlog1py, 1)(0.0, -1.0) == 0
        assert np.grad(lambda x: lazy_special.xlogy(x, x))(0.0) == -numpy.inf
        assert np.grad(np.grad(lazy_special.xlogy, 1), 1)(0.0, 0.0) == 0
        assert np.grad(lazy_special.rel_entr, (0, 1))(0.0, 0.0) == (-numpy.inf, 0)
        assert np.grad(lazy_special.kl_div, (0, 1))(0.0, 0.0) == (-numpy.inf, 1)
        assert np.grad(lazy_special.entr)(0.0) == numpy.inf


def test_a_step_that_another_graph_has_too_is_kept_on_disk():
    """What the optimizer makes may be a node of another graph, with the user's line instead of the number of an operation."""

    def f(x):
        return x + lazy_special.gammaln(np.add(numpy.float64(6.25), 1.0)) + lazy_special.zeta(2.0, np.add(numpy.float64(6.25), 1.0))

    other = np.vjp(lambda x: x + lazy_special.zeta(2.0, numpy.float64(7.25)), numpy.ones(3))
    numpy.testing.assert_allclose(np.jit(f)(numpy.ones(3)), 1 + special.gammaln(7.25) + special.zeta(2.0, 7.25), rtol=1e-12)
    assert other[0][0] > 1


FUSED = ("erf", "erfc", "ndtr", "gammaln", "digamma", "logit", "log_expit", "entr", "xlogy", "xlog1py")
POINTS = numpy.concatenate([numpy.linspace(-4.9, 40, 4001), numpy.linspace(0, 1, 777), 10.0 ** numpy.linspace(-300, 300, 601)])
SPECIALS = numpy.array([0.0, -0.0, 1.0, 2.0, -1.0, -2.0, numpy.inf, -numpy.inf, numpy.nan])


@pytest.mark.parametrize("dtype", [numpy.float32, numpy.float64])
@pytest.mark.parametrize("name", FUSED)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_fused_functions_are_scipys(name, dtype, all_lazy):
    """Within 8 units in the last place of the larger of the value and one: near a zero, and in tails, SciPy has lost digits itself."""
    points = numpy.concatenate([POINTS, SPECIALS]).astype(dtype)
    args = (points, points[::-1].copy()) if name.startswith("xlog") else (points,)
    expected = getattr(special, name)(*args)
    found = np.jit(getattr(lazy_special, name))(*args)
    assert found.dtype == expected.dtype
    finite = numpy.isfinite(expected)
    numpy.testing.assert_array_equal(found[~finite], expected[~finite])
    unit = numpy.spacing(numpy.maximum(abs(expected[finite]), dtype(1)))
    poles = 1 / numpy.maximum(abs(points - numpy.rint(points))[finite], 1e-3) if name in ("digamma", "gammaln") else 1
    assert numpy.all(abs(found[finite] - expected[finite]) <= 8 * unit * numpy.where(points[finite] < 0, poles, 1))


def test_a_log_density_is_one_kernel():
    def logp(k, mu):
        return lazy_special.xlogy(k, mu) - lazy_special.gammaln(k + 1.0) - mu

    what = np.explain(np.value_and_grad(lambda mu: np.sum(logp(numpy.arange(8.0), mu))))(numpy.linspace(1, 2, 8))
    assert what.library_steps == 0
