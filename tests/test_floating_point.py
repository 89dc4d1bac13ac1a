"""numpy.errstate: warnings, errors and callbacks of fused programs are NumPy's, with the user's line."""

import inspect
import warnings

import numpy as np
import pytest

import lazynp as lnp

collecting = warnings.catch_warnings
"""By another name: what `with warnings.catch_warnings` surrounds is computed at once (tests/test_handlers.py)."""
CATEGORIES = {RuntimeWarning}
"""By another name, too."""

X = np.linspace(-1.0, 1.0, 101)
Z, BIG = np.zeros(101), np.full(101, 1e200)

WRONG = {
    "divide": (lambda n, x, z, b: x / z, ["divide by zero encountered in divide", "invalid value encountered in divide"]),
    "log": (lambda n, x, z, b: n.log(z) + x, ["divide by zero encountered in log"]),
    "sqrt": (lambda n, x, z, b: n.sqrt(x) * 2, ["invalid value encountered in sqrt"]),
    "overflow": (lambda n, x, z, b: (b * b) + x, ["overflow encountered in multiply"]),
    "exp": (lambda n, x, z, b: n.exp(b) + 1, ["overflow encountered in exp"]),
    "inf - inf": (lambda n, x, z, b: n.exp(b) - n.exp(b), ["invalid value encountered in subtract", "overflow encountered in exp"]),
    "power": (lambda n, x, z, b: x**-0.5, ["divide by zero encountered in power", "invalid value encountered in power"]),
    "remainder": (lambda n, x, z, b: x % z, ["invalid value encountered in remainder"]),
    "integers": (lambda n, x, z, b: n.floor(9 * x).astype(int) // z.astype("i4"), ["divide by zero encountered in floor_divide"]),
    "unsigned": (lambda n, x, z, b: n.uint8(7) % z.astype("u1") + x, ["divide by zero encountered in remainder"]),
    "fmod": (lambda n, x, z, b: n.fmod(7, z.astype("i2")) + x, ["divide by zero encountered in fmod"]),
    "reduce": (lambda n, x, z, b: n.sum(b * 1e107) + x, ["overflow encountered in reduce"]),
    "float32": (lambda n, x, z, b: n.exp(x.astype("f4") * 200), ["overflow encountered in exp"]),
    "zero to a complex power": (lambda n, x, z, b: (z + 0j) ** (x - 2j), ["invalid value encountered in power"]),
    "least integer": (lambda n, x, z, b: (z.astype(int) - 2**62) * 2 // (z.astype(int) - 1), ["overflow encountered in floor_divide"]),
    "divmod": (lambda n, x, z, b: sum(divmod(n.floor(9 * x).astype(int), z.astype(int))), ["divide by zero encountered in divmod"]),
    "a side that is not taken": (
        lambda n, x, z, b: n.where(z != 0, x / z, 0),
        ["divide by zero encountered in divide", "invalid value encountered in divide"],
    ),
    "inside a side": (lambda n, x, z, b: n.where(z != 0, 2 * n.sqrt(x) + 1, x), ["invalid value encountered in sqrt"]),
    "a side of single precision": (
        lambda n, x, z, b: n.where(x > 5, n.float32(1) / z.astype("f4"), n.float32(2)) * x.astype("f4"),
        ["divide by zero encountered in divide"],
    ),
    "a side of integers": (
        lambda n, x, z, b: n.where(z != 0, n.floor(9 * x).astype(int) // z.astype(int), 0),
        ["divide by zero encountered in floor_divide"],
    ),
    "the sum of sides": (
        lambda n, x, z, b: n.sum(n.where(z != 0, x / z, 0)) + x,
        ["divide by zero encountered in divide", "invalid value encountered in divide"],
    ),
    "to integers and back": (lambda n, x, z, b: b.astype(int).astype(float) + x, ["invalid value encountered in cast"]),
    "to short integers and back": (lambda n, x, z, b: (x * 3e9).astype("i4").astype(float) + x, ["invalid value encountered in cast"]),
    "complex": (lambda n, x, z, b: (x + 1j) / z, ["divide by zero encountered in divide", "invalid value encountered in divide"]),
}


CONSTANTS = {
    "exp": (lambda n: n.exp(n.full(5, 1000.0)), "overflow encountered in exp"),
    "multiply": (lambda n: n.full(5, 1e200) * n.full(5, 1e200), "overflow encountered in multiply"),
    "divide": (lambda n: 1 / n.zeros(5), "divide by zero encountered in divide"),
    "float32": (lambda n: n.full(5, 1e200).astype("f4"), "overflow encountered in cast"),
    "complex": (lambda n: n.log(n.zeros(5, complex)), "divide by zero encountered in log"),
    "integers": (lambda n: n.full(5, 7) // n.zeros(5, int), "divide by zero encountered in floor_divide"),
}  # fmt: skip


@pytest.mark.parametrize("name", CONSTANTS)
def test_constants_of_a_program_warn_at_every_call(name):
    function, expected = CONSTANTS[name]
    compiled = lnp.jit(strict=True)(lambda x: x + function(lnp))
    for _ in range(3):
        with collecting(record=True) as told:
            warnings.simplefilter("always")
            compiled(np.ones(5))
        assert messages(told) == [expected]


def messages(caught):
    return sorted([str(w.message) for w in caught])


@pytest.mark.parametrize("mode", ["lazy", "interpreted", "jit"])
@pytest.mark.parametrize("name", list(WRONG))
def test_warnings_are_numpys(name, mode):
    function, expected = WRONG[name]
    with collecting(record=True) as plain:
        warnings.simplefilter("always")
        wanted = function(np, X, Z, BIG)
    with collecting(record=True) as caught:
        warnings.simplefilter("always")
        got = run(function, mode)
    assert np.array_equal(got, wanted, equal_nan=True) or mode != "interpreted"
    assert set(messages(plain)) == set(expected)
    assert messages(caught) == sorted(expected)
    assert {w.category for w in caught} == CATEGORIES
    assert {w.filename for w in caught} == {__file__}


def run(function, mode):
    if mode == "jit":
        return lnp.jit(strict=True)(lambda x, z, b: function(lnp, x, z, b))(X, Z, BIG)
    with lnp.config(backend="reference" if mode == "interpreted" else "c", compile_after=1):
        return np.asarray(function(lnp, lnp.lazy(X), lnp.lazy(Z), lnp.lazy(BIG)))


N = np.where(X > 0.5, np.nan, X).reshape(1, 101) * np.ones((3, 1))
N[1] = np.nan
COMPOSED = {
    "mean": lambda n, a: n.mean(a[:, :0]), "mean axis": lambda n, a: n.mean(a[:0], 0), "var": lambda n, a: n.var(a[:2], 0, ddof=2),
    "std": lambda n, a: n.std(a[:1], axis=0, ddof=1), "nanmean": lambda n, a: n.nanmean(a, 1), "nanmax": lambda n, a: n.nanmax(a, 1),
    "nanmin": lambda n, a: n.nanmin(a, 1), "nanvar": lambda n, a: n.nanvar(a, 1), "nanstd": lambda n, a: n.nanstd(a, 1),
    "nanmedian": lambda n, a: n.nanmedian(a, 1), "nanmean fine": lambda n, a: n.nanmean(a, 0), "nanmax fine": lambda n, a: n.nanmax(a, 0),
    "nanvar fine": lambda n, a: n.nanvar(a), "isclose": lambda n, a: n.isclose(a * np.inf, np.inf), "cov": lambda n, a: n.cov(a[0, :1]),
}  # fmt: skip


@pytest.mark.parametrize("mode", ["lazy", "jit"])
@pytest.mark.parametrize("name", list(COMPOSED))
def test_functions_with_words_of_their_own(name, mode):
    function = COMPOSED[name]
    answers = []
    for run_one in (lambda: function(np, N), lambda: _composed(function, mode)):
        with collecting(record=True) as caught:
            warnings.simplefilter("always")
            value = run_one()
        answers.append((value, {str(w.message).replace("scalar ", "") for w in caught}))
    (wanted, plain), (got, ours) = answers
    np.testing.assert_allclose(got, wanted)
    assert ours == plain


def _composed(function, mode):
    if mode == "jit":
        return lnp.jit(strict=True)(lambda a: function(lnp, a))(N)
    with lnp.config(lazy_threshold=0, compile_after=1):
        return np.asarray(function(lnp, lnp.lazy(N)))


def test_the_line_is_the_one_that_recorded_the_operation():
    with collecting(record=True) as caught:
        warnings.simplefilter("always")
        bad = lnp.lazy(X) / lnp.lazy(Z)
        line = inspect.currentframe().f_lineno - 1
        assert not caught
        np.asarray(bad + 1)
    assert {w.lineno for w in caught} == {line}


def test_settings_are_those_of_the_recording():
    x, z = lnp.lazy(X), lnp.lazy(Z)
    with np.errstate(all="ignore"):
        quiet = x / z
    with collecting():
        warnings.simplefilter("error")
        np.asarray(quiet + 0)
    with np.errstate(divide="raise"), pytest.raises(FloatingPointError, match="divide by zero encountered in log"):
        lnp.log(lnp.lazy(Z))  # computed at once: a program catches the error here


def test_settings_inside_jit():
    @lnp.jit(strict=True)
    def function(x, z):
        with np.errstate(divide="ignore", invalid="ignore"):
            y = x / z
        return y

    @lnp.jit(strict=True)
    def strict(x):
        with np.errstate(invalid="raise"):
            return lnp.sqrt(x)

    with collecting():
        warnings.simplefilter("error")
        for _ in range(3):
            function(X, Z)
            strict(np.abs(X))
    for _ in range(3):
        with pytest.raises(FloatingPointError, match="invalid value encountered in sqrt"):
            strict(X)


def test_callback_and_underflow():
    heard = []
    with np.errstate(all="call", call=lambda kind, flag: heard.append((kind, flag))):
        np.asarray(lnp.exp(lnp.lazy(BIG)) + 1)
        np.asarray(lnp.exp(-800 * lnp.lazy(np.abs(X) + 0.95)) + 1)
    assert set(heard) == {("overflow", 2), ("underflow", 4)}


@pytest.mark.parametrize("function", [lambda x: lnp.maximum(x, 0), lambda x: x < 1, lambda x: lnp.where(x > 0, x, 0), lambda x: x * 2 + 1])
def test_nan_is_no_reason_to_warn(function):
    compiled = lnp.jit(strict=True)(function)
    with collecting():
        warnings.simplefilter("error")
        for _ in range(20):
            compiled(np.full(50, np.nan))


def test_a_warning_is_not_lost_after_many_false_alarms():
    compiled = lnp.jit(strict=True)(lambda x, y: (lnp.maximum(x, 0), 1 / y))
    with collecting():
        warnings.simplefilter("error")
        for _ in range(50):
            compiled(np.full(50, np.nan), np.ones(50))
    with pytest.warns(RuntimeWarning, match="divide by zero"):
        compiled(np.full(50, np.nan), np.zeros(50))


def test_many_threads_report_their_flags():
    x = np.ones(1 << 20)
    x[-1] = 0
    compiled = lnp.jit(strict=True)(lambda a: 1 / a)
    with lnp.config(threads=2), pytest.warns(RuntimeWarning, match="divide by zero encountered in divide"):
        compiled(x)


def test_in_place_programs_warn_too():
    x = lnp.array(np.ones(20000))
    with pytest.warns(RuntimeWarning, match="divide by zero encountered in divide"):
        x /= lnp.lazy(np.zeros(20000))
        np.asarray(x)


def test_flags_that_were_up_before_are_not_ours():
    compiled = lnp.jit(strict=True)(lambda a: a + 1)
    compiled(X)
    with np.errstate(all="ignore"):
        np.log(Z)
    with collecting():
        warnings.simplefilter("error")
        compiled(X)


def test_the_same_warning_twice_at_one_line():
    f = lnp.jit(lambda x: lnp.exp(x))
    with collecting(record=True) as found:
        warnings.simplefilter("default")
        for _ in range(3):
            f(np.full(5, 1e4))
    assert [str(w.message) for w in found] == ["overflow encountered in exp"]


def test_flags_of_a_run_that_failed_are_nobodys():
    """They were taken for the next program's: it warned without a reason."""

    @lnp.jit
    def picked(x, i):
        return np.log(x)[i]

    @lnp.jit
    def summed(x):
        x[1] += 0.5 * x[0]
        return x

    for _ in range(3):
        with pytest.raises(IndexError), np.errstate(all="ignore"):
            picked(np.array([-1.0, 1.0]), np.array([5]))
        with lnp.config(debug_nans=True), pytest.raises(FloatingPointError), np.errstate(all="ignore"):
            lnp.jit(lambda x: np.sqrt(x))(np.array([-1.0]))
        with collecting():
            warnings.simplefilter("error")
            summed(np.ones(5))


MASKED = {
    "power": lambda n, x, z: n.power(x, -1.5, out=z, where=x > 0),
    "divide": lambda n, x, z: n.divide(1.0, x, out=z, where=x != 0),
    "log": lambda n, x, z: n.log(x, out=z, where=x > 0),
    "by a scalar": lambda n, x, z: n.divide(x, 0.0, out=z, where=x > 9),
    "spread mask": lambda n, x, z: n.sqrt(x[50:51], out=z, where=x > 0),
    "integers": lambda n, x, z: n.floor_divide(n.arange(101), n.arange(101) % 3, out=z, where=n.arange(101) % 3 != 0, casting="unsafe"),
}


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("mode", ["lazy", "interpreted", "jit"])
@pytest.mark.parametrize("name", list(MASKED))
def test_no_warning_of_what_the_mask_leaves_out(name, mode):
    def function(n, x, z, b):
        return MASKED[name](n, x, z * 2)

    np.testing.assert_allclose(run(function, mode), function(np, X, Z, BIG), rtol=1e-14)


@pytest.mark.parametrize("name", ["log", "sums"])
def test_what_prints_warns_and_prints_once(name, capsys):
    """The graph of a program that has raised flags runs again; what it has printed stays printed."""
    x = X.copy()
    x[3] = np.nan

    def shown(n, x):
        print(n.log(x)[:4] if name == "log" else n.max(n.sqrt(x)), n.max(x))

    outcomes = []
    for n, call in ((np, lambda: shown(np, x)), (lnp, lambda: lnp.jit(strict=True)(lambda x: shown(lnp, x))(x))):
        with collecting(record=True) as caught:
            warnings.simplefilter("always")
            call()
        outcomes.append((capsys.readouterr().out, messages(caught), n.geterr()))
    assert outcomes[0] == outcomes[1]


def test_sides_where_nothing_is_told():
    """No instruction is spent on it, and masked updates, of which NumPy computes what is selected, do not warn."""

    @lnp.jit(strict=True)
    def function(x, z):
        with np.errstate(divide="ignore", invalid="ignore"):
            chosen = lnp.where(z != 0, x / z, 0)
        masked = x.copy()
        masked[z != 0] = x[z != 0] / z[z != 0]
        masked[x > 0.5] = 1 / (x[x > 0.5] - 1.5)
        return chosen, masked

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        chosen, _masked = function(X, Z)
    assert not chosen.any()
    assert "lz_both" not in lnp.show(function, X, Z, stage="c")


@pytest.mark.parametrize("dtype", ["c16", "c8"])
def test_complex_quotients_have_numpys_bits(dtype):
    special = [0.0, -0.0, 1.0, -2.0, np.inf, -np.inf, np.nan, 3e-310, 1e308]
    generator = np.random.default_rng(0)
    with np.errstate(all="ignore"):
        numbers = np.array([complex(a, b) for a in special for b in special]).astype(dtype)
        a, b = (
            np.concatenate([part, generator.normal(size=(999, 2)) @ [1, 1j]]) for part in (np.repeat(numbers, 81), np.tile(numbers, 81))
        )
        a, b = a.astype(dtype), b.astype(dtype)
        for function, arguments in ((np.divide, (a, b)), (np.reciprocal, (b,))):
            ours, theirs = lnp.jit(function)(*arguments), function(*arguments)
            for x, y in ((ours.real, theirs.real), (ours.imag, theirs.imag)):
                np.testing.assert_array_equal(x, y)
                both = ~np.isnan(y)
                np.testing.assert_array_equal(np.signbit(x[both]), np.signbit(y[both]))


def test_a_complex_quotient_divides_by_its_larger_part_alone():
    """In vectors the other one was divided by too: a program that works in place said that something was divided by zero."""

    def halve(y, by):
        y /= by
        np.reciprocal(y, out=y)

    y, by = np.linspace(1, 2, 64) * (1 + 1j), np.full(64, 2.0 + 0j)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        lnp.jit(halve)(y, by)


def loop_divides(a, b):
    for i in range(len(a)):
        a[i] = a[i] / b[i]


def loop_takes_roots(a, b):
    for _ in range(3):
        b += np.sqrt(a - 1)
        a *= 0.9


def loop_divides_by_some(a, b):
    for i in range(len(a)):
        if b[i] != 0:
            a[i] = a[i] / b[i]


def roots_of_the_greater(a, b):
    for _ in range(3):
        b += np.sqrt(np.maximum(a - 0.5, 0))
    b /= b.mean()


@pytest.mark.parametrize("function", [loop_divides, loop_takes_roots, loop_divides_by_some, roots_of_the_greater])
def test_loops_in_place_warn_of_their_own_operations(function):
    """They warned of the last operation after the loop, or of what a branch leaves out; of divisions inside they said nothing."""
    said = []
    for run in (function, lnp.jit(function, strict=True)):
        a, b = np.linspace(0.1, 0.9, 37), np.arange(37.0) % 3
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            run(a, b)
        said.append({(str(w.message), w.lineno) for w in caught})
    assert said[0] == said[1]


def test_operators_of_numbers_say_scalar():
    def function(a):
        return np.mean(a[:0]) + a.sum() / a[0] if a.ndim else a

    said = []
    for run in (function, lnp.jit(function, strict=True)):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            run(np.arange(4.0))
        said.append({str(w.message) for w in caught})
    assert said[0] == said[1] >= {"divide by zero encountered in scalar divide", "invalid value encountered in scalar divide"}


def test_loops_say_what_their_caller_asks_for():
    def sines(a):
        out = np.empty_like(a)
        for i in range(len(a)):
            out[i] = np.sin(a[i])
        return out

    a, compiled = np.array([np.inf] * 64), lnp.jit(sines, strict=True)
    with np.errstate(all="ignore"):  # the first call, which records the loop, and a later one
        compiled(a)
        compiled(a)
    with pytest.warns(RuntimeWarning, match="invalid value encountered in sin"):
        compiled(a)


_PRODUCTS = {
    "dot": lambda x, y: np.dot(x, y),
    "dot of a number": lambda x, y: np.dot(x, 1e308),
    "inner": lambda x, y: np.inner(x, y),
    "tensordot": lambda x, y: np.tensordot(x, y, 1),
    "vecdot": lambda x, y: np.vecdot(x, y),
    "matvec": lambda x, y: np.matvec(x, y[0]),
    "vdot": lambda x, y: np.vdot(x, y),
    "einsum": lambda x, y: np.einsum("ij,jk->ik", x, y),
    "einsum without sums": lambda x, y: np.einsum("ij,ij->ij", x, y),
    "convolve": lambda x, y: np.convolve(x[3], y[4]),
}


@pytest.mark.parametrize("name", _PRODUCTS)
@pytest.mark.parametrize("large", [1e300, np.inf])
def test_products_warn_in_the_name_of_their_function(name, large):
    x, y = np.full((40, 40), 3.0), np.full((40, 40), 1e200)
    x[3, 4], y[4] = large, 0 if large == np.inf else 1e200
    said = []
    for run, args in ((_PRODUCTS[name], (x, y)), (_PRODUCTS[name], (lnp.lazy(x), lnp.lazy(y))), (lnp.jit(_PRODUCTS[name]), (x, y))):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            np.asarray(run(*args))
        said.append({str(w.message) for w in caught})
    assert said[0] == said[1] == said[2]


@pytest.mark.parametrize("mode", ["full", "same", "valid"])
@pytest.mark.parametrize(("n", "m"), [(50, 5), (5, 5), (90, 70), (66, 100)])
def test_weights_that_are_not_finite_reach_no_further_than_the_products(mode, n, m):
    x, weights = np.random.default_rng(0).standard_normal((2, max(n, m)))
    x, weights = x[:n], weights[:m]
    weights[m // 3], weights[m // 2] = np.inf, np.nan
    expected = np.convolve(x, weights, mode)
    np.testing.assert_allclose(lnp.convolve(lnp.lazy(x), lnp.lazy(weights), mode), expected)
    np.testing.assert_allclose(lnp.jit(lambda x, w: lnp.convolve(x, w, mode))(x, weights), expected)


def _in_a_loop(x):
    s = 0.0
    for v in x:
        with np.errstate(divide="ignore"):
            s += 1 / v
        s += np.log(v)
    return s


def _in_a_branch_of_a_loop(x):
    s, k = 0.0, 0
    while k < len(x):
        if x[k] >= 0:
            s += np.sqrt(-1 / x[k])
        k += 1
    return s


def _of_arrays_in_a_loop(x):
    total = 0.0
    for i in range(len(x)):
        total += (x * np.inf)[i:].sum()
    return total


def _asked_to_raise(x):
    with np.errstate(all="raise"):
        s = 0.0
        for v in x:
            s = s + 1 / v
    return s


@pytest.mark.parametrize("program", [_in_a_loop, _in_a_branch_of_a_loop, _of_arrays_in_a_loop, _asked_to_raise], ids=lambda f: f.__name__)
def test_what_bodies_of_loops_compute_warns_in_numpys_words(program):
    def told(f):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            try:
                f(np.arange(12) * 0.5 - 1)
            except FloatingPointError as error:
                return str(error)
        return sorted({str(warning.message) for warning in caught})

    assert told(lnp.jit(program, strict=True)) == told(program)


def test_a_loop_that_raises_does_not_make_an_equal_one_raise():
    def quiet(x):
        s = 0.0
        for v in x:
            s = s + 1 / v
        return s

    x = np.arange(12) * 0.5 - 1
    raising = lnp.jit(_asked_to_raise, strict=True)
    with pytest.raises(FloatingPointError):
        raising(x)
    with pytest.warns(RuntimeWarning, match="divide by zero encountered in scalar divide"):
        lnp.jit(quiet, strict=True)(x)
