"""The three examples: known results, the same with lazynp, without it, and on `python -m lazynp run`."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import lazynp

ROOT = Path(lazynp.__file__).parent.parent
EXAMPLES = ROOT / "examples"
NEEDS = {"logistic_regression": "sklearn", "heat": "numpy", "scipy_fit": "scipy"}


PROGRAM = """
import json, runpy, sys
import numpy as np
if not int(sys.argv[3]):
    sys.modules["lazynp"] = None
space = runpy.run_path(sys.argv[1], run_name="__main__")
kept = {name: np.asarray(value).tolist() for name, value in space.items() if isinstance(value, (float, np.generic, np.ndarray))}
with open(sys.argv[2], "w") as file:
    json.dump(kept, file)
"""


def variables(name, tmp_path, with_lazynp):
    """The module's variables after a run in a fresh process, every warning an error: {name: array}."""
    target = tmp_path / f"{name}-{with_lazynp}.json"
    command = [sys.executable, "-W", "error", "-c", PROGRAM, EXAMPLES / f"{name}.py", target, str(int(with_lazynp))]
    done = subprocess.run(command, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return {key: np.asarray(value) for key, value in json.loads(target.read_text()).items()}


def check_logistic_regression(found):
    """The first predictions are so certain that the formula as written has no value."""
    assert not np.isfinite(naive_cost(found["x"], found["y"]))
    np.testing.assert_allclose(found["first_cost"], 29.61162598720518, rtol=1e-7)
    assert found["last_cost"] < 0.121 and found["accuracy"] > 0.975
    # the end is where the gradient, by hand, is nearly zero
    z = found["x"] @ found["w"] + found["b"]
    error = (1 / (1 + np.exp(-z)) - found["y"]) / len(z)
    assert np.abs(error @ found["x"] + 0.02 * found["w"]).max() < 1e-4


def naive_cost(x, y):
    w = 10 * np.random.default_rng(0).normal(size=x.shape[1])
    with np.errstate(all="ignore"):
        p = 1 / (1 + np.exp(-(x @ w)))
        return np.mean(-y * np.log(p) - (1 - y) * np.log(1 - p))


def check_heat(found):
    """Every step multiplies a sine wave by 1 - 8 r sin(h/2)^2 (for equal wave numbers)."""
    s = np.linspace(0, np.pi, 512)
    h = np.pi / 511

    def left(i, j):
        return (1 - 4 * 0.2 * (np.sin(i * h / 2) ** 2 + np.sin(j * h / 2) ** 2)) ** 500 * np.outer(np.sin(i * s), np.sin(j * s))

    expected = 60 * left(1, 1) + 40 * left(20, 31)
    start = 60 * np.outer(np.sin(s), np.sin(s)) + 40 * np.outer(np.sin(20 * s), np.sin(31 * s))
    np.testing.assert_allclose(found["u"], expected, atol=1e-10)
    np.testing.assert_allclose(found["lost"], start - expected, atol=1e-10)


def check_scipy_fit(found):
    """Both fits end where the gradient is zero, near the parameters that made the data (20,000 machines: errors of 0.01)."""
    np.testing.assert_allclose(found["theta"], [1.5, -0.8, 0.4], atol=0.04)
    np.testing.assert_allclose(found["theta_again"], found["theta"], rtol=1e-7)
    z = np.log(found["observed"]) - found["theta"][0] - found["theta"][1] * found["load"]
    k = np.exp(found["theta"][2])
    slope = k * (np.exp(k * z) - found["failed"])
    gradient = [np.mean(slope), np.mean(slope * found["load"]), np.mean(slope * z - found["failed"])]
    np.testing.assert_allclose(gradient, 0, atol=1e-7)


CHECKS = {"logistic_regression": check_logistic_regression, "heat": check_heat, "scipy_fit": check_scipy_fit}


@pytest.mark.parametrize("name", CHECKS)
def test_results_are_right_with_and_without_lazynp(name, tmp_path):
    pytest.importorskip(NEEDS[name], reason=f"the example {name}.py needs it: pip install 'lazynp[examples]'")
    alone, helped = variables(name, tmp_path, False), variables(name, tmp_path, True)
    CHECKS[name](alone)
    CHECKS[name](helped)
    for key, value in alone.items():
        np.testing.assert_allclose(helped[key], value, rtol=0, atol=1e-7 * np.abs(value).max(), err_msg=key)


@pytest.mark.parametrize("name", CHECKS)
def test_the_same_on_run_compare(name, tmp_path):
    pytest.importorskip(NEEDS[name], reason=f"the example {name}.py needs it: pip install 'lazynp[examples]'")
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "lazynp", "run", "--compare", "--json", tmp_path / "report.json", EXAMPLES / f"{name}.py"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["same"] is True and report["kernels"] >= 1
    assert not any(v["varies"] for v in report["variables"])
