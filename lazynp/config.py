"""Settings. Each is a field of `Settings`, a keyword of `with lazynp.config(...)` and an environment variable LAZYNP_<NAME>."""

import os
from dataclasses import dataclass, fields
from typing import Any

from lazynp import native


@dataclass(slots=True)
class Settings:
    """Everything that can be set. Types are taken from the defaults; None means "decide by yourself"."""

    lazy_threshold: int = 65536
    """Outside a trace, arrays with fewer elements are NumPy's own; 0 makes everything lazy."""
    pending_nodes: int = 4096
    """Pending work is run when it reaches so many nodes."""
    pending_bytes: int = 1 << 30
    """Pending work is run when its results would hold so many bytes."""
    level: str = "stable"
    """Which rewrites may run: "exact", "stable" (only more accurate) or "fast" (reassociation)."""
    compile_after: int = 100
    """Lazy work is interpreted until NumPy has spent about so many milliseconds on its graph, by count of its work, or more where compiling
    takes longer; then it is compiled in the background, and the program is used from twice as many on. 1: compile at once. Functions under
    jit are always compiled at once."""
    backend: str = "c"
    """"c", or "reference": the NumPy interpreter."""
    cc: str = ""
    """The C compiler; empty: gcc, clang or the ziglang wheel, whichever is found first. "none": no compiler."""
    cache_dir: str = ""
    """Where compiled programs are kept; empty: the user's cache directory."""
    cache_size_mb: int = 1024
    """The disk cache removes its oldest programs above this size."""
    memory_cache: int = 1024
    """How many compiled programs a process keeps."""
    threads: int = 0
    """Threads of a parallel kernel; 0: OMP_NUM_THREADS, affinity and cgroup quota decide."""
    parallel_threshold: int = 65536
    """Elements below which a kernel stays on one thread."""
    unroll: int = 4
    """Loops of at most so many turns, known while tracing, are written out."""
    unroll_writes: int = 1000
    """A function under jit that writes into arrays more often than this while it is traced runs in lazy mode: its loops would be
    written out, and each write costs the compiler 5-20 ms."""
    unroll_nodes: int = 1000
    """A loop under jit that cannot be compiled as one is written out as long as its turns record no more values than this; then the
    function runs in lazy mode. Each costs the compiler about 3 ms."""
    whole_calls: bool = True
    """Derivatives outside of jit run as compiled programs where nobody can tell; False: the function runs at every call."""
    autotune: bool = False
    """Where two ways to make a program compete, both are made and measured when it is first compiled; the faster one is remembered on disk.
    First calls take longer, by the time of some further compilations."""
    fold_limit: int = 4096
    """Constant subexpressions are computed while compiling up to so many elements."""
    debug_nans: bool = False
    """Raise FloatingPointError at the line (of the forward computation) where a NaN in a result was born. Slow: every program also runs
    node by node through NumPy."""
    verify: bool = False
    """Check every graph between passes (the tests do)."""

    def replace(self, **changes: Any) -> dict[str, Any]:
        """Set the given fields; returns their old values. Raises TypeError for an unknown name or a value of another type."""
        old = {}
        for name, value in changes.items():
            if name not in _TYPES:
                raise TypeError(f"lazynp.config() got an unexpected setting {name!r}; known: {', '.join(sorted(_TYPES))}")
            if not isinstance(value, _TYPES[name]):
                raise TypeError(f"lazynp.config({name}=...) expects {_TYPES[name].__name__}, got {value!r}")
            if name in _CHOICES and value not in _CHOICES[name]:
                raise ValueError(f"lazynp.config({name}=...) expects one of {_CHOICES[name]}, got {value!r}")
        for name, value in changes.items():
            old[name] = getattr(self, name)
            setattr(self, name, value)
        native.configure(self.lazy_threshold, not self.debug_nans)
        return old


_TYPES = {field.name: field.type for field in fields(Settings)}
_CHOICES = {"level": ("exact", "stable", "fast"), "backend": ("c", "reference")}


def _from_environment() -> Settings:
    loaded = Settings()
    for name, kind in _TYPES.items():
        text = os.environ.get(f"LAZYNP_{name.upper()}")
        if text is not None:
            loaded.replace(**{name: _parse(name, kind, text)})
    return loaded


def _parse(name: str, kind: Any, text: str) -> Any:
    if kind is bool:
        return text.strip().lower() not in ("", "0", "false", "no", "off")
    try:
        return kind(text)
    except ValueError:
        raise ValueError(f"environment variable LAZYNP_{name.upper()}={text!r} is not {kind.__name__}") from None


settings = _from_environment()
native.configure(settings.lazy_threshold, not settings.debug_nans)


class _Changed:
    """Settings that were changed: on leaving a `with` block they are what they were."""

    def __init__(self, before: dict[str, Any]) -> None:
        self._before = before

    def __enter__(self) -> Settings:
        return settings

    def __exit__(self, *error: object) -> None:
        settings.replace(**self._before)


class Config:
    """`lazynp.config`: read a setting as an attribute, change some for a block of code by calling it."""

    def __getattr__(self, name: str) -> Any:
        return getattr(settings, name)

    def __setattr__(self, name: str, value: Any) -> None:
        settings.replace(**{name: value})

    def __dir__(self) -> list[str]:
        return sorted(_TYPES)

    def __call__(self, **changes: Any) -> "_Changed":
        """config(lazy_threshold=0) sets at once, for good; `with config(lazy_threshold=0): ...` restores after the block, also when
        it raises."""
        return _Changed(settings.replace(**changes))

    def __repr__(self) -> str:
        return f"lazynp.config: {settings!r}"


config = Config()
