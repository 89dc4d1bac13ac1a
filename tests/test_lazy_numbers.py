"""Lazy numbers in the hands of Python and its standard library: what NumPy's scalars do there, they do."""

import array
import copy
import dataclasses
import datetime
import decimal
import fractions
import io
import json
import math
import operator
import pickle
import sqlite3
import statistics
import struct
import time
import warnings

import numpy
import pytest

import lazynp as np


def same(actual, expected):
    actual = numpy.asarray(actual)
    assert actual.dtype == expected.dtype
    numpy.testing.assert_array_equal(actual, expected)


@pytest.mark.parametrize(
    "code",
    [
        "statistics.mean([v, v])", "statistics.median([v, w, v])", "math.trunc(v)", "math.floor(w)", "math.ceil(w)", "math.trunc(x)",
        "pickle.loads(pickle.dumps(v))", "pickle.loads(pickle.dumps(w, 5))", "v.view('i8')", "v.byteswap()", "v[0]", "n * [1, 2]",
        "[1, 2] * n", "v * [1, 2]", "v * (1.0, 2.0)", "(1, 2) * n", "copy.deepcopy([v, n])",
        "sqlite3.connect(':memory:').execute('select ?', (v,)).fetchone()",
        "sqlite3.connect(':memory:').execute('select ?', (x,)).fetchone()",
    ],
)  # fmt: skip
def test_lazy_numbers_are_numpys(all_lazy, code):
    def outcome(namespace):
        x = namespace.arange(4.0) + 0.25
        names = {"x": x, "v": x.sum(), "w": -x.sum() / 3, "n": namespace.arange(3).sum()}
        try:
            return eval(code, {**names, **{m.__name__: m for m in (statistics, math, pickle, copy, sqlite3)}})
        except Exception as error:
            return type(error), str(error)

    found, expected = outcome(np), outcome(numpy)
    assert repr(found) == repr(expected)
    assert getattr(found, "dtype", None) == getattr(expected, "dtype", None)


@pytest.mark.parametrize(
    "code",
    [
        "'ab' * n", "n * 'ab'", "b'ab' * n", "'ab' * v", "float(z)", "int(z)", "math.sqrt(z)", "pow(n, 2, 5)", "operator.index(v)",
        "range(v)", "bin(v > 0)", "v == None", "None == v", "v == 'a'", "Fraction(1, 2) + v", "v == Fraction(25, 4)", "Decimal(1) < v",
        "v.flags.writeable", "json.dumps({'a': [v]}, indent=2)", "json.dumps({v: 1}, indent=n)", "json.dumps({'b': v / 0}, indent=2)",
        "written(json, {'a': v})", "copy.copy(v)", "asdict(Point(v))",
    ],
)  # fmt: skip
def test_lazy_numbers_in_the_standard_library(all_lazy, code):
    Point = dataclasses.make_dataclass("Point", ["a"])

    def written(json, value):
        json.dump(value, file := io.StringIO())
        return file.getvalue()

    def outcome(namespace):
        x = namespace.arange(4.0) + 0.0625
        names = {"v": x.sum(), "n": namespace.arange(3).sum(), "z": (x + 1j).sum(), "written": written, "Point": Point}
        modules = {"json": json, "math": math, "copy": copy, "operator": operator, "asdict": dataclasses.asdict}
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            try:
                result = eval(code, {**names, **modules, "Fraction": fractions.Fraction, "Decimal": decimal.Decimal})
            except Exception as error:
                result = type(error), str(error)
            return repr(result), sorted({w.category.__name__ for w in caught})

    assert outcome(np) == outcome(numpy)


@pytest.mark.parametrize(
    "code",
    [
        "time.sleep(v * 0)", "Decimal(v)", "timedelta(seconds=v)", "float.hex(v)", "float.__add__(v, 1)", "json.dumps({v: 1})", "type(v)",
        "type(x.mean()), type(x.argmax()), type((x > 1).all()), type(np.linalg.norm(x)), type(x @ x), type(np.median(x))",
        "statistics.mean([n, n])", "statistics.mean([w, w])", "[hasattr(v, a) for a in ('__len__', '__iter__', '__setitem__')]",
        "(x > 1).any() is np.True_", "array.array('d', [v, v]).tobytes()", "struct.pack('d', v)", "np.linalg.slogdet(np.diag(x[:3]))",
        "[type(part) for part in np.linalg.slogdet(np.diag(x[:3]))]", "np.average(x, returned=True)", "isinstance(v, float)",
    ],
)  # fmt: skip
def test_numbers_are_numpys_scalars(threshold, code):
    def outcome(namespace):
        x = namespace.arange(70_000.0) + 0.25
        names = {"x": x, "v": x.sum(), "w": x.astype("f4").max(), "n": namespace.arange(70_000).sum(), "np": namespace}
        modules = {m.__name__: m for m in (time, json, statistics, array, struct)}
        return repr(eval(code, {**names, **modules, "Decimal": decimal.Decimal, "timedelta": datetime.timedelta}))

    assert outcome(np) == outcome(numpy)


def test_what_an_operation_reads_of_an_array_does_not_run_it(threshold):
    """percentile looked at the last of the sorted values, which ran the change of x in place that it had read already: done twice."""
    x, expected = np.linspace(1, 2, 70_000), numpy.linspace(1, 2, 70_000)
    for _ in range(4):
        x -= x * 0.5
        expected -= expected * 0.5
        assert np.percentile(x, 30) * 1 == pytest.approx(numpy.percentile(expected, 30))


@pytest.mark.parametrize("code", ["np.array(3.7).astype(int)", "np.array(1.5).copy()", "np.array([2.5]).reshape(())"])
def test_arrays_without_axes_stay_arrays(threshold, code):
    ours, theirs = eval(code, {"np": np}), eval(code, {"np": numpy})
    assert isinstance(ours, np.ndarray) and isinstance(theirs, numpy.ndarray) and ours.shape == ()
    ours[()] = 5
    assert ours == 5


def test_numbers_in_tables(threshold):
    """pandas asks each number for its type: a column of lazy ones would hold objects."""
    pandas = pytest.importorskip("pandas", reason="pandas is not installed")
    x = np.arange(70_000.0)
    frame = pandas.DataFrame([{"mean": np.mean(x * k), "last": (x * k).argmax(), "any": (x < 0).any()} for k in range(3)])
    assert list(map(str, frame.dtypes)) == ["float64", "int64", "bool"]
    assert frame.iloc[np.argmin(x)]["mean"] == 0.0


@pytest.mark.parametrize("mantissa", [5, 300, 5.0, True, numpy.int8(3)], ids=str)
def test_the_dtype_of_a_python_number_beside_integers(all_lazy, mantissa):
    """A dtype equals Python's int: the pair was taken for two Python numbers."""
    same(np.ldexp(mantissa, np.lazy([0, 1, 2])), numpy.ldexp(mantissa, [0, 1, 2]))


@pytest.mark.parametrize("index", [..., None, (None, ...)], ids=str)
def test_an_array_made_of_a_number_is_no_view_of_it(threshold, index):
    total = np.arange(70_000.0).sum() * 2
    float(total)
    made = total[index]
    made[...] = -1
    assert total == 69_999 * 70_000.0
