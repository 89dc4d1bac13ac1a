"""Histograms that compiled programs count themselves: every count is NumPy's, at the edges too."""

import numpy
import pytest

import lazynp

RNG = numpy.random.default_rng(5)
SAMPLES = {
    "uniform": RNG.random(3000),
    "normal": RNG.standard_normal(3000),
    "on the edges": numpy.linspace(0, 1, 11).repeat(7),
    "tenths": RNG.integers(0, 30, 500) / 10,
    "float32": RNG.random(2000).astype(numpy.float32),
    "tenths in float32": (RNG.integers(0, 30, 500) / 10).astype(numpy.float32),
    "all equal": numpy.full(20, 3.5),
    "tiny": RNG.random(500) * 1e-300,
    "large": RNG.random(500) * 1e300,
    "two axes": RNG.random((30, 20)),
    "integers": RNG.integers(0, 9, 200),
}


@pytest.mark.parametrize("bins", [1, 3, 10, 1000])
@pytest.mark.parametrize("name", SAMPLES)
def test_counts_and_edges(name, bins):
    x = SAMPLES[name]
    counts, edges = lazynp.jit(lambda x: lazynp.histogram(x, bins), strict=True)(x)
    expected, expected_edges = numpy.histogram(x, bins)
    assert counts.dtype == expected.dtype and edges.dtype == expected_edges.dtype
    assert numpy.array_equal(counts, expected) and numpy.array_equal(edges, expected_edges)


@pytest.mark.parametrize(
    "options", [{"range": (0.25, 0.75)}, {"density": True}, {"range": (0.2, 0.9), "density": True}, {"range": (2, 3)}], ids=str
)
def test_options(options):
    x = SAMPLES["uniform"].copy()
    x[::100] = 0.25
    x[::170] = 0.75
    if "range" in options:
        x[5] = numpy.nan  # outside of every range
    w = RNG.random(x.size)
    for weights in (None, w):
        with numpy.errstate(all="ignore"):
            expected = numpy.histogram(x, 8, weights=weights, **options)
            counts, edges = lazynp.jit(lambda x, w: lazynp.histogram(x, 8, weights=w, **options), strict=True)(x, weights)
        assert counts.dtype == expected[0].dtype
        numpy.testing.assert_allclose(counts, expected[0], rtol=1e-12)
        assert numpy.array_equal(edges, expected[1])


def test_no_step_through_numpy_counts():
    explanation = lazynp.explain(lambda x: lazynp.histogram(x, 10)[0])(SAMPLES["uniform"])
    assert explanation.library_steps == 0


def test_not_finite_is_numpys_error():
    x = numpy.array([1.0, numpy.nan, 2.0])
    with pytest.raises(ValueError, match="autodetected range"):
        lazynp.jit(lambda x: lazynp.histogram(x, 4)[0], strict=True)(x)


def test_bins_narrower_than_numbers_lie_are_numpys_error():
    x = numpy.array([1.0, numpy.nextafter(1.0, 2.0)])
    with pytest.raises(ValueError, match="Too many bins"):
        lazynp.jit(lambda x: lazynp.histogram(x, 100)[0], strict=True)(x)


def test_a_histogram_of_each_row():
    x = RNG.random((6, 200))

    def rows(np, x):
        out = np.zeros((x.shape[0], 5))
        for i in range(x.shape[0]):
            out[i] = np.histogram(x[i] * (i + 1), 5)[0]
        return out

    assert numpy.array_equal(lazynp.jit(lambda x: rows(lazynp, x), strict=True)(x), rows(numpy, x))


def test_vmap_and_grad_do_not_count_here():
    x, w = RNG.random((4, 50)), RNG.random(50)
    counted = lazynp.vmap(lambda row: lazynp.histogram(row, 5, (0.0, 1.0))[0])(x)
    assert numpy.array_equal(counted, [numpy.histogram(row, 5, (0.0, 1.0))[0] for row in x])
    slope = lazynp.grad(lambda w: lazynp.sum(lazynp.histogram(x[0], 5, weights=w)[0] ** 2))(w)
    sums, edges = numpy.histogram(x[0], 5, weights=w)
    place = numpy.clip(numpy.searchsorted(edges, x[0], "right") - 1, 0, 4)
    numpy.testing.assert_allclose(slope, 2 * sums[place], rtol=1e-12)


@pytest.mark.parametrize("dtype", ["i8", "i4", "u1", "?"])
@pytest.mark.parametrize("weights", [None, "f8", "f4", "i8"], ids=str)
def test_bincount_of_a_known_length_is_compiled(dtype, weights):
    rng = numpy.random.default_rng(0)
    x = rng.integers(0, 2 if dtype == "?" else 50, 3000).astype(dtype)
    w = () if weights is None else ((rng.random(3000) * 10).astype(weights),)
    f = lazynp.jit(lambda x, *w: lazynp.bincount(x, *w, minlength=60), strict=True)
    for _ in range(3):
        got = f(x, *w)
        numpy.testing.assert_array_equal(got, numpy.bincount(x, *w, minlength=60))
        assert got.dtype == (numpy.intp if weights is None else numpy.float64)


def test_bincount_in_a_loop():
    def total(k, w, turns):
        out = numpy.zeros(50)
        for t in range(turns):
            out += numpy.bincount(k, w * t, minlength=50)
        return out

    rng = numpy.random.default_rng(0)
    k, w = rng.integers(0, 50, 500), rng.random(500)
    compiled = lazynp.jit(_total, strict=True)
    numpy.testing.assert_allclose(compiled(k, w), total(k, w, 20), rtol=1e-12)


def _total(k, w):
    out = lazynp.zeros(50)
    for t in range(20):
        out += lazynp.bincount(k, w * t, minlength=50)
    return out


def test_bincount_that_outgrows_its_length_is_numpys():
    f = lazynp.jit(lambda x: lazynp.bincount(x, minlength=4) * 2)
    numpy.testing.assert_array_equal(f(numpy.array([1, 3, 3])), [0, 2, 0, 4])
    numpy.testing.assert_array_equal(f(numpy.array([1, 7, 3])), numpy.bincount([1, 7, 3]) * 2)
    numpy.testing.assert_array_equal(f(numpy.array([1, 2, 2])), [0, 2, 4, 0])
    with pytest.raises(ValueError, match="must not be negative|must be non-negative|no negative"):
        f(numpy.array([1, -1, 2]))


def test_derivative_of_a_compiled_bincount_by_its_weights():
    k, w = numpy.array([0, 2, 2, 1]), numpy.array([1.0, 2.0, 3.0, 4.0])
    loss = lambda w, k: (lazynp.bincount(k, w, minlength=3) ** 2).sum()  # noqa: E731
    gradient = lazynp.jit(lazynp.grad(loss), strict=True)(w, k)
    numpy.testing.assert_allclose(gradient, 2 * numpy.bincount(k, w)[k])
