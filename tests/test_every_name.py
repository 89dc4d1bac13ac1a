"""Every public name of NumPy is called, on NumPy's arrays and on lazynp's, with everything lazy and at the default: equal answers.

A function is tried with some generic arguments, of which those count that NumPy takes; what takes none of them has its own in `CALLS`.
Types, constants and modules are compared as they are.
"""

import contextlib
import datetime
import inspect
import io
import types
import warnings
from importlib import import_module

import numpy
import pytest

import lazynp
from lazynp.api import table

ROWS = table.rows()

GENERIC = ("x", "m", "x, y", "m, m", "x, 2", "i", "i, i", "b", "b, b", "x, x, x", "(x, y)", "m, x", "i, 2", "c")
"""Arguments that are tried on every function."""

CALLS: dict[str, str] = {
    "numpy.apply_along_axis": "np.sum, 0, m", "numpy.apply_over_axes": "np.sum, m, [0, 1]", "numpy.arange": "3, 9, 2",
    "numpy.array2string": "x, precision=2", "numpy.base_repr": "10, 3", "numpy.binary_repr": "10", "numpy.block": "[[m, m], [m, m]]",
    "numpy.bmat": "[[m, m]]", "numpy.busday_count": "'2024-01-01', '2024-02-01'", "numpy.busday_offset": "'2024-01-01', 3",
    "numpy.can_cast": "'i4', 'f8'", "numpy.choose": "i, [x, y, x, y]", "numpy.compress": "b, x", "numpy.copyto": "x, y",
    "numpy.datetime_as_string": "d", "numpy.datetime_data": "d.dtype", "numpy.einsum": "'ij,jk->ik', m, m",
    "numpy.einsum_path": "'ij,jk->ik', m, m", "numpy.extract": "b, x", "numpy.fill_diagonal": "m, 7.0",
    "numpy.format_float_positional": "1.25",
    "numpy.format_float_scientific": "1.25", "numpy.from_dlpack": "n", "numpy.frombuffer": "b'abcdefgh', 'u1'",
    "numpy.fromfunction": "lambda i, j: i + 2 * j, (3, 4)", "numpy.fromiter": "(v * v for v in range(5)), float",
    "numpy.frompyfunc": "lambda v: v + 1, 1, 1", "numpy.fromregex": "io.StringIO('1 2'), '([0-9]) ([0-9])', [('a', int), ('b', int)]",
    "numpy.fromstring": "'1 2 3', sep=' '", "numpy.genfromtxt": "io.StringIO('1 2')", "numpy.geomspace": "1.0, 9.0, 5",
    "numpy.hamming": "6", "numpy.hanning": "6", "numpy.bartlett": "6", "numpy.blackman": "6", "numpy.histogramdd": "m, 3",
    "numpy.in1d": "i, [1, 2]", "numpy.indices": "(2, 3)", "numpy.insert": "x, 1, 9.0", "numpy.interp": "0.7, np.cumsum(x), y",
    "numpy.searchsorted": "np.cumsum(x), y",
    "numpy.is_busday": "'2024-01-01'",
    "numpy.isdtype": "x.dtype, 'real floating'", "numpy.isnat": "d", "numpy.issubdtype": "x.dtype, np.floating", "numpy.kaiser": "6, 2.0",
    "numpy.linspace": "0.0, 1.0, 5", "numpy.load": "saved()", "numpy.loadtxt": "io.StringIO('1 2')", "numpy.lexsort": "(x, y)",
    "numpy.logspace": "0.0, 1.0, 5", "numpy.mask_indices": "3, np.triu", "numpy.may_share_memory": "x, x[1:]",
    "numpy.mintypecode": "['f', 'd']",
    "numpy.matvec": "m, x[:4]", "numpy.vecmat": "x[:4], m", "numpy.nested_iters": "m, [[0], [1]]", "numpy.packbits": "i.astype(np.uint8)",
    "numpy.pad": "x, 2", "numpy.piecewise": "x, [x > 1, x <= 1], [lambda v: v * 2, 0.0]", "numpy.place": "x, b, [9.0]",
    "numpy.polyfit": "x, y, 1", "numpy.promote_types": "'i4', 'f4'", "numpy.put": "x, [0, 1], 9.0",
    "numpy.put_along_axis": "m, np.zeros((1, 4), int), 9.0, 0",
    "numpy.putmask": "x, b, 9.0", "numpy.ravel_multi_index": "(i, i), (9, 9)", "numpy.result_type": "x, i", "numpy.save": "io.BytesIO(), x",
    "numpy.savetxt": "io.StringIO(), x", "numpy.savez": "io.BytesIO(), x", "numpy.savez_compressed": "io.BytesIO(), x",
    "numpy.select": "[x > 1, x < 0], [x, y]", "numpy.shares_memory": "x, x", "numpy.sinc": "x", "numpy.split": "x, 3",
    "numpy.take_along_axis": "m, np.zeros((1, 4), int), 0",
    "numpy.tensordot": "m, m, 1", "numpy.tri": "3", "numpy.tril_indices": "3", "numpy.triu_indices": "3", "numpy.typename": "'d'",
    "numpy.unpackbits": "i.astype(np.uint8)", "numpy.unravel_index": "i, (9, 9)", "numpy.diag_indices": "3",
    "numpy.require": "x, float, 'C'",
    "numpy.digitize": "x, [0.0, 1.0, 2.0]", "numpy.setbufsize": "8192", "numpy.lcm": "i, i", "numpy.getbufsize": "", "numpy.geterr": "",
    "numpy.geterrcall": "",
    "numpy.get_printoptions": "", "numpy.get_include": "", "numpy.ldexp": "x, i", "numpy.bitwise_count": "i", "numpy.array_split": "x, 4",
    "numpy.hsplit": "m, 2", "numpy.vsplit": "m, 2", "numpy.dsplit": "m.reshape(2, 2, 4), 2", "numpy.unstack": "m",
    "numpy.show_config": "mode='dicts'",
    "numpy.linalg.multi_dot": "[m, m, m]", "numpy.linalg.matrix_power": "m, 3", "numpy.linalg.tensorsolve": "m, x[:4]",
    "numpy.linalg.vector_norm": "x",
    "numpy.linalg.tensorinv": "m, ind=1", "numpy.linalg.solve": "m, x[:4]", "numpy.linalg.lstsq": "m, x[:4]",
    "numpy.linalg.cholesky": "m @ m.T + 9 * np.eye(4)",
    "numpy.linalg.cross": "x[:3], y[:3]", "numpy.fft.fftfreq": "8", "numpy.fft.rfftfreq": "8", "numpy.fft.irfftn": "m",
    "numpy.fft.irfft2": "m",
    "numpy.copy": "x", "numpy.diagflat": "x", "numpy.isscalar": "3.0", "numpy.iterable": "x", "numpy.ndim": "m",
    "numpy.printoptions": "precision=3",
    "numpy.bincount": "i", "numpy.vander": "x, 3", "numpy.histogram_bin_edges": "x, 4", "numpy.histogram2d": "x, y, 3",
    "numpy.astype": "x, np.float32", "numpy.broadcast_to": "x, (2, 6)", "numpy.cross": "x[:3], y[:3]", "numpy.expand_dims": "x, 0",
    "numpy.eye": "4",
    "numpy.identity": "4", "numpy.isin": "x, y", "numpy.modf": "x", "numpy.moveaxis": "m, 0, 1", "numpy.reshape": "x, (2, 3)",
    "numpy.rollaxis": "m, 1", "numpy.swapaxes": "m, 0, 1", "numpy.ma.apply_along_axis": "np.sum, 0, m",
    "numpy.ma.apply_over_axes": "np.ma.sum, m, [0]", "numpy.ma.arange": "3, 9, 2", "numpy.ma.expand_dims": "x, 0",
    "numpy.ma.flatten_structured_array": "np.zeros(2, 'f8,i4')", "numpy.ma.frombuffer": "b'abcdefgh', 'u1'",
    "numpy.ma.fromflex": "np.ma.masked_array([1, 2], [0, 1]).toflex()", "numpy.ma.fromfunction": "lambda i, j: i + 2 * j, (3, 4)",
    "numpy.ma.identity": "4", "numpy.ma.make_mask_descr": "np.dtype('f8')", "numpy.ma.masked_inside": "x, 0.0, 1.0",
    "numpy.ma.masked_outside": "x, 0.0, 1.0", "numpy.ma.polyfit": "x, y, 1", "numpy.ma.put": "np.ma.array(x), [0, 1], 9.0",
    "numpy.ma.putmask": "np.ma.array(x), b, y", "numpy.ma.reshape": "x, (2, 3)", "numpy.ma.swapaxes": "m, 0, 1",
    "numpy.lib.stride_tricks.as_strided": "n, (2, 2)", "numpy.lib.stride_tricks.sliding_window_view": "x, 3",
}  # fmt: skip
"""Arguments of functions that need some of their own."""

NOT_CALLED = {
    "numpy.info": "prints pages", "numpy.test": "runs NumPy's tests", "numpy.show_runtime": "prints about the machine",
    "numpy.seterrcall": "settings: tests/test_floating_point.py", "numpy.seterr": "settings: tests/test_floating_point.py",
    "numpy.set_printoptions": "settings: tests/test_array.py", "numpy.fromfile": "a file: tests/test_ecosystem.py",
    "numpy.empty": "what is in there", "numpy.empty_like": "what is in there", "numpy.ma.empty": "what is in there",
    "numpy.ma.empty_like": "what is in there", "numpy.ma.ids": "addresses", "numpy.fft.test": "runs NumPy's tests",
    "numpy.linalg.test": "runs NumPy's tests", "numpy.random.test": "runs NumPy's tests", "numpy.ndarray.ctypes": "addresses",
    "numpy.ndarray.data": "addresses", "numpy.ndarray.dump": "a file: tests/test_api.py",
    "numpy.ndarray.tofile": "a file: tests/test_api.py",
    "numpy.ndarray.base": "the identity of an object", "numpy.ndarray.flat": "an iterator: tests/test_array.py",
    "numpy.ndarray.flags": "tests/test_layout.py", "numpy.may_share_memory": "addresses: tests/test_array.py",
}  # fmt: skip
"""Why a name is not called here."""


def arguments(xp, lazy):
    """The arrays that the texts name; lazynp's are pending or their own where that is possible."""
    values = {
        "x": numpy.array([0.5, 1.5, 0.25, 2.0, 3.0, 1.0]), "y": numpy.array([1.0, 2.0, 0.75, 4.0, 8.0, 16.0]),
        "m": numpy.array([[4.0, 1, 2, 0.5], [1, 5, 3, 1], [0, 1, 6, 2], [2, 0, 1, 7]]), "i": numpy.array([1, 2, 3, 0, 1, 2]),
        "b": numpy.array([True, False, True, True, False, True]), "c": numpy.array([1 + 2j, 0.5 - 1j, 3j, 2.0]),
    }  # fmt: skip
    space = {name: xp.add(value, 0, dtype=value.dtype) if lazy and value.dtype != bool else value.copy() for name, value in values.items()}
    stored = io.BytesIO()
    numpy.save(stored, values["x"])
    return {
        **space,
        "n": values["x"].copy(),
        "d": numpy.array(["2024-01-01", "2024-02-03"], "M8[D]"),
        "np": xp,
        "io": io,
        "datetime": datetime,
        "saved": lambda: io.BytesIO(stored.getvalue()),
    }


def answer(xp, function, text, lazy):
    """What a call gives, and what its arguments are afterwards; or the class of its exception."""
    space = arguments(xp, lazy)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            result = eval(f"function({text})", {**space, "function": function})
        except Exception as error:
            return error
        return plain(result), [plain(space[name]) for name in "xymib"]


def plain(value):
    """A result as NumPy's arrays and Python's values."""
    if isinstance(value, (lazynp.ndarray, numpy.generic)) or hasattr(type(value), "is_lazynp_array"):
        return numpy.asarray(value) if not isinstance(value, numpy.ma.MaskedArray) else value.filled(0)
    if isinstance(value, (tuple, list)):
        return [plain(v) for v in value]
    if isinstance(value, dict):
        return {name: plain(v) for name, v in value.items()}
    if isinstance(value, (types.GeneratorType, numpy.nditer, numpy.ufunc, type, types.ModuleType)) or callable(value):
        return type(value).__name__
    return value


def same(found, expected):
    """Equal: arrays in shape, dtype and, but for the last bits, values."""
    if isinstance(expected, numpy.ndarray):
        assert isinstance(found, numpy.ndarray)
        assert (found.shape, found.dtype) == (expected.shape, expected.dtype)
        if expected.dtype.kind in "fc":
            numpy.testing.assert_allclose(found, expected, rtol=1e-5 if expected.dtype.itemsize < 8 else 1e-11, atol=1e-13)
        else:
            assert numpy.array_equal(found, expected)
    elif isinstance(expected, list):
        assert len(found) == len(expected)
        for a, b in zip(found, expected, strict=True):
            same(a, b)
    elif isinstance(expected, (str, int, float, complex, bytes, dict, type(None), numpy.dtype)):
        assert found == expected
    else:
        assert type(found) is type(expected)


def is_function(value):
    return callable(value) and not isinstance(value, type) and not isinstance(value, types.ModuleType)


FUNCTIONS = [
    row
    for row in ROWS
    if row.module not in ("numpy.random", "numpy.ndarray", "numpy.testing", "numpy.typing", "numpy.polynomial")
    and is_function(getattr(import_module(row.module), row.name))
    and f"{row.module}.{row.name}" not in NOT_CALLED
]


@pytest.mark.parametrize("everything_lazy", [True, False], ids=["all-lazy", "default"])
@pytest.mark.parametrize("row", FUNCTIONS, ids=lambda row: f"{row.module}.{row.name}")
def test_functions(row, everything_lazy):
    name, theirs = f"{row.module}.{row.name}", getattr(import_module(row.module), row.name)
    ours = getattr(import_module(row.module.replace("numpy", "lazynp", 1)), row.name)
    called = 0
    for text in (CALLS[name],) if name in CALLS else GENERIC:
        expected = answer(numpy, theirs, text, False)
        if isinstance(expected, Exception):
            continue
        called += 1
        with lazynp.config(lazy_threshold=0 if everything_lazy else lazynp.config.lazy_threshold):
            found = answer(lazynp, ours, text, everything_lazy)
        assert not isinstance(found, Exception), (text, found)
        same(found[0], expected[0])
        same(found[1], expected[1])
    assert called, "NumPy takes none of the arguments: give some in CALLS"


@pytest.mark.parametrize(
    "row",
    [row for row in ROWS if row.module not in ("numpy.random", "numpy.ndarray") and row.name != "__version__"],
    ids=lambda r: f"{r.module}.{r.name}",
)
def test_types_and_constants(row):
    theirs = getattr(import_module(row.module), row.name)
    ours = getattr(import_module(row.module.replace("numpy", "lazynp", 1)), row.name)
    if is_function(theirs):
        assert callable(ours)
    elif theirs is numpy.ndarray or theirs is numpy.ufunc:
        assert isinstance(numpy.zeros(2), lazynp.ndarray)
        assert isinstance(numpy.add, lazynp.ufunc)
    elif isinstance(theirs, types.ModuleType):
        assert isinstance(ours, types.ModuleType)
    else:
        assert ours is theirs or ours == theirs or isinstance(ours, type(theirs))  # np.mgrid and its like


METHODS = {
    "argpartition": "2", "partition": "2", "astype": "'f4'", "byteswap": "", "choose": "[x, y, x, y]", "clip": "0.5, 2.0",
    "compress": "b", "dot": "x",
    "fill": "3.0", "getfield": "'f4'", "item": "2", "put": "[0, 1], 9.0", "repeat": "2", "reshape": "2, 3",
    "resize": "(3, 2), refcheck=False",
    "searchsorted": "-9.0", "setfield": "1.0, 'f4'", "setflags": "write=True", "swapaxes": "0, 0", "take": "[1, 2]", "to_device": "'cpu'",
    "transpose": "", "view": "'i8'",
}  # fmt: skip
ATTRIBUTES = sorted(row.name for row in ROWS if row.module == "numpy.ndarray" and f"numpy.ndarray.{row.name}" not in NOT_CALLED)


@pytest.mark.parametrize("everything_lazy", [True, False], ids=["all-lazy", "default"])
@pytest.mark.parametrize("name", ATTRIBUTES)
def test_methods_and_attributes(name, everything_lazy):
    which = "m" if name in ("diagonal", "trace", "mT") else "i" if name == "choose" else "x"
    text = METHODS.get(name, "")

    def of(xp, lazy):
        space = arguments(xp, lazy)
        value = getattr(space[which], name)
        return plain(eval(f"value({text})", {**space, "value": value}) if callable(value) else value), plain(space[which])

    expected = of(numpy, False)
    with lazynp.config(lazy_threshold=0 if everything_lazy else lazynp.config.lazy_threshold):
        found = of(lazynp, everything_lazy)
    same(list(found), list(expected))


def test_methods_have_docstrings_and_numpys_signatures():
    wrong = []
    for name in (row.name for row in ROWS if row.module == "numpy.ndarray"):
        theirs, ours = getattr(numpy.ndarray, name), getattr(type(lazynp.lazy([1.0])), name)
        if theirs.__doc__ and not ours.__doc__:
            wrong.append(name)
        with contextlib.suppress(ValueError):  # NumPy's method has none
            if callable(theirs) and inspect.signature(ours) != inspect.signature(theirs):
                wrong.append(name)
    assert wrong == []
