"""`python -m lazynp run`: whose imports mean lazynp, errors and statuses as Python has them, and the comparison with NumPy."""

import ast
import json
import math
import os
import subprocess
import sys
from pathlib import Path
from textwrap import dedent

import numpy as np
import pytest

import lazynp
from lazynp.debug import run_source
from lazynp.debug.run_report import Report, Side
from lazynp.debug.run_variables import Unreadable, compare, marked_varying, numeric_variables

ROOT = Path(lazynp.__file__).parent.parent


def python(*arguments, cwd, stdin=""):
    """A finished Python process that finds lazynp wherever it runs."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run([sys.executable, *map(str, arguments)], cwd=cwd, env=environment, input=stdin, capture_output=True, text=True)


def run(*arguments, cwd, **options):
    return python("-m", "lazynp", "run", *arguments, cwd=cwd, **options)


@pytest.fixture
def program(tmp_path):
    """write(text, name="program.py") makes a file of the program; returns its name."""

    def write(text, name="program.py"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(dedent(text))
        return name

    return write


# --- whose imports mean lazynp ---------------------------------------------------------------------------------------

IMPORTS = {
    "import numpy": "numpy is lazynp",
    "import numpy as np": "np is lazynp",
    "import sys, numpy as np, os": "np is lazynp",
    "from numpy import linalg": "linalg is lazynp.linalg",
    "from numpy import zeros as z": "z is lazynp.zeros",
    "import numpy.linalg": "numpy is lazynp",
    "import numpy.linalg as la": "la is lazynp.linalg",
    "import numpy.random as r": "r is lazynp.random",
    "from numpy.fft import fft": "fft is lazynp.fft.fft",
    "import numpy.testing": "numpy is lazynp",
}


@pytest.mark.parametrize("statement", IMPORTS)
def test_imports_in_the_program_mean_lazynp(statement, program, tmp_path):
    check = IMPORTS[statement]
    name = program(f"import lazynp\n{statement}\nprint({check})\ndef f():\n    {statement}\n    print({check})\nf()\n")
    done = run(name, cwd=tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, "True\nTrue\n", "")


def test_a_star_import_means_numpys_names(program, tmp_path):
    """Every one of them; lazynp's own names do not hide the program's, `show` of pyplot for one."""
    text = """
        import lazynp
        show = grad = "own"
        from numpy import *
        from numpy.linalg import *
        from numpy.fft import *
        print(zeros is lazynp.zeros, norm is lazynp.linalg.norm, rfft is lazynp.fft.rfft, show, grad, "median" in globals())
        """
    done = run(program(text), cwd=tmp_path)
    assert (done.stdout, done.stderr) == ("True True True own own True\n", "")


@pytest.mark.parametrize("statement", ["import numpy.testing as t", "import numpy.typing as t"])
def test_modules_that_lazynp_does_not_have_stay_numpys(statement, program, tmp_path):
    assert run(program(f"{statement}\nprint(t.__name__)"), cwd=tmp_path).stdout.startswith("numpy.")


def test_libraries_keep_numpy(program, tmp_path):
    program("import numpy as np\nname = np.__name__", ".venv/lib/python3/site-packages/library.py")
    name = program("import sys\nsys.path.insert(0, sys.path[0] + '/.venv/lib/python3/site-packages')\nimport library\nprint(library.name)")
    assert run(name, cwd=tmp_path).stdout == "numpy\n"


def test_modules_beside_the_program_are_its_own(program, tmp_path):
    program("import numpy as np\nname = np.__name__", "beside.py")
    program("from numpy import linalg\nfrom . import inner", "package/__init__.py")
    program("import numpy\nname = numpy.__name__", "package/inner.py")
    name = program("import beside, package, lazynp\nprint(beside.name, package.linalg is lazynp.linalg, package.inner.name)")
    assert run(name, cwd=tmp_path).stdout == "lazynp True lazynp\n"


def test_compiled_files_of_python_and_of_run_do_not_mix(program, tmp_path):
    program("import numpy as np\nname = np.__name__", "beside.py")
    name = program("import beside\nprint(beside.name)")
    outputs = [done.stdout for done in (python(name, cwd=tmp_path), run(name, cwd=tmp_path), python(name, cwd=tmp_path))]
    assert outputs == ["numpy\n", "lazynp\n", "numpy\n"]


def test_rewriting_keeps_every_position():
    text = '"""doc"""\nfrom __future__ import annotations\nimport os, numpy as np\nif os:\n    from numpy.linalg import (\n        norm,)\n'
    source = text.encode()
    rewritten = run_source._Imports().visit(ast.parse(source))
    kept = [(n.lineno, n.col_offset, n.end_lineno, n.end_col_offset) for n in ast.walk(rewritten) if isinstance(n, ast.stmt)]
    assert kept == [
        (n.lineno, n.col_offset, n.end_lineno, n.end_col_offset) for n in ast.walk(ast.parse(source)) if isinstance(n, ast.stmt)
    ]
    assert run_source.compile_source(source, "p.py").co_consts[0] == "doc"


# --- as Python runs a program ----------------------------------------------------------------------------------------


def test_the_program_sees_what_python_would_show_it(program, tmp_path):
    name = program(
        """
        import sys
        print(__name__, __file__, sys.argv, sys.path[0], __spec__, sorted(globals()))
        print(sys.modules["__main__"].__dict__ is globals(), sys.stdin.read())
        """,
        "folder/program.py",
    )
    arguments = (name, "a", "--compare", "--", "-x")
    ours, theirs = run(*arguments, cwd=tmp_path, stdin="typed"), python(*arguments, cwd=tmp_path, stdin="typed")
    assert ours.stdout == theirs.stdout != ""
    assert ours.stderr == theirs.stderr == ""


FAILURES = {
    "an error": "def f(x):\n    return 1 / x\n\nf(0)\n",
    "a chain": "try:\n    {}['x']\nexcept KeyError:\n    raise ValueError('bad')\n",
    "a module's error": "import broken_at_run\n",
    "a module's syntax": "import broken_syntax\n",
    "own syntax": "x = 1\ny = = 2\n",
    "a missing module": "import no_such_module\n",
    "a missing submodule": "import numpy.no_such_module\n",
    "an exit": "import sys\nsys.exit(7)\n",
    "an exit with a text": "raise SystemExit('no more')\n",
    "a successful exit": "raise SystemExit\n",
    "an own excepthook": "import sys\nsys.excepthook = lambda t, e, tb: print('hook', t, tb.tb_lineno)\nx = 1 / 0\n",
}


@pytest.mark.parametrize("failure", FAILURES)
def test_a_program_ends_as_with_python(failure, program, tmp_path):
    program("import numpy as np\n\ndef f():\n    raise RuntimeError('deep')\n\nf()\n", "broken_at_run.py")
    program("x = = 1\n", "broken_syntax.py")
    name = program(FAILURES[failure])
    ours, theirs = run(name, cwd=tmp_path), python(name, cwd=tmp_path)
    assert (ours.returncode, ours.stderr, ours.stdout) == (theirs.returncode, theirs.stderr, theirs.stdout)


def test_a_missing_program(tmp_path):
    ours, theirs = run("nowhere.py", cwd=tmp_path), python("nowhere.py", cwd=tmp_path)
    assert (ours.returncode, ours.stderr) == (theirs.returncode, theirs.stderr) and ours.returncode == 2


def test_numpys_error_comes_from_the_programs_line(program, tmp_path):
    done = run(program("import numpy as np\n\na = np.ones(3)\nb = a + np.ones(4)\n"), cwd=tmp_path)
    assert done.returncode == 1
    assert 'program.py", line 4, in <module>' in done.stderr
    assert "ValueError: operands could not be broadcast together with shapes (3,) (4,)" in done.stderr.splitlines()[-1]
    assert "run.py" not in done.stderr and "runpy" not in done.stderr


# --- compared with NumPy ---------------------------------------------------------------------------------------------


def compared(name, *arguments, cwd, **options):
    """(the finished process, its report)"""
    done = run("--compare", "--json", "report.json", name, *arguments, cwd=cwd, **options)
    with open(cwd / "report.json", encoding="utf-8") as file:
        return done, json.load(file)


def names_of(report):
    return {(v["scope"], v["name"]) for v in report["variables"]}


def test_the_same(program, tmp_path):
    name = program(
        """
        import numpy as np

        def main(n):
            "A docstring."
            big = np.arange(n, dtype=float)
            big[1:] += np.sin(big[:-1])
            parts = [big[0], {"last": big[-1], "text": "no number"}]
            return big.sum()

        total = main(100_000)
        count: int = 3
        text, nothing, function = "a", None, np.sin
        """
    )
    done, report = compared(name, cwd=tmp_path)
    assert done.returncode == 0 and done.stderr == "" and "SAME" in done.stdout
    assert report["same"] is True
    expected = {("module", "total"), ("module", "count"), ("main()", "n"), ("main()", "big")}
    assert names_of(report) == expected | {("main()", "parts[0]"), ("main()", "parts[1]['last']")}
    big = next(v for v in report["variables"] if v["name"] == "big")
    assert (big["shape"], big["dtype"], big["same"]) == ([100_000], "float64", True)
    assert report["lazynp"]["seconds"] > 0 and report["numpy"]["seconds"] > 0 and report["kernels"] >= 1


def test_the_frame_of_main_is_that_of_the_modules_function(program, tmp_path):
    """Below an `if`, with a closure over a variable, called twice; a method and an inner function of the same name are others."""
    name = program(
        """
        if True:
            def main(k):
                local = k * 2.0
                def main():
                    inner = local
                main()
                return lambda: local
        class Application:
            def main(self):
                hidden = 1.0
        main(1)
        main(2)
        Application().main()
        """
    )
    done, report = compared(name, cwd=tmp_path)
    assert done.returncode == 0 and names_of(report) == {("main()", "k"), ("main()", "local")}


def test_a_difference(program, tmp_path):
    name = program("import numpy as np\nx = np.ones(3)\ny = 1.0 if np.__name__ == 'numpy' else 1.001\n")
    done, report = compared(name, cwd=tmp_path)
    assert done.returncode == 1 and "DIFFERENT" in done.stdout
    assert report["same"] is False
    assert {v["name"]: v["same"] for v in report["variables"]} == {"x": True, "y": False}


def test_what_varies_on_numpy_too_is_no_difference(program, tmp_path):
    done, report = compared(program("import os, time\nnow, me, two = time.time_ns(), os.getpid(), 2\n"), cwd=tmp_path)
    assert done.returncode == 0 and report["same"] is True
    varying = {v["name"]: v["varies"] for v in report["variables"]}
    assert varying["me"] is True and varying["two"] is False
    assert "varies from run to run" in done.stdout


def test_both_runs_start_alike(program, tmp_path):
    """Arguments, directory, environment and a file on standard input are those of the first run."""
    name = program(
        """
        import os, sys
        arguments, typed = len(sys.argv), len(sys.stdin.read())
        known = int("LAZYNP_TEST_CHANGED" in os.environ)
        os.environ["LAZYNP_TEST_CHANGED"] = "1"
        here = len(os.getcwd())
        os.chdir("/")
        """
    )
    (tmp_path / "input").write_text("some text")
    with open(tmp_path / "input", encoding="utf-8") as file:
        done = subprocess.run(
            [sys.executable, "-m", "lazynp", "run", "--compare", "--json", "report.json", name, "x", "--json", "y"],
            stdin=file,
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
        )
    assert done.returncode == 0, done.stdout + done.stderr
    assert json.loads((tmp_path / "report.json").read_text())["arguments"] == ["x", "--json", "y"]


def test_a_failing_program_keeps_its_status(program, tmp_path):
    name = program("import numpy as np\ndef main():\n    x = np.ones(3)\n    raise KeyError('k')\nmain()\n")
    done, report = compared(name, cwd=tmp_path)
    assert done.returncode == 1 and report["same"] is True and report["numpy"]["error"] == "KeyError: 'k'"
    assert done.stderr == python(name, cwd=tmp_path).stderr
    assert names_of(report) == {("main()", "x")}
    done, report = compared(program("import sys, numpy as np\nsys.exit(5 if np.__name__ == 'lazynp' else 0)"), cwd=tmp_path)
    assert done.returncode == 5 and report["same"] is False
    done, report = compared(program("import sys, numpy as np\nsys.exit(5 if np.__name__ == 'numpy' else 0)"), cwd=tmp_path)
    assert done.returncode == 1 and report["same"] is False


def test_numpys_run_that_dies_is_reported(program, tmp_path):
    done, report = compared(program("import os, numpy as np\nif np.__name__ == 'numpy':\n    os._exit(9)\n"), cwd=tmp_path)
    assert done.returncode == 1 and report["same"] is False and "status 9" in report["trouble"]


def test_numpys_run_has_no_lazynp(program, tmp_path):
    """Else a jitted or differentiated part would be compared with itself. Not in modules of the program either, nor by find_spec."""
    program("try:\n    import lazynp.linalg\n    own = 1\nexcept ImportError:\n    own = 0\n", "beside.py")
    name = program(
        """
        import importlib.util
        import beside
        try:
            from lazynp import jit
        except ImportError:
            jit = None
        found, imported, own = importlib.util.find_spec("lazynp") is not None, jit is not None, beside.own
        """
    )
    done, report = compared(name, cwd=tmp_path)
    assert done.returncode == 1 and report["numpy"]["error"] == ""
    assert {v["name"] for v in report["variables"] if not v["same"]} == {"found", "imported", "own"}


def test_a_program_that_needs_lazynp_is_not_called_the_same(program, tmp_path):
    done, report = compared(program("import lazynp\nx = lazynp.ones(3)\n"), cwd=tmp_path)
    assert done.returncode == 1 and report["same"] is False and "without lazynp" in report["trouble"]
    assert "NOT COMPARED" in done.stdout


def test_a_forked_child_does_not_report(program, tmp_path):
    name = program("import os, sys\nchild = os.fork()\nif not child:\n    sys.exit(0)\nos.waitpid(child, 0)\nchild = 0\n")
    done, _ = compared(name, cwd=tmp_path)
    assert done.returncode == 0 and done.stdout.count("lazynp run --compare") == 1


def test_json_without_compare(program, tmp_path):
    done = run("--json", "report.json", program("import numpy as np\nprint(np.ones(3).sum())"), cwd=tmp_path)
    report = json.loads((tmp_path / "report.json").read_text())
    assert (done.returncode, done.stdout) == (0, "3.0\n")
    assert report["same"] is None and report["numpy"] is None and report["lazynp"]["status"] == 0


def test_fallbacks_are_listed_by_line_and_count():
    side = Side(0.5, 0, "")
    counted = {("/p.py", 3, "median"): 2, ("/p.py", 9, "unwrap"): 7}
    report = Report("/p.py", [], side, side._replace(seconds=1.0), [], {"fallbacks": counted, "kernels": 2, "compile_seconds": 0.25})
    assert [row["count"] for row in report.as_dict()["fallbacks"]] == [7, 2]
    text = report.text()
    assert "7 x  /p.py:9  unwrap" in text and "2 lines fell back" in text
    assert "2.00 times" in text and "250.0 ms, 2 kernels" in text


# --- numeric variables -----------------------------------------------------------------------------------------------


def differs(a, b):
    """Whether a variable that is a on lazynp and b on NumPy counts as different."""
    found = compare(numeric_variables({"x": a}, None), numeric_variables({"x": b}, None))
    assert found
    return not all(d.same for d in found)


SAME = [
    (1.0, 1.0 + 1e-8),
    (np.array([1e-20, 1.0]), np.array([5e-9, 1.0])),
    (np.array([np.nan, np.inf, 1.0]), np.array([np.nan, np.inf, 1.0 + 1e-9])),
    (np.array([1 + 2j, np.nan]), np.array([1 + 2.0000000001j, np.nan])),
    (np.float32([1.0, 2.0]), np.float32([1.0 + 2e-7, 2.0])),
    (3, np.int64(3)),
    (2**100, 2**100),
    ([1.0, np.float64(2)], [np.float64(1), 2.0]),
    (np.zeros((0, 3)), np.zeros((0, 3))),
    (np.array(True), True),
]
DIFFERENT = [
    (1.0, 1.0 + 1e-6),
    (np.ones(3), np.ones((3, 1))),
    (np.ones(3), np.ones(3, np.float32)),
    (1, 1.0),
    (np.array([np.nan, 1.0]), np.array([1.0, np.nan])),
    (np.array([np.inf, 1.0]), np.array([-np.inf, 1.0])),
    (np.array([1.0]), np.array([np.nan])),
    (1 + 1j, 1 - 1j),
    (True, False),
    (np.int64(10**6), np.int64(10**6 + 1)),
    (2**100, 2**100 + 1),
    ([1, 2], [1, 2, 3]),
    ({"a": 1}, {"b": 1}),
    (1e-300, 0.0),
    (np.float32(1.0), np.float32(1.0 + 1e-5)),
]


@pytest.mark.parametrize(("a", "b"), SAME, ids=str)
def test_same_values(a, b):
    assert not differs(a, b)


@pytest.mark.parametrize(("a", "b"), DIFFERENT, ids=str)
def test_different_values(a, b):
    assert differs(a, b)


def test_numbers_are_found_inside_containers():
    loop = [1.5]
    loop.append(loop)
    names = {"a": [np.ones(2), {"k": (1, 2.5)}], "losses": [1.0] * 1000, "loop": loop, "s": "text", "__hidden__": 1, "_kept": 1, "f": len}
    found = numeric_variables(names, {"a": 1})
    module = [name for scope, name in found if scope == "module"]
    assert module == ["a[0]", "a[1]['k'][0]", "a[1]['k'][1]", "losses", "loop[0]", "_kept"]
    assert found["module", "losses"].shape == (1000,) and ("main()", "a") in found


def test_a_value_that_cannot_be_computed_is_a_difference(monkeypatch):
    found = compare({("module", "x"): Unreadable("LinAlgError: Singular matrix")}, {("module", "x"): np.ones(2)})
    assert not found[0].same and "Singular" in found[0].reason


def test_only_what_differs_between_numpy_runs_varies():
    key, other = ("module", "t"), ("module", "x")
    lazynp_run = {key: np.array(1.0), other: np.array(1.0)}
    first, second = {key: np.array(2.0), other: np.array(2.0)}, {key: np.array(3.0), other: np.array(2.0)}
    marked = marked_varying(compare(lazynp_run, first), first, second)
    assert {d.name: d.varies for d in marked} == {"t": True, "x": False}
    assert all(math.isclose(d.error, 0.5) for d in marked)
