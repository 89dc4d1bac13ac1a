"""Every example of NumPy's docstrings prints on lazynp, with everything lazy, what it prints on NumPy."""

import contextlib
import doctest
import io
import re
import sys
import warnings
from importlib import import_module

import numpy
import pytest

import lazynp

MODULES = ("numpy", "numpy.linalg", "numpy.fft", "numpy.lib.stride_tricks", "numpy.polynomial.polynomial", "numpy.polynomial.chebyshev")

VARIES = {
    "numpy.empty_like": "prints memory that nobody has written to",
    "numpy.all": "prints addresses", "numpy.any": "prints addresses",
    "numpy.std": "prints times", "numpy.var": "prints times",
    "numpy.median": "asserts that overwrite_input overwrites", "numpy.nanmedian": "asserts that overwrite_input overwrites",
    "numpy.quantile": "asserts that overwrite_input overwrites",
    "numpy.nanquantile": "asserts that overwrite_input overwrites", "numpy.nanpercentile": "asserts that overwrite_input overwrites",
    "numpy.dtype.metadata": "lazy results have plain dtypes",
    "numpy.poly": "draws random numbers", "numpy.polynomial.polynomial.Polynomial._fit": "draws random numbers",
    "numpy.linalg.eigvals": "the last digit of an eigenvalue", "numpy.linalg.inv": "the inverse of a matrix that has none",
    "numpy.polynomial.polynomial.np": "prints the help of a function", "numpy.einsum": "takes seconds",
    "numpy.save": "leaves files open", "numpy.savez": "leaves files open",
    "numpy.test": "runs NumPy's tests", "numpy.info": "prints to a file",
    "numpy.cumsum": "the last digit of a sum", "numpy.cumulative_sum": "the last digit of a sum",
    "numpy.flatiter": "prints the type of an iterator", "numpy.ndarray.flat": "prints the type of an iterator",
    "numpy.ldexp": "a Python number with integers is float16", "numpy.ndarray.__class_getitem__": "prints the name of the package",
    "numpy.ndarray.resize": "counts the references to memory", "numpy.ndarray.setflags": "sets flags of memory for single views",
}  # fmt: skip
"""Docstrings with an example that differs, and why."""


def documented():
    """{name: docstring with examples} of the public names and of the attributes of classes."""
    found, seen = {}, set()
    for module in MODULES:
        namespace = import_module(module)
        for name in sorted(n for n in dir(namespace) if not n.startswith("_") and n in vars(namespace)):
            value = getattr(namespace, name)
            parts = {f"{module}.{name}": value}
            if isinstance(value, type):
                parts |= {f"{module}.{name}.{n}": getattr(value, n, None) for n in sorted(vars(value))}
            for key, part in parts.items():
                text = getattr(part, "__doc__", None)
                if isinstance(text, str) and ">>>" in text and text not in seen and "plt." not in text:
                    seen.add(text)
                    found[key] = text
    return found


DOCUMENTED = documented()


def printed(examples, package):
    """What each example prints: values, errors and warnings, without addresses."""
    names, texts = {"np": package, "numpy": package}, []
    options = numpy.get_printoptions()
    try:
        for example in examples:
            source = re.sub(r"\b(import|from) numpy\b", rf"\1 {package.__name__}", example.source)
            source = source.replace("default_rng()", "default_rng(0)")
            texts.append(outcome(compile(source, "<example>", "single"), names))
    finally:
        numpy.set_printoptions(**options)
    return texts


def outcome(code, names):
    out = io.StringIO()
    with warnings.catch_warnings(record=True) as told, contextlib.redirect_stdout(out):
        warnings.simplefilter("always")
        before, sys.displayhook = sys.displayhook, lambda value: None if value is None else print(repr(value))
        try:
            exec(code, names)
        except Exception as error:
            print(f"{type(error).__name__}: {error}")
        finally:
            sys.displayhook = before
    told = sorted(str(w.message).splitlines()[0] for w in told if "lazynp" not in w.category.__module__)
    return re.sub(r"0x[0-9a-f]+", "0x", out.getvalue()), told


@pytest.mark.parametrize("name", [n for n in DOCUMENTED if n not in VARIES])
def test_prints_what_it_prints_on_numpy(name, all_lazy, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    examples = doctest.DocTestParser().get_examples(DOCUMENTED[name])
    with lazynp.config(backend="reference"):
        assert printed(examples, lazynp) == printed(examples, numpy)


def test_reasons_are_of_docstrings():
    assert VARIES.keys() <= DOCUMENTED.keys() | {"numpy.test"}
