"""lazynp.scipy.stats against scipy.stats: every formula of every family, at all kinds of points, and its derivatives."""

import pickle

import numpy
import pytest

stats = pytest.importorskip("scipy.stats", reason="SciPy, whose distributions these are, is not installed")

import lazynp as np
from lazynp.api.families import MULTIVARIATE, _methods
from lazynp.ops.densities import FAMILIES
from lazynp.scipy import stats as lazy_stats
from lazynp.testing import check_grads

SHAPES = {
    "t": (3.7,), "skewnorm": (1.3,), "gennorm": (2.4,), "loggamma": (1.8,), "vonmises": (2.2,), "gamma": (2.6,), "chi2": (3.4,),
    "chi": (2.7,),
    "f": (5.2, 7.9), "lognorm": (0.8,), "invgauss": (1.4,), "invgamma": (2.3,), "weibull_min": (1.7,), "lomax": (2.1,), "pareto": (2.4,),
    "nakagami": (1.6,), "beta": (2.3, 1.8), "truncnorm": (-0.6, 1.9), "powerlaw": (1.9,), "bernoulli": (0.3,), "binom": (7, 0.35),
    "poisson": (2.6,), "geom": (0.4,), "nbinom": (3.5, 0.6), "betabinom": (6, 1.7, 2.2), "logser": (0.6,), "dlaplace": (0.8,),
}  # fmt: skip
"""Valid shape parameters, in SciPy's order."""

POINTS = numpy.array([-numpy.inf, -3.2, -1.0, -0.4, 0.0, 0.25, 0.7, 1.0, 1.8, 4.0, 6.5, numpy.inf, numpy.nan])
COUNTS = numpy.array([-2.0, 0.0, 1.0, 1.5, 2.0, 3.0, 6.0, 7.0, 8.0, 40.0, numpy.nan])
PLACES = {False: {}, True: {"loc": 0.3, "scale": 1.6}}
CALLS = [(name, method) for name, row in FAMILIES.items() for method in _methods(row)]


@pytest.fixture(autouse=True)
def interpreted(request):
    """Second derivatives are large graphs that run a few times: NumPy's interpreter takes less time than a compiler."""
    with np.config(backend="reference" if "derivatives" in request.node.name else "c"):
        yield


def arguments(name, method, moved):
    row = FAMILIES[name]
    options = dict(PLACES[moved])
    if row.discrete:
        options = {"loc": 1} if moved else {}
    if method in ("ppf", "isf"):
        return numpy.array([0.02, 0.3, 0.77, 0.99, -0.1, 1.4]), options
    points = COUNTS if row.discrete else POINTS
    return (points[numpy.isfinite(points)] if name in ("rayleigh", "invgauss") else points), options


@pytest.mark.parametrize("moved", [False, True])
@pytest.mark.parametrize(("name", "method"), CALLS)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # SciPy's own, at infinities
def test_values_are_scipys(name, method, moved, all_lazy):
    x, options = arguments(name, method, moved)
    shapes = SHAPES.get(name, ())
    expected = getattr(getattr(stats, name), method)(x, *shapes, **options)
    found = getattr(getattr(lazy_stats, name), method)(np.array(x), *shapes, **options)
    assert isinstance(found, np.ndarray) and numpy.shape(found) == expected.shape
    numpy.testing.assert_allclose(numpy.asarray(found), expected, rtol=2e-10, atol=1e-14)


@pytest.mark.parametrize("name", FAMILIES)
def test_invalid_parameters_give_nan(name, all_lazy):
    row = FAMILIES[name]
    method = "logpmf" if row.discrete else "logpdf"
    x = np.array([1.0, 2.0])
    if not row.discrete:
        found = getattr(getattr(lazy_stats, name), method)(x, *SHAPES.get(name, ()), scale=numpy.array([1.0, -1.0]))
        assert list(numpy.isnan(numpy.asarray(found))) == [False or bool(numpy.isnan(numpy.asarray(found))[0]), True]
    for position, good in enumerate(SHAPES.get(name, ())):
        shapes = [numpy.array([s, s]) for s in SHAPES[name]]
        shapes[position] = numpy.array([good, numpy.nan])
        expected = getattr(getattr(stats, name), method)(numpy.asarray(x), *shapes)
        found = getattr(getattr(lazy_stats, name), method)(x, *shapes)
        numpy.testing.assert_allclose(numpy.asarray(found), expected, rtol=2e-10)


def interior(row):
    """Points where the density is positive and smooth, for the shapes above."""
    if row.discrete:
        return numpy.array([1.0]) if row.name == "bernoulli" else numpy.array([1.0, 2.0, 4.0])
    if row.upper == 1:
        return numpy.array([0.2, 0.45, 0.83])
    if row.lower == 1:
        return numpy.array([1.2, 1.9, 3.7])
    return numpy.array([0.31, 0.72, 1.55])


FIXED = {"binom": (0,), "betabinom": (0,)}
"""Shape parameters that are whole numbers."""


@pytest.mark.parametrize(("name", "method"), CALLS)
def test_derivatives(name, method):
    """By the argument, location, scale and every shape parameter, both modes, second order."""
    row = FAMILIES[name]
    if row.discrete and method not in ("logpmf", "pmf"):
        pytest.skip("a distribution function on the integers has no derivative by its argument; those by the others are in test_poisson")
    function = getattr(getattr(lazy_stats, name), method)
    x = numpy.array([0.2, 0.5, 0.9]) if method in ("ppf", "isf") else interior(row)
    shapes = [numpy.float64(s) for s in SHAPES.get(name, ())]
    fixed = set(FIXED.get(name, ()))
    free = [k for k in range(len(shapes)) if k not in fixed]

    def of(variables):
        full = [variables["shapes"][free.index(k)] if k in free else float(shapes[k]) for k in range(len(shapes))]
        if row.discrete:
            return function(x, *full)
        return function(variables["x"], *full, loc=variables["loc"], scale=variables["scale"])

    variables = {"shapes": [shapes[k] for k in free]}
    if not row.discrete:
        variables |= {"x": x, "loc": numpy.float64(0.0), "scale": numpy.float64(1.0)}
    check_grads(of, (variables,), rtol=3e-6, atol=3e-7)


@pytest.mark.parametrize("name", FAMILIES)
def test_batched_densities(name):
    density = getattr(getattr(lazy_stats, name), "logpmf" if FAMILIES[name].discrete else "logpdf")
    x, shapes = interior(FAMILIES[name]), SHAPES.get(name, ())
    found = np.vmap(lambda v: density(v, *shapes))(numpy.stack([x, x[::-1]]))
    numpy.testing.assert_allclose(found[1], density(x, *shapes)[::-1], rtol=1e-13)


def test_a_density_is_zero_outside_and_its_gradient_too():
    x = numpy.array([-1.0, 0.5])
    slope = np.grad(lambda x: np.sum(lazy_stats.gamma.pdf(x, 2.0)))(x)
    assert slope[0] == 0 and slope[1] == pytest.approx(numpy.exp(-0.5) * 0.5)
    assert numpy.all(numpy.isfinite(np.grad(lambda a: lazy_stats.gamma.logpdf(x, a)[1])(2.0)))


def test_poisson_distribution_function_by_its_mean():
    slope = np.grad(lambda mu: lazy_stats.poisson.cdf(3, mu))(2.5)
    assert slope == pytest.approx(-stats.poisson.pmf(3, 2.5), rel=1e-12)


# --- vectors and matrices ------------------------------------------------------------------------------------------------

rng = numpy.random.default_rng(3)
A = rng.normal(size=(3, 3))
COV = A @ A.T + 2 * numpy.eye(3)
MEAN = rng.normal(size=3)
SHARE = numpy.array([0.2, 0.5, 0.3])

VECTORS = [
    ("multivariate_normal", "logpdf", (rng.normal(size=3), MEAN, COV)),
    ("multivariate_normal", "logpdf", (rng.normal(size=(4, 2, 3)), MEAN, COV)),
    ("multivariate_normal", "pdf", (rng.normal(size=(4, 3)), MEAN, 1.7)),
    ("multivariate_normal", "logpdf", (rng.normal(size=(4, 3)), MEAN, numpy.array([0.4, 1.0, 2.0]))),
    ("multivariate_normal", "logpdf", (rng.normal(size=5), 0.4, 1.7)),
    ("multivariate_t", "logpdf", (rng.normal(size=(4, 3)), MEAN, COV, 4.5)),
    ("dirichlet", "logpdf", (SHARE, numpy.array([1.4, 2.0, 3.3]))),
    ("dirichlet", "logpdf", (SHARE[:2], numpy.array([1.4, 2.0, 3.3]))),
    ("dirichlet", "pdf", (numpy.array([SHARE, SHARE[::-1]]).T, numpy.array([1.4, 2.0, 3.3]))),
    ("multinomial", "logpmf", (numpy.array([[1.0, 3.0, 2.0], [0.0, 6.0, 0.0], [1.0, 1.0, 1.0]]), 6, SHARE)),
    ("multinomial", "pmf", (numpy.array([1.0, 3.0, 2.0]), 6, SHARE)),
    ("wishart", "logpdf", (COV, 5.2, COV.T + numpy.eye(3))),
    ("multivariate_normal", "entropy", (numpy.array([0.3, -0.4, 0.8])[: len(COV)], COV)),
    ("invwishart", "logpdf", (COV, 5.2, COV.T + numpy.eye(3))),
]
SYMMETRIC = {"multivariate_normal": (2,), "multivariate_t": (2,), "wishart": (0, 2), "invwishart": (0, 2)}


@pytest.mark.parametrize(("name", "method", "args"), VECTORS)
def test_densities_of_vectors(name, method, args, all_lazy):
    lazy = [np.array(a) if isinstance(a, numpy.ndarray) else a for a in args]
    expected = getattr(getattr(stats, name), method)(*args)
    with np.fallbacks("error"):
        found = getattr(getattr(lazy_stats, name), method)(*lazy)
        numpy.testing.assert_allclose(numpy.asarray(found), expected, rtol=1e-11)
        assert numpy.shape(found) == numpy.shape(expected)


@pytest.mark.parametrize(("name", "method", "args"), VECTORS)
def test_derivatives_of_densities_of_vectors(name, method, args):
    places = [k for k, a in enumerate(args) if numpy.asarray(a).dtype.kind == "f" and not (name == "multinomial" and k == 0)]
    if name == "dirichlet" and numpy.shape(args[0])[0] == 3:
        places = [1]  # moving all shares leaves the simplex, which SciPy refuses

    def of(*values):
        full = list(args)
        for place, value in zip(places, values, strict=True):
            symmetric = method == "entropy" or place in SYMMETRIC.get(name, ())
            full[place] = (value + value.T) / 2 if symmetric and numpy.ndim(value) == 2 else value[()]
        if name == "multinomial":
            full[2] = full[2] / np.sum(full[2])
        out = getattr(getattr(lazy_stats, name), method)(*full)
        return out[:2] if name == "multinomial" and numpy.ndim(out) else out

    check_grads(of, [numpy.asarray(args[k], float) for k in places], rtol=3e-6, atol=3e-7)


# --- the objects ---------------------------------------------------------------------------------------------------------


def test_frozen_distributions(all_lazy):
    x = numpy.array([0.3, 1.4])
    numpy.testing.assert_allclose(lazy_stats.norm(1.0, 2.0).logpdf(np.array(x)), stats.norm(1.0, 2.0).logpdf(x))
    numpy.testing.assert_allclose(lazy_stats.gamma(2.0, scale=3.0).cdf(np.array(x)), stats.gamma(2.0, scale=3.0).cdf(x))
    assert lazy_stats.norm(1.0, 2.0).mean() == 1.0
    assert lazy_stats.gamma(2.0).rvs(4, random_state=0).tolist() == stats.gamma(2.0).rvs(4, random_state=0).tolist()


def test_what_is_no_formula_is_scipys():
    x = numpy.array([0.3, 1.4, 2.0])
    assert lazy_stats.norm.mean(2.0, 1.0) == 2.0
    assert lazy_stats.norm.fit(x) == stats.norm.fit(x)
    assert lazy_stats.zscore(x).tolist() == stats.zscore(x).tolist()
    assert repr(lazy_stats.norm) == "<lazynp.scipy.stats.norm>"
    assert pickle.loads(pickle.dumps(lazy_stats.norm)).logpdf(0.5) == stats.norm.logpdf(0.5)
    with pytest.raises(TypeError, match="missing 1 required positional argument: 'a'"):
        np.grad(lambda x: lazy_stats.gamma.logpdf(x))(1.0)
    with pytest.raises(TypeError, match=r"scipy.stats.skewnorm.cdf has no derivative") as error:
        np.grad(lambda x: lazy_stats.skewnorm.cdf(x, 1.0))(0.5)
    assert __file__ in error.value.__notes__[0]


def test_every_family_is_tested():
    assert set(SHAPES) == {name for name, row in FAMILIES.items() if row.shapes}
    assert {name for name, _, _ in VECTORS} == set(MULTIVARIATE)
