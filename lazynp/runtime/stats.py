"""Counters: what was compiled, what ran, where lazynp fell back to NumPy. `lazynp.stats()` reads them, `lazynp.fallbacks` reacts."""

import warnings
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from lazynp import native
from lazynp.backends import toolchain
from lazynp.errors import FallbackWarning, LazynpError, user_position


class _Counters:
    """Plain numbers of this process; increments are cheap and approximate under threads."""

    __slots__ = ("disk_hits", "fallbacks", "interpreted", "kernels", "memory_hits", "optimised", "policy", "program_runs", "programs")

    def __init__(self) -> None:
        self.reset()
        self.policy = "ok"

    def reset(self) -> None:
        self.fallbacks: Counter[tuple[str, int, str]] = Counter()
        self.programs = 0
        self.interpreted = 0
        self.optimised = 0
        self.kernels = 0
        self.disk_hits = 0
        self.memory_hits = 0
        self.program_runs = 0


counters = _Counters()


def record_fallback(name: str) -> None:
    """A function ran through NumPy: count it for the user's line, and warn or raise if `lazynp.fallbacks` asks for that."""
    where = user_position(2)
    key = (where.filename, where.line, name) if where is not None else ("<unknown>", 0, name)
    counters.fallbacks[key] += 1
    if counters.policy == "warn":
        warnings.warn_explicit(f"numpy.{name} ran through NumPy ({key[0]}:{key[1]})", FallbackWarning, key[0], key[1])
    elif counters.policy == "error":
        raise LazynpError(f"numpy.{name} would run through NumPy ({key[0]}:{key[1]}); lazynp.fallbacks('error') forbids it")


def stats() -> dict[str, Any]:
    """The counters as a dictionary: programs, interpreted (small lazy work run through NumPy when it first came), kernels, compiles,
    compile_seconds, disk_hits, memory_hits, program_runs, optimised (graphs rewritten), and fallbacks:
    {(filename, line, numpy name): count}."""
    return {
        "programs": counters.programs,
        "interpreted": counters.interpreted,
        "kernels": counters.kernels,
        "compiles": toolchain.counters["compiles"],
        "compile_seconds": toolchain.counters["compile_seconds"],
        "disk_hits": counters.disk_hits,
        "memory_hits": counters.memory_hits,
        "program_runs": counters.program_runs + native.direct_runs(),
        "optimised": counters.optimised,
        "fallbacks": dict(counters.fallbacks),
    }


@contextmanager
def fallbacks(policy: str) -> Iterator[None]:
    """with fallbacks("error" | "warn" | "ok"): what happens when a function runs through NumPy."""
    if policy not in ("error", "warn", "ok"):
        raise ValueError(f'lazynp.fallbacks() expects "error", "warn" or "ok", got {policy!r}')
    old, counters.policy = counters.policy, policy
    try:
        yield
    finally:
        counters.policy = old
