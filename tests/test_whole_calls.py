"""Derivatives outside of jit run as programs where nobody can tell; what Python does at each call is done at each call."""

import inspect
import pickle
import random
import warnings
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import numpy
import pytest

import lazynp as np
from lazynp import DerivativeWarning, config, elementwise_grad, grad, hessian, hvp, jacobian, jit, stats, value_and_grad
from lazynp.functional import run as runs

X = numpy.array([1.0, 2.0, 3.0])
SCALE = 2.0
TABLE = numpy.ones(3)
LARGE = numpy.ones(30_000)
SETTINGS: dict[str, Any] = {"scale": 1.0, "rows": [2.0, numpy.ones(3)]}
MODEL = SimpleNamespace(scale=1.0)

Function = Callable[..., Any]


@pytest.fixture
def recorded(monkeypatch: Any) -> list[str]:
    """Grows whenever a function runs to be differentiated."""
    seen: list[str] = []
    original = runs.Run.__init__
    monkeypatch.setattr(runs.Run, "__init__", lambda self, *a, **k: (seen.append(a[0]), original(self, *a, **k))[1])
    return seen


def polynomial(x: Any, power: Any = 3) -> Any:
    return np.sum(x**power * 0.5)


TRANSFORMS: dict[str, Function] = {
    "grad": grad,
    "value_and_grad": lambda f: lambda x: value_and_grad(f)(x)[1],
    "elementwise_grad": elementwise_grad,
    "jacobian": jacobian,
    "hessian": hessian,
    "hvp": lambda f: lambda x: hvp(f)(x, x),
    "second order": lambda f: grad(lambda x: np.sum(grad(f)(x))),
}


@pytest.mark.parametrize("name", ["grad", "elementwise_grad", "jacobian", "hessian", "hvp", "second order"])
def test_the_third_call_runs_no_python(name: str, recorded: list[str]) -> None:
    derivative = TRANSFORMS[name](polynomial)
    first = derivative(X)
    numpy.testing.assert_allclose(derivative(X), first, rtol=1e-12)
    before = len(recorded), stats()["programs"]
    numpy.testing.assert_allclose(derivative(X), first, rtol=1e-12)
    assert (len(recorded), stats()["programs"]) == before


def test_a_loop_is_a_program_at_once(recorded: list[str]) -> None:
    def steps(x: Any) -> Any:
        for _ in range(200):
            x = x + 0.01 * np.sin(x)
        return np.sum(x)

    derivative = grad(steps)
    first = derivative(X)
    before = len(recorded)
    numpy.testing.assert_array_equal(derivative(X), first)
    assert len(recorded) == before
    slope, x = numpy.ones(3), X
    for _ in range(200):
        slope, x = slope * (1 + 0.01 * numpy.cos(x)), x + 0.01 * numpy.sin(x)
    numpy.testing.assert_allclose(first, slope, rtol=1e-9)


def test_whole_calls_can_be_switched_off(recorded: list[str]) -> None:
    derivative = grad(polynomial)
    with config(whole_calls=False):
        found = [derivative(X + 0.5) for _ in range(4)]
    assert len(recorded) == 4
    numpy.testing.assert_array_equal(found, [found[0]] * 4)


# --- what the function reads -----------------------------------------------------------------------------------------


def scaled(x: Any) -> Any:
    return x * SCALE


def _set_scale(k: int) -> None:
    global SCALE
    SCALE = float(k)


def _set_helper(k: int) -> None:
    global scaled
    scaled = (lambda value: lambda x: x * value)(float(k))  # type: ignore[assignment]


def with_defaults(x: Any, w: Any = TABLE.copy(), *, v: Any = TABLE.copy()) -> Any:  # noqa: B008
    return np.sum(x * w * v)


def _set_defaults(k: int) -> None:
    with_defaults.__defaults__[0][:] = k  # type: ignore[index]


def counted(x: Any) -> Any:
    return np.sum(x) * counted.scale  # type: ignore[attr-defined]


READ: dict[str, tuple[Function, Function]] = {
    "global": (lambda x: np.sum(x) * SCALE, _set_scale),
    "global of a helper": (lambda x: np.sum(scaled(x)), _set_scale),
    "helper": (lambda x: np.sum(scaled(x)), _set_helper),
    "array": (lambda x: np.sum(x * (TABLE + 0)), lambda k: TABLE.fill(k)),
    "large array": (lambda x: np.sum(x) * LARGE.mean(), lambda k: LARGE.fill(k)),
    "view of an array": (lambda x: np.sum(x) * LARGE[::-2].mean(), lambda k: LARGE.fill(k)),
    "dict": (lambda x: np.sum(x) * SETTINGS["scale"], lambda k: SETTINGS.update(scale=float(k))),
    "list in a dict": (lambda x: np.sum(x) * SETTINGS["rows"][0], lambda k: SETTINGS["rows"].__setitem__(0, float(k))),
    "array in a list": (lambda x: np.sum(x * SETTINGS["rows"][1]), lambda k: SETTINGS["rows"][1].fill(k)),
    "attribute": (lambda x: np.sum(x) * MODEL.scale, lambda k: setattr(MODEL, "scale", k)),
    "getattr": (lambda x: np.sum(x) * getattr(MODEL, "scale"), lambda k: setattr(MODEL, "scale", k)),  # noqa: B009
    "attribute of a function": (counted, lambda k: setattr(counted, "scale", k)),
    "default": (with_defaults, _set_defaults),
    "globals()": (lambda x: np.sum(x) * globals()["SCALE"], _set_scale),
    "eval": (lambda x: np.sum(x) * eval("SCALE"), _set_scale),
}


@pytest.mark.parametrize("name", READ)
def test_what_is_read_is_read_at_every_call(name: str) -> None:
    f, change = READ[name]
    derivative = grad(f)
    for k in (1, 1, 1, 2, 2, 3):
        change(k)
        numpy.testing.assert_allclose(derivative(X), numpy.full(3, float(k)))


@pytest.mark.parametrize("wrap", [grad, jacobian], ids=["grad", "jacobian"])
def test_under_jit_globals_of_helpers_are_followed_through_a_transform(wrap: Function) -> None:
    _set_helper(2)
    derivative = jit(wrap(lambda x: np.sum(scaled_by_global(x))))
    for k in (2, 3):
        _set_scale(k)
        numpy.testing.assert_allclose(derivative(X), numpy.full(3, float(k)))


def scaled_by_global(x: Any) -> Any:
    return x * SCALE


# --- what the function does ------------------------------------------------------------------------------------------


def _counter() -> Iterator[float]:
    k = 0.0
    while True:
        k += 1.0
        yield k


def _nonlocal() -> Function:
    count = 0

    def f(x: Any) -> Any:
        nonlocal count
        count += 1
        return np.sum(x) * count

    return f


def _appending() -> Function:
    calls: list[int] = []
    return lambda x: (calls.append(1), np.sum(x) * len(calls))[1]


def _remembering() -> Function:
    memory: dict[str, int] = {}

    def f(x: Any) -> Any:
        memory["calls"] = memory.get("calls", 0) + 1
        return np.sum(x) * memory["calls"]

    return f


def _writing() -> Function:
    count = numpy.zeros(1)

    def f(x: Any) -> Any:
        count[0] += 1
        return np.sum(x) * count[0]

    return f


NUMBERS = [_counter(), _counter()]
EFFECTS: dict[str, Function] = {
    "nonlocal": _nonlocal(),
    "append": _appending(),
    "dict": _remembering(),
    "write": _writing(),
    "next": lambda x, numbers=NUMBERS[0]: np.sum(x) * next(numbers),
    "function of another module": lambda x, numbers=NUMBERS[1]: np.sum(x) * random.choice([next(numbers)]),
}


@pytest.mark.parametrize("name", EFFECTS)
def test_what_is_done_is_done_at_every_call(name: str) -> None:
    derivative = grad(EFFECTS[name])
    for k in range(1, 6):
        numpy.testing.assert_allclose(derivative(X), numpy.full(3, float(k)))


def test_random_numbers_are_drawn_at_every_call() -> None:
    rng = numpy.random.default_rng(5)
    for f in (lambda x: np.sum(x * np.random.rand(3)), lambda x: np.sum(x * rng.random(3)), lambda x: np.sum(x) * random.random()):
        derivative = grad(f)
        drawn = [tuple(derivative(X)) for _ in range(4)]
        assert len(set(drawn)) == 4


def test_errors_and_warnings_come_at_every_call() -> None:
    inverse = grad(lambda x: np.sum(np.linalg.inv(x)))
    logarithm = grad(lambda x: np.sum(np.log(x)))
    for _ in range(4):
        with pytest.raises(numpy.linalg.LinAlgError):
            inverse(numpy.zeros((2, 2)))
        with pytest.warns(RuntimeWarning, match="divide by zero"):
            logarithm(numpy.zeros(3))
        with numpy.errstate(divide="raise"), pytest.raises(FloatingPointError):
            logarithm(numpy.zeros(3))
        with warnings.catch_warnings(), numpy.errstate(divide="ignore"):
            warnings.simplefilter("error")
            assert numpy.isinf(logarithm(numpy.zeros(3))).all()


def test_a_number_made_of_a_value_stays_a_constant() -> None:
    derivative = grad(lambda x: np.sum(x) * float(x[0]))
    for _ in range(4):
        with pytest.warns(DerivativeWarning):
            numpy.testing.assert_array_equal(derivative(X), numpy.ones(3))


# --- arguments and results -------------------------------------------------------------------------------------------


def test_results_share_no_memory() -> None:
    both = value_and_grad(lambda x, y: (np.sum(x * y), x), (0, 1), has_aux=True)
    for _ in range(4):
        (_, aux), (by_x, by_y) = both(X, X)
        arrays = [X, aux, by_x, by_y]
        assert not any(numpy.shares_memory(a, b) for k, a in enumerate(arrays) for b in arrays[:k])
        by_x[:] = by_y[:] = aux[:] = 7.0
        numpy.testing.assert_array_equal(X, [1.0, 2.0, 3.0])


def test_layouts_and_types_of_arguments() -> None:
    derivative = grad(lambda x: np.sum(x**2 * np.arange(3.0)))
    grid = numpy.arange(36.0).reshape(6, 6)
    frozen = X.copy()
    frozen.flags.writeable = False
    for x in (X, grid[0, ::2], grid[:3, 1], X[::-1], frozen, X.astype("f4"), X.astype("c16").real):
        for _ in range(3):
            found = derivative(x)
            assert found.dtype == x.dtype
            numpy.testing.assert_allclose(found, 2 * x * numpy.arange(3.0), rtol=1e-6)


def test_numbers_as_arguments() -> None:
    derivative = grad(polynomial)
    for power in (2, 3, 2, 5, 3, *range(1, 30)):
        numpy.testing.assert_allclose(derivative(X, power), 0.5 * power * X ** (power - 1.0))
    for value in (1.0, 2.0, numpy.float64(3.0), 1.0, 3.0):
        assert derivative(value) == 1.5 * value**2


def test_writes_to_other_arguments_reach_the_caller() -> None:
    """As where the function is called without a derivative; writes to the variables do not."""

    def f(x: Any, total: Any, log: list[float], d: dict[str, int]) -> Any:
        total += x
        x *= 2.0
        log.append(1.0)
        d["calls"] = d.get("calls", 0) + 1
        return np.sum(total * x)

    for wrap in (lambda g: g, jit):
        total, log, d = numpy.zeros(3), [], {}  # type: ignore[var-annotated]
        x = X.copy()
        derivative = wrap(grad(f))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # jit: it changes lists
            for k in range(1, 5):
                numpy.testing.assert_allclose(derivative(x, total, log, d), 2 * x + 2 * total)
                numpy.testing.assert_array_equal(total, k * X)
        assert (len(log), d["calls"]) == (4, 4)
        numpy.testing.assert_array_equal(x, X)


def test_a_read_only_argument_stays_one() -> None:
    def f(x: Any, y: Any) -> Any:
        y += x
        return np.sum(y)

    y = numpy.zeros(3)
    y.flags.writeable = False
    with pytest.raises(ValueError, match="read-only"):
        grad(f)(X, y)


# --- as objects ------------------------------------------------------------------------------------------------------


class Model:
    """Methods may be derivatives."""

    scale = 3.0

    @grad
    def slope(x: Any) -> Any:  # noqa: N805
        """By x."""
        return np.sum(x**2)

    @lambda f: grad(f, argnums=1)
    def scaled_slope(self, x: Any) -> Any:
        return self.scale * np.sum(x**2)


def test_a_derivative_is_named_after_its_function_and_binds_as_one() -> None:
    assert grad(polynomial).__name__ == "polynomial"
    assert inspect.signature(grad(polynomial)) == inspect.signature(polynomial)
    assert Model.slope.__doc__ == "By x."
    model = Model()
    for scale in (3.0, 4.0, 4.0, 4.0, 5.0):
        model.scale = scale
        numpy.testing.assert_allclose(model.scaled_slope(X), 2 * scale * X)


@pytest.mark.parametrize("name", ["grad", "elementwise_grad", "jacobian", "hessian"])
def test_derivatives_pickle(name: str) -> None:
    for derivative in (TRANSFORMS[name](polynomial), jit(TRANSFORMS[name](polynomial))):
        expected = derivative(X)
        numpy.testing.assert_array_equal(pickle.loads(pickle.dumps(derivative))(X), expected)
