"""The competitors. Each turns a case into a function without arguments that computes the result once, completely.

A peer that is not installed is left out; one that cannot run a case says so with `Unable`.
"""

import importlib
import importlib.metadata
import importlib.util
from collections.abc import Callable
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
    return tuple([a.copy() if isinstance(a, np.ndarray) else a for a in args])


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
    compiled = jax.jit(function)
    own = tuple([jax.device_put(a) for a in args])
    return lambda: jax.block_until_ready(compiled(*own))


def numba_peer(case: Case, args: tuple[Any, ...]) -> Call:
    """numba.njit, without fast-math; gradients by hand."""
    numba = importlib.import_module("numba")
    function = source_for(case, "numba")
    if case.by_hand is not None:
        function = case.by_hand
    compiled = numba.njit(function)
    own = copies(args)
    return lambda: compiled(*own)


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
