"""Donated arguments and kept memory: same results, memory used again, errors where it was given away."""

import gc
import pickle

import numpy as np
import pytest

import lazynp

SIZE = 200_000


def step(x, y):
    return x * 2 + y


def address(array):
    return np.asarray(array).ctypes.data


def numbers():
    return np.arange(float(SIZE)), np.ones(SIZE)


def test_a_donated_numpy_array_is_the_result():
    f = lazynp.jit(step, donate_argnums=0, strict=True)
    x, y = numbers()
    expected = step(x, y)
    result = f(x, y)
    assert result is x  # as of numpy.add(x, y, out=x)
    np.testing.assert_array_equal(result, expected)
    np.testing.assert_array_equal(y, np.ones(SIZE))


def lazy_numbers():
    return tuple(lazynp.lazy(x) for x in numbers())


def test_the_memory_of_a_donated_lazy_array_is_the_result():
    f = lazynp.jit(step, donate_argnames="x", strict=True)
    x, y = lazy_numbers()
    before = address(x)
    result = f(x, y)
    assert address(result) == before
    np.testing.assert_array_equal(result, step(*numbers()))


USES = {
    "operator": lambda x, f: x + 1,
    "asarray": lambda x, f: np.asarray(x),
    "element": lambda x, f: float(x[0]),
    "sum": lambda x, f: x.sum(),
    "print": lambda x, f: repr(x),
    "write": lambda x, f: x.__setitem__(0, 1.0),
    "call": lambda x, f: f(x, x),
    "copy": lambda x, f: x.copy(),
    "pickle": lambda x, f: pickle.dumps(x),
}


@pytest.mark.parametrize("use", USES.values(), ids=USES)
def test_a_donated_lazy_array_is_gone(use):
    f = lazynp.jit(step, donate=0, strict=True)
    x, y = lazy_numbers()
    view = x[5:]
    f(x, y)
    assert x.shape == (SIZE,) and x.dtype == np.float64
    with pytest.raises(RuntimeError, match=r"Array has been deleted with shape=float64\[200000\]: it was donated to step"):
        use(x, f)
    with pytest.raises(RuntimeError, match="Array has been deleted"):
        np.asarray(view)


def test_small_lazy_arrays_are_gone_too():
    with lazynp.config(lazy_threshold=0):
        x = lazynp.arange(3.0) + 1
        f = lazynp.jit(lambda x: x.sum(), donate=0, strict=True)
        assert f(x) == 6
        with pytest.raises(RuntimeError, match="Array has been deleted"):
            x.sum()


def test_what_numpy_holds_of_a_donated_lazy_array_stays():
    f = lazynp.jit(step, donate=0, strict=True)
    x, y = lazy_numbers()
    shown = np.asarray(x)
    result = f(x, y)
    np.testing.assert_array_equal(shown, np.arange(float(SIZE)))
    np.testing.assert_array_equal(result, step(*numbers()))


def test_pending_work_reads_a_donated_array_as_it_was():
    f = lazynp.jit(step, donate=0, strict=True)
    x, y = lazy_numbers()
    np.asarray(x)
    pending = x + 10
    f(x, y)
    np.testing.assert_array_equal(pending, np.arange(float(SIZE)) + 10)


def test_views_and_shared_arguments_are_not_written_to():
    f = lazynp.jit(step, donate=0, strict=True)
    whole = np.arange(2.0 * SIZE)
    part, y = whole[:SIZE], np.ones(SIZE)
    np.testing.assert_array_equal(f(part, y), part * 2 + 1)
    np.testing.assert_array_equal(whole, np.arange(2.0 * SIZE))
    x = np.arange(float(SIZE))
    np.testing.assert_array_equal(f(x, x), np.arange(float(SIZE)) * 3)
    np.testing.assert_array_equal(x, np.arange(float(SIZE)))
    x.flags.writeable = False
    np.testing.assert_array_equal(f(x, y), step(*numbers()))
    np.testing.assert_array_equal(x, np.arange(float(SIZE)))


BODIES = {
    "reduced": (lambda x: x - x.mean(), True),
    "softmax": (lambda x: np.exp(x - x.max()) / np.exp(x - x.max()).sum(), True),
    "reversed": (lambda x: x[::-1] * 2, False),
    "two": (lambda x: (x[1:] + 1, x * 2), True),
    "no result like it": (lambda x: x.sum(), False),
    "cumsum": (lambda x: np.cumsum(x), False),
    "written": (lambda x: _written(x), False),
}


def _written(x):
    x[1:] = x[:-1]
    return x * 2


@pytest.mark.parametrize(("body", "reuses"), BODIES.values(), ids=BODIES)
def test_donation_changes_no_value(body, reuses):
    x = np.arange(float(SIZE)) / SIZE
    expected = body(x.copy())
    f = lazynp.jit(body, donate=0)
    plan, other = f.memory_plan(x), lazynp.jit(body).memory_plan(x)
    assert plan.donated == (8 * SIZE if reuses else 0)
    assert plan.peak <= other.peak and plan.results + plan.donated == other.results
    got = f(x)
    for a, b in zip(got if isinstance(got, tuple) else (got,), expected if isinstance(expected, tuple) else (expected,), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12)


def test_what_comes_back_as_it_is_is_not_gone():
    f = lazynp.jit(lambda x, y: (x, x + y), donate=0, strict=True)
    x, y = lazy_numbers()
    same, total = f(x, y)
    np.testing.assert_array_equal(same, np.arange(float(SIZE)))
    np.testing.assert_array_equal(total, np.arange(float(SIZE)) + 1)


def test_every_array_of_a_donated_tree_is_donated():
    @lazynp.jit(donate_argnums=(0,), strict=True)
    def update(parameters, gradients):
        return {name: value - 0.5 * gradients[name] for name, value in parameters.items()}

    parameters = {"w": lazynp.lazy(np.ones((300, 400))), "b": lazynp.lazy(np.ones(SIZE))}
    gradients = {"w": np.full((300, 400), 2.0), "b": np.full(SIZE, 4.0)}
    before = {name: address(value) for name, value in parameters.items()}
    result = update(parameters, gradients=gradients)
    assert {name: address(value) for name, value in result.items()} == before
    assert np.all(np.asarray(result["w"]) == 0) and np.all(np.asarray(result["b"]) == -1)


def test_wrong_arguments_are_told():
    with pytest.raises(ValueError, match="no argument 'z' to donate; it has x, y"):
        lazynp.jit(step, donate_argnames="z")
    with pytest.raises(ValueError, match="argument 2 is to be donated, but the function has 2 positional arguments"):
        lazynp.jit(step, donate_argnums=2)
    with pytest.raises(ValueError, match="cannot be both static and donated"):
        lazynp.jit(step, donate_argnums=1, static_argnames="y")


def test_a_jitted_function_with_these_options_pickles():
    f = pickle.loads(pickle.dumps(lazynp.jit(np.positive, donate=0, allow_gc=False)))
    x = np.arange(float(SIZE))
    assert f(x) is x and f.memory_plan(x).kept


def test_a_call_that_fails_leaves_no_half_written_array():
    f = lazynp.jit(lambda x, k: (x * 2, x[k]), donate=0, strict=True)
    x = lazynp.lazy(np.arange(float(SIZE)))
    np.asarray(x)
    assert f.memory_plan(x, np.array([0])).donated == 8 * SIZE
    with pytest.raises(IndexError):
        f(x, np.array([SIZE]))
    with pytest.raises(RuntimeError, match="Array has been deleted"):
        x.sum()


# --- memory that stays --------------------------------------------------------------------------------------------------


def wave(x):
    return np.sin(x)[::-1] + np.cos(x)


@pytest.mark.parametrize("make", [np.array, lazynp.lazy], ids=["numpy", "lazy"])
def test_results_that_nobody_holds_are_used_again(make):
    f = lazynp.jit(wave, allow_gc=False, strict=True)
    x = make(np.linspace(0, 1, SIZE))
    seen = set()
    for _ in range(5):
        result = f(x)
        np.testing.assert_allclose(result, wave(np.linspace(0, 1, SIZE)), rtol=1e-12)
        seen.add(address(result))
        del result
    assert len(seen) == 1
    assert f.memory_plan(x).kept and not lazynp.jit(wave).memory_plan(x).kept


@pytest.mark.parametrize("make", [np.array, lazynp.lazy], ids=["numpy", "lazy"])
def test_results_that_somebody_holds_stay(make):
    f = lazynp.jit(wave, allow_gc=False, strict=True)
    x = make(np.linspace(0, 1, SIZE))
    results = [f(x) for _ in range(6)]
    assert len({address(r) for r in results}) == 6
    view = results.pop()[3:]
    kept = np.asarray(view).copy()
    results.clear()
    gc.collect()
    for k in range(8):
        f(make(np.full(SIZE, float(k))))
    np.testing.assert_array_equal(view, kept)


def test_a_result_that_is_fed_back_uses_two_memories():
    f = lazynp.jit(wave, allow_gc=False, strict=True)
    x = expected = np.linspace(0, 1, SIZE)
    seen = set()
    for _ in range(6):
        x, expected = f(x), wave(expected)
        seen.add(address(x))
    assert len(seen) == 2
    np.testing.assert_allclose(x, expected, rtol=1e-10)


def test_kept_temporaries_stay_their_own():
    def body(x):
        return np.sort(np.cumsum(x)[::-1] * x) + np.cumsum(x)

    f = lazynp.jit(body, allow_gc=False, strict=True)
    g = lazynp.jit(body, strict=True)
    for k in range(4):
        x = np.linspace(0, 1, SIZE) * (k + 1)
        np.testing.assert_array_equal(f(x), g(x))
