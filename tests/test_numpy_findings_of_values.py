"""Smallest cases of what NumPy's own tests (tests/numpy_suite) found wrong: infinities, masked numbers, warnings of casts."""

import pickle

import numpy as np
import pytest

import lazynp as lnp


@pytest.mark.parametrize(
    "values", [[10, 10], [0, np.inf], [0, -np.inf], [np.inf, np.inf], [np.nan, 1], [1 + 2j, 3 - 1j], [0, np.inf + 1j], [2j, 2j]]
)
@pytest.mark.parametrize("places", [[0, 1], [-np.inf, np.inf], [-np.inf, 1], [0, np.inf], [0.5, 0.5]])
def test_interp_between_infinities(all_lazy, places, values):
    x = np.array([0.5, 0.0, 1.0, -1.0, 2.0, np.nan, np.inf])
    with np.errstate(all="ignore"):
        wanted = np.interp(x, np.array(places, float), np.array(values))
    np.testing.assert_array_equal(lnp.interp(lnp.lazy(x), lnp.array(places, float), lnp.array(values)), wanted)


@pytest.mark.parametrize(
    "values", [np.linspace(0, 1, 1000), np.linspace(0, 1, 1000) ** 2 + 1j * np.linspace(3, 1, 1000)], ids=["real", "complex"]
)
def test_interp_has_numpys_bits(values):
    x, places = np.linspace(-0.1, 1.1, 7001), np.linspace(0, 1, 1000)
    np.testing.assert_array_equal(lnp.jit(lnp.interp, strict=True)(x, places, values), np.interp(x, places, values))


def test_a_masked_number_is_written_as_its_value(all_lazy):
    whole, real = lnp.arange(3), lnp.arange(3.0)
    with pytest.raises(np.ma.MaskError):
        whole[1] = np.ma.masked
    with pytest.warns(UserWarning, match="converting a masked element to nan"):
        real[1] = np.ma.masked
    assert np.isnan(real[1])


def test_resize_refuses_where_views_live(all_lazy):
    x = lnp.arange(6.0)
    part = x[:2]
    with pytest.raises(ValueError, match="references or is referenced"):
        x.resize(8)
    x.resize(8, refcheck=False)
    del part
    x.resize(10)
    assert x.tolist() == [0, 1, 2, 3, 4, 5, 0, 0, 0, 0]


def test_resized_by_unsigned_numbers(all_lazy):
    assert lnp.resize(lnp.ones((2, 2)), (np.uint64(3),)).tolist() == [1, 1, 1]


@pytest.mark.parametrize(
    "make",
    [
        lambda n: n.arange(6)[::2],
        lambda n: n.arange(6).reshape(2, 3).T,
        lambda n: n.zeros((3, 3))[:, :1],
        lambda n: n.ones((2, 3, 4)).transpose(1, 2, 0),
    ],
)
def test_what_goes_out_of_band_when_pickled(all_lazy, make):
    ours, theirs = [], []
    stream = pickle.dumps(make(lnp), protocol=5, buffer_callback=ours.append)
    pickle.dumps(make(np), protocol=5, buffer_callback=theirs.append)
    assert len(ours) == len(theirs)
    np.testing.assert_array_equal(pickle.loads(stream, buffers=ours), make(np))


def test_numbers_and_texts_are_never_equal(all_lazy):
    numbers, texts = lnp.arange(3), np.array(["a", "b", "c"])
    assert not lnp.array_equal(numbers, texts)
    assert not (numbers == texts).any()
    with pytest.raises(TypeError, match="ufunc 'less' did not contain a loop"):
        numbers < texts


def test_isclose_warns_of_tolerances_that_are_no_numbers(all_lazy):
    with pytest.warns(RuntimeWarning, match="One of rtol or atol is not valid"):
        lnp.isclose(lnp.ones(3), 1, rtol=np.nan)


@pytest.mark.parametrize("value, dtype", [(70000, "f2"), (1e300, "f4"), (np.float64(70000), "f2"), (2e300j, "c8"), (10**100, "f4")])
def test_numbers_that_overflow_when_written(all_lazy, value, dtype):
    x = lnp.zeros(3, dtype)
    for _ in range(2):  # each time
        with pytest.warns(RuntimeWarning, match="overflow encountered in cast"):
            x[0] = value
        with pytest.warns(RuntimeWarning, match="overflow encountered in cast"):
            x[...] = value
        with np.errstate(over="raise"), pytest.raises(FloatingPointError):
            x[1:] = value


def test_copyto_casts_what_the_mask_lets_through(all_lazy):
    source, mask = np.array([1.0, np.nan, 3.0]), [True, False, True]
    target = lnp.zeros(3, int)
    lnp.copyto(target, lnp.lazy(source), casting="unsafe", where=mask)
    assert target.tolist() == [1, 0, 3]
    with pytest.warns(RuntimeWarning, match="invalid value encountered in cast"):
        lnp.copyto(target, np.float64(np.nan), casting="unsafe", where=mask)


class ArrayLike:
    """An object of the user's whose __array__ makes an array of ours, which NumPy's C code does not take."""

    def __array__(self, dtype=None, copy=None):
        return lnp.arange(4.0) + 1


TAKERS = {
    "array_equal": lambda n, x: n.array_equal(x, x), "array_equiv": lambda n, x: n.array_equiv(x, x), "shape": lambda n, x: n.shape(x),
    "size": lambda n, x: n.size(x), "outer": lambda n, x: n.add.outer(np.ones(2), x), "iscomplexobj": lambda n, x: n.iscomplexobj(x),
    "permutation": lambda n, x: n.random.default_rng(0).permutation(x), "normal": lambda n, x: n.random.default_rng(0).normal(x, 1),
    "choice": lambda n, x: n.random.default_rng(0).choice(x, 3), "sum": lambda n, x: n.sum(x), "unique": lambda n, x: n.unique(x),
}  # fmt: skip


@pytest.mark.parametrize("name", TAKERS)
def test_objects_whose_arrays_are_ours(all_lazy, name):
    np.testing.assert_array_equal(np.asarray(TAKERS[name](lnp, ArrayLike())), TAKERS[name](np, np.arange(4.0) + 1))


def test_where_without_out_warns(all_lazy):
    x, mask = lnp.arange(4.0), np.array([True, False, True, True])
    with pytest.warns(UserWarning, match="'where' used without 'out'") as told:
        lnp.add(x, x, where=mask)
    assert told[0].filename == __file__
    lnp.add(x, x, where=mask, out=None)


@pytest.mark.parametrize(
    "name, start, value, words",
    [("add", 1e308, 1e308, "overflow encountered in add"), ("divide", 0, 0, "invalid value encountered in divide")],
)
def test_at_warns(all_lazy, name, start, value, words):
    x = lnp.full(3, float(start))
    with pytest.warns(RuntimeWarning, match=words):
        getattr(lnp, name).at(x, np.array([0, 0]), np.array([value, value], float))


def test_the_derivative_of_interp_where_known_points_coincide(all_lazy):
    x, places = np.array([-1.0, 0.5, 2.0]), np.full(4, 0.3)
    slopes = lnp.grad(lambda values: lnp.interp(x, places, values).sum())(np.array([1.0, 2.0, 3.0, 4.0]))
    assert np.asarray(slopes).tolist() == [1, 0, 0, 2]


def test_sums_wrap_around_in_a_narrower_out(all_lazy):
    x, out = lnp.arange(300), lnp.zeros((), "i2")
    assert lnp.sum(x, out=out) is out
    assert out == np.add.reduce(np.arange(300), out=np.zeros((), "i2"))
    assert lnp.max(lnp.arange(300), out=lnp.zeros((), "i1")) == np.max(np.arange(300), out=np.zeros((), "i1"))


def test_the_imaginary_part_of_an_array_without_axes_is_an_array(all_lazy):
    assert isinstance(lnp.imag(lnp.array(1.5)), lnp.ndarray)
    assert isinstance(lnp.array(2).imag, lnp.ndarray)
    assert not isinstance(lnp.sum(lnp.ones(3)).imag, lnp.ndarray)


def test_records_are_reduced_into_a_lazy_out(all_lazy):
    x, out = np.array(b"1", "V3"), lnp.zeros((), np.int32)
    assert lnp.logical_and.reduce(x, out=out) is out
    assert out == np.logical_and.reduce(x, out=np.zeros((), np.int32))


@pytest.mark.parametrize("name", ["dot", "inner", "kron", "vdot", "einsum"])
@pytest.mark.parametrize(("dtype", "number"), [("i2", 2), ("f4", 2.5), ("c8", 1j)])
def test_products_take_numbers_of_python_as_arrays(name, dtype, number):
    x = np.arange(40).astype(dtype)[: 1 if name == "vdot" else None]

    def product(m, x):
        first = m.einsum("i,->i", x, number) if name == "einsum" else getattr(m, name)(x, number)
        return first, first if name == "einsum" else getattr(m, name)(number, x)

    for found in (product(lnp, lnp.lazy(x)), lnp.jit(lambda x: product(lnp, x))(x)):
        assert [v.dtype for v in found] == [v.dtype for v in product(np, x)]


@pytest.mark.parametrize("subscripts", ["ii", "ii->i", "iij->j"])
def test_diagonals_in_einsum_are_of_equal_axes(subscripts):
    x = np.ones((1, 7) if len(subscripts) < 6 else (1, 7, 2))
    with pytest.raises(ValueError, match="don't match"):
        np.einsum(subscripts, x)
    with pytest.raises(ValueError, match="don't match"):
        lnp.einsum(subscripts, lnp.lazy(x))


@pytest.mark.parametrize("subscripts", ["i,i->i", "i,j->ij", "i,->i"])
def test_products_of_einsum_are_never_negative_zeros(subscripts):
    x, y = -np.arange(40.0), np.zeros(40 if subscripts != "i,->i" else ())
    expected = np.signbit(np.einsum(subscripts, x, y))
    assert not expected.any()
    assert np.array_equal(np.signbit(lnp.einsum(subscripts, lnp.lazy(x), y)), expected)
    assert np.array_equal(np.signbit(lnp.jit(lambda x, y: lnp.einsum(subscripts, x, y))(x, y)), expected)


@pytest.mark.filterwarnings("ignore::lazynp.PerformanceWarning")
@pytest.mark.parametrize("shape", [(4, 3), (3,), (1, 3), (2,)])
def test_equivalent_arrays_are_equivalent_when_compiled(shape):
    x, y = np.ones((4, 3)), np.ones(shape)
    assert lnp.jit(lambda x, y: lnp.array_equiv(x, y))(x, y) is np.array_equiv(x, y)
    assert lnp.array_equiv(lnp.lazy(x), lnp.lazy(y)) is np.array_equiv(x, y)


@pytest.mark.parametrize("exponent", [0, 2, 3])
def test_powers_of_truth_values_are_int64(exponent):
    x = np.ones(3, bool)
    assert lnp.jit(lambda x: x.max() ** exponent)(x).dtype == (x.max() ** exponent).dtype == np.int64


@pytest.mark.parametrize("method", ["choice", "permutation", "permuted"])
def test_draws_from_truth_values_are_truth_values(method):
    def draw(x):
        return getattr(lnp.random.default_rng(4), method)(x, *([3] if method == "choice" else []), axis=-1)

    x = np.arange(20).reshape(4, 5) % 3 == 0
    expected = getattr(np.random.default_rng(4), method)(x, *([3] if method == "choice" else []), axis=-1)
    found = lnp.jit(draw)(x)
    assert found.dtype == bool
    assert np.array_equal(found, expected)


@pytest.mark.parametrize(
    ("name", "number", "options"),
    [
        ("logaddexp2", 1, {"casting": "equiv"}),
        ("add", 2.5, {"dtype": "i8"}),
        ("multiply", 1j, {"dtype": "f8"}),
        ("add", 1, {"dtype": "f4"}),
        ("add", 1, {"casting": "safe"}),
    ],
)
def test_numbers_of_python_that_may_not_be_cast_are_refused_as_by_numpy(name, number, options, all_lazy):
    x, said = np.ones(40), []
    for module, array in ((np, x), (lnp, lnp.lazy(x))):
        try:
            said.append(getattr(module, name)(array, number, **options).dtype)
        except TypeError as error:
            said.append((type(error), str(error)))
    assert said[0] == said[1]
