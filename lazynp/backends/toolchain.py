"""From C text to a callable: finds the compiler, knows its flags, compiles into the disk cache, loads through cffi.

    fingerprints() -> tuple of str          whose programs may be loaded: this compiler's, and imported ones
    find_compiler() -> Compiler | None      settings.cc, gcc, clang, `zig cc` of the ziglang wheel; None: missing_reason() says why
    build(source, key) -> lib               loaded from the disk cache, or compiled into it; raises CompileError
    load(key) -> lib | None                 from the disk cache only; starts no process
    counters                                {"compiles": int, "compile_seconds": float, "disk_hits": int}

Every program exports `int64_t lazynp_run(void **slots, const int64_t *dims)`; call `lib.lazynp_run(slots, dims)` with `ffi` of this file.
What a key must contain is up to the caller, but `find_compiler().fingerprint` belongs in it: compiler, flags and CPU.
"""

import ctypes
import json
import os
import platform
import re
import shlex
import shutil
import sys
import sysconfig
import tempfile
import time
import zlib
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

import _cffi_backend

from lazynp.backends import diskcache, threads
from lazynp.backends.pieces import pieces
from lazynp.backends.processes import Begun, run
from lazynp.config import settings
from lazynp.errors import CompileError

ENTRY = "lazynp_run"

ffi = _cffi_backend.FFI(
    "lazynp_program",
    _version=0x2601,
    _types=b"\x00\x00\x04\x0d\x00\x00\x05\x03\x00\x00\x04\x03\x00\x00\x00\x0f\x00\x00\x17\x01\x00\x00\x06\x03\x00\x00\x00\x01",
    _globals=(b"\x00\x00\x00\x23lazynp_run", 0),
)
"""What `cffi` writes for cdef("int64_t lazynp_run(void **slots, const int64_t *dims);") in its out-of-line ABI mode: parsing that
declaration at run time would import pycparser, which costs more than loading the program. tests/test_toolchain.py regenerates it."""

counters: dict[str, float] = {"compiles": 0, "compile_seconds": 0.0, "disk_hits": 0}

_COMMON = (
    "-O3 -fPIC -shared -pipe -std=gnu11 -g0 -Werror=implicit-function-declaration -fwrapv -fno-strict-aliasing -fno-math-errno "
    "-fno-trapping-math -ffp-contract=off -fno-delete-null-pointer-checks -fno-asynchronous-unwind-tables "
    "-fno-builtin-sin -fno-builtin-cos -fno-builtin-sinf -fno-builtin-cosf"
).split()
"""Not -ffast-math: NaN, infinities and signed zeros are NumPy's. -fno-trapping-math only gives up the floating point *flags*, without it no
comparison is vectorised. -fwrapv: integers wrap as in NumPy. -fno-strict-aliasing: a slot of the memory plan changes its type.
-fno-delete-null-pointer-checks: gcc 12 writes `arena + p` as an access at address 0 with an index; its later passes take that for a
null pointer and drop the whole kernel (tests/test_jit.py: test_many_masked_writes). -fno-builtin-sin: where gcc sees sin(x) and cos(x), as
in every derivative of either, it calls sincos, which has no vector form: 11 ns an element instead of 1."""

_NO_SMALL_MASKS = ["-mno-avx512vl", "-DLZ_TERNARY=1"]
"""Masked loads of 16 and 32 bytes by AVX-512 are to gcc 12 choices between the memory and zeros: its later passes load
everything, also what lies behind an array, and then choose (`n - 1 - i >= 0 ? a[i + 1] : 0`, a stencil at the end of a page). AVX2's masked
loads are opaque to them; vectors of 64 bytes keep the masks. LZ_TERNARY: the processor still has vpternlog. It costs no time."""


@dataclass(frozen=True, slots=True)
class Compiler:
    """A C compiler that works. command: argv prefix; simd: libmvec's level (0: none); linker: the program and options that make a shared
    object of object files without the compiler's driver, the C library last; empty where only the driver knows how."""

    command: tuple[str, ...]
    version: str
    flags: tuple[str, ...]
    libraries: tuple[str, ...]
    simd: int
    fingerprint: str
    linker: tuple[str, ...] = ()

    @property
    def path(self) -> str:
        return self.command[0]


_found: dict[tuple[str, str], Compiler | None] = {}
_loaded: OrderedDict[str, Any] = OrderedDict()


def find_compiler() -> Compiler | None:
    """The compiler of this process, or None. A compiler seen before costs no subprocess: what it answered is in the disk cache."""
    asked = (settings.cc, os.environ.get("PATH", ""))
    if asked not in _found:
        _found[asked] = next((known for command in _commands() if (known := _known(command)) is not None), None)
    return _found[asked]


def fingerprints() -> tuple[str, ...]:
    """Whose programs run here: this machine's compiler, if there is one, then those of imported programs (backends/archive.py)."""
    global _imported
    if _imported is None:
        _imported = tuple(json.loads(diskcache.get(IMPORTED, ".json") or b"[]"))
    own = find_compiler()
    return (own.fingerprint, *_imported) if own is not None else _imported


IMPORTED = "imported"
"""In the disk cache: the fingerprints of compilers on other machines."""
_imported: tuple[str, ...] | None = None


def missing_reason() -> str:
    """Why find_compiler() returns None, in words for a warning."""
    if settings.cc == "none":
        return "cc='none' asks for no compiler"
    if settings.cc:
        return f"the compiler {settings.cc!r} (LAZYNP_CC) was not found or cannot compile"
    return "neither gcc nor clang is on PATH and the ziglang wheel is not installed"


def _commands() -> Iterator[tuple[str, ...]]:
    """Candidates in order of preference, with absolute paths."""
    if settings.cc == "none":
        return
    wanted = [shlex.split(settings.cc)] if settings.cc else [["gcc"], ["clang"]]
    for name, *rest in wanted:
        path = shutil.which(name)
        if path is not None:
            yield (path, *rest)
    if not settings.cc:
        zig = os.path.join(sysconfig.get_path("platlib"), "ziglang", "zig")
        if os.path.isfile(zig):
            yield (zig, "cc")


def _known(command: tuple[str, ...]) -> Compiler | None:
    """What is on disk about this very compiler on this very CPU, else what probing says. None if it does not work."""
    stat = os.stat(os.path.realpath(command[0]))
    identity = repr((command, stat.st_size, stat.st_mtime_ns, cpu_identity()))
    key = f"compiler-{zlib.crc32(identity.encode()):08x}"
    stored = json.loads(diskcache.get(key, ".json") or b"{}")
    if stored.pop("identity", None) == identity:
        fields: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value for name, value in stored.items()}
        return Compiler(**fields)
    compiler = _probe(command)
    if compiler is not None:
        diskcache.put(key, ".json", json.dumps({"identity": identity, **asdict(compiler)}).encode())
    return compiler


_CPU_FIELDS = frozenset({"cpu family", "model", "stepping", "flags", "Features", "CPU part"})


def cpu_identity() -> str:
    """What -march=native depends on: model and feature flags."""
    if sys.platform == "linux":
        with open("/proc/cpuinfo") as file:
            first = file.read(8192).partition("\n\n")[0]  # the rest repeats it per core, and the kernel makes it as it is read
        return "".join([line for line in first.splitlines() if line.partition(":")[0].rstrip() in _CPU_FIELDS])
    return platform.processor() + platform.machine()


def _probe(command: tuple[str, ...]) -> Compiler | None:
    """Ask the compiler for its macros, which name version and CPU features. One short process."""
    if (gnu := _gnu(command)) is not None:
        return _describe(command, ["-march=native"], gnu)
    for arch in (["-march=native"], ["-mcpu=native"], []):
        status, macros, _ = run([*command, *arch, "-dM", "-E", "-x", "c", os.devnull])
        if status == 0 and "__VERSION__" in macros:
            return _describe(command, arch, dict(re.findall(r"(?m)^#define (\w+) ?(.*)$", macros)))
    return None


def _gnu(command: tuple[str, ...]) -> dict[str, str] | None:
    """What matters of the macros of GNU's compiler on x86-64: its driver says which version it is, Linux what the processor has. That takes
    a fifth of the time of its preprocessor (8 ms)."""
    if sys.platform != "linux" or platform.machine() != "x86_64" or len(command) > 1:
        return None
    said = run([*command, "--version"])[1]
    version = re.match(r"gcc .*\s(\d+)\.\d+\.\d+", said)
    if version is None or int(version[1]) < _LEAST_GCC or "Free Software Foundation" not in said:
        return None
    if not os.path.isfile(run([*command, "-print-prog-name=cc1"])[1].strip()):  # a driver without a compiler
        return None
    cpu = cpu_identity()
    found = {"__VERSION__": said.splitlines()[0], "cpu": cpu}
    return found | {f"__{name.upper()}__": "1" for name in ("avx512f", "avx512vl") if re.search(rf"\b{name}\b", cpu)}


_LEAST_GCC = 9
"""From which on -mprefer-vector-width and every processor with AVX-512 are known."""


def _describe(command: tuple[str, ...], arch: list[str], defined: dict[str, str]) -> Compiler:
    """defined: macros of the compiler."""
    clang = "__clang__" in defined
    simd = 0 if command[1:2] == ("cc",) else _libmvec_level()
    flags = [*_COMMON, *arch, "-fopenmp-simd", f"-DLZ_MVEC={simd}"]
    if "__AVX512F__" in defined:
        flags.append("-mprefer-vector-width=512")
    if "__AVX512VL__" in defined and not clang:
        flags += _NO_SMALL_MASKS
    if clang and simd:
        flags.append("-fveclib=libmvec")
    libraries = _libraries(clang, simd)
    version = defined["__VERSION__"].strip('"')
    text = repr((version, flags, libraries, sorted(defined.items())))
    return Compiler(
        command=command,
        version=version,
        flags=tuple(flags),
        libraries=tuple(libraries),
        simd=simd,
        fingerprint=f"{zlib.crc32(text.encode()):08x}",
        linker=_linker(command[0], libraries),
    )


def _libmvec_level() -> int:
    """glibc's vector math on x86-64: 22 (exp, log, pow, sin, cos), 35 (all), 0 (none)."""
    if sys.platform != "linux" or platform.machine() != "x86_64":
        return 0
    try:
        library = ctypes.CDLL("libmvec.so.1")
    except OSError:
        return 0
    return 35 if hasattr(library, "_ZGVeN8v_erf") else 22


def _libraries(clang: bool, simd: int) -> list[str]:
    """On glibc with GNU ld: sonames, no start files; that links where only the runtime is installed, and saves a tenth of the time."""
    if sys.platform == "linux" and platform.libc_ver()[0] == "glibc" and not clang:
        return ["-nostdlib", "-Wl,--as-needed", *(["-l:libmvec.so.1"] if simd else []), "-l:libm.so.6", "-l:libc.so.6", "-lgcc"]
    return [*(["-l:libmvec.so.1"] if simd else []), "-lm"]


def _linker(compiler: str, libraries: list[str]) -> tuple[str, ...]:
    """The GNU linker beside gcc with the libraries that this process has mapped: half of the time that the driver takes to link. Undefined
    symbols are errors, because the driver may know better (functions of libgcc): then it links."""
    linker = os.path.join(os.path.dirname(compiler), "ld")
    names = [text.removeprefix("-l:") for text in libraries if text.startswith("-l:")]
    if not names or not os.access(linker, os.X_OK):
        return ()
    with open("/proc/self/maps") as file:
        mapped = {os.path.basename(line.rsplit(" ", 1)[-1].strip()): line.rsplit(" ", 1)[-1].strip() for line in file if ".so" in line}
    if not all(name in mapped for name in names):
        return ()
    return (linker, "-shared", "-z", "defs", "--as-needed", *[mapped[name] for name in names])


def build(source: str, key: str) -> Any:
    """The program of this key: loaded if the cache has it intact, else compiled from source. Raises CompileError, also when no compiler is
    there (callers ask find_compiler first)."""
    lib = load(key)
    if lib is None:
        with diskcache.claim(key, ".so"):
            lib = load(key)
            if lib is None:
                lib = _kept(key, _fresh(source, key))
    return lib


def load(key: str) -> Any:
    """The program of this key from this process or the disk cache; None if it is absent, damaged, or cannot be loaded here (a cache that
    was moved to a machine without a library it needs)."""
    lib = _loaded.get(key)
    found = diskcache.locate(key, ".so") if lib is None else None
    if found is not None:
        try:
            lib = _open(found)
        except (OSError, AttributeError):
            return None
        counters["disk_hits"] += 1
        _kept(key, lib)
    return lib


def _kept(key: str, lib: Any) -> Any:
    _loaded[key] = lib
    while len(_loaded) > settings.memory_cache:  # a program that is in use keeps its own mapped
        _loaded.popitem(last=False)
    return lib


def _fresh(source: str, key: str) -> Any:
    _compile(source, key)
    found = diskcache.locate(key, ".so")
    if found is None:
        raise CompileError(f"the program {key} vanished from {diskcache.directory()} as soon as it was compiled")
    try:
        return _open(found)
    except (OSError, AttributeError) as error:
        raise CompileError(f"the program {key} compiles but does not load: {error}") from error


def _open(path: str) -> Any:
    """dlopen a program. Raises OSError (a missing library or symbol), AttributeError (no entry)."""
    lib = ffi.dlopen(path, os.RTLD_NOW)
    lib.lazynp_run  # noqa: B018  resolves the symbol: a file without it raises here
    return lib


def forget() -> None:
    """Drop the handles of this process (tests); mapped programs stay mapped while somebody holds their lib."""
    global _imported
    _loaded.clear()
    _found.clear()
    _imported = None


def _compile(source: str, key: str) -> None:
    compiler = find_compiler()
    if compiler is None:
        raise CompileError(f"no C compiler: {missing_reason()}")
    start = time.perf_counter()
    with diskcache.writing(key, ".so") as path:
        files = pieces(source, threads.thread_count())
        if len(files) > 1 or compiler.linker:
            status, stderr, wrong = _linked(compiler, files, path)
        else:
            status, stderr, wrong = _made(compiler, source, path, *compiler.libraries)
        if status != 0:
            raise CompileError(_complaint(compiler, wrong, stderr))
    counters["compiles"] += 1
    counters["compile_seconds"] += time.perf_counter() - start


def _made(compiler: Compiler, source: str, path: str, *options: str) -> tuple[int, str, str]:
    """(exit status, what the compiler said, the text that it compiled)."""
    status, _, stderr = run([*compiler.command, *compiler.flags, "-x", "c", "-", "-o", path, *options], source)
    return status, stderr, source


def _linked(compiler: Compiler, files: list[str], path: str) -> tuple[int, str, str]:
    """Pieces of a program, compiled at the same time, as one shared object; as `_made`."""
    parts = [f"{path}-{number}.tmp" for number in range(len(files))]
    try:
        failed = next((result for result in _objects(compiler, files, parts) if result[0] != 0), None)
        if failed is not None:
            return failed
        status, stderr = 1, ""
        if compiler.linker:
            linker, *options, c_library = compiler.linker
            status, _, stderr = run([linker, *parts, *_IGNORED, *options, "-o", path])
            if status != 0:  # threads and the like: functions of which the library has old forms too
                status, _, stderr = run([linker, *parts, *options, c_library, "-o", path])
        if status != 0:
            status, _, stderr = run([*compiler.command, *compiler.flags, *parts, "-o", path, *compiler.libraries])
        return status, stderr, files[0]
    finally:
        for part in parts:
            _remove(part)


def _objects(compiler: Compiler, files: list[str], parts: list[str]) -> list[tuple[int, str, str]]:
    if len(files) == 1:
        return [_object(compiler, files[0], parts[0])]
    from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415  (10 ms that only large programs need)

    with ThreadPoolExecutor(len(files)) as pool:
        return list(pool.map(lambda file, part: _object(compiler, file, part), files, parts))


def _object(compiler: Compiler, source: str, path: str) -> tuple[int, str, str]:
    """As `_made`, by the compiler that has begun if there is one. If that fails, another one says why."""
    begun = _taken()
    if begun is not None:
        own, made, process = begun
        if process.finish(source if own is compiler else "") == 0 and own is compiler:
            os.replace(made, path)
            return 0, "", source
        _remove(made)
    return _made(compiler, source, path, "-c")


_IGNORED = [f"--ignore-unresolved-symbol={name}" for name in ("memcpy", "memset", "memmove", "memcmp", "malloc", "free", "clock_gettime")]
"""Every process has them, in one form: a program of no others is linked without reading the C library, a third of the linker's time."""

_begun: list[tuple[Compiler, str, Begun]] = []
"""The compiler that waits for the next program, the path of what it makes, its process."""


def begin() -> None:
    """Starts the compiler before the text of the next program is known. What it does before it reads takes a quarter of the time of a small
    program: 27 -> 20 ms. `abandon` must follow, whatever happens."""
    compiler = find_compiler()
    if compiler is None or not compiler.linker or not hasattr(os, "posix_spawn") or _begun:
        return
    handle, path = tempfile.mkstemp(prefix="begun-", suffix=".tmp", dir=diskcache.directory())
    os.close(handle)
    argv = [*compiler.command, *compiler.flags, "-c", "-o", path, "-include", "/dev/stdin", "-x", "c", os.devnull]
    _begun.append((compiler, path, Begun(argv)))


def abandon() -> None:
    """Ends the compiler that has begun, if no program came."""
    begun = _taken()
    if begun is not None:
        _, made, process = begun
        process.finish("")
        _remove(made)


def _taken() -> tuple[Compiler, str, Begun] | None:
    try:
        return _begun.pop()  # of several threads one has it
    except IndexError:
        return None


def _remove(path: str) -> None:
    if os.path.exists(path):
        os.unlink(path)


def _complaint(compiler: Compiler, source: str, stderr: str) -> str:
    """The compiler's first error with three lines of C around it, then all of what it said."""
    lines = source.splitlines()
    found = re.search(r"<stdin>:(\d+):\d+: (?:fatal )?error: (.*)", stderr)
    if found is None:
        return f"{' '.join(compiler.command)} failed:\n{stderr}"
    number = int(found[1])
    around = "\n".join(f"{n:5d} | {lines[n - 1]}" for n in range(max(1, number - 2), min(len(lines), number + 2) + 1))
    return f"{found[2]}\n{around}\n{compiler.path} said:\n{stderr}"
