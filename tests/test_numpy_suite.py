"""NumPy's own tests, run against lazynp (tests/numpy_suite): the ones that fail are the recorded ones, neither more nor fewer."""

import sys
from pathlib import Path

import numpy
import pytest

sys.path.insert(0, str(Path(__file__).parent / "numpy_suite"))

from exclusions import EXCLUDED, reason
from report import THRESHOLDS, failed, known_failures
from rewriting import rewritten
from running import all_files, run_suite

SAMPLE = [
    "_core/tests/test_indexing.py",
    "_core/tests/test_shape_base.py",
    "fft/tests/test_pocketfft.py",
    "lib/tests/test_index_tricks.py",
    "lib/tests/test_shape_base.py",
    "lib/tests/test_twodim_base.py",
    "lib/tests/test_stride_tricks.py",
    "matrixlib/tests/test_numeric.py",
    "polynomial/tests/test_polynomial.py",
]
"""The files that every run of our tests includes: they take seconds, and touch views, indexing, shapes, transforms and sums."""


RECORDED_WITH = "2.4.6"


def _check(name: str, files: list[str]) -> None:
    if numpy.__version__ != RECORDED_WITH:
        pytest.skip(f"the failures were recorded with NumPy {RECORDED_WITH}; this is {numpy.__version__}")
    every = run_suite(THRESHOLDS[name], files, jobs=2)
    outcomes = {key: o for key, o in every.items() if "no answer in" not in str(o.get("message"))}  # a busy machine proves nothing
    known = {key for key in known_failures(name) if key.split("::")[0] in files}
    found = {key for key, outcome in outcomes.items() if failed(outcome) and reason(key) is None}
    suspects: dict[str, list[str]] = {}
    for key in sorted(found - known):
        suspects.setdefault(key.split("::")[0], []).append(key)
    on_numpy = run_suite(None, suspects)
    new = {key: outcomes[key].get("message") for key in found - known if key not in on_numpy or not failed(on_numpy[key])}
    assert outcomes
    assert new == {}
    assert known - found - (every.keys() - outcomes.keys()) == set(), "these pass now: take them off tests/numpy_suite/failures_*.txt"


@pytest.mark.parametrize("name", list(THRESHOLDS))
def test_a_sample_fails_where_recorded_and_nowhere_else(name):
    _check(name, SAMPLE)


@pytest.mark.slow
@pytest.mark.parametrize("file", all_files())
@pytest.mark.parametrize("name", list(THRESHOLDS))
def test_every_file_fails_where_recorded_and_nowhere_else(name, file):
    _check(name, [file])


def test_imports_are_replaced_in_place():
    source = "import numpy as np, sys\nfrom numpy import (\n    add,\n)\nimport numpy._core.umath\nfrom numpy._core import umath\nx = 1\n"
    assert rewritten(source).splitlines() == [
        "import lazynp as np; import sys",
        "from lazynp import add",
        "",
        "",
        "import numpy._core.umath; import lazynp as numpy",
        "from numpy._core import umath",
        "x = 1",
    ]


def test_exclusions_and_failures_name_existing_files():
    files = {key.split("::")[0] for name in THRESHOLDS for key in known_failures(name)}
    assert files <= set(all_files())
    assert all(text for text in EXCLUDED.values())
