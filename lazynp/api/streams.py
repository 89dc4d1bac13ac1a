"""Draws inside traces: the state of a generator as a storage that the trace reads and writes, so that a program carries it.

A jitted function that draws reads the generator's state at every call and leaves it where NumPy would: two calls give successive draws, and
draws inside and outside share one stream. A generator that is made inside the trace starts anew at every call.
"""

import inspect
import warnings
from collections.abc import Callable
from typing import Any
from weakref import WeakValueDictionary

import numpy as np

from lazynp.api.dispatch import unwrapped
from lazynp.array import ndarray, wrap
from lazynp.errors import CaptureError
from lazynp.ir.node import Node, constant, new_input
from lazynp.ir.types import ArrayType, NotLazy
from lazynp.native import tracing_count
from lazynp.operands import node_of
from lazynp.ops import library
from lazynp.ops.structured import item
from lazynp.runtime import storage as storage_module
from lazynp.runtime.storage import Storage, TraceQueue, queue, tracing


class GeneratorState(Storage):
    """The packed state of a generator that lives outside of traces. `source` has the true state whenever nothing is pending here."""

    __slots__ = ("source",)

    def __init__(self, source: Any) -> None:
        packed = library.pack_state(source)
        super().__init__(packed.shape, packed.dtype, None, packed)
        self.home = storage_module._main_queue
        self.source = source

    def write(self, node: Node) -> None:
        tracing_count.draws = True
        super().write(node)

    def refresh(self) -> None:
        """Read the state, which NumPy may have moved on."""
        if self.node is None:
            self.settle_readers()
            assert self.buffer is not None
            self.buffer[...] = library.pack_state(self.source)

    def outside_leaf(self) -> Node:
        """Without memory, like an argument: a trace must not compute with today's state."""
        return new_input(ArrayType(self.shape, self.dtype))

    def force(self) -> np.ndarray:
        if self.node is not None:
            super().force()
        self.refresh()
        assert self.buffer is not None
        return self.buffer

    def filled(self, buffer: np.ndarray) -> None:
        super().filled(buffer)
        library.unpack_state(self.source, buffer)

    def overwritten(self) -> None:
        super().overwritten()
        assert self.buffer is not None
        library.unpack_state(self.source, self.buffer)


_states: "WeakValueDictionary[int, GeneratorState]" = WeakValueDictionary()
"""By the identity of what has the state: generators may share a bit generator."""
_shared: list[Storage] = []
"""The state of NumPy's global generator, which takes no attributes and holds it no other way. NumPy's other ones have states as long as a
program does that draws from them."""


def recording() -> bool:
    """Whether what happens now will be run again: a draw must be recorded, not done."""
    here = queue()
    return isinstance(here, TraceQueue) and not here.runs_once


def _source(generator: Any) -> Any:
    """What has the state: the bit generator, or the RandomState itself, which keeps a spare normal number."""
    if isinstance(generator, np.random.RandomState):
        return generator
    return np.random.Generator.bit_generator.__get__(generator)  # type: ignore[attr-defined]


def born(generator: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    """A generator was made. Inside a trace its state is a constant of the trace."""
    generator.__dict__["_state"] = None
    if recording():
        if isinstance(generator, np.random.RandomState) and not (args or kwargs):
            raise CaptureError("RandomState() without a seed inside a traced function would freeze one seed: make it outside")
        generator.__dict__["_state"] = wrap(constant(library.pack_state(_source(generator))))._storage


def is_local(generator: Any) -> bool:
    """Whether the generator was made inside the trace."""
    state = _kept(generator)
    return state is not None and not isinstance(state, GeneratorState)


def _kept(generator: Any) -> Storage | None:
    return generator.__dict__["_state"] if hasattr(generator, "__dict__") else _states.get(id(_source(generator)))


def settle(generator: Any) -> None:
    """Before NumPy itself draws: the state that a pending loop leaves behind."""
    state = _kept(generator)
    if isinstance(state, GeneratorState) and state.node is not None and not tracing():
        state.force()


def settled() -> bool:
    """Whether no generator's state is pending: NumPy may draw at once until a program leaves one behind."""
    return all(state.node is None for state in _states.values())


def _state(generator: Any) -> Storage:
    state = _kept(generator)
    if state is None:
        source = _source(generator)
        state = _states.get(id(source))
        if state is None:
            state = _states[id(source)] = GeneratorState(source)
        if hasattr(generator, "__dict__"):
            generator.__dict__["_state"] = state
        elif generator is np.random.mtrand._rand:
            _shared.append(state)
    if isinstance(state, GeneratorState):
        state.refresh()
    return state


def reseed(generator: Any, fresh: Any) -> None:
    """seed() inside a trace: the state is the fresh generator's from here on."""
    _state(generator).write(constant(library.pack_state(fresh)))


# --- one draw as a node -----------------------------------------------------------------------------------------------------

_STATIC = frozenset({"size", "dtype", "out", "method", "endpoint", "replace", "axis", "shuffle", "check_valid", "tol"})
_OWN_SHAPE = library.UNSIZED | {"choice", "multinomial", "dirichlet", "multivariate_normal", "multivariate_hypergeometric"}
"""Methods whose result has a shape of its own; all others draw one number per element of their broadcast parameters."""


def record(generator: Any, method: str, original: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """The draw as a node that reads the state and leaves a new one. Raises CaptureError for what has no place in a graph."""
    state = _state(generator)
    new_state, result, out = _draw(state.value(), generator, method, original, args, kwargs)
    state.write(new_state)
    return _delivered(result, method, args, kwargs, out)


def record_and_advance(generator: Any, method: str, original: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """In a derivative that is taken now: a node of the present state, and NumPy draws, too, to move on."""
    present = constant(library.pack_state(_source(generator)))
    _, result, out = _draw(present, generator, method, original, args, kwargs)
    original(generator, *unwrapped(list(args)), **unwrapped(kwargs))
    return _delivered(result, method, args, kwargs, out)


def _delivered(result: Node, method: str, args: tuple[Any, ...], kwargs: dict[str, Any], out: Any) -> Any:
    if method == "shuffle":
        target = args[0] if args else kwargs["x"]
        target[...] = wrap(result)
        return None
    if out is not None:
        out[...] = wrap(result)
        return out
    return wrap(result)


def _draw(state: Node, generator: Any, method: str, original: Any, args: Any, kwargs: Any) -> tuple[Node, Node, Any]:
    method, original, args, kwargs = _plain_form(generator, method, original, args, kwargs)
    bound = inspect.signature(original).bind(generator, *args, **kwargs)
    bound.apply_defaults()
    given = dict(list(bound.arguments.items())[1:])
    out = given.pop("out", None)
    if method == "shuffle" and type(given["x"]) is not ndarray:
        raise CaptureError("shuffle() inside a traced function of something that is not one of its arrays")
    options = {name: _static(value) for name, value in given.items() if name in _STATIC or _is_option(method, value)}
    nodes = {name: _node(value) for name, value in given.items() if name not in options}
    size, dtype = _type(generator, method, given, options, nodes, out)
    if method not in _OWN_SHAPE:
        options.pop("size")
    drawn = library.random_draw(
        state,
        *nodes.values(),
        method=method,
        generator=_name(generator),
        size=size,
        out_dtype=dtype,
        names=tuple(nodes),
        options=tuple(options.items()),
    )
    return item(drawn, 0), item(drawn, 1), out


def _plain_form(generator: Any, method: str, original: Any, args: Any, kwargs: Any) -> tuple[str, Any, Any, Any]:
    """rand and randn, whose arguments are a shape, as the methods that they stand for. Raises CaptureError for bytes."""
    if method == "bytes":
        raise CaptureError("bytes() of a random generator inside a traced function: bytes are no array")
    if method in ("rand", "randn"):
        method = {"rand": "random_sample", "randn": "standard_normal"}[method]
        return method, getattr(np.random.RandomState, method), (), {"size": args or None}
    return method, original, args, kwargs


def _is_option(method: str, value: Any) -> bool:
    """Scalars are parameters of a family of distributions, but facts of the other methods."""
    if value is None:
        return True
    return method in _OWN_SHAPE and not isinstance(value, (ndarray, list, tuple))


def _static(value: Any) -> Any:
    if isinstance(value, ndarray):
        value = unwrapped(value).tolist()
    return tuple([int(v) for v in value]) if isinstance(value, (list, tuple)) else value.item() if isinstance(value, np.generic) else value


def _node(value: Any) -> Node:
    try:
        return node_of(value)
    except NotLazy as error:
        raise CaptureError(f"a random draw inside a traced function: {error}") from None


def _name(generator: Any) -> str:
    if isinstance(generator, np.random.RandomState):
        return "RandomState:" + type(generator._bit_generator).__name__
    return type(_source(generator)).__name__


def _type(generator: Any, method: str, given: Any, options: Any, nodes: dict[str, Node], out: Any) -> tuple[tuple[int, ...], np.dtype]:
    """Shape and dtype of a draw: NumPy is asked, with parameters that every method accepts."""
    source, _ = library.sources.of(_name(generator))
    stand_ins = {name: _stand_in(method, name, node if method in _OWN_SHAPE else None) for name, node in nodes.items()}
    if method == "shuffle":
        return nodes["x"].shape, nodes["x"].dtype
    probe_options = (
        options
        if method in _OWN_SHAPE
        else {**options, "size": 1 if options["size"] is not None or any(n.ndim for n in nodes.values()) else None}
    )
    if method in ("integers", "randint"):
        stand_ins = {"low": 0} if "high" not in nodes else {"low": 0, "high": 1}
        probe_options = {k: v for k, v in probe_options.items() if k != "high"} | ({} if "high" in nodes else {"low": 1})
        stand_ins = {k: v for k, v in stand_ins.items() if k not in probe_options}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        probe = np.asarray(getattr(source, method)(**stand_ins, **probe_options))
    if method in _OWN_SHAPE:
        return probe.shape, probe.dtype
    size = options["size"]
    shape = out.shape if out is not None else np.broadcast_shapes(*[n.shape for n in nodes.values()]) if size is None else size
    return (shape,) if isinstance(shape, int) else tuple(shape), probe.dtype


_VALID = {"p": 0.5, "a": 2.0, "left": 0.0, "right": 2.0}


def _stand_in(method: str, name: str, node: Node | None) -> Any:
    """A value that a method accepts for a parameter: of the node's type, or a scalar."""
    if node is None:
        return _VALID.get(name, 1)
    if name == "cov":
        return np.broadcast_to(np.eye(node.shape[-1]), node.shape)
    if name in ("p", "pvals"):
        return np.full(node.shape, 1.0 / max(node.shape[-1], 1), np.result_type(node.dtype, np.float64))
    return np.full(node.shape, 10 if name == "colors" else 1, node.dtype)
