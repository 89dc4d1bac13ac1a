"""The machine side of the C backend: compiler, disk cache, BLAS pointers, threads."""

import importlib
import os
import pickle
import pkgutil
import platform
import re
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cffi
import numpy as np
import pytest

import lazynp
import lazynp.ops
from lazynp.backends import blas, diskcache, prelude, processes, threads, toolchain, workers
from lazynp.backends.pieces import BEGIN, END, pieces
from lazynp.config import config
from lazynp.errors import CompileError, PerformanceWarning
from lazynp.ir.op import all_ops

needs_compiler = pytest.mark.skipif(toolchain.find_compiler() is None, reason="needs a C compiler")

DOUBLE = """\
typedef long long int64_t;
int64_t lazynp_run(void **slots, const int64_t *dims) {
    double *x = slots[0];
    for (int64_t i = 0; i < dims[1]; i++) x[i] *= FACTOR;
    return dims[1];
}
"""


@pytest.fixture
def cache(tmp_path: Path) -> Iterator[Path]:
    """An empty cache of this test alone, and no programs in memory."""
    toolchain.forget()
    with config(cache_dir=str(tmp_path / "cache")):
        yield tmp_path / "cache"
    toolchain.forget()


def call(lib: Any, arrays: list[np.ndarray], *dims: int, pointers: tuple[int, ...] = ()) -> int:
    ffi = toolchain.ffi
    addresses = [array.ctypes.data for array in arrays] + list(pointers)
    slots = ffi.new("void *[]", [ffi.cast("void *", address) for address in addresses])
    return lib.lazynp_run(slots, ffi.new("int64_t[]", dims))


def doubled(key: str, factor: int = 2) -> np.ndarray:
    x = np.arange(5.0)
    assert call(toolchain.build(DOUBLE.replace("FACTOR", str(factor)), key), [x], 1, 5) == 5
    return x


def in_new_process(code: str, **environment: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env={**os.environ, **environment}, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


# ---- compiler


@needs_compiler
def test_the_declaration_is_what_cffi_generates(tmp_path: Path) -> None:
    ffi = cffi.FFI()
    ffi.cdef("int64_t lazynp_run(void **slots, const int64_t *dims);")
    ffi.set_source("lazynp_program", None)
    ffi.emit_python_code(str(tmp_path / "generated.py"))
    generated = re.search(r"_types = (b'.*')", (tmp_path / "generated.py").read_text())
    written = re.search(r'_types=(b".*")', Path(toolchain.__file__).read_text())
    assert eval(generated[1]) == eval(written[1])


@needs_compiler
def test_builds_and_runs(cache: Path) -> None:
    before = dict(toolchain.counters)
    assert doubled("k").tolist() == [0, 2, 4, 6, 8]
    assert toolchain.counters["compiles"] == before["compiles"] + 1
    assert toolchain.counters["compile_seconds"] > before["compile_seconds"]
    assert toolchain.counters["disk_hits"] == before["disk_hits"]


@needs_compiler
def test_a_second_process_starts_no_process(cache: Path) -> None:
    doubled("k")
    code = (
        "import subprocess, os\n"
        "def never(*a, **k): raise AssertionError('a process was started')\n"
        "subprocess.Popen = never\n"
        "from lazynp.backends import toolchain\n"
        "assert toolchain.find_compiler() is not None\n"
        "assert toolchain.load('k') is not None\n"
        "print(toolchain.counters['compiles'], toolchain.counters['disk_hits'])\n"
    )
    assert in_new_process(code, LAZYNP_CACHE_DIR=str(cache)).split() == ["0", "1"]


@needs_compiler
def test_an_error_shows_the_line_of_c(cache: Path) -> None:
    source = "typedef long long int64_t;\nint64_t lazynp_run(void **slots, const int64_t *dims) {\n    return undeclared_name;\n}\n"
    with pytest.raises(CompileError, match=r"undeclared_name[\s\S]*    3 \|     return undeclared_name;"):
        toolchain.build(source, "bad")
    assert toolchain.load("bad") is None
    assert not list(cache.rglob("*.tmp"))


@needs_compiler
def test_a_call_of_nothing_is_a_compile_error(cache: Path) -> None:
    source = DOUBLE.replace("FACTOR", "no_such_function(x[i])")
    with pytest.raises(CompileError, match="no_such_function"):
        toolchain.build(source, "undefined")


def test_no_compiler_is_none_with_a_reason(cache: Path) -> None:
    with config(cc="none"):
        assert toolchain.find_compiler() is None
        assert "none" in toolchain.missing_reason()
    with config(cc="/nowhere/cc"):
        assert toolchain.find_compiler() is None
        assert "/nowhere/cc" in toolchain.missing_reason()
        with pytest.raises(CompileError, match="/nowhere/cc"):
            toolchain.build("", "k")


def test_no_compiler_on_path(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    found = toolchain.find_compiler()
    assert found is None or "ziglang" in found.path


def test_a_program_that_is_no_compiler_is_passed_over(cache: Path) -> None:
    with config(cc=sys.executable):
        assert toolchain.find_compiler() is None


@needs_compiler
def test_the_fingerprint_depends_on_the_flags(cache: Path) -> None:
    plain = toolchain.find_compiler()
    with config(cc=f"{plain.path} -DOTHER"):
        assert toolchain.find_compiler().fingerprint != plain.fingerprint


# ---- disk cache


def test_put_and_get(cache: Path) -> None:
    assert diskcache.get("k", ".meta") is None
    diskcache.put("k", ".meta", b"payload")
    diskcache.put("k", ".empty", b"")
    assert diskcache.get("k", ".meta") == b"payload"
    assert diskcache.get("k", ".empty") == b""
    assert [(entry.key, entry.suffix) for entry in sorted(diskcache.entries())] == [("k", ".empty"), ("k", ".meta")]
    diskcache.clear()
    assert diskcache.entries() == [] and diskcache.get("k", ".meta") is None


@pytest.mark.parametrize("damage", [lambda data: data[: len(data) // 2], lambda data: b"", lambda data: data[:-30] + b"x" + data[-29:]])
def test_damaged_entries_are_absent(cache: Path, damage: Any) -> None:
    diskcache.put("k", ".meta", b"0123456789" * 10)
    path = Path(diskcache.locate("k", ".meta"))
    path.write_bytes(damage(path.read_bytes()))
    assert diskcache.get("k", ".meta") is None


@needs_compiler
@pytest.mark.parametrize("kept", [0, 100, 8000])
def test_a_truncated_program_is_compiled_again(cache: Path, kept: int) -> None:
    doubled("k")
    path = diskcache.locate("k", ".so")
    data = Path(path).read_bytes()
    os.unlink(path)  # a new file: truncating one that is mapped would end this process, as it would any program's
    Path(path).write_bytes(data[:kept])
    toolchain.forget()
    compiles = toolchain.counters["compiles"]
    assert doubled("k", 3).tolist() == [0, 3, 6, 9, 12]
    assert toolchain.counters["compiles"] == compiles + 1


@needs_compiler
def test_a_file_that_is_no_program_is_compiled_again(cache: Path) -> None:
    diskcache.put("k", ".so", b"not an object file")
    assert toolchain.load("k") is None
    assert doubled("k").tolist() == [0, 2, 4, 6, 8]


def test_a_killed_writer_leaves_nothing_under_the_name(cache: Path) -> None:
    with pytest.raises(KeyboardInterrupt), diskcache.writing("k", ".so") as path:
        Path(path).write_bytes(b"half")
        raise KeyboardInterrupt
    assert diskcache.entries() == []
    stale = Path(diskcache.directory()) / "dead-1.tmp"
    stale.write_bytes(b"half")
    os.utime(stale, (0, 0))
    diskcache.trim()
    assert not stale.exists()


def test_the_oldest_go_first(cache: Path) -> None:
    for n in range(6):
        diskcache.put(f"k{n}", ".bin", bytes(300_000))
        os.utime(diskcache.locate(f"k{n}", ".bin"), (1000 + n, 1000 + n))
    os.utime(Path(diskcache.directory()) / "k0.bin", (5000, 5000))
    with config(cache_size_mb=1):
        diskcache.trim()
    kept = {entry.key for entry in diskcache.entries()}
    assert "k0" in kept and "k1" not in kept and 1 <= len(kept) <= 3


def test_use_makes_young(cache: Path) -> None:
    diskcache.put("k", ".bin", b"x")
    os.utime(Path(diskcache.directory()) / "k.bin", (1000, 1000))
    diskcache.get("k", ".bin")
    assert diskcache.entries()[0].used > time.time() - 100


def test_a_directory_that_cannot_be_made_gives_one_warning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(diskcache, "_private", None)
    (tmp_path / "file").write_text("in the way")
    with config(cache_dir=str(tmp_path / "file")):
        with pytest.warns(PerformanceWarning, match="not kept"):
            diskcache.put("k", ".bin", b"1")
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            diskcache.put("other", ".bin", b"2")
        assert diskcache.get("k", ".bin") == b"1" and diskcache.get("other", ".bin") == b"2"


def test_a_read_only_cache_is_still_read(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    diskcache.put("k", ".bin", b"1")
    monkeypatch.setattr(diskcache, "_private", None)
    monkeypatch.setattr(os, "access", lambda path, mode: False)  # chmod does not stop root
    with pytest.warns(PerformanceWarning, match="not kept"):
        diskcache.put("new", ".bin", b"2")
    assert diskcache.get("k", ".bin") == b"1" and diskcache.get("new", ".bin") == b"2"
    assert not (cache / diskcache.code_version() / "new.bin").exists()


@needs_compiler
def test_many_processes_may_build_one_key(cache: Path) -> None:
    code = (
        "import numpy as np\nfrom lazynp.backends import toolchain\n"
        f"lib = toolchain.build({DOUBLE.replace('FACTOR', '2')!r}, 'shared')\n"
        "ffi = toolchain.ffi\nx = np.ones(3)\n"
        "lib.lazynp_run(ffi.new('void *[]', [ffi.cast('void *', x.ctypes.data)]), ffi.new('int64_t[]', [1, 3]))\n"
        "assert x.tolist() == [2, 2, 2]"
    )
    environment = {**os.environ, "LAZYNP_CACHE_DIR": str(cache)}
    running = [subprocess.Popen([sys.executable, "-c", code], env=environment, stderr=subprocess.PIPE, text=True) for _ in range(4)]
    errors = [process.communicate(timeout=60)[1] for process in running]
    assert [process.returncode for process in running] == [0] * 4, errors


# ---- BLAS

BLAS_SOURCES = ["numpy", "scipy"]


def library(source: str) -> blas.Blas:
    found = blas.from_numpy() if source == "numpy" else blas.from_scipy()
    if found is None:
        pytest.skip(f"{source} brings no BLAS whose routines can be found here")
    return found


def random(shape: tuple[int, ...], dtype: str, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    values = rng.standard_normal(shape)
    return (values + 1j * rng.standard_normal(shape)).astype(dtype) if np.dtype(dtype).kind == "c" else values.astype(dtype)


def turned(array: np.ndarray, how: str) -> np.ndarray:
    return array if how == "N" else array.T if how == "T" else array.T.conj()


def program(found: blas.Blas, suffix: str, body: str) -> str:
    head = f"{prelude.HEADER}{found.calls(suffix)}"
    return f"{head}int64_t lazynp_run(void **slots, const int64_t *dims) {{ {body} return 0; }}"


def number(value: complex, dtype: str) -> str:
    return f"(lz_c{np.dtype(dtype).itemsize * 8}){{{value}, 0}}" if np.dtype(dtype).kind == "c" else f"{value}"


@needs_compiler
@pytest.mark.parametrize("source", BLAS_SOURCES)
@pytest.mark.parametrize("dtype", ["f4", "f8", "c8", "c16"])
@pytest.mark.parametrize(("ta", "tb"), [("N", "N"), ("T", "N"), ("N", "T"), ("C", "C")])
@pytest.mark.parametrize(("m", "n", "k"), [(3, 5, 7), (1, 4, 1), (4, 1, 3), (2, 3, 0)])
def test_gemm_is_matmul(source: str, dtype: str, ta: str, tb: str, m: int, n: int, k: int) -> None:
    suffix, found = prelude.suffix(np.dtype(dtype)), library(source)
    body = (
        f"lz_gemm_{suffix}(slots[3], dims[4], dims[5], dims[1], dims[2], dims[3], {number(2, dtype)}, slots[0], dims[6], slots[1], dims[7],"
    )
    code = program(found, suffix, f"{body} {number(3, dtype)}, slots[2], dims[8]);")
    lib = toolchain.build(code, f"test-gemm-{suffix}-{found.int_type}-{toolchain.find_compiler().fingerprint}")
    a, b = random((m, k) if ta == "N" else (k, m), dtype, 1), random((k, n) if tb == "N" else (n, k), dtype, 2)
    c = random((m, n), dtype, 3)
    want = 2 * (turned(a, ta) @ turned(b, tb)) + 3 * c
    pointer = found.pointer(f"{blas.LETTERS[suffix]}gemm")
    call(lib, [a, b, c], 1, m, n, k, ord(ta), ord(tb), a.shape[1], b.shape[1], n, pointers=(pointer,))
    np.testing.assert_allclose(c, want, rtol=1e-4 if dtype in ("f4", "c8") else 1e-12)


@needs_compiler
@pytest.mark.parametrize("source", BLAS_SOURCES)
@pytest.mark.parametrize("dtype", ["f4", "f8", "c8", "c16"])
@pytest.mark.parametrize("ta", ["N", "T"])
def test_gemv_is_matmul(source: str, dtype: str, ta: str) -> None:
    suffix, found = prelude.suffix(np.dtype(dtype)), library(source)
    body = f"lz_gemv_{suffix}(slots[3], dims[3], dims[1], dims[2], {number(2, dtype)}, slots[0], dims[2], slots[1], 1,"
    code = program(found, suffix, f"{body} {number(0, dtype)}, slots[2], 1);")
    lib = toolchain.build(code, f"test-gemv-{suffix}-{found.int_type}-{toolchain.find_compiler().fingerprint}")
    a = random((4, 6), dtype, 1)
    x = random((6 if ta == "N" else 4,), dtype, 2)
    y = np.full(4 if ta == "N" else 6, np.nan, dtype)
    call(lib, [a, x, y], 1, 4, 6, ord(ta), pointers=(found.pointer(f"{blas.LETTERS[suffix]}gemv"),))
    np.testing.assert_allclose(y, 2 * (turned(a, ta) @ x), rtol=1e-4 if dtype in ("f4", "c8") else 1e-12)


@needs_compiler
@pytest.mark.parametrize("source", BLAS_SOURCES)
def test_gesv_is_solve(source: str) -> None:
    found = library(source)
    code = (
        f"{prelude.HEADER}{found.prototype('dgesv')}\nint64_t lazynp_run(void **slots, const int64_t *dims) {{\n"
        f"    {found.int_type} n = dims[1], one = 1, info = 7, pivots[16];\n"
        "    ((lz_dgesv_t)slots[2])(&n, &one, slots[0], &n, pivots, slots[1], &n, &info);\n    return info;\n}\n"
    )
    lib = toolchain.build(code, f"test-gesv-{found.int_type}-{toolchain.find_compiler().fingerprint}")
    a, b = random((8, 8), "f8", 1), random((8,), "f8", 2)
    want = np.linalg.solve(a, b)
    assert call(lib, [np.asfortranarray(a).copy("F"), b], 1, 8, pointers=(found.pointer("dgesv"),)) == 0
    np.testing.assert_allclose(b, want)
    assert call(lib, [np.zeros((8, 8)), b], 1, 8, pointers=(found.pointer("dgesv"),)) == 1


@pytest.mark.parametrize("letter", "sdcz")
def test_signatures_are_scipys(letter: str) -> None:
    """SciPy's capsules carry the C type of each routine."""
    blas_capsules = pytest.importorskip("scipy.linalg.cython_blas", reason="SciPy is not installed").__pyx_capi__
    lapack_capsules = pytest.importorskip("scipy.linalg.cython_lapack", reason="SciPy is not installed").__pyx_capi__
    for routine, signature in (blas._SIGNATURES | (blas._REAL if letter in "sd" else blas._COMPLEX)).items():
        capsule = (lapack_capsules if routine in blas._LAPACK else blas_capsules)[letter + routine]
        arguments = re.search(r'"[^"]*\((.*)\)"', repr(capsule))[1].split(", ")
        assert "".join({"char *": "c", "int *": "i"}.get(kind, "v") for kind in arguments) == signature, letter + routine


def test_blas_refuses_unknown_names() -> None:
    found = blas.table()
    if found is None:
        pytest.skip("neither NumPy nor SciPy brings a BLAS whose routines can be found here")
    for name in ("dnothing", "xgemm", ""):
        assert not found.has(name)
        with pytest.raises(KeyError):
            found.pointer(name)
        with pytest.raises(KeyError):
            found.prototype(name)


# ---- threads

CHUNKS, CHUNK = 100, 4096
PARALLEL = (
    prelude.emit(["lz_exp_f64"])
    + workers.PROTOTYPE
    + """
static void task(const void *with, int64_t c) {
    const lz_task *t = with;
    const double *restrict x = t->slots[0]; double *restrict y = t->slots[1], *partial = t->slots[2], total = 0;
    const int64_t begin = c * t->chunk, end = begin + t->chunk < t->count ? begin + t->chunk : t->count;
    #pragma omp simd reduction(+:total)
    for (int64_t i = begin; i < end; i++) { y[i] = lz_exp_f64(x[i]); total += y[i]; }
    partial[c] = total;
}
int64_t lazynp_run(void **slots, const int64_t *dims) {
    const lz_task t = {slots, dims, 0, dims[1], dims[2], 0};
    const int64_t chunks = (t.count + t.chunk - 1) / t.chunk;
    ((lz_parallel)slots[4])(task, &t, chunks, dims[0], 0);
    const double *partial = slots[2]; double total = 0;
    for (int64_t c = 0; c < chunks; c++) total += partial[c];
    *(double *)slots[3] = total;
    return 0;
}
"""
)
IMPORT_THIS = (
    f"import os, sys\nsys.path.insert(0, {os.path.dirname(os.path.abspath(__file__))!r})\nimport test_toolchain as t\n"
    "from lazynp.backends import threads\nfrom lazynp.config import config\n"
)


def exp_and_sum(count: int, thread_count: int) -> tuple[np.ndarray, float]:
    x = np.random.default_rng(0).standard_normal(count)
    y, partial, total = np.empty(count), np.empty(count // CHUNK + 1), np.empty(1)
    lib = toolchain.build(PARALLEL, f"test-parallel-{toolchain.find_compiler().fingerprint}")
    slots = toolchain.ffi.new("void *[]", [toolchain.ffi.from_buffer(a) for a in (x, y, partial, total)] + [toolchain.ffi.NULL])
    slots[4] = toolchain.ffi.cast("void *", workers.entry())
    lib.lazynp_run(slots, toolchain.ffi.new("int64_t[]", [thread_count, count, CHUNK]))
    return y, float(total[0])


@needs_compiler
def test_results_do_not_depend_on_threads() -> None:
    count = CHUNKS * CHUNK + 13
    expected = exp_and_sum(count, 1)
    np.testing.assert_allclose(expected[0], np.exp(np.random.default_rng(0).standard_normal(count)), rtol=1e-15 * 4)
    for thread_count in (2, 5, 3, 1, 2):  # the pool grows; later jobs use a part of it
        y, total = exp_and_sum(count, thread_count)
        assert y.tobytes() == expected[0].tobytes()
        assert total == expected[1]


@needs_compiler
def test_many_short_jobs_in_a_row() -> None:
    """Helpers join, come late, sleep and wake: every job is complete when its caller goes on."""
    for pause in (0.0, 2e-5, 5e-4):
        for count in range(1, 4 * CHUNK, 997):
            assert exp_and_sum(count, 1)[1] == exp_and_sum(count, 3)[1]
            time.sleep(pause)


@needs_compiler
def test_python_threads_share_the_pool() -> None:
    expected = exp_and_sum(20 * CHUNK, 1)[1]
    wrong: list[float] = []

    def work() -> None:
        wrong.extend(total for _ in range(40) if (total := exp_and_sum(20 * CHUNK, 3)[1]) != expected)

    callers = [threading.Thread(target=work) for _ in range(6)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join(60)
    assert not wrong and not any(caller.is_alive() for caller in callers)


@needs_compiler
def test_a_forked_child_computes_on_threads_of_its_own() -> None:
    code = IMPORT_THIS + (
        "import signal\nhere = t.exp_and_sum(500000, 4)\npid = os.fork()\n"
        "if pid == 0:\n    signal.alarm(20)\n    there = t.exp_and_sum(500000, 4)\n"
        "    os._exit(here[1] != there[1] or len(os.listdir('/proc/self/task')) < 4)\n"
        "print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))\nassert t.exp_and_sum(500000, 4)[1] == here[1]\n"
    )
    assert in_new_process(code).split() == ["0"]


@needs_compiler
def test_without_a_pool_kernels_run_on_one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "_SOURCE", "no C")
    with pytest.warns(PerformanceWarning, match="on one thread"):
        assert workers.entry.__wrapped__() == 0


@pytest.mark.parametrize(
    ("environment", "most"), [({"OMP_NUM_THREADS": "1"}, 1), ({"OMP_NUM_THREADS": "1,4"}, 1), ({"OMP_THREAD_LIMIT": "1"}, 1)]
)
def test_openmps_variables_limit(environment: dict[str, str], most: int) -> None:
    code = "from lazynp.backends import threads; print(threads.thread_count())"
    assert int(in_new_process(code, **environment)) == most


def test_the_setting_wins_and_affinity_limits() -> None:
    with config(threads=7):
        assert threads.thread_count() == 7
    with config(threads=0):
        assert 1 <= threads.thread_count() <= len(os.sched_getaffinity(0))
    code = (
        "import os\nos.sched_setaffinity(0, [min(os.sched_getaffinity(0))])\n"
        "from lazynp.backends import threads; print(threads.thread_count())"
    )
    assert int(in_new_process(code)) == 1


def test_cgroup_quota_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    files = {
        "/proc/self/cgroup": "0::/user/job",
        "/sys/fs/cgroup/user/cpu.max": "150000 100000",
        "/sys/fs/cgroup/user/job/cpu.max": "max 100000",
    }
    monkeypatch.setattr(threads, "_read", lambda path: files.get(path, ""))
    assert threads._quota() == 2
    files["/sys/fs/cgroup/user/job/cpu.max"] = "50000 100000"
    assert threads._quota() == 1


def test_threadpoolctl_limits() -> None:
    code = IMPORT_THIS + (
        "import threadpoolctl\nmost = threads.thread_count()\nwith threadpoolctl.threadpool_limits(1):\n"
        "    print(threads.thread_count())\nassert threads.thread_count() == most\n"
    )
    assert in_new_process(code).split() == ["1"]


def test_a_temporary_file_that_its_writer_renames_does_not_stop_a_trim(tmp_path, monkeypatch):
    """Two processes on one cache: the folder was listed, then the other process finished its file."""
    (tmp_path / "listed.tmp").write_bytes(b"x")
    listed = list(os.scandir(tmp_path))
    (tmp_path / "listed.tmp").rename(tmp_path / "listed.so")
    monkeypatch.setattr(diskcache, "_scan", lambda place: iter(listed))
    diskcache.trim()
    assert (tmp_path / "listed.so").exists()


@needs_compiler
def test_a_stored_program_finds_ops_whose_module_nobody_has_imported(cache: Path) -> None:
    """A rewrite brings in an op of a module that `import lazynp` leaves alone; the process that loads the program has never seen it."""
    code = (
        "import lazynp as np, sys\n"
        "before = 'lazynp.ops.matrices' in sys.modules\n"
        "f = np.jit(lambda a, b: np.linalg.solve(np.tril(a), b))\n"
        "f(np.eye(3) + 1, np.ones(3))\n"
        "print(before, np.stats()['compiles'])\n"
    )
    first, second = (in_new_process(code, LAZYNP_CACHE_DIR=str(cache)).split() for _ in range(2))
    assert first[0] == "False"
    assert first[1] != "0" and second[1] == "0"


def test_every_op_is_found_by_a_process_that_has_imported_lazynp_only() -> None:
    for module in pkgutil.iter_modules(lazynp.ops.__path__):
        importlib.import_module(f"lazynp.ops.{module.name}")
    ops = [op for op in all_ops() if op.__reduce__()[1][1].startswith("lazynp.")]
    code = f"import lazynp, pickle\nprint(len(pickle.loads({pickle.dumps(ops)!r})))"
    assert int(in_new_process(code)) == len(ops) > 100


# ---- claims

COLD = """
import sys, time
while time.time() < {start}: pass
import numpy as np, lazynp
x = np.linspace(0, 1, 1000)
f = lazynp.jit(lambda x: lazynp.sqrt(lazynp.exp(-x) * 2 + x * x) - lazynp.tanh(x + 1), strict=True)
np.testing.assert_allclose(f(x), np.sqrt(np.exp(-x) * 2 + x * x) - np.tanh(x + 1), rtol=1e-12)
stats = lazynp.stats()
print(stats["compiles"], stats["optimised"])
"""


@needs_compiler
def test_of_many_cold_processes_one_compiles(cache: Path) -> None:
    in_new_process("from lazynp.backends import toolchain; toolchain.find_compiler()", LAZYNP_CACHE_DIR=str(cache))
    environment = {**os.environ, "LAZYNP_CACHE_DIR": str(cache)}
    code = COLD.format(start=time.time() + 0.5)
    running = [subprocess.Popen([sys.executable, "-c", code], env=environment, stdout=subprocess.PIPE, text=True) for _ in range(16)]
    said = [process.communicate(timeout=120)[0].split() for process in running]
    assert sum(int(compiles) for compiles, _ in said) == 1
    assert sum(int(optimised) for _, optimised in said) == 1
    assert not list(cache.rglob("*-claim.tmp"))


def test_a_claim_keeps_the_others_waiting(cache: Path) -> None:
    code = (
        "import time\nfrom lazynp.backends import diskcache\n"
        "with diskcache.claim('shared', '.so'):\n print('begun', flush=True)\n time.sleep(0.4)\n diskcache.put('shared', '.so', b'made')"
    )
    environment = {**os.environ, "LAZYNP_CACHE_DIR": str(cache)}
    with subprocess.Popen([sys.executable, "-c", code], env=environment, stdout=subprocess.PIPE, text=True) as first:
        assert first.stdout is not None and first.stdout.readline() == "begun\n"
        assert diskcache.get("shared", ".so") is None
        with diskcache.claim("shared", ".so"):
            assert diskcache.get("shared", ".so") == b"made"


def test_claims_of_killed_processes_are_taken_over(cache: Path) -> None:
    code = "import os\nfrom lazynp.backends import diskcache\nwith diskcache.claim('shared', '.so'): os._exit(1)"
    environment = {**os.environ, "LAZYNP_CACHE_DIR": str(cache)}
    assert subprocess.run([sys.executable, "-c", code], env=environment, check=False).returncode == 1
    (left,) = cache.rglob("*-claim.tmp")
    start = time.monotonic()
    with diskcache.claim("shared", ".so"):
        assert str(os.getpid()) in left.read_text()
    assert time.monotonic() - start < 5 and not left.exists()
    left.write_text("")  # killed between making and signing it
    os.utime(left, (time.time() - 5, time.time() - 5))
    with diskcache.claim("shared", ".so"):
        assert str(os.getpid()) in left.read_text()
    left.write_text("elsewhere 1")  # by a machine that shares the directory
    os.utime(left, (time.time() - 3600, time.time() - 3600))
    with diskcache.claim("shared", ".so"):
        assert str(os.getpid()) in left.read_text()


def test_no_claim_no_harm(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*args: Any) -> int:
        raise PermissionError("read-only")

    monkeypatch.setattr(os, "open", refused)
    with diskcache.claim("shared", ".so"):
        pass


def test_waiting_ends(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(diskcache, "_PATIENCE_SECONDS", 0.1)
    with diskcache.claim("shared", ".so"), diskcache.claim("shared", ".so"):  # the inner one gives up
        assert list(cache.rglob("*-claim.tmp"))
    assert not list(cache.rglob("*-claim.tmp"))


# ---- pieces

PARTS = "typedef long long int64_t;\n"


def kernel(number: int, text: str = "") -> str:
    """A kernel in three functions, as render prints them, of 20,000 characters."""
    filler = "\n".join([f"    x[0] = x[0] + {n}.0;" for n in range(900)])
    return (
        f"static void k{number}_chunk(void **slots, const int64_t *dims, int64_t begin, int64_t end) {{\n"
        f"    double *x = slots[0];\n{filler}\n}}\n\n"
        f"static void k{number}_task(const void *with, int64_t c) {{\n    k{number}_chunk((void **)with, 0, 0, c);\n}}\n"
        f"static void k{number}(void **slots, const int64_t *dims) {{\n    k{number}_task(slots, 1);\n{text}}}\n"
    )


def large(kernels: list[str]) -> str:
    """A source of kernels that are called one after the other."""
    calls = "".join([f"    k{number}(slots, dims);\n" for number in range(len(kernels))])
    entry = f"int64_t lazynp_run(void **slots, const int64_t *dims) {{\n{calls}    return 0;\n}}\n"
    return PARTS + BEGIN + "".join(kernels) + END + entry


def test_large_sources_are_cut_into_pieces() -> None:
    source = large([kernel(n) for n in range(8)])
    files = pieces(source, 2)
    assert len(files) == 2 and len(pieces(source, 100)) > 2
    assert [file.count("static void k") for file in files] == [8, 8]  # the chunk and the task of four kernels
    assert files[0].count("lazynp_run") == 1 and "lazynp_run" not in files[1]
    assert pieces(source, 1) == [source] and len(pieces(source.replace(BEGIN, ""), 2)) == 1
    assert pieces(large([kernel(0), kernel(1)]), 2) == [large([kernel(0), kernel(1)])]  # small


def test_kernels_that_call_others_stay_with_them() -> None:
    source = large([*[kernel(n) for n in range(8)], kernel(8, "    k0(slots, dims);\n")])
    files = pieces(source, 2)
    assert "static void k8(" in files[0] and "void k8(" not in files[1]


@needs_compiler
@pytest.mark.parametrize("thread_count", [1, 2, 3])
def test_a_program_in_pieces_is_the_same(cache: Path, thread_count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threads, "thread_count", lambda: thread_count)
    lib = toolchain.build(large([kernel(n) for n in range(9)]), "large")
    x = np.zeros(1)
    call(lib, [x])
    assert x[0] == 9 * sum(range(900))
    assert not list(cache.rglob("*.tmp"))


@needs_compiler
def test_an_error_in_a_piece_shows_its_line(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threads, "thread_count", lambda: 2)
    source = large([*[kernel(n) for n in range(8)], kernel(8, "    undeclared_name = 1;\n")])
    with pytest.raises(CompileError, match="undeclared_name = 1"):
        toolchain.build(source, "wrong")
    assert not list(cache.rglob("*.tmp"))


@needs_compiler
def test_a_long_irregular_function_is_compiled_in_pieces(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cut: list[list[str]] = []
    monkeypatch.setattr("lazynp.backends.pieces._LEAST", 5000)
    monkeypatch.setattr(threads, "thread_count", lambda: 2)
    monkeypatch.setattr(toolchain, "pieces", lambda source, most: cut.append(pieces(source, most)) or cut[-1])

    def long(np: Any, x: Any) -> Any:
        y = x
        for k in range(900):
            y = np.sin(y) * (k % 7) + x if k % 3 else np.sqrt(y * y + k) - np.tanh(x + k % 11)
        return y

    x = np.linspace(0, 1, 50)
    with config(unroll=1000, unroll_nodes=100_000):
        found = lazynp.jit(lambda x: long(lazynp, x), strict=True)(x)
    np.testing.assert_allclose(found, long(np, x), rtol=1e-9)
    assert max(map(len, cut)) == 2


WIDE_DIVISION = """\
typedef long long int64_t;
int64_t lazynp_run(void **slots, const int64_t *dims) {
    volatile __int128 a = dims[0], b = dims[1];
    return (int64_t)((a << 70) / b >> 70);
}
"""


@needs_compiler
def test_functions_of_the_compilers_own_library_are_linked(cache: Path) -> None:
    """The linker alone does not know them; the compiler's driver does."""
    assert call(toolchain.build(WIDE_DIVISION, "a" * 16), [], 84, 2) == 42


@needs_compiler
@pytest.mark.skipif(not hasattr(os, "posix_spawn"), reason="waits for its child otherwise")
def test_an_interrupted_compiler_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    started, wait = [], os.waitpid

    def interrupted(process: int, options: int) -> Any:
        if not started:
            started.append(process)
            raise KeyboardInterrupt
        return wait(process, options)

    monkeypatch.setattr(os, "waitpid", interrupted)
    begin = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        processes.run(["/bin/sh", "-c", "exec sleep 60"])
    assert time.monotonic() - begin < 30
    with pytest.raises(ProcessLookupError):
        os.kill(started[0], 0)


@needs_compiler
def test_a_compiler_that_has_begun(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It makes the next program, or ends without one; what is wrong with a program is said in the same words."""
    monkeypatch.setattr(toolchain, "_made", lambda *_: pytest.fail("another compiler was started"))
    toolchain.begin()
    waited = bool(toolchain._begun)
    if waited:
        np.testing.assert_array_equal(doubled("a" * 16), 2 * np.arange(5.0))
    monkeypatch.undo()
    toolchain.begin()
    toolchain.abandon()
    assert not toolchain._begun
    toolchain.begin()
    with pytest.raises(CompileError, match="no_such_name"):
        toolchain.build(DOUBLE.replace("FACTOR", "no_such_name"), "b" * 16)
    toolchain.abandon()
    left = [path.name for path in cache.rglob("*.tmp")]
    assert left == []


@needs_compiler
@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_child_does_not_keep_the_compiler_waiting(cache: Path) -> None:
    toolchain.begin()
    leave, hold = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of threads that other tests, or packages that they load, have started
        child = os.fork()
    if child == 0:
        os.close(hold)
        os.read(leave, 1)
        os._exit(0)
    try:
        np.testing.assert_array_equal(doubled("a" * 16), 2 * np.arange(5.0))
    finally:
        os.close(hold)
        os.close(leave)
        os.waitpid(child, 0)


@needs_compiler
def test_what_the_driver_says_is_what_the_preprocessor_says(monkeypatch: pytest.MonkeyPatch) -> None:
    own = toolchain.find_compiler()
    assert own is not None
    quick = toolchain._probe(own.command)
    monkeypatch.setattr(toolchain, "_gnu", lambda command: None)
    thorough = toolchain._probe(own.command)
    assert quick is not None and thorough is not None
    assert (quick.flags, quick.libraries, quick.linker, quick.simd) == (thorough.flags, thorough.libraries, thorough.linker, thorough.simd)


def test_what_is_no_gnu_compiler_is_asked_for_its_macros(tmp_path: Path) -> None:
    for text in ("echo 'clang version 18.1.0'", "echo 'gcc (GNU) 7.1.0'; echo Free Software Foundation", "exit 1"):
        script = tmp_path / "gcc"
        script.write_text(f"#!/bin/sh\n{text}\n")
        script.chmod(0o755)
        assert toolchain._gnu((str(script),)) is None


@needs_compiler
@pytest.mark.skipif(platform.machine() != "x86_64" or not sys.platform.startswith("linux"), reason="the GNU C library's older memcpy")
def test_copies_are_the_c_librarys_newest(cache: Path) -> None:
    """An undefined memcpy without a version is bound to the one of 2002."""
    copy = "int64_t lazynp_run(void **slots, const int64_t *dims) { __builtin_memcpy(slots[0], slots[1], dims[1]); return 1; }"
    y = np.zeros(5)
    assert call(toolchain.build(prelude.HEADER + copy, "c" * 16), [y, np.arange(5.0)], 1, 24) == 1
    assert y.tolist() == [0, 1, 2, 0, 0]
    made = diskcache.get("c" * 16, ".so")
    assert made is not None and b"memmove" in made and b"memcpy" not in made


def test_handles_of_programs_are_bounded(cache: Path) -> None:
    x = np.arange(5.0)
    toolchain.forget()
    with lazynp.config(memory_cache=2):
        compiled = [lazynp.jit(lambda x, k=k: x * k + k) for k in range(5)]
        for _ in range(2):
            for k, f in enumerate(compiled):
                np.testing.assert_array_equal(f(x), x * k + k)
        assert len(toolchain._loaded) <= 2
