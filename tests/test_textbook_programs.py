"""The programs of tests/programs, in the manner of textbooks, leave the same variables on lazynp as on NumPy.

Here they run small, in this process; at their own size, and for speed: `python -m lazynp run --compare tests/programs/wave.py`, or all of
them: `python -m benchmarks.programs`."""

import sys
from pathlib import Path

import pytest

import lazynp
from lazynp.debug.run_source import compile_source
from lazynp.debug.run_variables import compare, numeric_variables

PROGRAMS = sorted((Path(__file__).parent / "programs").glob("*.py"))
SMALL = {
    "blur": "20", "bootstrap": "50 40", "distances": "30", "double_pendulum": "50 4", "equalize": "30", "gaussian_process": "20",
    "gray_scott": "20 4", "heat_source": "24 6", "ising": "16 3", "julia": "20 6", "kmeans": "90 3", "life": "20 4", "logistic": "80 4",
    "lorenz": "120", "mandelbrot": "20 6", "mlp": "50 3", "nbody": "12 3", "options": "200 6", "pagerank": "60", "pca": "200", "pi": "1000",
    "queens": "5", "ridge_path": "60 8", "shallow_water": "20 4", "sieve": "500", "spectrum": "6000", "wave": "24 5",
    "adam": "30", "asian_option": "300", "box_blur": "30", "collatz": "200", "edges": "30", "heat_plate": "24", "jacobi": "20",
    "kalman": "20", "kernel_density": "80", "knapsack": "300", "mixture": "300", "naive_bayes": "600",
    "nearest_neighbours": "60", "random_walks": "30",
}  # fmt: skip


def variables(program: Path, on_lazynp: bool) -> dict:
    names = {"__name__": "__main__"}
    exec(compile_source(program.read_bytes(), str(program), on_lazynp), names)
    return numeric_variables(names, None)


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda p: p.stem)
def test_same_variables(program, threshold, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", [str(program), *SMALL[program.stem].split()])
    with lazynp.config(compile_after=2):  # milliseconds
        ours = variables(program, on_lazynp=True)
    shown = capsys.readouterr().out
    differences = [d for d in compare(ours, variables(program, on_lazynp=False)) if not d.same]
    assert not differences
    assert shown.split() == capsys.readouterr().out.split() or "." in shown  # the last digits of a printed number may differ
