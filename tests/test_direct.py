"""Calls of jitted functions that go past Python: the same results, errors, warnings and guards as the calls that do not."""

import gc
import pickle
import sys
import threading
import tracemalloc
import warnings
import weakref
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from user_loops import steps_of_collatz

import lazynp
from lazynp import native

CALLS = 4
"""The first one compiles, the second one learns, the others go past Python."""

needs_module = pytest.mark.skipif(native.Direct is None, reason="needs the compiled module")


def same(a: Any, b: Any) -> None:
    if isinstance(a, dict):
        assert a.keys() == b.keys()
        for key in a:
            same(a[key], b[key])
    elif isinstance(a, (tuple, list)):
        assert type(a) is type(b) and len(a) == len(b)
        for x, y in zip(a, b, strict=True):
            same(x, y)
    elif isinstance(a, (np.ndarray, np.generic)):
        assert type(a) is type(b) and a.dtype == b.dtype and a.shape == b.shape
        np.testing.assert_array_equal(a, b)
    else:
        assert type(a) is type(b) and a == b


def fresh(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: fresh(v) for k, v in value.items()}
    if isinstance(value, (tuple, list)):
        return type(value)(map(fresh, value))
    return value.copy() if isinstance(value, np.ndarray) else value


def accumulated(x: Any) -> None:
    for i in range(1, len(x)):
        x[i] += x[i - 1]


def shifted(a: Any, b: Any) -> Any:
    a[1:] += b[:-1]
    return a.sum()


def written_anew(a: Any, b: Any) -> Any:
    a[...] = b * 2
    return b


PROGRAMS: dict[str, tuple[Callable[..., Any], tuple[Any, ...], dict[str, Any]]] = {
    "one_array": (lambda x: x * 2 + 1, (np.arange(10.0),), {}),
    "no_elements": (lambda x: x * 2 + 1, (np.ones((0, 3)),), {}),
    "a_number": (lambda x: x.sum(), (np.arange(10.0),), {}),
    "no_axes": (lambda x: np.sqrt(x), (np.array(2.0),), {}),
    "scalars": (lambda x, a: x * a + 1, (np.arange(3.0), np.float64(2.5)), {}),
    "scalar_types": (lambda a, b, c: a * b * c, (np.float32(2.5), np.complex64(1j), np.float16(3)), {}),
    "several_results": (lambda x: (x.min(), x * 2, [x[1:], 7]), (np.arange(5.0),), {}),
    "the_argument": (lambda x: (x, x[::2]), (np.arange(5.0),), {}),
    "trees": (lambda p, k: {"y": p["w"] @ p["b"][0], "k": k}, ({"w": np.ones((3, 4)), "b": [np.arange(4.0), None]}, "name"), {}),
    "keywords": (lambda x, *, scale=2, shift: x * scale + shift, (np.arange(4.0),), {"shift": np.ones(4), "scale": 3}),
    "integers": (lambda x, n: x // n, (np.arange(9), 2), {}),
    "mixed": (lambda a, b: a[:, None] * b, (np.arange(3, dtype=np.int8), np.arange(4, dtype=np.float32)), {}),
    "in_place": (accumulated, (np.arange(20.0),), {}),
    "in_place_of_two": (shifted, (np.arange(6.0), np.ones(6)), {}),
    "written_anew": (written_anew, (np.arange(6.0), np.ones(6)), {}),
    "large": (lambda x, y: (x * 2 + y).sum(axis=0), (np.ones((400, 300)), np.arange(300.0)), {}),
    "large_result": (lambda x: np.sqrt(x) * 2, (np.linspace(0, 1, 200_000),), {}),
    "large_temporary": (lambda x: np.sort(x * 3)[::7] + 1, (np.linspace(5, 1, 100_000),), {}),
    "matrix_product": (lambda a, b: a @ b.T + 1, (np.ones((30, 20)), np.arange(100.0).reshape(5, 20)), {}),
    "doubted": (steps_of_collatz, (np.arange(1, 30),), {}),
    "gather": (lambda x, i: x[i], (np.arange(5.0), np.array([1, 3])), {}),
    "constants": (lambda x: x + np.arange(5.0) ** 2, (np.arange(5.0),), {}),
    "gradient": (lazynp.grad(lambda x: (x * x).sum()), (np.arange(5.0),), {}),
    "nothing": (lambda: np.arange(4) * 2.0, (), {}),
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_every_call_gives_what_the_function_gives(name: str) -> None:
    function, args, kwargs = PROGRAMS[name]
    jitted = lazynp.jit(function)
    for _ in range(CALLS):
        expected_args, expected_kwargs = fresh(args), fresh(kwargs)
        expected = function(*expected_args, **expected_kwargs)
        given_args, given_kwargs = fresh(args), fresh(kwargs)
        result = jitted(*given_args, **given_kwargs)
        same(result, expected)
        same(given_args, expected_args)


def learned(function: Callable[..., Any], *args: Any) -> Any:
    jitted = lazynp.jit(function)
    for _ in range(CALLS):
        jitted(*args)
    return jitted


@needs_module
def test_calls_go_past_python() -> None:
    f = learned(lambda x: x * 2, np.arange(10.0))
    before = native.direct_runs()
    f(np.ones(10))
    assert native.direct_runs() == before + 1


def test_signatures_too_large_for_the_tables_are_called_in_python() -> None:
    many = [np.full(3, float(k)) for k in range(70)]
    same(learned(lambda xs: sum(xs[1:], xs[0] * 2), many)(many), sum(many[1:], many[0] * 2))
    results = learned(lambda x: [x + k for k in range(20)], np.ones(3))(np.ones(3))
    same(results, [np.ones(3) + k for k in range(20)])
    nested: Any = np.ones(3)
    for _ in range(12):
        nested = [nested]
    same(learned(lambda x: x, nested)(nested), nested)


def test_the_runs_are_counted() -> None:
    f = learned(lambda x: x * 2, np.arange(10.0))
    before = lazynp.stats()["program_runs"]
    f(np.ones(10))
    assert lazynp.stats()["program_runs"] == before + 1


@pytest.mark.filterwarnings("ignore::lazynp.PerformanceWarning")  # of the other byte order: not compiled
def test_other_signatures_are_other_programs() -> None:
    f = lazynp.jit(lambda x: x + x)
    values = [np.arange(3.0), np.arange(4.0), np.arange(3), np.arange(6.0).reshape(2, 3), np.arange(6.0)[::2], np.arange(3.0).astype(">f8")]
    values += [np.arange(n, dtype=np.float32) for n in range(12)] + [3, 3.0, "a", np.float64(2), np.float32(2), True]
    for _ in range(CALLS):
        for value in values:
            same(f(value), value + value)


def test_values_that_python_calls_equal_are_told_apart() -> None:
    f = lazynp.jit(lambda x, s: (np.copysign(x, s), s))
    for _ in range(CALLS):
        for s in (0.0, -0.0, 1, 1.0, True):
            result, given = f(np.arange(3.0), s)
            same(result, np.copysign(np.arange(3.0), s))
            assert type(given) is type(s) and repr(given) == repr(s)


def test_a_read_only_argument_stays_so() -> None:
    def write(x: Any) -> None:
        x[0] = 1

    f = learned(write, np.zeros(3))
    x = np.zeros(3)
    x.flags.writeable = False
    for _ in range(CALLS):
        with pytest.raises(ValueError, match="read-only"):
            f(x)


def test_arguments_that_overlap_run_as_written() -> None:
    f = learned(shifted, np.arange(6.0), np.ones(6))
    a, b = np.arange(6.0), np.arange(6.0)
    assert f(a, a) == shifted(b, b)
    same(a, b)
    memory, other = np.arange(7.0), np.arange(7.0)
    assert f(memory[1:], memory[:-1]) == shifted(other[1:], other[:-1])
    same(memory, other)


def test_an_index_out_of_range_is_numpys_error() -> None:
    f = learned(lambda x, i: x[i], np.arange(5.0), np.array([1, 2]))
    with pytest.raises(IndexError, match="index 9 is out of bounds for axis 0 with size 5"):
        f(np.arange(5.0), np.array([1, 9]))


def test_warnings_and_errstate_are_those_of_the_call() -> None:
    f = learned(lambda x: np.log(x), np.ones(2))
    with pytest.warns(RuntimeWarning, match="divide by zero encountered in log"):
        f(np.array([1.0, 0.0]))
    with np.errstate(divide="raise"), pytest.raises(FloatingPointError, match="divide by zero encountered in log"):
        f(np.array([1.0, 0.0]))
    with np.errstate(divide="ignore"), warnings.catch_warnings():
        warnings.simplefilter("error")
        f(np.array([1.0, 0.0]))


def test_errstate_inside_the_function_is_its_own() -> None:
    def quiet(x: Any) -> Any:
        with np.errstate(divide="ignore"):
            return np.log(x)

    f = lazynp.jit(quiet)
    with np.errstate(divide="raise"):
        for _ in range(CALLS):
            f(np.array([1.0, 0.0]))


def test_variables_that_change_are_seen() -> None:
    factor = 2.0

    def scaled(x: Any) -> Any:
        return x * factor

    f = lazynp.jit(scaled)
    for value in (2.0, 5.0, 2.0, -1.0):
        factor = value
        for _ in range(CALLS):
            assert f(np.ones(2))[0] == value


def test_attributes_that_change_are_seen() -> None:
    class Model:
        def __init__(self) -> None:
            self.scale = 3.0

        @lazynp.jit
        def apply(self, x: Any) -> Any:
            return x * self.scale

    model = Model()
    for value in (3.0, 4.0):
        model.scale = value
        for _ in range(CALLS):
            assert model.apply(np.ones(2))[0] == value


def test_an_array_from_outside_is_read_again() -> None:
    table = np.arange(2000.0)
    f = learned(lambda x: x + table, np.ones(2000))
    table[3] = 100.0
    assert f(np.ones(2000))[3] == 101.0


def test_inside_a_trace_it_becomes_part_of_it() -> None:
    inner = learned(lambda x: np.sin(x), np.ones(3))
    np.testing.assert_allclose(lazynp.grad(lambda x: inner(x).sum())(np.zeros(3)), np.ones(3))


def test_nans_are_looked_for_where_that_is_asked() -> None:
    f = learned(lambda x: np.log(x), np.ones(2))
    with lazynp.config(debug_nans=True), pytest.raises(FloatingPointError), np.errstate(invalid="ignore"):
        f(np.array([-1.0, 1.0]))


def test_lazy_arrays_give_lazy_arrays() -> None:
    f = learned(lambda x: x * 2, np.ones(100_000))
    assert type(f(lazynp.ones(100_000))) is lazynp.ndarray or isinstance(f(lazynp.ones(100_000)), lazynp.ndarray)


def test_nothing_is_leaked() -> None:
    f = learned(lambda p: p["x"] * 2, {"x": np.ones(3)})
    x = np.ones(3)
    p = {"x": x}
    before = sys.getrefcount(x), sys.getrefcount(p), sys.getrefcount(np.dtype(float))
    results = [f(p) for _ in range(1000)]
    del results
    assert (sys.getrefcount(x), sys.getrefcount(p)) == before[:2]
    assert abs(sys.getrefcount(np.dtype(float)) - before[2]) < 100


def test_functions_and_what_they_learned_are_collected() -> None:
    f = learned(lambda x: x * 2, np.ones(3))
    f.itself = f
    seen = weakref.ref(f.__wrapped__)
    del f
    gc.collect()
    assert seen() is None


@lazynp.jit
def _module_level(x: Any) -> Any:
    return x + 1


def test_pickling() -> None:
    assert pickle.loads(pickle.dumps(_module_level)) is _module_level
    again = pickle.loads(pickle.dumps(lazynp.jit(shifted, strict=True)))
    assert again(np.arange(3.0), np.ones(3)) == shifted(np.arange(3.0), np.ones(3))


def test_threads_share_a_function() -> None:
    f = learned(lambda x: np.cumsum(np.sqrt(x) * 2), np.ones(500))
    wrong = []

    def work(k: int) -> None:
        x = np.full(500, float(k))
        expected = np.cumsum(np.sqrt(x) * 2)
        wrong.extend(1 for _ in range(500) if not np.allclose(f(x), expected))

    running = [threading.Thread(target=work, args=(k,)) for k in range(8)]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()
    assert not wrong


def test_a_program_of_all_sizes_that_needs_fewer_than_the_call_has() -> None:
    """The last sizes of such a graph are those of slices that the optimizer removed."""

    def diffused(u: Any) -> Any:
        for _ in range(10):
            u[1:-1, 1:-1] += 0.2 * (u[2:, 1:-1] + u[:-2, 1:-1] - 2 * u[1:-1, 1:-1])
        return u

    for side in (31, 316, 57):
        f = lazynp.jit(diffused, strict=True)
        u = np.linspace(0, 1, side * side).reshape(side, side) ** 2
        expected = u.copy()
        for _ in range(4):
            f(u)
            diffused(expected)
            np.testing.assert_allclose(u, expected, rtol=1e-13)
        assert f.memory_plan(u).arguments == u.nbytes


def test_static_arguments_are_compared_past_python():
    f = lazynp.jit(lambda x, power, *, scale=1: x**power * scale, static_argnums=1, static_argnames="scale", strict=True)
    x = np.arange(4.0)
    for _ in range(3):
        np.testing.assert_array_equal(f(x, 2), x**2)
        np.testing.assert_array_equal(f(x, 3), x**3)
        np.testing.assert_array_equal(f(x, 2, scale=3), x**2 * 3)
        np.testing.assert_array_equal(f(x, 2, scale=5), x**2 * 5)
    before = native.direct_runs()
    f(x, 2), f(x, 3), f(x, 2, scale=3)
    assert native.direct_runs() == before + (3 if native.Direct is not None else 0)


def test_static_arguments_that_are_equal_but_of_other_types():
    f = lazynp.jit(lambda x, n: x + (1 if n is True else 10), static_argnums=1, strict=True)
    x = np.zeros(3)
    for _ in range(3):
        assert f(x, True)[0] == 1 and f(x, 1)[0] == 10 and f(x, 1.0)[0] == 10


def test_trusted_input_is_not_looked_at():
    factor = 2.0

    def scaled(x):
        return x * factor

    careful, trusting = lazynp.jit(scaled, strict=True), lazynp.jit(scaled, trust_input=True, strict=True)
    x = np.ones(3)
    for f in (careful, trusting):
        f(x), f(x)
    factor = 3.0
    assert careful(x)[0] == 3.0 and trusting(x)[0] == 2.0
    assert trusting(np.ones(4)).shape == (4,) and trusting(np.ones(3, np.float32)).dtype == np.float32


FORMS = {
    "dict": lambda x: {"b": x + 1, "a": x * 2},
    "nested": lambda x: [x + 1, {"c": (x * 2, x.sum()), "a": []}, ()],
    "nothing inside": lambda x: (x + 1, None, {"a": None}),
    "twice the same": lambda x: (y := x + 1, [y]),
    "with a constant": lambda x: (x + 1, 3.5),
    "with the argument": lambda x: {"x": x, "y": x + 1},
    "a view": lambda x: (x.reshape(2, 5) + 1)[:, ::2],
}


@pytest.mark.parametrize("name", FORMS)
def test_results_in_containers(name):
    """Made by C they are what Python makes: types, order of keys, scalars, and which of them are one object."""
    f, x = FORMS[name], np.arange(10.0)
    compiled, expected = lazynp.jit(f, strict=True), f(x)
    for _ in range(4):
        found = compiled(x)
        assert repr(found) == repr(expected) and found is not compiled(x)
        assert [id(a) == id(b) for a, b in pairwise(leaves(found))] == [id(a) == id(b) for a, b in pairwise(leaves(expected))]
        if name == "with the argument":
            assert found["x"] is x


def leaves(tree):
    if isinstance(tree, (tuple, list)):
        return [leaf for member in tree for leaf in leaves(member)]
    return [leaf for member in tree.values() for leaf in leaves(member)] if isinstance(tree, dict) else [tree]


def test_results_in_containers_leave_nothing_behind():
    """Nobody else holds them: as many references as to what Python makes."""
    f, x = lambda x: {"a": x + 1, "b": [x * 2, x.sum()]}, np.arange(10.0)
    compiled = lazynp.jit(f, strict=True)
    for _ in range(3):
        compiled(x)
    found, expected = compiled(x), f(x)
    for tree in (found, expected):
        tree["own"] = [sys.getrefcount(tree), sys.getrefcount(tree["a"]), sys.getrefcount(tree["b"]), sys.getrefcount(tree["b"][0])]
    assert found["own"] == expected["own"]


@needs_module
@pytest.mark.parametrize("count", [100, 300, 5_000, 40_000, 262_144, 300_000])
def test_results_own_their_memory(count):
    """As NumPy's arrays do: no base, they can be resized, tracemalloc knows them, and nobody else writes to them."""
    f = lazynp.jit(lambda x: x * 2)
    x = np.arange(float(count))
    for _ in range(3):
        f(x)
    results = [f(x) for _ in range(70 if count < 50_000 else 20)]
    assert len({r.ctypes.data for r in results}) == len(results)
    for r in results:
        np.testing.assert_array_equal(r, x * 2)
    kept = results[3]
    del results
    f(x + 1)
    np.testing.assert_array_equal(kept, x * 2)
    if 300 <= count < 262_144:
        assert kept.base is None and kept.flags.owndata and kept.ctypes.data % 64 == 0
        kept.resize(2 * count, refcheck=False)
        np.testing.assert_array_equal(kept[:count], x * 2)
        assert not kept[count:].any()
    del kept
    tracemalloc.start()
    try:
        r = f(x)
        assert tracemalloc.get_traced_memory()[0] >= (r.nbytes if count < 262_144 else 0)
        del r
        assert tracemalloc.get_traced_memory()[0] < 10_000
    finally:
        tracemalloc.stop()


@needs_module
def test_views_of_results() -> None:
    """Of a new array, with the strides, the flags and the base that NumPy's have."""
    programs: list[Callable[..., Any]] = [
        lambda x: (x * 2)[:, -5:],
        lambda x: (x * 2)[1:, None, ::-2],
        lambda x: (x + 1).reshape(-1),
        lambda x: np.diagonal(x + 1),
        lambda x: np.broadcast_to(x + 1, (3, 10, 20)),
        lambda x: ((x + 1).T[2:], {"rows": (x * 2)[3:]}),
    ]
    x = np.arange(200.0).reshape(10, 20)
    for program in programs:
        compiled = lazynp.jit(program)
        expected: Any = program(x)
        compiled(x)
        compiled(x)
        before = native.direct_runs()
        found = compiled(x)
        assert native.direct_runs() == before + 1
        pairs = [(found[0], expected[0]), (found[1]["rows"], expected[1]["rows"])] if isinstance(expected, tuple) else [(found, expected)]
        for ours, numpys in pairs:
            assert np.array_equal(ours, numpys) and ours.strides == numpys.strides and ours.flags.writeable == numpys.flags.writeable
            assert ours.base is not None and ours.base.base is None
