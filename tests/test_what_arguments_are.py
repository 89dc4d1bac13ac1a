"""Compiled functions that set what an argument is: its shape, size or flags; and views that broadcast_arrays returns."""

import numpy as np
import pytest

import lazynp as lnp


def setting(name, value):
    return lambda n, x: setattr(x, name, value)


def shaped_and_written(n, x):
    x.shape = 3, 2
    x[0, 1] = 9
    return x + 1


def shaped_copy(n, x):
    y = x * 2
    y.shape = 2, 3
    return y


def read_only(n, x):
    x.setflags(write=False)
    return x


SETS = {
    "shape": setting("shape", (2, 3)),
    "shape of a view": lambda n, x: setattr(x[:4], "shape", (2, 2)),
    "shape, then a write": shaped_and_written,
    "shape of a new array": shaped_copy,
    "setflags": read_only,
    "flags": lambda n, x: setattr(x.flags, "writeable", False),
    "read-only, then a write": lambda n, x: read_only(n, x).__setitem__(0, 1),
    "resize": lambda n, x: x.resize((3, 2), refcheck=False),
    "repeated": lambda n, x: n.broadcast_arrays(x, n.ones((2, 1)))[0],
    "repeated number": lambda n, x: n.broadcast_arrays(x, 1)[1],
    "flag of what is repeated": lambda n, x: n.broadcast_arrays(x, n.ones((2, 1)))[0].flags.writeable,
    "write to what is repeated": lambda n, x: n.broadcast_arrays(x, n.ones((2, 1)))[0].__setitem__((0, 0), 5.0),
    "broadcast_to": lambda n, x: n.broadcast_to(x, (2, 6)),
}


def outcome(call, x):
    """What a caller can see of the result and of the argument, after one and after two calls."""
    seen = []
    for _ in range(2):
        try:
            result = call(x)
        except ValueError as error:
            result = str(error)
        if isinstance(result, lnp.ndarray):
            result = result.shape, result.flags.writeable, result.base is None, np.asarray(result).tolist()
        seen.append((result, x.shape, x.flags.writeable, np.asarray(x).tolist()))
    return seen


@pytest.mark.filterwarnings("ignore::lazynp.PerformanceWarning")
@pytest.mark.filterwarnings("ignore:future versions:FutureWarning", "ignore:Numpy has detected:DeprecationWarning")
@pytest.mark.parametrize("convert", [np.copy, lnp.lazy])
@pytest.mark.parametrize("name", SETS)
def test_what_is_set_reaches_the_caller(name, convert):
    a = np.arange(6.0)
    assert outcome(lnp.jit(lambda x: SETS[name](lnp, x)), convert(a)) == outcome(lambda x: SETS[name](np, x), a.copy())
