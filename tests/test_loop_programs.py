"""The loop programs three times: on NumPy, under jit, and in lazy mode. Results, what is left in the arguments, and errors are equal."""

import copy
import importlib.util
import warnings

import loop_programs
import numpy as np
import pytest
from loop_programs import PROGRAMS

import lazynp

TOLERANCE = 1e-9


def over_lazynp():
    """The same programs with the global `np` meaning lazynp."""
    spec = importlib.util.spec_from_file_location("loop_programs_over_lazynp", loop_programs.__file__)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.np = lazynp
    return module.PROGRAMS


LAZY = over_lazynp()


def close(actual, expected):
    if isinstance(expected, (tuple, list)):
        assert type(actual) is type(expected) and len(actual) == len(expected)
        for a, b in zip(actual, expected, strict=True):
            close(a, b)
    elif expected is None:
        assert actual is None
    else:
        actual, expected = np.asarray(actual), np.asarray(expected)
        assert actual.shape == expected.shape
        assert actual.dtype == expected.dtype, (actual.dtype, expected.dtype)
        np.testing.assert_allclose(actual, expected, rtol=TOLERANCE, atol=TOLERANCE)


@pytest.mark.parametrize("name", PROGRAMS)
@pytest.mark.parametrize("np_is", ["numpy", "lazynp"])
def test_jit_is_numpy(name, np_is):
    """The plain source, with `import numpy as np` and with `import lazynp as np`, gives NumPy's answers."""
    program = PROGRAMS[name]
    arguments = program.arguments(np.random.default_rng(3), program.small)
    theirs, ours = copy.deepcopy(arguments), copy.deepcopy(arguments)
    expected = program.function(*theirs)
    compiled = lazynp.jit((PROGRAMS if np_is == "numpy" else LAZY)[name].function)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", lazynp.PerformanceWarning)
        close(compiled(*ours), expected)
        close(ours, theirs)
        again = copy.deepcopy(arguments)
        close(compiled(*again), expected)
    close(again, theirs)


@pytest.mark.parametrize("name", PROGRAMS)
def test_lazy_mode_is_numpy(name, all_lazy):
    program = PROGRAMS[name]
    arguments = program.arguments(np.random.default_rng(3), program.small)
    theirs = copy.deepcopy(arguments)
    expected = program.function(*theirs)
    ours = tuple([lazynp.array(a) if isinstance(a, np.ndarray) else a for a in arguments])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", lazynp.PerformanceWarning)
        close(LAZY[name].function(*ours), expected)
    close(tuple(ours), theirs)
