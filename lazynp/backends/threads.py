"""How many threads a parallel kernel gets, and what keeps libgomp from harming the rest of the machine.

    thread_count() -> int         ask before each call of a program; pass the answer to it as dims[0]
    load_openmp(name)             load the OpenMP runtime with a short spin; toolchain does so before the first kernel that needs it
    PARALLEL                      C text of the recommended loop

The pattern: a kernel's body is a static function over one chunk; the *same chunks* run on one thread or on many. A chunk is a multiple of
the vector width, so which element is computed by vector code and which by a scalar remainder does not depend on the number of threads,
and results are bit-equal. Chunks are handed out dynamically: with a static schedule one busy neighbour stops all threads at the barrier.
"""

import ctypes
import math
import os
from collections.abc import Iterator
from contextlib import contextmanager

from lazynp.config import settings

CHUNK_MULTIPLE = 64
"""Chunk sizes are multiples of this many elements: one cache line of int8, four AVX-512 vectors of float32."""

PARALLEL = """\
static void {name}_chunk(void **slots, const int64_t *dims, int64_t begin, int64_t end);
static void {name}(void **slots, const int64_t *dims, int64_t count, int64_t chunk) {{
    const int64_t chunks = (count + chunk - 1) / chunk;
    if (dims[0] > 1 && chunks > 1) {{
        #pragma omp parallel for schedule(dynamic, 1) num_threads((int)dims[0])
        for (int64_t c = 0; c < chunks; c++)
            {name}_chunk(slots, dims, c * chunk, (c + 1) * chunk < count ? (c + 1) * chunk : count);
    }} else {{
        for (int64_t c = 0; c < chunks; c++)
            {name}_chunk(slots, dims, c * chunk, (c + 1) * chunk < count ? (c + 1) * chunk : count);
    }}
}}
"""
"""Format with name=...; then define {name}_chunk and call {name}. A reduction stores one partial result per chunk and adds them in
chunk order (or as a tree) after the loop. Nothing of libgomp is called when dims[0] is 1: that is what a forked child needs."""

_SPIN = {"GOMP_SPINCOUNT": "2000", "KMP_BLOCKTIME": "0"}
"""Idle threads wait at a barrier by spinning. The default of libgomp is 300,000 rounds (milliseconds) of a core that a neighbour or BLAS
could use; 2000 rounds still catch kernels that follow each other closely. Read once, when the library is loaded."""

_runtime: ctypes.CDLL | None = None
_went_parallel = False
_forked = False


def thread_count() -> int:
    """Threads for the next program: settings.threads, else the least of affinity, cgroup quota, OMP_NUM_THREADS, OMP_THREAD_LIMIT and the
    limit that threadpoolctl or omp_set_num_threads set. 1 in a forked child whose parent ran a parallel kernel: libgomp hangs there."""
    global _went_parallel
    count = 1 if _forked else settings.threads or _automatic()
    if count > 1:
        _went_parallel = True
    return count


def _automatic() -> int:
    limits = [_affinity(), _quota()]
    limits += [int(text) for text in (_first("OMP_NUM_THREADS"), _first("OMP_THREAD_LIMIT")) if text.isdecimal() and int(text) > 0]
    if _runtime is not None:
        limits.append(_runtime.omp_get_max_threads())
    return max(1, min(limits))


def _first(name: str) -> str:
    """OMP_NUM_THREADS may be a list, one number per nesting level."""
    return os.environ.get(name, "").partition(",")[0].strip()


def _affinity() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


_quota_known: int | None = None


def _quota() -> int:
    """CPUs that the cgroup (version 2, else 1) of this process may use, rounded up; read once."""
    global _quota_known
    if _quota_known is None:
        _quota_known = min((math.ceil(share) for share in _shares()), default=1 << 30)
    return _quota_known


def _shares() -> Iterator[float]:
    for group in _groups():
        quota, _, period = _read(f"{group}/cpu.max").partition(" ")
        if quota.isdecimal() and period.isdecimal():
            yield int(quota) / int(period)
        quota, period = _read(f"{group}/cpu.cfs_quota_us"), _read(f"{group}/cpu.cfs_period_us")
        if quota.isdecimal() and period.isdecimal():
            yield int(quota) / int(period)


def _groups() -> set[str]:
    """Directories of this process's cgroups and of all that contain them; a quota of an outer group binds too."""
    found = {"/sys/fs/cgroup", "/sys/fs/cgroup/cpu"}
    for line in _read("/proc/self/cgroup").splitlines():
        _, controllers, path = line.split(":", 2)
        base = "/sys/fs/cgroup" + (f"/{controllers}" if controllers else "")
        parts = [part for part in path.split("/") if part not in ("", "..")]
        found |= {"/".join([base, *parts[:depth]]) for depth in range(1, len(parts) + 1)}
    return found


def _read(path: str) -> str:
    """The text of a file of the kernel; empty where this kernel has no such file."""
    try:
        with open(path) as file:
            return file.read().strip()
    except OSError:
        return ""


def load_openmp(name: str) -> None:
    """dlopen the OpenMP runtime (a soname such as "libgomp.so.1") that compiled programs will bind to. The user's own settings win; the
    environment is restored, so that processes started later do not inherit ours. Raises OSError if the library is missing."""
    global _runtime
    if _runtime is None:
        with _short_spin():
            runtime = ctypes.CDLL(name)
        runtime.omp_get_max_threads.restype = ctypes.c_int
        _runtime = runtime


@contextmanager
def _short_spin() -> Iterator[None]:
    added = {} if "OMP_WAIT_POLICY" in os.environ else {key: value for key, value in _SPIN.items() if key not in os.environ}
    os.environ.update(added)
    try:
        yield
    finally:
        for key in added:
            del os.environ[key]


def _after_fork_in_child() -> None:
    """The child has none of the parent's pool threads, but libgomp believes it has and waits for them."""
    global _forked, _quota_known
    _forked = _forked or _went_parallel
    _quota_known = None


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)
