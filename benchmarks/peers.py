"""The competitors. Each turns a case into a function without arguments that computes the result once, completely.

A peer that is not installed is left out; one that cannot run a case says so with `Unable`.
"""

import functools
import importlib
import importlib.metadata
import importlib.util
import os
import re
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path
from types import FunctionType
from typing import Any

import numpy as np

import lazynp
from benchmarks.cases import Case

Call = Callable[[], Any]
Peer = Callable[[Case, tuple[Any, ...]], Call]


class Unable(Exception):
    """The peer has no form of this case; the text says why."""


def rebound(function: Callable[..., Any], namespace: Any) -> Callable[..., Any]:
    """The same code with the global `np` meaning another namespace."""
    assert isinstance(function, FunctionType)
    copy = FunctionType(function.__code__, {**function.__globals__, "np": namespace}, function.__name__, function.__defaults__)
    copy.__module__ = function.__module__
    return copy


def source_for(case: Case, peer: str) -> Callable[..., Any]:
    """The function the peer runs. Raises Unable."""
    function = case.forms.get(peer, case.function)
    if function is None:
        raise Unable("cannot express this program")
    return function


def copies(args: tuple[Any, ...]) -> tuple[Any, ...]:
    """Own arrays: some cases write to their arguments."""
    return tuple([_copy(a) if isinstance(a, np.ndarray) else a for a in args])


_PAGE, _MAPPED = 4096, 1 << 17


def _copy(a: np.ndarray) -> np.ndarray:
    """In C order. Large ones begin where new arrays of NumPy do, 16 bytes after a page, and not where malloc finds room: nobody's lie
    better on the lines of the cache by chance (a distance of 1e5 numbers took 16 or 21 us, in C as well)."""
    if a.nbytes < _MAPPED:
        return a.copy()
    memory = np.empty(a.nbytes + _PAGE, np.uint8)
    first = (16 - memory.ctypes.data) % _PAGE
    copy = memory[first : first + a.nbytes].view(a.dtype).reshape(a.shape)
    copy[...] = a
    return copy


def numpy_peer(case: Case, args: tuple[Any, ...]) -> Call:
    """The yardstick: plain NumPy, gradients by hand."""
    function = case.by_hand or case.function
    own = copies(args)
    return lambda: function(*own)


def lazy_peer(case: Case, args: tuple[Any, ...]) -> Call:
    """lazynp without jit: the program holds lazynp's arrays; the result is forced."""
    function = rebound(case.function, lazynp)
    if case.gradient is not None:
        function = lazynp.value_and_grad(function, case.gradient)
    own = tuple([lazynp.array(a) if isinstance(a, np.ndarray) else a for a in args])
    return lambda: forced(function(*own))


def jit_peer(case: Case, args: tuple[Any, ...]) -> Call:
    """lazynp.jit: NumPy arrays in, NumPy arrays out."""
    function = rebound(case.function, lazynp)
    if case.gradient is not None:
        function = lazynp.value_and_grad(function, case.gradient)
    compiled = lazynp.jit(function, strict=True)
    own = copies(args)
    return lambda: compiled(*own)


def forced(result: Any) -> Any:
    """A result, tuples included, as NumPy arrays."""
    return tuple([forced(r) for r in result]) if isinstance(result, tuple) else np.asarray(result)


def jax_peer(case: Case, args: tuple[Any, ...]) -> Call:
    """jax.jit in double precision; arrays stay on JAX's side."""
    jax = importlib.import_module("jax")
    jax.config.update("jax_enable_x64", True)
    function = rebound(source_for(case, "jax"), importlib.import_module("jax.numpy"))
    if case.gradient is not None:
        function = jax.value_and_grad(function, case.gradient)
    static = [i for i, a in enumerate(args) if type(a) is int]
    compiled = jax.jit(function, static_argnums=static)
    own = tuple([a if i in static else jax.device_put(a) for i, a in enumerate(args)])
    return lambda: jax.block_until_ready(compiled(*own))


def numba_peer(case: Case, args: tuple[Any, ...]) -> Call:
    """numba.njit, without fast-math, parallel if threads are allowed; gradients by hand."""
    function = source_for(case, "numba")
    if case.by_hand is not None:
        function = case.by_hand
    compiled = _numba_compiled(function)
    own = copies(args)
    return lambda: compiled(*own)


@functools.cache
def _numba_compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """One dispatcher for all sizes: Numba compiles a kernel for seconds, and again only for other dtypes."""
    numba = importlib.import_module("numba")
    return numba.njit(function, parallel=os.environ.get("NUMBA_NUM_THREADS", "1") != "1")


def numexpr_peer(case: Case, args: tuple[Any, ...]) -> Call:
    """numexpr's strings, where the case has them."""
    function = case.forms.get("numexpr")
    if function is None:
        raise Unable("no numexpr form")
    numexpr = importlib.import_module("numexpr")
    own = copies(args)
    return lambda: function(numexpr, *own)


def pytensor_peer(case: Case, args: tuple[Any, ...]) -> Call:
    """A compiled PyTensor function, called with `trust_input`."""
    pytensor = importlib.import_module("pytensor")
    tensor = importlib.import_module("pytensor.tensor")
    function = rebound(source_for(case, "pytensor"), tensor)
    own = tuple([np.asarray(a) for a in copies(args)])
    inputs = [tensor.tensor(dtype=a.dtype.name, shape=(None,) * a.ndim) for a in own]
    value = function(*inputs)
    if case.gradient is None:
        compiled = pytensor.function(inputs, value)
        compiled.trust_input = True
        return lambda: compiled(*own)
    slopes = pytensor.grad(value, [inputs[i] for i in case.gradient])
    compiled = pytensor.function(inputs, [value, *slopes])
    compiled.trust_input = True

    def call() -> Any:
        cost, *gradients = compiled(*own)
        return cost, tuple(gradients)

    return call


def c_peer(case: Case, args: tuple[Any, ...]) -> Call:
    """The function of this name in kernels.c, called through cffi with addresses that are taken once; its result lies in the same memory
    every time."""
    arrays = [a for a in copies(args) if isinstance(a, np.ndarray)]
    real = np.empty(0, arrays[0].dtype).real.dtype
    library = c_library("float" if real == np.float32 else "double")
    ffi = importlib.import_module("cffi").FFI()
    sizes = ["int64_t"] * arrays[0].ndim
    if re.search(rf"^void {case.name}\(", C_SOURCE.read_text(encoding="utf-8"), re.MULTILINE) is None:
        raise Unable("not written in C")
    ffi.cdef(f"void {case.name}({', '.join(['void *'] * (len(arrays) + 1) + sizes)});")
    loaded = ffi.dlopen(library)
    _loaded.append(loaded)  # a library that nobody holds is unloaded
    function = getattr(loaded, case.name)
    result = np.empty_like(numpy_peer(case, args)())
    given = [*[ffi.from_buffer(a) for a in (*arrays, result)], *arrays[0].shape]

    def call() -> Any:
        function(*given)
        return result

    return call


C_SOURCE = Path(__file__).with_name("kernels.c")
C_FLAGS = "-O3 -march=native -mprefer-vector-width=512 -fopenmp -fno-math-errno -fPIC -shared".split()
_loaded: list[Any] = []
_libraries = tempfile.TemporaryDirectory(prefix="lazynp-benchmarks-")


@functools.cache
def c_library(real: str) -> str:
    """The path of kernels.c, compiled for float or double. Raises Unable."""
    path = str(Path(_libraries.name) / f"{real}.so")
    command = ["gcc", *C_FLAGS, f"-DREAL={real}", str(C_SOURCE), "-o", path, "-l:libmvec.so.1", "-lm"]
    try:
        subprocess.run(command, check=True, capture_output=True, text=True)
    except (OSError, subprocess.CalledProcessError) as error:
        raise Unable(f"gcc: {error}") from error
    return path


OPTIONAL: dict[str, Peer] = {"jax": jax_peer, "numba": numba_peer, "numexpr": numexpr_peer, "pytensor": pytensor_peer}


def installed() -> dict[str, Peer]:
    """Name -> peer, NumPy first."""
    found: dict[str, Peer] = {"numpy": numpy_peer, "lazynp": lazy_peer, "lazynp.jit": jit_peer}
    return found | {name: peer for name, peer in OPTIONAL.items() if importlib.util.find_spec(name) is not None}


def versions() -> dict[str, str]:
    """Of everything that takes part."""
    names = ["numpy", "scipy", *[name for name in OPTIONAL if importlib.util.find_spec(name) is not None]]
    found = {name: importlib.metadata.version(name) for name in names if importlib.util.find_spec(name) is not None}
    return {"lazynp": lazynp.__version__} | found
