"""Imports go down the floors of docs/design.md, at the top of the file; optional packages are imported where they are owned."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import lazynp

ROOT = Path(lazynp.__file__).parent
FILES = sorted(ROOT.rglob("*.py"))

FLOORS = {
    "0": [{"_hotpaths"}, {"_direct"}, {"native"}, {"config", "errors", "choices"}, {"handlers", "escapes"}, {"ir"}],
    "1": [{"ops"}],
    "2": [{"transform"}, {"optimize"}],
    "3": [{"backends"}],
    "4": [{"runtime"}],
    "5": [{"layout", "askers"}, {"array"}, {"operands"}, {"ordering"}, {"views"}, {"operators"}, {"selection"}, {"basic"}, {"indexing"}],
    "6": [{"api"}],
    "7": [{"trace"}, {"scan"}, {"functional"}, {"debug"}],
    "8": [
        {
            "modules",
            "encoding",
            "fft",
            "linalg",
            "random",
            "scipy",
            "polynomial",
            "testing",
            "builtins",
            "extend",
            "misc",
            "test_util",
            "tracer",
        },
        {"__init__", "__main__"},
    ],
}
"""Inside floors 0, 2, 5, 7 and 8 there are steps, which go up too: no two files ever import each other."""

STEPS = [names for steps in FLOORS.values() for names in steps]
STEP_OF = {name: number for number, names in enumerate(STEPS) for name in names}

OPTIONAL = {"optree", "scipy", "cupy", "dask", "platformdirs", "threadpoolctl", "ziglang"}
"""Never imported when a file is: only by a function, in the files named here."""

OWNERS = {
    "optree": {"trace/trees.py"},
    "scipy": {"backends/blas.py", "ops/special.py", "api/sparse.py"},
    "cupy": {"backends/cuda.py"},
    "dask": {"backends/dask.py"},
    "platformdirs": {"backends/diskcache.py"},
    "threadpoolctl": {"backends/threads.py"},
    "ziglang": {"backends/toolchain.py"},
}


def part_of(module: str) -> str:
    """The name that has a floor: "lazynp.ops.elementwise" -> "ops", "lazynp" -> "__init__"."""
    pieces = module.split(".")
    return pieces[1] if len(pieces) > 1 else "__init__"


def imports(path: Path) -> Iterator[tuple[str, int, bool]]:
    """(module, line, whether the file's import runs it) for each import statement, `from lazynp import array` as "lazynp.array"."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    inner = {id(node) for f in ast.walk(tree) if isinstance(f, (ast.FunctionDef, ast.AsyncFunctionDef)) for node in ast.walk(f)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: a relative import"
            names = [f"lazynp.{alias.name}" for alias in node.names] if node.module == "lazynp" else [node.module or ""]
        else:
            continue
        yield from ((name, node.lineno, id(node) not in inner) for name in names)


def relative(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def own_part(path: Path) -> str:
    return relative(path).split("/")[0].removesuffix(".py")


def label(path: Path) -> str:
    return relative(path)


def test_every_part_has_a_floor():
    assert {own_part(path) for path in FILES} <= set(STEP_OF)


@pytest.mark.parametrize("path", FILES, ids=label)
def test_imports_go_down(path):
    here = own_part(path)
    wrong = []
    for module, line, _ in imports(path):
        if module.partition(".")[0] != "lazynp":
            continue
        there = part_of(module)
        if there not in STEP_OF:
            wrong.append(f"{relative(path)}:{line} imports {module}, which has no floor: import it from its module")
        elif STEP_OF[there] >= STEP_OF[here] and there != here:
            wrong.append(f"{relative(path)}:{line} imports {module}, which is not below it")
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("path", FILES, ids=label)
def test_own_modules_are_imported_at_the_top(path):
    inside = [f"{relative(path)}:{line} {m}" for m, line, top in imports(path) if not top and m.partition(".")[0] == "lazynp"]
    assert not inside, "\n".join(inside)


@pytest.mark.parametrize("path", FILES, ids=label)
def test_optional_packages_are_imported_late_and_by_their_owner(path):
    wrong = []
    for module, line, top in imports(path):
        package = module.partition(".")[0]
        if package in OPTIONAL and (top or relative(path) not in OWNERS[package]):
            wrong.append(
                f"{relative(path)}:{line} imports {module}{' with the file' if top else ''}; its owners: {sorted(OWNERS[package])}"
            )
    assert not wrong, "\n".join(wrong)


def test_importing_lazynp_loads_no_optional_package():
    program = f"import sys, lazynp; print(sorted({OPTIONAL!r} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT.parent)
    assert done.stdout.strip() == "[]"
