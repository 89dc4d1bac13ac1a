"""The table of names: nothing of NumPy's is missing, and what the table offers exists."""

import contextlib
import inspect
import subprocess
import sys
from importlib import import_module
from pathlib import Path

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
    ours = import_module(module.replace("numpy", "lazynp"))
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


def test_the_whole_table_has_numpys_signatures_and_docstrings():
    wrong = []
    for row in ROWS:
        theirs = getattr(np.ndarray if row.module == "numpy.ndarray" else import_module(row.module), row.name)
        if (callable(theirs) or row.module == "numpy.ndarray") and theirs.__doc__ and not row.value.__doc__:
            wrong.append(f"{row.module}.{row.name} has no docstring")
        if callable(theirs) and theirs is not np.ufunc:  # which nobody calls; ours makes a ufunc of one of NumPy's
            with contextlib.suppress(ValueError):  # a C function without one
                expected = inspect.signature(theirs)
                if str(inspect.signature(row.value)) != str(expected):
                    wrong.append(f"{row.module}.{row.name}{inspect.signature(row.value)} instead of {expected}")
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


def test_few_functions_force_their_arguments():
    assert table.sync_share() < 0.1


def test_the_page_is_current():
    page = Path(__file__).parent.parent / "docs" / "coverage.md"
    if f"for NumPy {'.'.join(np.__version__.split('.')[:2])}." not in page.read_text():
        pytest.skip("the page is about another version of NumPy")
    assert page.read_text() == table.coverage_page(), "run: python -m lazynp coverage --markdown > docs/coverage.md"


def test_shared_modules_are_numpys_own():
    ma, chebyshev = import_module("lazynp.ma"), import_module("lazynp.polynomial.chebyshev")
    assert ma.masked is np.ma.masked
    assert chebyshev.chebfit is np.polynomial.chebyshev.chebfit
    assert chebyshev.chebval.__doc__ == np.polynomial.chebyshev.chebval.__doc__
    assert np.ma.__spec__.name == "numpy.ma"
    windows = np.lib.stride_tricks.sliding_window_view
    assert import_module("lazynp.lib.stride_tricks").sliding_window_view is windows is np.lib.stride_tricks.sliding_window_view
    import_module("lazynp.testing").assert_allclose(lazynp.lazy([1.0, 2.0]), [1.0, 2.0])
    with pytest.raises(ImportError):
        import_module("lazynp.nonsense")
    assert lazynp.ma.masked_where(lazynp.lazy([1.0, -1.0]) < 0, lazynp.lazy([1.0, -1.0])).sum() == 1.0


@pytest.mark.parametrize("name", ["char", "strings", "rec", "ctypeslib", "matlib", "version", "f2py", "lib.format", "ma.extras"])
@pytest.mark.filterwarnings("ignore::PendingDeprecationWarning")
def test_every_module_imports_under_numpys_name(name):
    assert import_module(f"lazynp.{name}") is import_module(f"numpy.{name}")
    assert import_module(f"numpy.{name}").__spec__.name == f"numpy.{name}"


def test_classes_of_polynomials_take_lazy_arrays():
    x = np.linspace(-1.0, 1.0, 30)
    theirs = np.polynomial.Polynomial.fit(x, x**2, 2)
    ours = lazynp.polynomial.Polynomial.fit(lazynp.lazy(x), lazynp.lazy(x) ** 2, 2)
    np.testing.assert_allclose(np.asarray(ours.coef), theirs.coef, atol=1e-14)
    np.testing.assert_allclose(np.asarray(theirs(lazynp.lazy(x))), theirs(x))


@pytest.mark.parametrize("axis", [None, 0, (0, 1), (1, 1)])
def test_sliding_windows_are_views(axis):
    plain = np.arange(40.0).reshape(5, 8)
    ours = lazynp.lazy(plain)
    shape = 2 if isinstance(axis, int) else (2, 3)
    view = np.lib.stride_tricks.sliding_window_view(ours, shape, axis)
    ours[1, 2] = 99.0
    plain[1, 2] = 99.0
    expected = np.lib.stride_tricks.sliding_window_view(plain, shape, axis)
    assert np.array_equal(np.asarray(view), expected)
    assert not view.flags.writeable
    assert np.array_equal(np.asarray((view * 2).sum(-1)), (expected * 2).sum(-1))
    mean = lazynp.jit(strict=True)(lambda x: np.lib.stride_tricks.sliding_window_view(x, shape, axis).mean(-1))
    assert np.allclose(mean(plain), expected.mean(-1))
