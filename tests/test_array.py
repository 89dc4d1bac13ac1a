"""The array type against NumPy's: attributes, views, aliases, writes, protocols, capture, forcing. At both thresholds where it matters."""

import copy
import operator
import os
import pickle
import subprocess
import sys
import threading

import numpy
import pytest

import lazynp
import lazynp as np
from lazynp.array import is_pending, ndarray
from lazynp.native import ARRAYS
from lazynp.runtime import storage


def same(actual, expected):
    """Values, dtype and shape as in NumPy, bit for bit."""
    numpy.testing.assert_array_equal(numpy.asarray(actual), expected, strict=True)


def both(data):
    """The same data as NumPy's array and as ours."""
    values = numpy.array(data)
    return values, np.array(values)


def grid(n=6, m=5):
    return numpy.arange(float(n * m)).reshape(n, m)


INDICES = [
    0,
    -1,
    slice(None),
    slice(1, -1),
    slice(None, None, -1),
    slice(None, None, 2),
    (slice(1, 4), slice(None, None, 2)),
    (Ellipsis, 1),
    (2, Ellipsis),
    (None, slice(None), None, 1),
    (slice(4, 1, -2), -1),
    (2, 3),
    (slice(3, 3), slice(None)),
    numpy.int64(2),
    (),
]
ADVANCED = [
    [0, 2, 2],
    numpy.array([[1, -1], [0, 3]]),
    (slice(None), [0, 4, 1]),
    ([0, 1, 5], [4, 0, 2]),
    (slice(1, 5), [3, 0], None),
    ([0, 1], slice(None), None),
    numpy.arange(30.0).reshape(6, 5) > 11,
    (slice(None), numpy.array([True, False, True, False, True])),
    numpy.array([], dtype=int),
]


# --- attributes ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["?", "i1", "u2", "i4", "i8", "f2", "f4", "f8", "c8", "c16"])
def test_attributes_are_numpys(threshold, dtype):
    expected, actual = both(numpy.arange(40).reshape(4, 10).astype(dtype))
    for view in (lambda a: a, lambda a: a[1:], lambda a: a.T, lambda a: a[::2, ::-1], lambda a: a[:, None]):
        e, a = view(expected), view(actual)
        for name in ("shape", "dtype", "ndim", "size", "itemsize", "nbytes"):
            assert getattr(a, name) == getattr(e, name), name
        assert [s for s, n in zip(a.strides, a.shape, strict=True) if n > 1] == [
            s for s, n in zip(e.strides, e.shape, strict=True) if n > 1
        ]
        assert a.flags.c_contiguous == e.flags.c_contiguous and a.flags.writeable == e.flags.writeable
        same(a, e)
    assert isinstance(actual, np.ndarray) and isinstance(expected, np.ndarray)


@pytest.mark.filterwarnings("ignore:Setting the shape on a NumPy array has been deprecated:DeprecationWarning")  # from NumPy 2.5 on
def test_assigning_the_shape(threshold):
    expected, actual = both(grid())
    expected.shape = actual.shape = (5, 6)
    same(actual, expected)
    with pytest.raises(AttributeError):
        actual[:, ::2].T.shape = (15,)


def test_real_and_imaginary_parts_are_views(threshold):
    expected, actual = both(numpy.arange(20) * (1 + 2j))
    for a in (expected, actual):
        a.real[3:] = 7
        a.imag = 5
    same(actual, expected)
    same(actual.real, expected.real)
    with pytest.raises(TypeError):
        np.array(grid()).imag = 1


# --- reading and writing through views ----------------------------------------------------------------------------------


@pytest.mark.parametrize("index", INDICES + ADVANCED, ids=str)
def test_reading(threshold, index):
    expected, actual = both(grid())
    same(actual[index], expected[index])
    same((actual * 2)[index], (expected * 2)[index])


@pytest.mark.parametrize("index", INDICES + ADVANCED, ids=str)
@pytest.mark.parametrize("kind", ["scalar", "array", "add"])
def test_writing(threshold, index, kind):
    expected, actual = both(grid())
    view_e, view_a = expected[1:, ::-1], actual[1:, ::-1]
    value = numpy.random.default_rng(1).integers(0, 9, expected[index].shape).astype(float)
    if kind == "scalar":
        expected[index] = actual[index] = -1
    elif kind == "array":
        expected[index] = value
        actual[index] = np.array(value)
    else:
        expected[index] += value
        actual[index] += np.array(value)
    same(actual, expected)
    same(view_a, view_e)


@pytest.mark.parametrize("index", [6, (0, 5), (0, 0, 0), "x", 1.0, [0.5], numpy.ones(7, bool), [9], (Ellipsis, Ellipsis)], ids=str)
def test_wrong_indices_raise_what_numpy_raises(threshold, index):
    expected, actual = both(grid())
    for program in (lambda a: a[index], lambda a: operator.setitem(a, index, 1)):
        with pytest.raises(IndexError) as wanted:
            program(expected)
        with pytest.raises(IndexError) as got:
            program(actual)
        assert str(got.value).strip() == str(wanted.value).strip()


def test_wrong_values_raise_what_numpy_raises(threshold):
    expected, actual = both(grid())
    for value in (numpy.ones(4), numpy.ones((2, 6, 5))):
        with pytest.raises(ValueError) as wanted:
            expected[:] = value
        with pytest.raises(ValueError) as got:
            actual[:] = value
        assert str(got.value) == str(wanted.value)


def test_overlapping_writes_read_first(threshold):
    expected, actual = both(numpy.arange(20.0))
    for a in (expected, actual):
        a[1:] = a[:-1]
        a[::-1] = a
        a[2:] += a[:-2]
        a[:10] *= a[10:][::-1]
    same(actual, expected)


def test_views_of_views_share_memory(threshold):
    expected, actual = both(grid())
    for a in (expected, actual):
        column = a.T[1:, 2:].reshape(4, 4)[:, 1:] if a.T[1:, 2:].flags.c_contiguous else a.T[1:, 2:][:, 1:]
        column[...] = -column
        a.ravel()[3] = 100
        a[::2][1][2] = 50
        a.reshape(-1)[7:9] = 8
        a.swapaxes(0, 1)[0] += 1
    same(actual, expected)


def test_copies_do_not_share_memory(threshold):
    expected, actual = both(grid())
    for make in (
        lambda a: a.copy(),
        copy.copy,
        copy.deepcopy,
        lambda a: a + 0,
        lambda a: a[[0, 1]],
        lambda a: a.flatten(),
        lambda a: a.astype(float),
    ):
        made = make(actual)
        made[...] = -5
        same(actual, expected)


def test_inplace_operators_keep_the_object_and_its_views(threshold):
    expected, actual = both(grid() + 1)
    for name in ("iadd", "isub", "imul", "itruediv", "ifloordiv", "imod", "ipow"):
        kept, view = actual, actual[1]
        result = getattr(operator, name)(actual, 2)
        expected = getattr(operator, name)(expected, 2)
        assert result is kept
        same(actual, expected)
        same(view, expected[1])
    for name in ("iand", "ior", "ixor", "ilshift", "irshift"):
        e, a = both(numpy.arange(20))
        same(getattr(operator, name)(a, 3), getattr(operator, name)(e, 3))


def test_inplace_operators_do_not_change_the_dtype(threshold):
    e, a = both(numpy.arange(20))
    with pytest.raises(TypeError):
        e += 0.5
    with pytest.raises(TypeError):
        a += 0.5
    same(a, e)


def test_writing_through_a_broadcast_view_is_refused(threshold):
    for xp in (numpy, np):
        view = xp.broadcast_to(xp.arange(30.0), (2, 30))
        assert not view.flags.writeable
        with pytest.raises(ValueError, match="read-only"):
            view[0] = 1


def test_base_and_memory(threshold):
    _, a = both(grid())
    assert a[1:].base is a and a.base is None
    assert numpy.shares_memory(numpy.asarray(a), numpy.asarray(a[1:]))


# --- scalars ------------------------------------------------------------------------------------------------------------


def test_values_for_python(threshold):
    for value in (3.7, -2, True, 1 + 2j, 0):
        expected, actual = both(value)
        assert bool(actual) is bool(expected)
        assert complex(actual) == complex(expected)
        if not isinstance(value, complex):
            assert float(actual) == float(expected) and int(actual) == int(expected)
        assert format(actual, "") == format(expected, "")
    x = np.array(grid())
    assert f"{x.sum():.3f}" == "435.000" and f"{x.max():>8.1e}" == " 2.9e+01"
    assert float(x.mean()) == 14.5 and int(x[2, 3]) == 13
    assert x.sum().item() == 435.0 and isinstance(x.sum().item(), float)
    assert x.tolist() == grid().tolist()
    assert [10, 20, 30][np.array([0, 5]).argmax()] == 20


def test_ambiguous_values_raise_what_numpy_raises(threshold):
    expected, actual = both(grid())
    for function in (bool, float, int, operator.index, lambda a: "x" if a > 3 else "y"):
        with pytest.raises((TypeError, ValueError)) as wanted:
            function(expected)
        with pytest.raises(wanted.type) as got:
            function(actual)
        assert str(got.value) == str(wanted.value)
    with pytest.raises(TypeError, match="unsized"):
        len(np.array(1.0))
    with pytest.raises(TypeError, match="0-d"):
        iter(np.array(1.0)).__next__()


def test_iteration_and_membership(threshold):
    expected, actual = both(grid())
    assert len(actual) == 6
    for row, wanted in zip(actual, expected, strict=True):
        same(row, wanted)
    assert 7.0 in actual and 99.0 not in actual
    assert [float(v) for v in actual[0]] == expected[0].tolist()
    a, *rest = actual
    same(a, expected[0])
    assert len(rest) == 5


@pytest.mark.parametrize(
    "data", [grid(), numpy.arange(3), numpy.array(2.5), numpy.zeros((0, 3)), numpy.array([True, False]), numpy.arange(3000.0)]
)
def test_text_is_numpys(threshold, data):
    _, actual = both(data)
    assert repr(actual) == repr(data) and str(actual) == str(data)


def test_arrays_are_unhashable(threshold):
    with pytest.raises(TypeError, match="unhashable"):
        hash(np.array(grid()))


def test_pickling(threshold):
    _, actual = both(grid())
    same(pickle.loads(pickle.dumps(actual * 2)), grid() * 2)


# --- operators ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["add", "sub", "mul", "truediv", "floordiv", "mod", "pow", "eq", "ne", "lt", "le", "gt", "ge", "matmul"])
def test_operators_with_numpy_arrays_on_either_side(threshold, name):
    function = getattr(operator, name)
    a, b = grid(5, 5) + 1, numpy.flipud(grid(5, 5)) + 2
    if name == "pow":
        b = b % 4
    for left, right in ((np.array(a), np.array(b)), (np.array(a), b), (a, np.array(b))):
        result = function(left, right)
        numpy.testing.assert_allclose(numpy.asarray(result), function(a, b), rtol=1e-14)
        assert numpy.asarray(result).dtype == function(a, b).dtype
        assert isinstance(result, np.ndarray)
    if name != "matmul":
        for scalar in (3, 2.0, numpy.float32(2), numpy.int8(3)):
            same(function(np.array(a), scalar), function(a, scalar))
            same(function(scalar, np.array(a)), function(scalar, a))


def test_unknown_operands_decide_for_themselves(threshold):
    class Unit:
        __array_ufunc__ = None

        def __rmul__(self, other):
            return "mine"

    assert np.array(grid()) * Unit() == "mine"
    with pytest.raises(TypeError):
        np.array(grid()) + "text"


# --- protocols ----------------------------------------------------------------------------------------------------------


def test_array_protocol(threshold):
    expected, actual = both(grid())
    shared = numpy.asarray(actual)
    assert type(shared) is numpy.ndarray and numpy.shares_memory(shared, numpy.asarray(actual))
    assert not numpy.shares_memory(actual.__array__(copy=True), shared)
    assert actual.__array__(numpy.float32).dtype == numpy.float32
    same(numpy.array(actual, dtype=int), expected.astype(int))
    assert numpy.shares_memory(numpy.array(actual, copy=False), shared)
    with pytest.raises(ValueError, match="copy"):
        numpy.asarray(actual, dtype=numpy.float32, copy=False)


def test_exported_memory_is_seen_both_ways(threshold):
    _, actual = both(grid())
    outside = numpy.asarray(actual)
    actual[0, 0] = 100
    assert outside[0, 0] == 100
    outside[1, 1] = 200
    assert float(actual[1, 1]) == 200 and float((actual * 2)[1, 1]) == 400
    actual += 1
    assert outside[1, 1] == 201
    column = numpy.asarray(actual[:, 2])
    actual[3] = -1
    assert column[3] == -1
    column[5] = 77
    assert float(actual.T[2, 5]) == 77


def test_a_write_from_outside_does_not_reach_a_pending_result(threshold):
    _, actual = both(grid())
    outside = numpy.asarray(actual)
    result = actual * 2
    outside[...] = -1
    same(result, grid() * 2)
    same(actual, numpy.full((6, 5), -1.0))


def test_exported_scalars_are_copies(threshold):
    x = np.array(grid()) * 1
    values = [numpy.asarray(x.sum()), numpy.asarray(x.max()), numpy.asarray(x.min())]
    assert [float(v) for v in values] == [435.0, 29.0, 0.0]
    total = x.sum()
    outside = numpy.array(total)
    outside[...] = 1
    assert float(total) == 435


def test_captured_numpy_arrays_are_safe(threshold):
    """A NumPy array read by a pending result may be written to afterwards."""
    source, ours = grid(), lazynp.lazy(numpy.ones((6, 5)))
    results = [ours + source, ours * source[::-1], np.where(ours > 0, source, 0), ours @ source.T, np.concatenate([ours, source])]
    expected = [1 + grid(), grid()[::-1], grid(), numpy.ones((6, 5)) @ grid().T, numpy.concatenate([numpy.ones((6, 5)), grid()])]
    made, held = lazynp.lazy(source), np.array(source)
    source[...] = -7
    for result, wanted in zip(results, expected, strict=True):
        same(result, wanted)
    same(made, grid())
    same(held, grid())


def test_index_arrays_are_captured_too(threshold):
    index, mask, a = numpy.array([0, 2]), grid()[:, 0] > 10, lazynp.lazy(grid())
    rows, chosen = a[index], a[mask]
    written = lazynp.lazy(grid())
    written[index] = 0
    index[:] = 5
    mask[:] = False
    same(rows, grid()[[0, 2]])
    same(chosen, grid()[3:])
    expected = grid()
    expected[[0, 2]] = 0
    same(written, expected)


def test_mixed_arguments_of_grad_are_captured(threshold):
    """The gradient of a lazy argument is pending; the NumPy argument beside it may change before it runs."""
    data = numpy.arange(1.0, 21.0)
    slope = lazynp.grad(lambda w, x: np.sum(w * w * x))(lazynp.lazy(numpy.ones(20)), data)
    data[:] = 0
    same(slope, 2 * numpy.arange(1.0, 21.0))


def test_dlpack(threshold):
    _, actual = both(grid())
    other = numpy.from_dlpack(actual)
    same(other, grid())
    assert numpy.shares_memory(other, numpy.asarray(actual))
    assert actual.__dlpack_device__() == (1, 0)


def test_array_namespace(threshold):
    _, actual = both(grid())
    assert actual.__array_namespace__() is (numpy if type(actual) is numpy.ndarray else lazynp)
    assert lazynp.lazy(actual).__array_namespace__() is lazynp
    assert actual.device == lazynp.lazy(actual).device == "cpu"


def test_numpy_functions_take_our_arrays(threshold):
    expected, actual = both(grid())
    for function in (numpy.sin, numpy.sum, numpy.cumsum, numpy.transpose, numpy.argsort, lambda a: numpy.add.reduce(a, axis=1)):
        result = function(actual)
        numpy.testing.assert_allclose(numpy.asarray(result), function(expected), rtol=1e-14)
        assert isinstance(result, (np.ndarray, numpy.generic))
    out = numpy.empty((6, 5))
    assert numpy.multiply(actual, 2, out=out) is out
    same(out, expected * 2)
    numpy.copyto(out, actual)
    same(out, expected)
    numpy.sqrt(actual, out=actual)
    same(actual, numpy.sqrt(expected))


def test_memoryview_of_the_data(threshold):
    _, actual = both(numpy.arange(20))
    assert bytes(actual.data) == numpy.arange(20).tobytes() == actual.tobytes()


# --- lazy, thresholds and settings --------------------------------------------------------------------------------------


def test_lazy_makes_a_lazy_copy_of_anything():
    source = numpy.arange(3.0)
    x = lazynp.lazy(source)
    y = x + 1
    assert is_pending(y) and isinstance(y, lazynp.ndarray)
    source[0] = 99
    same(y, numpy.arange(3.0) + 1)
    same(lazynp.lazy([1, 2]), numpy.array([1, 2]))
    same(lazynp.lazy(2.5), numpy.array(2.5))
    z = lazynp.lazy(x)
    z[0] = 5
    same(x, numpy.arange(3.0))
    with pytest.raises(TypeError, match="no lazy form"):
        lazynp.lazy(["a", "b"])


def test_sizes_decide_what_is_lazy():
    small, large = np.ones(1000) + 1, np.ones(100_000) + 1
    assert all(type(x) in ARRAYS for x in (small, np.exp(small), np.ones(3)))
    assert is_pending(large)
    assert is_pending(np.exp(numpy.ones(100_000)))
    assert is_pending(np.ones((300, 300)) + np.ones((1, 300)))
    assert type(np.add(np.ones((300, 1)), np.ones((1, 300)))) is not numpy.ndarray
    with lazynp.config(lazy_threshold=50):
        assert is_pending(np.ones(100) + 1)
    with lazynp.config(lazy_threshold=0):
        assert is_pending(np.ones(2) + 1)


def test_small_parts_of_a_large_array_are_numpys_views():
    x = np.ones((300, 300))
    row, item = x[1], x[2, 3]
    assert type(row) is numpy.ndarray and type(item) is numpy.float64
    twice = x * 2
    row[:] = 5
    assert twice[1, 0] == 2 and x[1, 0] == 5
    x[0, :] = row
    x[1:3, 0] = [7, 8]
    assert row[0] == 7 and x[0, 0] == 5 and (x + 0)[2, 0] == 8
    fixed = np.broadcast_to(np.ones(300), (300, 300))
    with pytest.raises(ValueError, match="read-only"):
        fixed[1][0] = 1
    with pytest.raises(IndexError, match="out of bounds"):
        x[300]


def test_items_of_a_present_array_while_pending_work_reads_it():
    """Elements are read and written in memory without being recorded; what was recorded before a write has read the old ones."""
    x = np.array(numpy.arange(90_000.0).reshape(300, 300))
    rows = x[1:, ::2]
    double = x * 2
    x[0, 0] = 7.0
    rows[0] = x[5, ::2]
    rows[1, :3] = [1, 2, 3]
    x[-1] = numpy.arange(300)
    assert x[0, 0] == 7.0 and type(x[0, 0]) is numpy.float64 and double[0, 0] == 0.0
    numpy.testing.assert_array_equal(x[1], [v if k % 2 else 1500 + k for k, v in enumerate(range(300, 600))])
    numpy.testing.assert_array_equal(x[2, :6], [1, 601, 2, 603, 3, 605])
    numpy.testing.assert_array_equal(double[[1, 2, 299]], 2 * numpy.arange(90_000.0).reshape(300, 300)[[1, 2, 299]])
    frozen = np.broadcast_to(np.lazy(x[0]), (300, 300))
    frozen.sum()
    with pytest.raises(ValueError, match="read-only"):
        frozen[0, 0] = 1.0
    with pytest.raises(IndexError):
        x[300]
    with pytest.raises(ValueError, match="cannot delete"):
        del x[0]


def test_a_product_with_a_small_result_is_computed_at_once():
    a = np.ones((300, 300))
    assert type(a @ np.ones(300)) in ARRAYS and type(np.dot(a, a[0])) in ARRAYS
    assert is_pending((a + 1) @ np.ones(300))


def test_arrays_that_are_not_numeric_stay_numpys(threshold):
    for data in (["a", "b"], [object(), 1], numpy.zeros(2, [("x", int)]), numpy.array(["2020-01-01"], "M8[D]")):
        assert type(np.array(data)) is numpy.ndarray


def test_settings_are_restored_also_after_an_error():
    before = lazynp.config.lazy_threshold
    with pytest.raises(RuntimeError), lazynp.config(lazy_threshold=7, threads=1):
        assert lazynp.config.lazy_threshold == 7 and lazynp.config.threads == 1
        raise RuntimeError
    assert lazynp.config.lazy_threshold == before
    with pytest.raises(TypeError, match="unexpected setting 'lazy'"), lazynp.config(lazy=1):
        pass
    with pytest.raises(TypeError, match="expects int"), lazynp.config(threads="two"):
        pass
    with pytest.raises(ValueError, match="expects one of"), lazynp.config(level="wild"):
        pass


def in_new_process(code, **environment):
    """What the code prints."""
    done = subprocess.run([sys.executable, "-c", code], env=os.environ | environment, capture_output=True, text=True, timeout=120)
    return done.stdout.strip() or done.stderr.strip().splitlines()[-1]


def test_settings_from_the_environment(tmp_path):
    show = "import lazynp; c = lazynp.config; print(c.lazy_threshold, c.threads, c.verify, c.level, c.cache_dir)"
    found = in_new_process(
        show, LAZYNP_LAZY_THRESHOLD="0", LAZYNP_THREADS="1", LAZYNP_VERIFY="no", LAZYNP_LEVEL="exact", LAZYNP_CACHE_DIR=str(tmp_path)
    )
    assert found == f"0 1 False exact {tmp_path}"
    assert "LAZYNP_THREADS='x' is not int" in in_new_process(show, LAZYNP_THREADS="x")
    run = "import lazynp as np; x = np.ones(3) + 1; print(float(x.sum()), np.stats()['programs'] > 0, np.stats()['compiles'] > 0)"
    assert in_new_process(run, LAZYNP_LAZY_THRESHOLD="0", LAZYNP_CACHE_DIR=str(tmp_path), LAZYNP_BACKEND="reference") == "6.0 True False"
    assert in_new_process(run, LAZYNP_CACHE_DIR=str(tmp_path)) == "6.0 False False"


# --- forcing ------------------------------------------------------------------------------------------------------------


def runs():
    return lazynp.stats()["program_runs"]


def test_forcing_one_array_computes_all_that_are_alive(all_lazy):
    x = lazynp.lazy(numpy.arange(10.0))
    a = x * 2
    b = np.exp(a)
    c = np.sum(b, keepdims=True)
    a[0] = 7
    before = runs()
    numpy.asarray(c)
    assert runs() - before == 1
    assert not any(map(is_pending, (x, a, b, c)))
    same(a, numpy.array([7.0, *range(2, 20, 2)]))
    numpy.testing.assert_allclose(numpy.asarray(b), numpy.exp(numpy.arange(10.0) * 2), rtol=1e-14)
    assert runs() - before == 1


def test_dead_results_are_not_computed(all_lazy):
    x = lazynp.lazy(numpy.arange(10.0))
    discarded = np.linalg.inv(np.zeros((3, 3)))  # would raise LinAlgError
    del discarded
    same(x + 1, numpy.arange(10.0) + 1)


def test_a_loop_compiles_a_constant_number_of_programs():
    def program(steps):
        x = np.linspace(0, 1, 20_000)
        total = np.zeros(20_000)
        for i in range(steps):
            x = np.sin(x) + i
            total += x
            total[1:-1] *= 0.5
        return numpy.asarray(total)

    program(3)
    before = lazynp.stats()["programs"]
    first = program(10)
    few = lazynp.stats()["programs"] - before
    program(40)
    assert lazynp.stats()["programs"] - before - few <= 2
    assert few <= 4
    x, total = numpy.linspace(0, 1, 20_000), numpy.zeros(20_000)
    for i in range(10):
        x = numpy.sin(x) + i
        total += x
        total[1:-1] *= 0.5
    numpy.testing.assert_allclose(first, total, rtol=1e-12)


def test_printing_in_a_loop_forces_each_time_but_compiles_once():
    def program(steps):
        x, seen = np.ones(20_000), []
        for _ in range(steps):
            x = x * 0.5 + 1
            seen.append(f"{x.sum():.6f}")
        return seen

    program(3)
    before = lazynp.stats()["programs"]
    assert program(12)[0] == "30000.000000"
    assert lazynp.stats()["programs"] - before <= 1


def test_errors_at_run_time_name_the_line(all_lazy):
    singular = lazynp.lazy(numpy.zeros((3, 3)))
    broken = np.linalg.solve(singular, numpy.ones(3))
    with pytest.raises(numpy.linalg.LinAlgError) as error:
        numpy.asarray(broken)
    assert any("test_array.py" in note for note in error.value.__notes__)


def test_shape_errors_come_at_once_and_are_numpys(threshold):
    for program in (
        lambda xp: xp.ones(30) + xp.ones(40),
        lambda xp: xp.ones((30, 2)) @ xp.ones((3, 30)),
        lambda xp: xp.ones(30).reshape(7, 5),
        lambda xp: xp.concatenate([xp.ones((30, 2)), xp.ones((30, 3))]),
        lambda xp: xp.sum(xp.ones(30), axis=2),
    ):
        with pytest.raises(ValueError) as wanted:
            program(numpy)
        with pytest.raises(wanted.type) as got:
            program(np)
        assert str(got.value).split(",")[0] == str(wanted.value).split(",")[0]


def test_pooled_memory_is_not_reused_while_a_view_lives():
    from lazynp.backends.pool import empty

    big = empty((1 << 18,), numpy.dtype(float))
    big[:] = 1.0
    view = big[5:10]
    del big
    for _ in range(4):
        other = empty((1 << 18,), numpy.dtype(float))
        other[:] = 2.0
    assert view.tolist() == [1.0] * 5


@pytest.mark.parametrize("size", [1 << 18, 300_000, 1 << 21, (1 << 21) + 4096, 5_000_000, 9_000_001])
def test_pieces_of_new_memory_do_not_overlap(size):
    from lazynp.backends.pool import fresh_pages

    pieces = [fresh_pages(size) for _ in range(12)]
    for k, piece in enumerate(pieces):
        piece[:] = k
    for k, piece in enumerate(pieces):
        assert piece.size == size
        assert piece.ctypes.data % 4096 == 0
        assert (piece == k).all()
    last = pieces[-1]
    del pieces, piece
    assert (last == 11).all()


@pytest.mark.parametrize("large", [(10**6, 10**7), (10**14,)])
def test_more_than_there_is_memory_for(large):
    for xp in (numpy, np):
        with pytest.raises(MemoryError, match="Unable to allocate"):
            numpy.asarray(xp.arange(1000.0).sum() + xp.broadcast_to(xp.ones(1), large))


def test_the_terms_of_a_sum_over_slices_run_together(all_lazy):
    padded, before = np.arange(40.0) * 1.5, storage._main_queue.runs
    total = sum(w * padded[k : k + 36] for k, w in enumerate(numpy.array([1, 4, 6, 4, 1]) / 16))
    assert storage._main_queue.runs == before
    assert total.tolist() == (numpy.arange(2, 38) * 1.5).tolist()
    assert storage._main_queue.runs == before + 1


def test_an_error_in_pending_work_reaches_only_who_reads_it(all_lazy):
    inverse = np.linalg.inv(np.zeros((3, 3)))
    shifted = inverse + 1
    other = np.ones(3) * 2
    assert other.tolist() == [2.0, 2.0, 2.0]
    for broken in (inverse, shifted, inverse):
        with pytest.raises(numpy.linalg.LinAlgError, match="Singular matrix") as caught:
            numpy.asarray(broken)
        assert "test_array.py" in caught.value.__notes__[0]
    with pytest.raises(numpy.linalg.LinAlgError):
        inverse * 2


def test_scalars_print_as_numpys(threshold):
    x = np.array(numpy.arange(40.0).reshape(2, 20))
    assert repr([row.sum() for row in x]) == repr([row.sum() for row in numpy.arange(40.0).reshape(2, 20)])


def test_threads_share_the_queue(all_lazy):
    shared = np.array(numpy.arange(64.0))
    wrong = []

    def work(k):
        own = np.zeros(64)
        for _ in range(25):
            own[1:] = own[:-1] + shared[1:] * k
            own += 1
        expected = numpy.zeros(64)
        for _ in range(25):
            expected[1:] = expected[:-1] + numpy.arange(64.0)[1:] * k
            expected += 1
        if not numpy.array_equal(own, expected):
            wrong.append(k)

    threads = [threading.Thread(target=work, args=(k,)) for k in range(8)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not wrong


def test_lazy_work_is_compiled_when_it_has_come_often(all_lazy):
    with np.config(compile_after=2):  # milliseconds: 3 operations of 10 us, 70 times
        before = np.stats()
        offset = numpy.random.default_rng().random()  # no earlier run of this test has left its program on disk
        for turn in range(400):
            x = np.array(numpy.arange(7.0))
            x[1:] = numpy.pi * turn * x[:-1] + offset
            assert numpy.array_equal(numpy.asarray(x)[1:], numpy.pi * turn * numpy.arange(6.0) + offset)
        after = np.stats()
    assert 20 <= after["interpreted"] - before["interpreted"] <= 350
    assert 1 <= after["programs"] - before["programs"] <= 3


def test_lazy_work_that_takes_long_is_compiled_at_once(all_lazy):
    with np.config(compile_after=40):
        before = np.stats()
        x = np.ones(30_000_000, numpy.float32)
        assert float((np.sin(x) * 0.25 + x * 0.0612345).sum()) > 0
        after = np.stats()
    assert after["programs"] > before["programs"] and after["interpreted"] == before["interpreted"]


def test_where_without_axes_is_an_array_that_can_be_written_to():
    with np.config(lazy_threshold=0):
        total = np.sum(np.ones(3))
        for made in (np.where(total > 1, total, 0.0), np.select([total > 1], [total])):
            made[()] = 5
            assert made == 5
        assert total == 3


def test_put_into_an_array_without_axes():
    with np.config(lazy_threshold=0):
        x = np.zeros(())
        np.put(x, [0, -1], [3, 4])
        assert x == 4


def test_what_a_function_reads_of_an_array_does_not_count_as_known_outside():
    x = np.ones((300, 300)) + 0
    x.max()
    for _ in range(3):
        y = np.roll(x, 1, 0) + np.roll(x, -1, 1)
        assert not x._storage.exported
    assert y[0, 0] == 2


@pytest.mark.parametrize("index", [[True, False], [True] * 6, [[True] * 5] * 2, [True, False, True, False, True]], ids=str)
def test_lists_of_truth_values_are_masks(all_lazy, index):
    def outcome(namespace):
        x = namespace.arange(5.0)
        try:
            x[index] = x[index] + 1
            return x.tolist()
        except IndexError as error:
            return str(error)

    assert outcome(np) == outcome(numpy)


@pytest.mark.parametrize(
    "code",
    [
        "b ** x",
        "b ** -1",
        "True ** x",
        "[1, 2] ** x",
        "np.uint64(7) ** x",
        "u ** -1",
        "x ** b",
        "x ** 2.0",
        "x ** -1",
        "np.power(3, x)",
        "2 ** x",
    ],
)
def test_integers_to_negative_powers(all_lazy, code):
    def outcome(namespace):
        x = namespace.array([[2, -1], [0, 3]])
        try:
            result = eval(code, {"x": x, "b": x > 0, "u": x.astype("u1"), "np": numpy})
            return result.dtype, result.tolist()
        except (ValueError, OverflowError) as error:
            return type(error), str(error)

    assert outcome(np) == outcome(numpy)


def test_products_of_present_views_are_numpys():
    x = np.array(numpy.random.default_rng(0).uniform(size=(400, 300)))
    plain = numpy.array(x)
    for k in (0, 7, 290):
        product = x[:, k] @ x[:, k:]
        assert isinstance(product, numpy.ndarray) and not is_pending(product)
        numpy.testing.assert_array_equal(product, plain[:, k] @ plain[:, k:])
        numpy.testing.assert_array_equal(numpy.dot(x[k:].T[:5], x[k:, 0]), numpy.dot(plain[k:].T[:5], plain[k:, 0]))
    view = x[3:, 5:]
    assert view.base is x and view.strides == plain[3:, 5:].strides
    view[0, 0] = 9.0
    assert x[3, 5] == 9.0 and (view[1:, 2:] + 0)[4, 4] == plain[8, 11]
    view += 1
    assert x[3, 5] == 10.0


def _small_and_there():
    """An array of ours that was computed lazily, is small, and is there."""
    total = np.array(numpy.random.default_rng(5).random((300, 400))).sum(axis=0)
    assert float(total[0]) > 0 and type(total) is ndarray and not is_pending(total)
    return total, numpy.asarray(total).copy()


@pytest.mark.parametrize("other", [2, 0.5, numpy.float32(3), numpy.linspace(0.5, 2.0, 400), [1.0] * 400], ids=lambda x: type(x).__name__)
@pytest.mark.parametrize("name", ["add", "sub", "mul", "truediv", "floordiv", "mod", "pow", "lt", "eq"])
def test_operators_of_small_arrays_that_are_there(name, other):
    ours, plain = _small_and_there()
    function = getattr(operator, name)
    same(function(ours, other), function(plain, other))
    same(function(other, ours), function(other, plain))
    assert not is_pending(function(ours, other))
    assert is_pending(function(ours[:, None], ours)), "it grows"


def test_in_place_operators_of_small_arrays_that_are_there():
    ours, plain = _small_and_there()
    view, twice = ours[3:], ours * 2
    ours += plain
    ours[1:] *= 3.0
    plain_twice, plain_view = plain * 2, plain[3:]
    plain += plain.copy()
    plain[1:] *= 3.0
    same(ours, plain)
    same(view, plain_view)
    same(twice, plain_twice)


def test_functions_of_small_arrays_that_are_there():
    ours, plain = _small_and_there()
    for function in (
        numpy.exp,
        numpy.sort,
        numpy.mean,
        numpy.diff,
        lambda x: numpy.where(x > 150, x, 0),
        lambda x: numpy.concatenate([x, [1.0]]),
    ):
        same(function(ours), function(plain))
    same(np.exp(ours), numpy.exp(plain))
    same(np.outer(ours, ours), numpy.outer(plain, plain))
    same(np.stack([ours, plain], axis=1), numpy.stack([plain, plain], axis=1))
    assert np.asarray(ours) is ours
    part = np.reshape(ours, (20, 20))
    part[0, 1] = -1.0
    assert ours[1] == -1.0
    np.copyto(ours, 0.0)
    assert part[3, 3] == 0.0
    with pytest.warns(RuntimeWarning, match="divide by zero"):
        assert np.isinf(1 / ours).all()


def test_transposed_arrays_that_are_there():
    x = np.array(numpy.random.default_rng(1).random((300, 400)))
    plain, weights = numpy.array(x), numpy.arange(300.0)
    turned = x.T
    assert turned.base is x and turned.shape == (400, 300) and turned.strides == plain.T.strides
    same(turned @ weights, plain.T @ weights)
    same(weights @ x @ np.ones(400), weights @ plain @ numpy.ones(400))
    same(turned[:5] @ x[:, :5], plain.T[:5] @ plain[:, :5])
    same(np.vdot(x[0], x[1]), numpy.vdot(plain[0], plain[1]))
    turned[0, 1] = 7.0
    assert x[1, 0] == 7.0 and turned.T[1, 0] == 7.0
    x.flags.writeable = False
    with pytest.raises(ValueError, match="read-only"):
        x.T[0, 0] = 1.0
    with pytest.raises(ValueError, match="mismatch"):
        turned @ numpy.ones(7)
    cube = np.array(numpy.random.default_rng(1).random((50, 40, 60)))
    same(cube.T, numpy.asarray(cube).T)
    assert cube.T.base is cube and cube.T.T.strides == cube.strides


def test_views_of_what_is_there_do_not_make_others_copy_it(monkeypatch):
    """Reading four views of an array whose memory NumPy made is reading one array."""
    inputs = []
    original = storage.canonical.take_apart

    def spy(outputs, aliases):
        form = original(outputs, aliases)
        inputs.append(len(form.leaves))
        return form

    monkeypatch.setattr(storage.canonical, "take_apart", spy)
    u = np.array(numpy.random.default_rng(3).random((400, 400)))
    for _ in range(3):
        u[1:-1, 1:-1] += u[:-2, 1:-1] + u[2:, 1:-1] - u[1:-1, :-2] * u[1:-1, 2:]
    float(u[0, 0])
    assert inputs == [1, 1, 1]
