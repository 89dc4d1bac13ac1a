"""The disk cache: small files named by key, safe under killed writers, concurrent readers, truncation and read-only directories.

    put(key, suffix, payload)      get(key, suffix) -> bytes | None      locate(key, suffix) -> path | None
    with writing(key, suffix) as path: ...      clear()      entries() -> list[Entry]      directory() -> str
    with claim(key, suffix): ...                one process makes an entry, others wait for it

Layout: `<cache_dir>/<code version>/<key><suffix>`; a suffix is a dot and letters. A file is its payload and a 16-byte trailer (magic,
length, CRC-32), so that a damaged file is seen before it is used: dlopen of a truncated shared object would end the process with
SIGBUS. ELF allows the trailer.
Writers rename a finished temporary file; readers take no locks. Who is about to make an entry says so in `<key><suffix>-claim.tmp`. Above
`settings.cache_size_mb` the files used longest ago go first.
"""

import atexit
import os
import shutil
import struct
import sys
import tempfile
import time
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from lazynp.config import settings
from lazynp.errors import PerformanceWarning

_TRAILER = struct.Struct("<4sQI")
_MAGIC = b"lzC1"
_TOUCH_SECONDS = 600.0
_STALE_SECONDS = 3600.0
_TRIM_EVERY = 64
_PATIENCE_SECONDS = 60.0
"""So long an entry is waited for that another process makes."""
_UNSIGNED_SECONDS = 1.0
"""A claim without a name after this time: its process was killed before it wrote it."""


class Entry(NamedTuple):
    """One file of the cache. size in bytes, used: time of the last use in seconds since the epoch."""

    key: str
    suffix: str
    path: str
    size: int
    used: float


_version: str | None = None
_private: tuple[int, str] | None = None
_puts = 0


def code_version() -> str:
    """The name of the directory of this very code: made of size and time of every source file, so that an edit starts afresh."""
    global _version
    if _version is None:
        package = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
        stamps = sorted(_stamps(package, ""))
        _version = f"v1-{zlib.crc32(repr(stamps).encode()):08x}"
    return _version


def _stamps(directory: str, prefix: str) -> Iterator[tuple[str, int, int]]:
    with os.scandir(directory) as found:
        for item in found:
            if item.name.endswith(".py"):
                stat = item.stat()
                yield prefix + item.name, stat.st_size, stat.st_mtime_ns
            elif item.is_dir() and item.name != "__pycache__":
                yield from _stamps(item.path, f"{prefix}{item.name}/")


def content_version() -> str:
    """The same of the contents of the source files: equal on every machine with this code."""
    package = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    crc = 0
    for name, _, _ in sorted(_stamps(package, "")):
        with open(os.path.join(package, name), "rb") as file:
            crc = zlib.crc32(file.read(), zlib.crc32(name.encode(), crc))
    return f"{crc:08x}"


def root() -> str:
    """The cache of all versions: settings.cache_dir, else the user's cache directory."""
    return settings.cache_dir or _user_cache_dir()


def _user_cache_dir() -> str:
    """XDG base directory on Linux, spelled out because importing platformdirs costs 13 ms of a warm start; platformdirs elsewhere."""
    if sys.platform == "linux":
        base = os.environ.get("XDG_CACHE_HOME", "")
        return os.path.join(base if os.path.isabs(base) else os.path.expanduser("~/.cache"), "lazynp")
    import platformdirs  # noqa: PLC0415

    return platformdirs.user_cache_dir("lazynp")


def directory() -> str:
    """Where new files go: the cache directory, or a private temporary one if that cannot be written (one warning)."""
    if _private is not None and _private[0] == os.getpid():
        return _private[1]
    wanted = os.path.join(root(), code_version())
    try:
        os.makedirs(wanted, mode=0o700, exist_ok=True)
    except OSError as error:
        return _go_private(error)
    return wanted if os.access(wanted, os.W_OK | os.X_OK) else _go_private(PermissionError(f"not writable: {wanted}"))


def lasts() -> bool:
    """Whether the next process will find what is put now. Makes nothing, warns of nothing."""
    if _private is not None and _private[0] == os.getpid():
        return False
    place = os.path.join(root(), code_version())
    while not os.path.exists(place) and os.path.dirname(place) != place:
        place = os.path.dirname(place)
    return os.path.isdir(place) and os.access(place, os.W_OK | os.X_OK)


def _go_private(error: OSError) -> str:
    global _private
    path = tempfile.mkdtemp(prefix="lazynp-")
    _private = (os.getpid(), path)
    atexit.register(_remove_private, os.getpid(), path)
    warnings.warn(f"lazynp: programs compiled now are not kept for the next process: {error}", PerformanceWarning, stacklevel=3)
    return path


def _remove_private(pid: int, path: str) -> None:
    """At exit, in the process that made it: a forked child must not remove its parent's directory."""
    if pid == os.getpid():
        shutil.rmtree(path, ignore_errors=True)


def _candidates(key: str, suffix: str) -> list[str]:
    places = [os.path.join(root(), code_version())]
    if _private is not None:
        places.append(_private[1])
    return [os.path.join(place, key + suffix) for place in places]


def _read(path: str) -> bytes | None:
    """The payload of an intact file and a note of its use; None if it is absent, truncated or damaged."""
    try:
        with open(path, "rb") as file:
            data = file.read()
            used = os.fstat(file.fileno()).st_mtime
    except OSError:
        return None
    if len(data) < _TRAILER.size:
        return None
    payload = data[: -_TRAILER.size]
    if _TRAILER.unpack(data[-_TRAILER.size :]) != (_MAGIC, len(payload), zlib.crc32(payload)):
        return None
    if time.time() - used > _TOUCH_SECONDS:
        _touch(path)
    return payload


def _touch(path: str) -> None:
    """Mark as used. A cache that is read-only or being trimmed by another process simply keeps the old time."""
    try:
        os.utime(path)
    except OSError:
        return


def get(key: str, suffix: str) -> bytes | None:
    """The payload of an intact entry, or None."""
    return next((payload for _, payload in _intact(key, suffix)), None)


def locate(key: str, suffix: str) -> str | None:
    """The path of an intact entry, or None."""
    return next((path for path, _ in _intact(key, suffix)), None)


def _intact(key: str, suffix: str) -> Iterator[tuple[str, bytes]]:
    for path in _candidates(key, suffix):
        payload = _read(path)
        if payload is not None:
            yield path, payload


@contextmanager
def writing(key: str, suffix: str) -> Iterator[str]:
    """Yields the path of a temporary file for the block to fill; afterwards seals it and renames it to its name.
    If the block raises, nothing appears under the name. The final path is `locate(key, suffix)`."""
    handle, path = tempfile.mkstemp(prefix=f"{key[:16]}-", suffix=".tmp", dir=directory())
    os.close(handle)
    try:
        yield path
        with open(path, "r+b") as file:
            payload = file.read()
            file.write(_TRAILER.pack(_MAGIC, len(payload), zlib.crc32(payload)))
        os.replace(path, os.path.join(os.path.dirname(path), key + suffix))
    except BaseException:
        _unlink(path)
        raise
    _count_put()


@contextmanager
def claim(key: str, suffix: str) -> Iterator[None]:
    """The block makes an entry that several processes may want at the same time. Where another one has begun with it, the block starts when
    that one has finished, was killed, or has taken a minute: it looks first whether the entry is there. Only a matter of time, never of
    what is right: an entry that is made twice is the same."""
    path = os.path.join(directory(), f"{key}{suffix}-claim.tmp")
    mine = _claimed(path)
    try:
        yield
    finally:
        if mine:
            _unlink(path)


def _claimed(path: str) -> bool:
    """Whether this process holds the claim; False: another one held it and is done, or claims cannot be made here."""
    me = f"{os.uname().nodename if hasattr(os, 'uname') else ''} {os.getpid()}"
    deadline, pause = time.monotonic() + _PATIENCE_SECONDS, 0.001
    while True:
        try:
            handle = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
        except FileExistsError:
            if _is_abandoned(path, me.rpartition(" ")[0]):
                _unlink(path)
                continue
        except OSError:
            return False
        else:
            os.write(handle, me.encode())
            os.close(handle)
            return True
        if time.monotonic() > deadline:
            return False
        time.sleep(pause)
        pause = min(pause * 1.5, 0.02)
        if not os.path.exists(path):
            return False


def _is_abandoned(path: str, host: str) -> bool:
    """Whether the process that made a claim is gone, as far as can be told."""
    try:
        with open(path, encoding="utf-8") as file:
            name, _, number = file.read().rpartition(" ")
            age = time.time() - os.fstat(file.fileno()).st_mtime
    except OSError:
        return False
    if not number:
        return age > _UNSIGNED_SECONDS
    if name == host and os.name == "posix":
        try:
            os.kill(int(number), 0)
        except ProcessLookupError:
            return True
        except (OSError, ValueError):
            return age > _PATIENCE_SECONDS
    return age > _PATIENCE_SECONDS


def put(key: str, suffix: str, payload: bytes) -> None:
    """Store payload under key + suffix; the last writer wins."""
    with writing(key, suffix) as path, open(path, "wb") as file:
        file.write(payload)


def _unlink(path: str) -> None:
    try:
        os.unlink(path)
    except FileNotFoundError:
        return


def _count_put() -> None:
    """Trim now and then: a scan of the directory costs more than a write, and a short process writes little."""
    global _puts
    _puts += 1
    if _puts % _TRIM_EVERY == 0 or (_puts == 1 and _trimmed_long_ago()):
        trim()


def _trimmed_long_ago() -> bool:
    """Whether no process has trimmed the cache for an hour; then this one is expected to."""
    mark = os.path.join(directory(), "trimmed")
    try:
        recent = time.time() - os.stat(mark).st_mtime < _STALE_SECONDS
    except OSError:
        recent = False
    if not recent:
        with open(mark, "wb"):
            os.utime(mark)
    return not recent


def current() -> list[Entry]:
    """The files that this version of the code uses."""
    return [entry for entry in entries() if os.path.basename(os.path.dirname(entry.path)) == code_version()]


def _scan(place: str) -> Iterator[os.DirEntry[str]]:
    """Files one or two levels below place; what disappears meanwhile is left out."""
    try:
        found = list(os.scandir(place))
    except OSError:
        return
    for item in found:
        if item.is_dir(follow_symlinks=False) and item.name.startswith("v1-"):
            yield from _scan(item.path)
        elif item.is_file(follow_symlinks=False):
            yield item


def entries() -> list[Entry]:
    """Every finished file of every version, least recently used first."""
    found = []
    for place in [root()] + ([_private[1]] if _private is not None else []):
        for item in _scan(place):
            key, dot, suffix = item.name.rpartition(".")
            try:
                stat = item.stat()
            except FileNotFoundError:
                continue
            if dot and suffix != "tmp":
                found.append(Entry(key, dot + suffix, item.path, stat.st_size, stat.st_mtime))
    return sorted(found, key=lambda entry: entry.used)


def trim() -> None:
    """Remove the files used longest ago until 9/10 of settings.cache_size_mb is kept, and what killed writers left an hour ago."""
    limit = settings.cache_size_mb << 20
    found = entries()
    total = sum(entry.size for entry in found)
    if total > limit:
        for entry in found:
            if total <= limit * 9 // 10:
                break
            _unlink(entry.path)
            total -= entry.size
    for item in _scan(root()):
        if item.name.endswith(".tmp") and time.time() - _last_write(item) > _STALE_SECONDS:
            _unlink(item.path)


def _last_write(item: os.DirEntry[str]) -> float:
    """When a file was last written to; now, if its writer has renamed it since the folder was listed."""
    try:
        return item.stat().st_mtime
    except FileNotFoundError:
        return time.time()


def clear() -> None:
    """Remove every entry of every version."""
    for entry in entries():
        _unlink(entry.path)
