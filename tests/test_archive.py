"""Compiled programs in a file, for other machines: `python -m lazynp cache`."""

import json
import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from lazynp.backends import archive, toolchain

pytestmark = pytest.mark.skipif(toolchain.find_compiler() is None, reason="needs a C compiler")

PROGRAM = """
import warnings
import numpy, lazynp
warnings.simplefilter("error", lazynp.errors.PerformanceWarning)
f = lazynp.jit(lambda x, a: numpy.exp(-x) @ a + 1)
x, a = numpy.linspace(0, 1, 300), numpy.ones((300, 20))
assert numpy.allclose(f(x, a), numpy.exp(-x) @ a + 1)
y = lazynp.ones(3_000_000) * 2  # large enough for threads
assert float((y * y + 1).sum()) == 15_000_000
stats = lazynp.stats()
print(stats["compiles"], stats["optimised"], stats["interpreted"])
"""


def run(cache: Path, *command: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    env = {**os.environ, "LAZYNP_CACHE_DIR": str(cache), "LAZYNP_COMPILE_AFTER": "1", **environment}
    return subprocess.run([sys.executable, *command], capture_output=True, text=True, env=env, timeout=120)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A cache in which PROGRAM has run, and what it exports."""
    cache = tmp_path_factory.mktemp("cache")
    done = run(cache, "-c", PROGRAM)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout.split()[0]) >= 2
    target = cache / "programs.zip"
    done = run(cache, "-m", "lazynp", "cache", "export", str(target))
    assert done.returncode == 0, done.stderr
    assert re.match(r"\d+ programs written to ", done.stdout)
    return cache, target


def test_a_machine_without_a_compiler_runs_imported_programs(made: tuple[Path, Path], tmp_path: Path) -> None:
    done = run(tmp_path, "-m", "lazynp", "cache", "import", str(made[1]), LAZYNP_CC="none")
    assert done.returncode == 0, done.stderr
    done = run(tmp_path, "-c", PROGRAM, LAZYNP_CC="none")
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["0", "0", "0"]


def test_a_machine_with_a_compiler_uses_imported_programs_too(made: tuple[Path, Path], tmp_path: Path) -> None:
    run(tmp_path, "-m", "lazynp", "cache", "import", str(made[1]))
    other = run(tmp_path, "-c", PROGRAM.replace("exp(-x)", "exp(-2 * x)"))  # one that has not been imported is compiled here
    assert other.returncode == 0, other.stderr
    assert int(other.stdout.split()[0]) == 1
    assert run(tmp_path, "-c", PROGRAM).stdout.split()[0] == "0"


def test_list_and_clear(made: tuple[Path, Path], tmp_path: Path) -> None:
    run(tmp_path, "-m", "lazynp", "cache", "import", str(made[1]))
    listed = run(tmp_path, "-m", "lazynp", "cache", "list").stdout.splitlines()
    assert len(listed) >= 4 and listed[-1].startswith(f"{len(listed) - 1} programs, ")
    assert any("kernels" in line for line in listed) and any("library" in line for line in listed)
    cleared = run(tmp_path, "-m", "lazynp", "cache", "clear").stdout
    assert cleared.startswith(f"removed {len(listed) - 1} programs")
    assert run(tmp_path, "-m", "lazynp", "cache", "list").stdout.startswith("0 programs")


def changed(source: Path, target: Path, **facts: object) -> Path:
    """The file with other facts in its manifest."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w") as new:
        for name in old.namelist():
            data = old.read(name)
            new.writestr(name, json.dumps({**json.loads(data), **facts}) if name == "lazynp.json" else data)
    return target


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        ({"code": "00000000"}, "another version of lazynp"),
        ({"machine": "riscv64"}, "another processor"),
        ({"system": "plan9"}, "another operating system"),
        ({"integers": "int"}, "another BLAS library"),
        ({"features": ["avx1024"]}, "needs a processor with avx1024"),
    ],
    ids=["version", "machine", "system", "blas", "features"],
)
def test_what_cannot_run_here_is_refused_whole(made: tuple[Path, Path], tmp_path: Path, facts: dict[str, object], words: str) -> None:
    file = changed(made[1], tmp_path / "other.zip", **facts)
    done = run(tmp_path / "cache", "-m", "lazynp", "cache", "import", str(file))
    assert done.returncode == 1
    assert words in done.stderr and "Traceback" not in done.stderr
    assert run(tmp_path / "cache", "-m", "lazynp", "cache", "list").stdout.startswith("0 programs")


@pytest.mark.parametrize("content", [b"", b"not a zip", b"PK\x05\x06" + bytes(18)], ids=["empty", "text", "no manifest"])
def test_other_files_are_refused(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "file.zip"
    file.write_bytes(content)
    with pytest.raises(archive.ArchiveError, match="is not a file of lazynp's compiled programs"):
        archive.load(str(file))


def test_a_missing_file_is_reported(tmp_path: Path) -> None:
    done = run(tmp_path, "-m", "lazynp", "cache", "import", str(tmp_path / "none.zip"))
    assert done.returncode == 1
    assert "No such file" in done.stderr and "Traceback" not in done.stderr


def test_nothing_is_exported_without_a_compiler(tmp_path: Path) -> None:
    done = run(tmp_path, "-m", "lazynp", "cache", "export", str(tmp_path / "x.zip"), LAZYNP_CC="none")
    assert done.returncode == 1
    assert not (tmp_path / "x.zip").exists()
