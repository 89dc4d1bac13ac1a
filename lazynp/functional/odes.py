"""`odeint`, differentiable by the initial state, the times and everything that the right side reads."""

import functools
import inspect
from collections.abc import Callable
from importlib import import_module
from typing import Any

import numpy as np

from lazynp.api.creation import asarray
from lazynp.api.dispatch import offered, sync
from lazynp.array import is_pending, ndarray, wrap
from lazynp.functional.regions import Region
from lazynp.ir.body import canonical_bodies
from lazynp.ir.node import Graph, new_input, substitute
from lazynp.ir.types import ArrayType, itemcount
from lazynp.operands import node_of
from lazynp.ops import elementwise as ew
from lazynp.ops.movement import reshape
from lazynp.ops.odes import odeint
from lazynp.runtime.storage import tracing
from lazynp.trace.control import function
from lazynp.transform import odes as _rules  # noqa: F401  (sets the derivatives of odeint)

_FLOAT = np.dtype(float)


def integrate(name: str) -> Any:
    """lazynp's function for a public name of scipy.integrate. Raises AttributeError for a name that SciPy does not have."""
    original = getattr(import_module("scipy.integrate"), name)
    return _odeint(original) if name == "odeint" else offered(original, None)


def _odeint(original: Callable[..., Any]) -> Callable[..., Any]:
    signature = inspect.signature(original)

    @functools.wraps(original)
    def odeint(*args: Any, **kwargs: Any) -> Any:
        given = signature.bind(*args, **kwargs)
        given.apply_defaults()
        if not tracing() or given.arguments["full_output"]:
            return sync(original, *args, **kwargs)
        return _recorded(**given.arguments)

    odeint.__module__ = "lazynp"
    return odeint


def _recorded(func: Any, y0: Any, t: Any, args: Any, Dfun: Any, col_deriv: Any, full_output: Any, tfirst: bool, **options: Any) -> Any:
    """The solution as a node. Dfun, the Jacobian of func, only spares the solver work, and is not used here."""
    kept = tuple(sorted((name, _plain(name, value)) for name, value in options.items() if value is not None))
    y, times = [ew.as_node(node_of(asarray(x)), _FLOAT) for x in (y0, t)]
    if y.ndim == 0:
        y = reshape(y, (1,))
    if y.ndim != 1 or times.ndim != 1:
        raise ValueError("odeint: y0 and t must be one-dimensional")
    args = args if isinstance(args, tuple) else (args,)
    state, time = new_input(y.type), new_input(ArrayType((), _FLOAT))

    right_side = function(func)

    def slope() -> Any:
        point = (wrap(time), wrap(state)) if tfirst else (wrap(state), wrap(time))
        return asarray(right_side(*point, *args))

    region = Region()
    outputs = [node_of(region.run_in(slope))]
    if itemcount(outputs[0].shape) != y.shape[0]:
        raise RuntimeError(
            f"The size of the array returned by func ({itemcount(outputs[0].shape)}) does not match the size of y0 ({y.shape[0]})."
        )
    rate = ew.as_node(reshape(outputs[0], y.shape), _FLOAT)
    parameters = [node for node in region.read_by([rate]) if node is not state and node is not time]
    leaves = [new_input(node.type) for node in parameters]
    rate = substitute([rate], dict(zip(parameters, leaves, strict=True)))[0]
    body = canonical_bodies([Graph((state, time, *leaves), (rate,))])[0]
    return wrap(odeint.make((y, times, *parameters), body=body, options=kept))


def _plain(name: str, value: Any) -> Any:
    """An option as a plain value. Raises TypeError for one that depends on what is traced."""
    if type(value) is ndarray and is_pending(value):
        raise TypeError(f"lazynp: scipy.integrate.odeint has no derivative by {name}")
    array = np.asarray(value)
    return array.item() if array.ndim == 0 else tuple(array.tolist())
