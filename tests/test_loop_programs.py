"""The loop programs three times: on NumPy, under jit, and in lazy mode. Results, what is left in the arguments, and errors are equal."""

import copy
import functools
import importlib.util
import warnings

import loop_programs
import numpy as np
import pytest
from loop_programs import PROGRAMS

import lazynp
from lazynp.ir.node import Graph, toposort
from lazynp.trace import control
from lazynp.trace.capture import trace

TOLERANCE = 1e-9


def over_lazynp():
    """The same programs with the global `np` meaning lazynp."""
    spec = importlib.util.spec_from_file_location("loop_programs_over_lazynp", loop_programs.__file__)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.np = lazynp
    return module.PROGRAMS


LAZY = over_lazynp()


def close(actual, expected, exact=False):
    """exact: results are of the same types, too: Python numbers, NumPy scalars, or arrays without axes."""
    if isinstance(expected, (tuple, list)):
        assert type(actual) is type(expected) and len(actual) == len(expected)
        for a, b in zip(actual, expected, strict=True):
            close(a, b, exact)
    elif expected is None:
        assert actual is None
    else:
        assert not exact or type(actual) is type(expected), (type(actual), type(expected))
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
        close(compiled(*ours), expected, exact=True)
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


KINDS = (
    "cholesky lu gram_schmidt triangular_solve thomas levinson_durbin floyd_warshall gauss_seidel sor jacobi_1d jacobi_2d heat_3d adi fdtd "
    "advection cavity_flow n_body leapfrog runge_kutta random_walk mandelbrot_masks mandelbrot game_of_life sieve collatz crc32 histogram "
    "triangle_path viterbi hmm_forward kalman_filter rnn lstm convolution iir_filter stockham_fft csr_product power_iteration newton "
    "bisection metropolis bucket_sort cumulative_recurrence k_means mixture distance_matrix local_alignment folding growing_cells "
    "coordinate_descent spins ring_averages vertical_transport scattered factorised_ratings"
).split()
"""What the table must have: factorisations, relaxations, fields, bodies, chains, filters, roots, integers, clusters, alignments."""


def test_the_table_is_complete():
    assert set(KINDS) <= set(PROGRAMS) and len(KINDS) == 55


WRITTEN_OUT = {"stockham_fft": "its arrays have another shape in every turn"}
"""The programs of which a loop is not one node of the graph, and why."""


def nodes_of(outputs):
    """How many nodes there are in a graph and in the bodies inside it."""
    nodes = toposort(outputs)
    bodies = [value for node in nodes for value in node.attributes.values() if isinstance(value, Graph)]
    return len(nodes) + sum(nodes_of(body.outputs) for body in bodies)


@pytest.mark.parametrize("name", PROGRAMS)
def test_the_program_does_not_depend_on_the_number_of_turns(name):
    """What has to be compiled for twice the size has as many nodes; no loop is written out."""
    program = PROGRAMS[name]
    counts = []
    for n in (program.small, 2 * program.small):
        arguments = list(program.arguments(np.random.default_rng(3), n))
        traced = control.traced_call(program.function, functools.partial(trace, leaves=arguments, rebuild=lambda new: (tuple(new), {})))
        counts.append(nodes_of([*traced.values, *traced.written.values()]))
    assert (counts[0] == counts[1]) == (name not in WRITTEN_OUT), counts
