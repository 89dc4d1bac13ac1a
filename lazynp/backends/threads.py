"""How many threads a large kernel may use: `thread_count()`, asked before each call of a program that has one and passed to it as dims[0].

The kernels themselves are cut into chunks, the same ones for any number of threads: a chunk is a multiple of the vector width, so which
element is computed by vector code and which by a scalar remainder does not depend on the number, and results are bit-equal.
"""

import math
import os
from collections.abc import Iterator
from functools import cache

from lazynp.backends import blas
from lazynp.config import settings
from lazynp.native import least_threads


def thread_count() -> int:
    """Threads for the next program: settings.threads, else the least of affinity, cgroup quota, OMP_NUM_THREADS, OMP_THREAD_LIMIT and what
    the BLAS library may use (OPENBLAS_NUM_THREADS, threadpoolctl)."""
    return settings.threads or _automatic()


def _automatic() -> int:
    least = least_threads(fixed_limit(), blas.thread_getter())  # 0.2 us; Python asks for 0.9
    return max(1, min(fixed_limit(), _affinity(), blas.thread_limit()) if least is None else least)


@cache
def fixed_limit() -> int:
    """What does not change while a process runs: the environment (as OpenMP libraries read it, once) and the cgroup's quota.
    OMP_NUM_THREADS may be a list, one number per nesting level."""
    texts = [os.environ.get(name, "").partition(",")[0].strip() for name in ("OMP_NUM_THREADS", "OMP_THREAD_LIMIT")]
    return min([_quota(), *[int(text) for text in texts if text.isdecimal() and int(text) > 0]])


def processors() -> int:
    """How many processors this process may use."""
    return max(1, min(_quota(), _affinity()))


def _affinity() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _quota() -> int:
    """CPUs that the cgroup (version 2, else 1) of this process may use, rounded up."""
    return min((math.ceil(share) for share in _shares()), default=1 << 30)


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
