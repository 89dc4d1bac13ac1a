"""Smallest cases of what NumPy's own tests (tests/numpy_suite) found wrong."""

import ctypes
import hashlib
import json
import numbers
import sys

import numpy
import pytest

import lazynp
import lazynp as np
from lazynp import native


def same(actual, expected):
    actual = numpy.asarray(actual)
    assert actual.dtype == expected.dtype
    numpy.testing.assert_array_equal(actual, expected)


@pytest.mark.parametrize("indices", [(..., 1), ((), 1), ([0, 1], 2), (0, 3), (slice(None, None, 2), 5)], ids=str)
def test_ufunc_at_takes_basic_indices(all_lazy, indices):
    index, value = indices
    ours, theirs = np.ones((2, 2, 2)), numpy.ones((2, 2, 2))
    np.add.at(ours, index, value)
    numpy.add.at(theirs, index, value)
    same(ours, theirs)


def test_astype_of_an_array_without_axes_is_an_array(threshold):
    x = np.array(3.7).astype(int)
    x[()] = 5
    assert x == 5


def test_conjugate_of_real_numbers_is_the_array_itself(all_lazy):
    x = np.ones(3)
    assert x.conjugate() is x
    assert np.conjugate(x) is not x


def test_out_and_dtype_exclude_each_other(all_lazy):
    a = np.ones((2, 3))
    with pytest.raises(TypeError, match="only takes `out` or `dtype`"):
        np.concatenate((a, a), out=np.zeros((4, 3)), dtype=float)
    with pytest.raises(TypeError, match="only takes `out` or `dtype`"):
        np.stack((a, a), out=np.zeros((2, 2, 3)), dtype=float)


def test_out_ellipsis_asks_for_an_array(threshold):
    assert isinstance(np.add(1, 2, out=...), np.ndarray)
    assert isinstance(np.exp(np.float64(1), out=...), np.ndarray)
    same(np.add.reduce([1, 2, 3], out=...), numpy.array(6))
    same(np.add.reduce(np.lazy([1, 2, 3]), out=...), numpy.array(6))


@pytest.mark.parametrize("function", ["sum", "prod", "cumsum", "mean", "var", "nansum", "concatenate", "add"])
def test_long_doubles_are_numpys(compiled_lazy, function):
    x = np.arange(4.0) + 1
    arguments = {"concatenate": ([x, x],), "add": (x, x)}.get(function, (x,))
    result = getattr(np, function)(*arguments, dtype=np.longdouble)
    same(result, getattr(numpy, function)(*[numpy.asarray(a) for a in arguments], dtype=np.longdouble))


@pytest.mark.parametrize("name", ["equal", "not_equal", "less", "less_equal", "greater", "greater_equal"])
def test_unsigned_and_signed_integers_compare_by_value(compiled_lazy, name):
    a, b = numpy.array([1, 2, 2**63 + 5, 0], "u8"), numpy.array([-1, 2, 5, 3], "i8")
    compare, theirs = getattr(np, name), getattr(numpy, name)
    same(compare(np.lazy(a), np.lazy(b)), theirs(a, b))
    same(compare(np.lazy(b), np.lazy(a)), theirs(b, a))


def test_a_mask_within_an_index_has_the_size_of_its_axis(all_lazy):
    a = np.arange(6.0).reshape(2, 3)
    with pytest.raises(IndexError, match="size of axis is 3 but size of corresponding boolean axis is 2"):
        a[:, np.array([True, False])]
    with pytest.raises(IndexError, match="along axis 1"):
        a[..., np.array([True, False])] = 1


def test_ufunc_at_computes_in_the_loops_dtype(all_lazy):
    a = np.arange(10)
    np.power.at(a, [1, 2, 3, 2], 3.5)
    same(a, numpy.array([0, 1, 4414, 46, 4, 5, 6, 7, 8, 9]))


@pytest.mark.parametrize(("value", "error"), [(numpy.nan, ValueError), (numpy.inf, OverflowError)], ids=["nan", "inf"])
def test_a_number_that_is_no_integer_is_not_written_to_integers(all_lazy, value, error):
    a, x = np.zeros(3, int), np.array([value]).sum()
    with pytest.raises(error, match="cannot convert float"):
        a[0] = x


def test_operators_with_objects_that_override_ufuncs(all_lazy):
    class Answers:
        def __array_ufunc__(self, ufunc, method, *inputs, **options):
            return ufunc.__name__, method, sorted(options)

    class Declines:
        __array_ufunc__ = None

        def __radd__(self, other):
            return "reflected"

    a = np.arange(3.0)
    assert a + Answers() == ("add", "__call__", [])
    assert divmod(a, Answers()) == ("divmod", "__call__", [])
    assert a + Declines() == "reflected"
    a += Answers()
    assert a == ("add", "__call__", ["out"])


@pytest.mark.filterwarnings("ignore:the matrix subclass")
def test_a_product_with_numpys_matrix_is_the_matrices(all_lazy):
    m = numpy.matrix([[1, 2], [3, 4]])
    with pytest.raises(ValueError, match="not aligned"):
        m * np.arange(2.0)
    same(np.arange(2.0) * m, numpy.arange(2.0) * m)


@pytest.mark.filterwarnings("ignore:the matrix subclass")
def test_bmat_finds_the_names_of_its_caller(all_lazy):
    a, b = np.ones((2, 2)), np.zeros((2, 2))
    same(np.bmat("a, b; b, a"), numpy.block([[numpy.ones((2, 2)), numpy.zeros((2, 2))], [numpy.zeros((2, 2)), numpy.ones((2, 2))]]))
    assert a.shape == b.shape


@pytest.mark.parametrize("module", ["polynomial", "chebyshev", "hermite", "hermite_e", "laguerre", "legendre"])
def test_polynomials_with_coefficients_of_several_axes(all_lazy, module):
    ours, theirs = getattr(np.polynomial, module), getattr(numpy.polynomial, module)
    value = next(name for name in theirs.__all__ if name.endswith("val"))
    x, y, c = numpy.arange(4.0), numpy.arange(3.0), numpy.arange(6.0).reshape(2, 3)
    for name, points in ((value, (x,)), (value.replace("val", "grid2d"), (x, y)), (value.replace("val", "val2d"), (y, y))):
        found = getattr(ours, name)(*map(np.lazy, points), c)
        numpy.testing.assert_allclose(found, getattr(theirs, name)(*points, c))


def test_joined_and_gathered_arrays_lie_in_memory_as_numpys(all_lazy):
    f = np.zeros((3, 3), order="F")
    assert np.concatenate([f, f]).flags.f_contiguous
    assert np.block([[f, f], [f, f]]).flags.f_contiguous
    assert np.pad(f, 1).flags.f_contiguous
    assert np.delete(f, 1, axis=1).flags.f_contiguous
    assert np.arange(10)[np.arange(10).reshape(5, 2).T].flags.f_contiguous


def test_variances_without_degrees_of_freedom_warn(all_lazy):
    x = np.array([[1.0, numpy.nan, 2.0], [numpy.nan, numpy.nan, 3.0]])
    with pytest.warns(RuntimeWarning, match="Degrees of freedom <= 0 for slice"):
        same(np.nanvar(x, axis=1, ddof=2), numpy.array([numpy.nan, numpy.nan]))


def test_an_operation_is_told_of_though_it_was_ignored_before(all_lazy):
    x = np.array([1.0, 0.0])
    with np.errstate(all="ignore"):
        first = np.log(x)
    with pytest.warns(RuntimeWarning, match="divide by zero encountered in log"):
        str(np.log(x))
    assert first.shape == (2,)


def test_lazy_numbers_are_what_numpys_scalars_are(all_lazy):
    for values in ([1.5, 2.5], [1, 2], [True, False], [1j]):
        ours, theirs = np.lazy(values).sum(), numpy.array(values).sum()
        for kind in (int, float, complex, numbers.Real, numpy.floating, numpy.integer, numpy.generic, numpy.float64):
            assert isinstance(ours, kind) == isinstance(theirs, kind)
    assert json.dumps({"mean": np.lazy([1.5, 2.5]).mean()}) == '{"mean": 2.0}'
    with pytest.raises(TypeError, match="not JSON serializable"):
        json.dumps(np.lazy([1, 2]).sum())


@pytest.mark.parametrize("limits", [{"min": 2}, {"max": 3}, {"min": 1, "max": 3}], ids=str)
def test_the_method_clip_takes_one_limit(threshold, limits):
    same(np.lazy([0.0, 1, 2, 3, 4]).clip(**limits), numpy.array([0.0, 1, 2, 3, 4]).clip(**limits))


@pytest.mark.parametrize("function", ["fft", "ifft", "rfft", "irfft"])
@pytest.mark.parametrize("dtype", ["?", "u1", "i2", "i8", "f2", "f4"])
def test_transforms_of_every_dtype_compiled(compiled_lazy, function, dtype):
    x = numpy.array([0, 1, 0, 1, 1]).astype(dtype)
    try:
        expected = getattr(numpy.fft, function)(x)
    except TypeError:
        with pytest.raises(TypeError, match="not supported for the input types"):
            getattr(np.fft, function)(np.lazy(x))
    else:
        found = numpy.asarray(getattr(np.fft, function)(np.lazy(x)))
        assert found.dtype == expected.dtype
        numpy.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-3)


def test_lists_given_to_numpy_stay_themselves(threshold):
    ours, theirs = [[1, 2], [3], 4, 5], [[1, 2], [3], 4, 5]
    np.random.RandomState(3).shuffle(ours)
    numpy.random.RandomState(3).shuffle(theirs)
    assert ours == theirs
    loop = [1]
    loop.append(loop)
    with pytest.raises(ValueError):
        np.array(loop)


def test_subclasses_decide_what_an_operation_gives(threshold):
    class Tagged(np.ndarray):
        pass

    tagged = np.asarray([1.0, 2.0]).view(Tagged)
    masked = numpy.ma.masked_array([1.0, 2.0], mask=[True, False])
    lazy = np.lazy([10.0, 20.0])
    assert type(tagged) is Tagged and isinstance(tagged, np.ndarray) and type(lazy + tagged) is Tagged
    assert type(tagged.view(np.ndarray)) is np.ndarray and type(tagged.view(np.ndarray) + 1) is numpy.ndarray
    assert type(lazy + masked) is type(masked + lazy) is numpy.ma.MaskedArray
    assert (lazy + masked).tolist() == [None, 22.0]


def test_types_of_arrays_and_ufuncs():
    assert type(numpy.ones(3)) == np.ndarray and type(np.lazy([1.0])) == np.ndarray  # noqa: E721
    assert type(numpy.ones(3)) != type(np.add) and isinstance(np.add, np.ufunc) and isinstance(numpy.add, np.ufunc)  # noqa: E721
    assert np.add == numpy.add and np.add != numpy.subtract and {np.add: 1}[numpy.add] == 1


def test_rearranging_a_scalar_gives_the_scalar():
    total = np.lazy(numpy.arange(3.0)).sum()
    for same in (np.transpose(total), total.transpose(), total.reshape(()), np.reshape(total, ()), total.squeeze(), total.T):
        assert repr(same) == "np.float64(3.0)"
    assert np.ravel(total).shape == (1,)


def test_sums_that_begin_with_minus_zero():
    line = np.lazy(numpy.array([-0.0, -0.0]))
    assert numpy.signbit(numpy.asarray(np.sum(line, initial=-0.0)))
    assert not numpy.signbit(numpy.asarray(line[:1].sum()))
    assert not numpy.signbit(numpy.asarray(np.jit(lambda x: x.sum(axis=0))(numpy.full((1, 2), -0.0)))).any()


def test_a_failing_constant_of_a_traced_function_names_its_line():
    @np.jit
    def solve(x):
        singular = numpy.zeros((2, 2))
        return x + np.linalg.inv(np.zeros((2, 2)) + singular)

    with pytest.raises(numpy.linalg.LinAlgError) as caught:
        solve(numpy.ones((2, 2)))
    assert "in solve" in caught.value.__notes__[0]


def test_floating_point_errors_are_raised_where_errstate_asks_for_them():
    x = np.lazy(numpy.array([1.0, 0.0]))
    with numpy.errstate(divide="raise"), pytest.raises(FloatingPointError):
        np.log(x)
    heard = []
    with numpy.errstate(divide="call", call=lambda kind, flag: heard.append(kind)):
        np.log(x)
    assert heard == ["divide by zero"]


def test_parts_of_a_selection_can_be_set():
    z = np.lazy(numpy.array([1 + 1j, -2 + 3j, 3j]))
    chosen = z[np.real(z) >= 0]
    chosen.imag = 7
    assert chosen.tolist() == [1 + 7j, 7j]


def test_an_operand_with_its_own_ufunc_answers_also_where_out_is_given():
    class Answers:
        def __array_ufunc__(self, *args, **kwargs):
            return "mine"

    assert np.add(np.lazy(numpy.ones(2)), Answers(), out=numpy.ones(2)) == "mine"


def test_no_module_of_ours_hides_one_of_numpys():
    """Programs reach for numpy._core and numpy.lib; a submodule of the package of that name would be found first."""
    for name in ("_core", "lib", "ma", "polynomial", "testing"):
        assert getattr(np, name) is getattr(numpy, name) or getattr(np, name).__name__.startswith("lazynp")
    assert np._core.umath is numpy._core.umath


def test_the_imaginary_part_of_pending_work_is_a_view(threshold):
    def program(xp):
        z = xp.zeros(100) + 1j
        y = z.copy()
        real, line = y.real, y.imag
        y.imag[0] = 0
        line[1:] *= 3
        real[...] = real + line
        y += 5
        return z, y, real, line, real.sum()

    for actual, expected in zip(program(np), program(numpy), strict=True):
        same(actual, expected)

    def write(z):
        z.real[0] = 7
        return z.imag + z.real

    z = numpy.arange(4) * (1 + 2j)
    same(np.jit(write)(z.copy()), write(z.copy()))


def test_ravel_of_a_stepped_view_is_a_copy(all_lazy):
    x = np.arange(6.0)
    line = x[::-1].ravel()
    line[0] = 9
    assert x[5] == 5
    x[:4].ravel()[0] = 7
    assert x[0] == 7


def test_views_of_large_arrays_of_numpys_are_views():
    plain = numpy.zeros((300, 300))
    np.transpose(plain)[0, 1] = 5
    np.real(plain)[0, 0] = 6
    np.reshape(plain, -1)[1] = 7
    assert (plain[1, 0], plain[0, 0], plain[0, 1]) == (5, 6, 7)


def test_diagonal_of_an_array_of_middling_size():
    x = np.arange(300.0 * 300).reshape(300, 300) + 0
    same(np.diagonal(x, 1), numpy.diagonal(numpy.asarray(x), 1))


def test_read_only_arrays_are_refused_before_the_rest_is_looked_at(all_lazy):
    x = np.broadcast_to(np.arange(3), (2, 3))
    for call in (lambda: np.subtract(x, 0.5, out=x), lambda: x.__setitem__((5, 5), 1), lambda: np.add(x[()], 1, out=x[()])):
        with pytest.raises(ValueError, match="read-only"):
            call()


def test_a_scalar_indexed_by_dots_is_a_new_array(all_lazy):
    total = np.arange(3).sum()
    box = total[...]
    box[...] = 9
    assert total == 3
    assert box == 9


def test_writing_an_array_into_one_element_is_a_value_error():
    box = numpy.array(3)
    with pytest.raises(ValueError, match=r"only 0-dimensional arrays|setting an array element"):
        box[()] = np.lazy(numpy.arange(3))


def test_classes_whose_array_method_makes_our_arrays(threshold):
    class Boxed:
        def __array__(self, dtype=None, copy=None):
            return np.arange(3.0) + 0

    assert np.sum(Boxed()) == 3
    same(np.ones(3) + Boxed(), numpy.array([1.0, 2.0, 3.0]))
    same(np.concatenate([Boxed(), np.ones(1)]), numpy.array([0.0, 1.0, 2.0, 1.0]))


def test_isscalar_of_what_numpy_hands_out_as_a_scalar(threshold):
    assert np.isscalar(np.arange(100_000.0).sum())
    assert not np.isscalar(np.arange(100_000.0))


def test_draws_into_out_return_it(all_lazy):
    out = np.zeros(3)
    assert np.random.default_rng(0).random(out=out) is out


def test_outputs_given_by_position(all_lazy):
    whole = np.zeros(2)
    fraction, returned = np.modf(np.array([1.5, 2.25]), None, whole)
    assert returned is whole
    assert fraction.tolist() == [0.5, 0.25]
    assert [x.tolist() for x in np.modf(np.array([1.5]), None)] == [[0.5], [1.0]]


COPIES = {
    "asarray, copy": lambda xp, x: xp.asarray(x, copy=True), "reshape, copy": lambda xp, x: x.reshape((3, 2), copy=True),
    "reshape, no copy": lambda xp, x: xp.reshape(x, (3, 2), copy=False), "einsum": lambda xp, x: xp.einsum("ij->ji", x),
    "einsum of a diagonal": lambda xp, x: xp.einsum("ii->i", x[:, :2]), "meshgrid": lambda xp, x: xp.meshgrid(x[0], copy=False)[0],
    "asanyarray": lambda xp, x: xp.asanyarray(x), "asarray in another order": lambda xp, x: xp.asarray(x, order="F"),
    "array": lambda xp, x: xp.array(x, copy=None), "astype": lambda xp, x: x.astype(float, copy=False),
    "diff": lambda xp, x: xp.diff(x, n=0),
    "nan_to_num": lambda xp, x: xp.nan_to_num(x, copy=False), "roll": lambda xp, x: xp.roll(x, 0), "tile": lambda xp, x: xp.tile(x, 1),
}  # fmt: skip


@pytest.mark.parametrize("name", COPIES)
def test_what_is_a_copy_and_what_a_view(all_lazy, name):
    plain = numpy.arange(6.0).reshape(2, 3)
    ours = np.lazy(plain)
    expected, actual = COPIES[name](numpy, plain), COPIES[name](np, ours)
    assert np.shares_memory(actual, ours) == numpy.shares_memory(expected, plain)
    expected[...] = 9
    actual[...] = 9
    same(ours, plain)


def test_reshape_that_may_not_copy(all_lazy):
    with pytest.raises(ValueError, match="Unable to avoid creating a copy"):
        np.reshape(np.lazy(numpy.ones((2, 3))).T, (6,), copy=False)


def test_functions_as_attributes_of_classes():
    class Holder:
        array = np.array
        total = np.sum

    assert Holder().array([1, 2], dtype=float).tolist() == [1, 2]
    with pytest.raises(TypeError):
        Holder().total([1, 2])


def test_a_view_of_the_same_type(threshold):
    x = np.lazy(numpy.arange(4))
    assert x.view(type(x)).tolist() == [0, 1, 2, 3]
    assert x.view(type=type(x)).tolist() == [0, 1, 2, 3]


# --- the memory of lazy arrays, for C libraries ---------------------------------------------------------------------------------------


@pytest.mark.skipif(native.Buffer is native._NoBuffer and sys.version_info < (3, 12), reason="needs the compiled module or Python 3.12")
def test_lazy_arrays_have_the_buffer_protocol(threshold):
    x, theirs = np.arange(100_000.0) * 2, numpy.arange(100_000.0) * 2
    assert hashlib.md5(x).digest() == hashlib.md5(theirs).digest()
    assert bytes(x[:2]) == theirs[:2].tobytes()
    assert memoryview(x).shape == (100_000,) and memoryview(x).format == "d"
    assert memoryview(np.broadcast_to(x, (2, 100_000))).readonly
    same(np.frombuffer(x), theirs)


def test_memory_that_was_lent_is_the_arrays(all_lazy):
    x = np.arange(4.0) * 2
    view = numpy.asarray(x)
    later = x + 1
    view[0] = 50
    same(later, numpy.array([1.0, 3.0, 5.0, 7.0]))
    assert x[0] == 50
    x[1] = 60
    assert view[1] == 60


def test_array_interface_is_an_address_that_lives_as_long_as_the_array(all_lazy):
    x = np.arange(4.0) * 2
    interface = x.__array_interface__
    assert interface["shape"] == (4,) and interface["typestr"] == numpy.dtype(float).str
    memory = (ctypes.c_double * 4).from_address(interface["data"][0])
    later = x * 10
    memory[0] = 7.0  # a C library writes
    assert (later[0], x[0]) == (0.0, 7.0)
    x += 1
    assert memory[3] == 7.0
    assert x.T.__array_struct__ is not None


def test_no_memory_of_what_a_derivative_is_taken_by():
    with pytest.raises(TypeError, match="has no derivative"):
        lazynp.grad(lambda x: float(numpy.asarray(x).sum()))(numpy.ones(3))


# --- values, errors, warnings ---------------------------------------------------------------------------------------------------------


def outcome(code, namespace):
    try:
        return numpy.asarray(eval(code, {"np": namespace}))
    except Exception as error:
        return type(error), str(error)


@pytest.mark.parametrize(
    "code",
    [
        "np.nanquantile(np.array([1, 2, 3], 'f2'), 0.3)", "np.nanpercentile(np.array([1, 2, 3], 'f4'), 30)",
        "np.nanmedian(np.array([1, 2, 3], 'f2'))", "np.einsum(np.ones((2, 3)), [-1, 5], np.ones((3, 4)), [5, 2], [-1, 2])",
        "np.einsum(np.ones((2, 3)), [20, 52], np.ones((3, 4)), [52, 2], [20, 2])",
        "np.arange(10).reshape(2, 5).partition(3, axis=None)", "np.arange(10).reshape(2, 5).sort(axis=None)",
        "np.partition(np.arange(10)[::-1].reshape(2, 5), 3, axis=None)", "np.linalg.norm(np.ones((2, 3)), None, 1.0)",
        "np.linalg.norm(np.ones((2, 3)), 'fro', (1,))", "np.linalg.norm(np.ones((2, 3, 4)), None, (0, 1, 2))",
        "np.linalg.norm(np.ones((2, 3, 4)), 'fro', (0, 1, 2))", "np.linalg.norm(np.ones((2, 3)), None, 'a')",
        "np.linalg.cross(np.ones((3, 2)), np.ones((3, 2)))", "np.linalg.pinv(np.ones((2, 2)), 0.5, rtol=0.5)",
        "np.nanstd(np.ones((2, 2)), axis=1, out=np.empty(2, object))", "np.nanmean(np.ones((2, 2)), axis=1, out=np.empty(2, int))",
        "np.arange(3) == 'a'", "'a' != np.arange(3)", "np.arange(3) < 'a'", "np.arange(3) == np.array(['a', 'b'])",
        "np.array_equiv(np.arange(3), 'a')", "np.where(np.arange(3) == 'a', 1, 2)", "np.arange(6.0).flat[np.arange(6) > 2]",
        "np.arange(6.0).reshape(2, 3).flat[np.array([1, 4])]", "np.arange(6.0).flat > 2", "np.sum(np.arange(6.0).reshape(2, 3).T.flat)",
        "np.histogram(np.array([1.0], 'f2'), bins=1, range=np.array([0.0, 1.0 - 1e-7], 'f4'))[1]",
        "np.histogram(np.array([1.0], 'f4'), bins=1, range=np.array([1.0 + 1e-15, 2.0]))[0]",
        "isinstance(np.arange(6.0).flat, np.flatiter)",
        "np.cov(np.ones((1, 3)), rowvar=False, ddof=0)",
        "np.cov(np.arange(6.0).reshape(6, 1), rowvar=False)", "np.cov(np.arange(6.0).reshape(3, 2), np.ones((1, 2)), rowvar=False, ddof=0)",
        "np.cov(np.ones((2, 2, 2)))", "np.cov(np.ones((0, 3)))", "np.cov(np.arange(6.0), np.arange(6.0) ** 2, rowvar=False)",
    ],
)  # fmt: skip
@pytest.mark.filterwarnings("ignore:Arrays of 2-dimensional vectors")
def test_what_numpy_says(threshold, code):
    expected, found = outcome(code, numpy), outcome(code, np)
    if isinstance(expected, tuple):
        assert found == expected
    else:
        same(found, expected)


def test_flat_takes_lazy_indices_and_values(all_lazy):
    x = np.arange(6.0).reshape(2, 3)
    x.flat[x.ravel() > 3] = np.array([7.0, 8.0])
    same(x, numpy.array([[0.0, 1, 2], [3, 7, 8]]))


def test_vecdot_into_a_read_only_array(threshold):
    out = np.zeros(())
    out.setflags(write=False)
    with pytest.raises(ValueError, match="read-only"):
        np.vecdot(np.ones(3), np.ones(3), out=out)


@pytest.mark.parametrize("labels", ["ij,ij->ij", "ij,ij->ji", "ij,jk->ik", "ij,kj->ki", "ij,ij->i", "ij,kl->ijkl", "ij,kl->kilj"])
@pytest.mark.parametrize("orders", ["CC", "FF", "CF", "FC"])
def test_einsum_lies_in_memory_as_numpys(all_lazy, labels, orders):
    def strides(namespace):
        a, b = [namespace.array(numpy.ones((3, 3)), order=order) for order in orders]
        return namespace.einsum(labels, a, b).strides

    assert strides(np) == strides(numpy)


def test_tables_of_functions_find_ours_by_numpys():
    handled = {}

    class Duck:
        def __array_function__(self, function, types, args, kwargs):
            return handled[function](*args, **kwargs)

    handled[np.sum] = lambda x: "the sum"
    assert np.sum(Duck()) == "the sum" and numpy.sum == np.sum


def test_numpys_generators_are_instances():
    assert isinstance(numpy.random.default_rng(0), np.random.Generator)
    assert isinstance(np.random.default_rng(0), numpy.random.Generator)
    assert not isinstance(numpy.random.default_rng(0), np.random.RandomState)


def test_what_numpy_says_of_names_that_it_has_no_longer():
    with pytest.warns(FutureWarning, match="np.object"), pytest.raises(AttributeError, match="deprecated alias for the builtin `object`"):
        np.object
    with pytest.warns(DeprecationWarning, match="chararray") as told:
        np.chararray
    assert [w.filename for w in told] == [__file__]


def after(code, namespace):
    names = {"np": namespace}
    try:
        exec(code, names)
    except Exception as error:
        return type(error), str(error)
    return numpy.asarray(names["r"])


@pytest.mark.parametrize(
    "code",
    [
        "r = np.array([True, False]) ** 2", "r = np.array([True, False]) ** 3", "r = np.array([-0.0, 4]) ** 0.5",
        "r = np.array([-0.0, 4, -np.inf]) ** -1", "r = np.arange(3) ** 0.5", "x = np.array([-0.0, 4]); x **= 0.5; r = x",
        "x = np.array([[1.0, 2], [4, 8]]); x[0] **= -1; r = x", "a = np.array([[0, 1], [2, 3]], order='F'); a.resize((2, 1)); r = a",
        "a = np.array([[0, 1], [2, 3]], order='F'); a.resize((3, 3)); r = a", "a = np.arange(3.0); a.resize(5); r = a",
        "x = np.arange(4, dtype='i4'); x.dtype = 'i2'; r = x", "x = np.arange(4.0); y = x[1:]; x.dtype = 'u8'; x[2] = 0; r = y",
        "x = np.arange(3, dtype='u1'); x.dtype = 'i2'; r = x", "r = np.array([1.0, 2.9]).astype(int, casting='same_value')",
        "r = np.array([1.0, 2.0]).astype(int, casting='same_value')", "x = np.ones((2, 2)); r = np.atleast_2d(x) is x",
        "x = np.ones((2, 2)); r = x.flat.base is x", "x = np.ones(3); x.setflags(uic=1); r = x",
        "x = np.ones((2, 3)); y = np.require(x, dtype='f4', requirements='AOWF'); r = y.flags.owndata, y.flags.f_contiguous",
        "r = np.array([[1, 2], [3, 4]], order='F').flags.owndata", "r = np.ones(40).sum().is_integer()",
        "r = np.arange(40).sum().bit_count()",
        "x = np.zeros(4); x.resize('hi'); r = x", "x = np.zeros(4); x.resize(2.5); r = x", "x = np.zeros(4); x.resize(-1); r = x",
        "x = np.zeros(4); x.resize((2, 3)); r = x", "x = np.zeros(4); x.resize(np.array([3, 2])); r = x", "it = np.ones(3).flat; del it[1]",
        "r = np.ones(40).sum().as_integer_ratio()", "r = np.ones(40).sum().bit_count()", "r = np.ones(40).no_such_name",
    ],
)  # fmt: skip
@pytest.mark.filterwarnings("ignore:divide by zero", "ignore:invalid value")
def test_what_numpys_docstrings_do(threshold, code):
    expected, found = after(code, numpy), after(code, np)
    if isinstance(expected, tuple):
        assert found == expected
    else:
        same(found, expected)


@pytest.mark.parametrize(("exponent", "name"), [(0.5, "sqrt"), (-1, "reciprocal"), (-2, "power")], ids=str)
def test_the_operator_of_powers_warns_as_numpys(all_lazy, exponent, name):
    with pytest.warns(RuntimeWarning, match=f"encountered in {name}"):
        numpy.asarray(np.array([-1.0, 0.0]) ** exponent)


@pytest.mark.parametrize("ends", [(0.1, 0.7, 11), (0, 1e-3, 1001), (1 / 3, 2 / 3, 50), (-5.5, 3.3, 33)], ids=str)
@pytest.mark.parametrize("dtype", ["f2", "f4", "f8"])
def test_spaces_between_lazy_ends_are_numpys_to_the_bit(all_lazy, ends, dtype):
    """The last element is the end itself."""
    start, stop, count = ends
    expected = numpy.linspace(numpy.array([start], dtype), numpy.array([stop], dtype), count)
    same(np.linspace(np.array([start], dtype), np.array([stop], dtype), count), expected)
    same(lazynp.jit(lambda a, b: np.linspace(a, b, count))(numpy.array([start], dtype), numpy.array([stop], dtype)), expected)
    assert np.logspace(np.array([start], dtype), np.array([stop], dtype), 3).dtype == dtype


@pytest.mark.parametrize(
    "code",
    [
        "np.add.reduce(m, axis=(0, 0))", "np.argmax(m, axis=(0, 1))", "np.logical_or.reduce(m, dtype='f4')",
        "np.bitwise_xor.accumulate(m, dtype='f4')", "np.std(m, dtype=int)",
        "np.sum(m[:, :0], initial=1, where=np.array([True, False, True]))", "np.sum(m, where=np.array([True, False]))",
        "np.var(m, axis=0, dtype=int)", "np.cumulative_sum(m, axis=(0, 1))", "np.average(m[:0], axis=1)", "np.sum(m[0], where=m > 0)",
    ],
)  # fmt: skip
def test_reductions_refuse_what_numpy_refuses(all_lazy, code):
    def outcome(namespace):
        try:
            return eval(code, {"np": namespace, "m": namespace.arange(12.0).reshape(4, 3)})
        except Exception as error:
            return type(error), str(error).partition("[original->remapped]")[0]

    expected = outcome(numpy)
    numpy.testing.assert_equal(outcome(np), expected)
