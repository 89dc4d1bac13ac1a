"""Compiled programs in a file: for other machines with the same code and a processor that can run them, also without a compiler.

    export(path) -> int         the programs of this version of lazynp in the disk cache, into a zip file
    load(path) -> int           such a file into this machine's disk cache; raises ArchiveError, and stores nothing, if they cannot run
    summary() -> list[Row]      what is in the disk cache

A program is machine code: it runs only under the same operating system and on a processor with the features of the one it was made for,
and its plan means something only to the same code. All of that is written into the file, and checked before anything is stored.
"""

import json
import os
import pickle
import platform
import re
import sys
import tempfile
import zipfile
from typing import Any, NamedTuple

from lazynp.backends import blas, diskcache, toolchain
from lazynp.backends.program import PLAN
from lazynp.errors import LazynpError

_MANIFEST = "lazynp.json"
_SUFFIXES = (".so", PLAN)
_FEATURES = re.compile(
    r"(sse|ssse|avx|fma|f16c|bmi|abm|popcnt|movbe|adx|aes|vaes|pclmul|vpclmul|sha|gfni|amx|xop|tbm|asimd|sve|atomics|fphp|dotprod)"
)
"""The names in /proc/cpuinfo of instructions that a compiler may choose by itself."""


class ArchiveError(LazynpError):
    """A file of compiled programs that cannot be used here."""


class Row(NamedTuple):
    """One program in the disk cache. size in bytes, of all its files; used: seconds since the epoch; kernels: None for a helper library;
    usable: whether this version of lazynp may load it."""

    key: str
    size: int
    used: float
    kernels: int | None
    usable: bool


def summary() -> list[Row]:
    """The compiled programs of all versions of the code, least recently used first."""
    usable = {entry.path for entry in diskcache.current()}
    files: dict[tuple[str, str], list[diskcache.Entry]] = {}
    for entry in diskcache.entries():
        files.setdefault((os.path.dirname(entry.path), entry.key), []).append(entry)
    rows = []
    for (_, key), entries in files.items():
        if any(entry.suffix == ".so" for entry in entries):
            here = entries[0].path in usable
            kernels = _kernels(key) if here and any(entry.suffix == PLAN for entry in entries) else None
            rows.append(Row(key, sum(e.size for e in entries), max(e.used for e in entries), kernels, here))
    return sorted(rows, key=lambda row: row.used)


def _kernels(key: str) -> int | None:
    stored = diskcache.get(key, PLAN)
    return None if stored is None else pickle.loads(stored).kernels


def export(path: str) -> int:
    """Write a file with every program that this version of lazynp has compiled on this machine; returns how many. The file appears whole or
    not at all."""
    compiler = toolchain.find_compiler()
    if compiler is None:
        raise ArchiveError(f"nothing to export: {toolchain.missing_reason()}")
    entries = [entry for entry in diskcache.current() if entry.suffix in _SUFFIXES]
    handle, temporary = tempfile.mkstemp(dir=os.path.dirname(os.path.abspath(path)), suffix=".tmp")
    try:
        with os.fdopen(handle, "wb") as file, zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr(_MANIFEST, json.dumps({**_here(), "features": _features(), "fingerprint": compiler.fingerprint}))
            for entry in entries:
                payload = diskcache.get(entry.key, entry.suffix)
                if payload is not None:  # neither damaged nor removed meanwhile
                    archive.writestr(entry.key + entry.suffix, payload)
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise
    return sum(entry.suffix == ".so" for entry in entries)


def load(path: str) -> int:
    """Store the programs of an exported file in this machine's disk cache; returns how many. Raises ArchiveError where they would not
    run or the file is damaged or something else, and FileNotFoundError; then nothing has been stored."""
    try:
        with zipfile.ZipFile(path) as archive:
            damaged = archive.testzip()
            if damaged is not None:
                raise ArchiveError(f"{path} is damaged: {damaged}")
            manifest = json.loads(archive.read(_MANIFEST))
            contents = {name: archive.read(name) for name in archive.namelist() if name.endswith(_SUFFIXES)}
    except (zipfile.BadZipFile, KeyError, ValueError) as error:
        raise ArchiveError(f"{path} is not a file of lazynp's compiled programs: {error}") from error
    _check(path, manifest)
    for name, payload in contents.items():
        key, dot, suffix = name.rpartition(".")
        diskcache.put(os.path.basename(key), dot + suffix, payload)
    known = [name for name in toolchain.fingerprints() if name != manifest["fingerprint"]]
    diskcache.put(toolchain.IMPORTED, ".json", json.dumps([manifest["fingerprint"], *known]).encode())
    toolchain.forget()
    return sum(name.endswith(".so") for name in contents)


def _check(path: str, manifest: dict[str, Any]) -> None:
    words = {"code": "version of lazynp", "system": "operating system", "machine": "processor", "integers": "BLAS library"}
    for name, here in _here().items():
        if manifest.get(name) != here:
            raise ArchiveError(f"{path} was made with another {words[name]} ({manifest.get(name)}, here {here}): nothing was imported")
    missing = sorted(set(manifest["features"]) - set(_features()))
    if missing:
        raise ArchiveError(f"{path} needs a processor with {', '.join(missing)}, which this one lacks: nothing was imported")


def _here() -> dict[str, str]:
    library = blas.table()
    return {
        "code": diskcache.content_version(),
        "system": f"{sys.platform} {platform.libc_ver()[0]}".strip(),
        "machine": platform.machine(),
        "integers": "" if library is None else library.int_type,
    }


def _features() -> list[str]:
    return sorted({word for word in re.split(r"\W+", toolchain.cpu_identity()) if _FEATURES.match(word)})
