"""The table of names: nothing of NumPy's is missing, and what the table offers exists."""

import inspect
import subprocess
import sys
from importlib import import_module

import numpy as np
import pytest

import lazynp
from lazynp.api import table
from lazynp.api.dispatch import HANDLERS

ROWS = table.rows()


@pytest.mark.parametrize("module", list(table.MODULES))
def test_every_public_name_has_a_row_and_a_value(module):
    names = {row.name for row in ROWS if row.module == module}
    namespace = import_module(module)
    ours = lazynp if module == "numpy" else getattr(lazynp, module.rpartition(".")[2])
    public = set(getattr(namespace, "__all__", [n for n in dir(namespace) if not n.startswith("_")]))
    assert public == names
    for name in sorted(public):
        assert getattr(ours, name) is not None or getattr(namespace, name) is None, name


def test_every_array_attribute_is_there():
    missing = [row.name for row in ROWS if row.module == "numpy.ndarray" and row.status == "ABSENT"]
    assert missing == []


def test_rows_say_why():
    assert [row for row in ROWS if row.status in ("SYNC", "ABSENT") and not row.reason] == []
    assert {row.status for row in ROWS} <= {"LAZY", "COMPOSED", "SYNC", "SAME", "ABSENT"}


def test_functions_have_numpys_signature_and_a_docstring():
    wrong = []
    for numpy_function, ours in HANDLERS.items():
        try:
            expected = inspect.signature(numpy_function)
        except ValueError:  # a C function without one
            continue
        if inspect.signature(ours) != expected or not ours.__doc__:
            wrong.append(numpy_function.__name__)
    assert wrong == []


def test_the_command_prints_the_table():
    printed = subprocess.run([sys.executable, "-m", "lazynp", "coverage"], capture_output=True, text=True, check=True).stdout
    assert "numpy.linalg" in printed
    assert "numpy.einsum" in printed


def test_all_is_what_import_star_gives():
    space: dict[str, object] = {}
    exec("from lazynp import *", space)
    assert space["exp"] is lazynp.exp
    assert isinstance(np.zeros(3), lazynp.ndarray)
    assert isinstance(lazynp.lazy([1.0]), lazynp.ndarray)
