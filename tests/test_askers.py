"""To whom a lazy array says that it is NumPy's: functions of other packages, known by module and qualified name, and nobody else."""

import ctypes
import functools
import hashlib
import importlib
import sys
import types

import numpy
import pytest

import lazynp
import lazynp as np
from lazynp.array import ndarray
from lazynp.askers import ASKERS


def functions_in(source):
    """{qualified name} of everything that is defined in a module's text."""
    waiting, found = [compile(source, "module", "exec")], set()
    while waiting:
        for constant in waiting.pop().co_consts:
            if isinstance(constant, types.CodeType):
                found.add(constant.co_qualname)
                waiting.append(constant)
    return found


@pytest.mark.parametrize("name", sorted(ASKERS))
def test_the_functions_exist(name):
    """One that another version of the package has renamed would no longer be recognised."""
    pytest.importorskip(name.split(".")[0], reason="the package is not installed")
    with open(importlib.import_module(name).__file__, encoding="utf-8") as file:
        assert functions_in(file.read()) >= ASKERS[name]


SOURCE = """
import numpy

def decorated(function):
    @functools.wraps(function)
    def _reshape_2D(*args):
        return function(*args)
    return _reshape_2D

def plainly(x):
    return isinstance(x, numpy.ndarray)

def _reshape_2D(x):
    return isinstance(x, numpy.ndarray)

def errorbar(x):
    return isinstance(x, numpy.ndarray)

class Axes:
    def errorbar(self, x):
        return [
            isinstance(x, numpy.ndarray), any(isinstance(v, numpy.ndarray) for v in [x]), [isinstance(v, numpy.ndarray) for v in [x]][0],
            {k: isinstance(v, numpy.ndarray) for k, v in {0: x}.items()}[0], (lambda: isinstance(x, numpy.ndarray))(),
            issubclass(x.__class__, numpy.ndarray), isinstance(x, (list, numpy.ndarray)), plainly(x),
        ]

    @decorated
    def other(self, x):
        return isinstance(x, numpy.ndarray)
"""


@pytest.fixture
def modules():
    """The same text as matplotlib.cbook, matplotlib.axes._axes and another module."""

    def module(name):
        made = types.ModuleType(name)
        made.functools = functools
        exec(SOURCE, made.__dict__)
        return made

    return [module(name) for name in ("matplotlib.cbook", "matplotlib.axes._axes", "mine")]


def test_who_is_told(modules):
    cbook, axes, mine = modules
    x = lazynp.lazy(numpy.arange(3.0))
    assert cbook._reshape_2D(x)
    assert axes.Axes().errorbar(x) == [True] * 7 + [False]  # what it calls is not meant
    assert not any([cbook.errorbar(x), axes.errorbar(x), mine._reshape_2D(x), cbook.plainly(x), isinstance(x, numpy.ndarray)])
    assert mine.Axes().errorbar(x) == [False] * 8
    assert not any(module.Axes().other(x) for module in modules)  # a wrapper that has the name does not ask itself


def test_decorated_callers_are_told(modules):
    cbook = modules[0]
    x = lazynp.lazy(numpy.arange(3.0))
    wrapped = functools.lru_cache(functools.partial(lambda function, _: function(x), cbook.decorated(cbook._reshape_2D)))
    assert wrapped(1)
    sys.settrace(lambda *args: None)
    try:
        assert cbook._reshape_2D(x)
    finally:
        sys.settrace(None)


def test_namespace_of_mixed_arrays():
    compat = pytest.importorskip("array_api_compat", reason="array-api-compat is not installed")
    x, small = lazynp.lazy(numpy.arange(3.0)), numpy.arange(3.0)
    assert compat.array_namespace(x) is compat.array_namespace(x, x, 1.0) is lazynp
    for arrays in ((x, small), (small, x), (x, 2.0, small[0]), (x, numpy.ones((2, 3)))):
        namespace = compat.array_namespace(*arrays)
        assert namespace.__name__ == "array_api_compat.numpy"
        assert type(namespace.add(*arrays[-2:])) in (numpy.float64, numpy.ndarray, ndarray)
    with pytest.raises(ValueError, match="1999"):
        x.__array_namespace__(api_version="1999.12")


def test_arguments_declared_by_ndpointer(all_lazy):
    kind = np.ctypeslib.ndpointer(dtype=float, ndim=1, flags="C_CONTIGUOUS")
    copy = ctypes.memmove
    source, target = np.arange(5.0) * 2, np.zeros(5)
    copy(kind.from_param(target), kind.from_param(source), 40)
    assert (target + 1).tolist() == [1, 3, 5, 7, 9]
    with pytest.raises(TypeError, match="must have data type float64"):
        kind.from_param(np.arange(5))


@pytest.mark.parametrize("make", [lambda: np.arange(5.0), lambda: np.arange(6)[::2], lambda: np.ones((2, 2))])
def test_torch_is_not_handed_bytes_for_numbers(all_lazy, make):
    """It takes any buffer for float32, and refused it takes nothing; where the dtype is asked for all is well."""
    torch = pytest.importorskip("torch", reason="torch is not installed")
    with pytest.raises(RuntimeError, match="could not retrieve buffer"):
        torch.asarray(make())
    for convert in (torch.as_tensor, torch.tensor, torch.from_dlpack):
        numpy.testing.assert_array_equal(convert(make()).numpy(), numpy.asarray(make()))
    values = make().copy()
    assert hashlib.sha256(values).digest() == hashlib.sha256(numpy.asarray(values)).digest()
    numpy.testing.assert_array_equal(numpy.frombuffer(values, values.dtype), numpy.asarray(values).ravel())
