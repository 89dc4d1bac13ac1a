"""The benchmark runner at tiny sizes: results are compared, the report holds what it promises. No time is judged."""

import json
import math
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from benchmarks import kernels, loops, measure, peers, reverse, small
from benchmarks import table as speed_table
from benchmarks.applications import APPLICATIONS
from benchmarks.cases import CASES
from benchmarks.expressions import EXPRESSIONS
from benchmarks.run import duration, elements

RUNNER = Path(measure.__file__).with_name("run.py")
FAST = ["--repeat", "1", "--budget", "1e-5"]


def run(*arguments, check=True):
    """The runner in a process of its own (it pins itself): its output."""
    return subprocess.run([sys.executable, str(RUNNER), *arguments], capture_output=True, text=True, check=check, timeout=300).stdout


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    """All cases of 100 elements, NumPy and lazynp."""
    folder = tmp_path_factory.mktemp("report")
    text = run("--sizes", "1e2", "--peers", "lazynp", "lazynp.jit", *FAST, "--json", str(folder / "out.json"))
    return text, json.loads((folder / "out.json").read_text())


def test_every_case_is_compared_and_timed(report):
    text, written = report
    assert [r["case"] for r in written["results"]] == [c.name for c in CASES]
    for result in written["results"]:
        assert result["case"] in text
        assert set(result["peers"]) == {"numpy", "lazynp", "lazynp.jit"}
        for row in result["peers"].values():
            assert row["compared"] and row["difference"] <= measure.TOLERANCE
            assert row["median"] > 0 and row["first_call"] > 0 and row["ratio"] > 0
            assert ("copy_share" in row) == (result["bytes"] is not None)


def test_the_report_names_machine_versions_and_settings(report):
    _, written = report
    assert {"processor", "processors", "system", "python"} <= set(written["machine"])
    assert written["versions"]["numpy"] == np.__version__
    assert written["threads"] == 1 and written["machine"]["processors"] == 1
    assert written["settings"] == {"repeat": 1, "budget": 1e-5}


def test_chart(report, tmp_path):
    pytest.importorskip("matplotlib", reason="charts are drawn by matplotlib, which is not installed")
    run("--cases", "tiny", "polynomial", "--sizes", "100", "--peers", "lazynp.jit", *FAST, "--chart", str(tmp_path / "chart.svg"))
    text = (tmp_path / "chart.svg").read_text()
    assert "<svg" in text


@pytest.mark.parametrize("name", sorted(peers.OPTIONAL))
def test_a_peer_that_is_installed_runs_every_case_it_can_express(name):
    if name not in peers.installed():
        pytest.skip(f"{name} is not installed; the benchmarks do without it")
    case = next(c for c in CASES if c.name == "polynomial")
    args = case.arguments(np.random.default_rng(1), 50)
    _, row = measure.checked(peers.OPTIONAL[name], case, args, case.function(*args))
    assert row["compared"]


def test_first_calls_in_fresh_processes(tmp_path):
    run("--compile", "--repeat", "1", "--json", str(tmp_path / "out.json"))
    written = json.loads((tmp_path / "out.json").read_text())["compile"]
    assert written["cold"]["compiles"] >= 1
    assert written["warm"]["compiles"] == 0 and written["warm"]["disk_hits"] >= 1
    for row in written.values():
        assert all(row[key] > 0 for key in ("import_numpy", "import_lazynp", "first_call", "second_call"))


def test_a_wrong_result_is_not_timed():
    case = next(c for c in CASES if c.name == "softplus")
    broken = {"numpy": peers.numpy_peer, "lazynp": lambda case, args: lambda: args[0]}
    messages = []
    result = measure.measure(case, 50, broken, 1, 1e-5, messages.append)
    assert "differs from NumPy's" in result["peers"]["lazynp"]["failed"]
    assert "median" not in result["peers"]["lazynp"] and len(messages) == 1


def test_difference_sees_shapes_nans_and_values():
    assert measure.difference((np.ones(2), np.float64(2)), (np.ones(2), 2.0)) == 0
    assert measure.difference(np.array([1.0, 2.5]), np.array([1.0, 2.0])) == 0.25
    with pytest.raises(AssertionError, match="shape"):
        measure.difference(np.ones(2), np.ones(3))
    with pytest.raises(AssertionError, match="NaN"):
        measure.difference(np.array([math.nan, 1]), np.ones(2))


def test_arguments_of_the_command_line():
    assert elements("1e5") == 100_000
    assert [duration(t) for t in (2.0, 0.0035, 4.25e-5, 3e-8)] == ["2 s", "3.5 ms", "42.5 us", "30 ns"]
    with pytest.raises(subprocess.CalledProcessError):
        run("--sizes", "0.5")
    with pytest.raises(subprocess.CalledProcessError):
        run("--threads", str(len(os.sched_getaffinity(0)) + 1))


def test_arguments_of_a_case_are_not_shared_between_competitors():
    case = next(c for c in CASES if c.name == "heat")
    args = case.arguments(np.random.default_rng(1), 100)
    before = args[0].copy()
    peers.numpy_peer(case, args)()
    assert np.array_equal(args[0], before)


def test_small_arrays_are_compared_in_every_kind():
    measured = small.measure(3, calls=1, samples=1)
    assert set(measured) == {"operators", "ufunc calls", "creation", "indexing", "items"}
    assert len(measured["ufunc calls"]) > 80
    assert all(ratio > 0 for rows in measured.values() for ratio in rows.values())


def test_loop_programs(tmp_path):
    """Results are compared; what a peer cannot run is said."""
    path = tmp_path / "loops.json"
    script = Path(loops.__file__)
    chosen = ["thomas", "newton", "gauss_seidel"]
    command = [sys.executable, str(script), "--small", "--repeat", "1", "--cases", *chosen, "--json", str(path)]
    text = subprocess.run(command, capture_output=True, text=True, check=True, timeout=300).stdout
    written = json.loads(path.read_text())
    assert [r["case"] for r in written["results"]] == chosen
    for result in written["results"]:
        assert result["case"] in text
        ours = result["peers"]["lazynp.jit"]
        assert ours["difference"] <= loops.TOLERANCE and ours["median"] > 0 and ours["first_call"] > 0


# --- the compiler's table ---------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    """All expressions and kernels of 50 elements, NumPy, lazynp and C."""
    path = tmp_path_factory.mktemp("table") / "out.json"
    arguments = ["--sizes", "50", "--dtypes", "float64", "--peers", "lazynp.jit", "c", *FAST, "--json", str(path)]
    command = [sys.executable, "-m", "benchmarks.kernels", *arguments]
    root = Path(kernels.__file__).parent.parent
    text = subprocess.run(command, capture_output=True, text=True, check=True, timeout=300, cwd=root).stdout
    return text, json.loads(path.read_text())


def test_every_expression_and_kernel_is_compared(table):
    text, written = table
    assert [r["case"] for r in written["results"]] == [c.name for c in (*EXPRESSIONS, *APPLICATIONS)]
    for result in written["results"]:
        assert result["case"] in text
        ours = result["peers"]["lazynp.jit"]
        assert ours["compared"] and ours["difference"] <= measure.TOLERANCE and ours["median"] > 0
        assert result["memory"]["lazynp"] >= 0 and result["memory"]["numpy"] > 0


@pytest.mark.skipif(shutil.which("gcc") is None, reason="kernels.c needs gcc")
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_expressions_in_c(dtype):
    for case in EXPRESSIONS:
        args = measure.in_precision(case.arguments(np.random.default_rng(1), 5000), dtype)
        _, row = measure.checked(peers.c_peer, case, args, case.function(*args), measure.TOLERANCES[dtype])
        assert row["compared"], case.name


def test_the_summary_names_what_is_behind():
    peers = {"lazynp.jit": {"lazynp_ahead": 1.0}, "c": {"lazynp_ahead": 0.9}, "jax": {"lazynp_ahead": 0.9}}
    row = {"case": "softmax", "n": 50, "dtype": "float64", "peers": peers, "memory": {"numpy": 8, "lazynp": 16}}
    lines = "\n".join(kernels.summary([row]))
    assert "0.90  jax" in lines and "0.90  c " not in lines and "more memory" in lines


def test_the_page_of_the_documentation(table, tmp_path):
    _, written = table
    two = written | {"threads": 2}
    for name, report in (("two", two), ("one", written)):
        (tmp_path / f"{name}.json").write_text(json.dumps(report))
    page = tmp_path / "speed.md"
    assert speed_table.main([str(tmp_path / "two.json"), str(tmp_path / "one.json"), "--page", str(page)]) == 0
    text = page.read_text()
    assert text.index("One pinned thread") < text.index("2 threads")
    for result in written["results"]:
        line = next(line for line in text.splitlines() if line.startswith(f"| {result['case'].replace('_', ' ')}:"))
        assert line.count("|") == 10 and f"{kernels.ratios(result)['numpy']:.2f}" in line


@pytest.mark.parametrize("peer", ["jax", "numba"])
@pytest.mark.parametrize("name", ["mandelbrot", "shallow_water", "convolution", "azimuthal_integration"])
def test_forms_for_peers_compute_the_same(name, peer):
    pytest.importorskip(peer, reason=f"{peer} is not installed; the benchmarks do without it")
    case = next(c for c in APPLICATIONS if c.name == name)
    args = case.arguments(np.random.default_rng(1), 200)
    with np.errstate(all="ignore"):
        _, row = measure.checked(peers.OPTIONAL[peer], case, args, case.function(*args))
    assert row["compared"]


# --- reverse passes ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", reverse.PROGRAMS)
def test_values_and_gradients_that_are_timed(name):
    reverse.check(name)


def test_the_report_of_reverse_passes(tmp_path):
    script = Path(reverse.__file__)
    arguments = ["--programs", "masks", "--repeat", "1", "--budget", "1e-5", "--json", str(tmp_path / "out.json")]
    text = subprocess.run([sys.executable, str(script), *arguments], capture_output=True, text=True, check=True, timeout=300).stdout
    (row,) = json.loads((tmp_path / "out.json").read_text())["results"]
    assert "masks" in text and row["ratio"] > 0 and row["reverse"] == row["ratio"] - 1
