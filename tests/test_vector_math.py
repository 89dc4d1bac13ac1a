"""Every C helper of the prelude against NumPy, inside a `#pragma omp simd` loop over long arrays of ordinary and special values."""

import math
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import lazynp
from lazynp.backends import prelude, toolchain

pytestmark = pytest.mark.skipif(toolchain.find_compiler() is None, reason="needs a C compiler")


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    """Special values make NumPy warn; here they are the subject."""
    with np.errstate(all="ignore"):
        yield


DTYPES = {
    "b1": "?",
    "i8": "i1",
    "i16": "i2",
    "i32": "i4",
    "i64": "i8",
    "u8": "u1",
    "u16": "u2",
    "u32": "u4",
    "u64": "u8",
    "f16": "f2",
    "f32": "f4",
    "f64": "f8",
    "c64": "c8",
    "c128": "c16",
}
VECTOR_MATH = (
    "exp exp2 expm1 log log2 log10 log1p sin cos tan arcsin arccos arctan sinh cosh tanh arcsinh arccosh arctanh cbrt "
    "power float_power arctan2 hypot"
).split()
"""Within 4 ulp of the true value; everything else of a real dtype is equal to NumPy's result, bit for bit but for NaN's."""
LOGADDEXP = ("logaddexp", "logaddexp2")
SIGN_FREE = ("maximum", "minimum", "fmax", "fmin")
"""NumPy's own answer for zeros of both signs depends on its vector unit."""


def program(helper: str, arguments: list[str], result: str) -> str:
    """C text: out[i] = helper(in0[i], in1[i], ...) over dims[1] elements. arguments, result: suffixes."""
    types = [prelude.CTYPES[result], *(prelude.CTYPES[suffix] for suffix in arguments)]
    slots = "\n".join(f"    {kind} *restrict p{n} = slots[{n}];" for n, kind in enumerate(types))
    call = f"{helper}({', '.join(f'p{n}[i]' for n in range(1, len(types)))})"
    return (
        f"{prelude.emit([helper])}\nint64_t lazynp_run(void **slots, const int64_t *dims) {{\n{slots}\n"
        f"    #pragma omp simd\n    for (int64_t i = 0; i < dims[1]; i++) p0[i] = {call};\n    return 0;\n}}\n"
    )


def evaluate(helper: str, arrays: list[np.ndarray], result: np.dtype) -> np.ndarray:
    """The helper mapped over contiguous 1-d arrays of one length."""
    arrays = [np.ascontiguousarray(array) for array in arrays]
    suffixes = [prelude.suffix(array.dtype) for array in arrays]
    lib = toolchain.build(
        program(helper, suffixes, prelude.suffix(result)),
        f"test-{helper}-{'-'.join(suffixes)}-{prelude.suffix(result)}-{toolchain.find_compiler().fingerprint}",
    )
    out = np.empty(len(arrays[0]), result)
    ffi = toolchain.ffi
    slots = ffi.new("void *[]", [ffi.cast("void *", array.ctypes.data) for array in (out, *arrays)])
    lib.lazynp_run(slots, ffi.new("int64_t[]", [1, len(out)]))
    return out


def special(dtype: np.dtype) -> np.ndarray:
    """Edge values of a dtype, real or complex."""
    dtype = np.dtype(dtype)
    if dtype.kind == "b":
        return np.array([False, True])
    if dtype.kind in "iu":
        info = np.iinfo(dtype)
        values = [0, 1, 2, 3, 5, 7, 8, 9, 15, 16, 17, 31, 32, 33, 63, 64, 65, 100, info.max, info.max - 1, info.min, info.min + 1]
        return np.array([v for v in [*values, *(-v for v in values[:18])] if info.min <= v <= info.max], dtype)
    if dtype.kind == "c":
        parts = np.array([0.0, -0.0, 1, -1, 0.5, -2.25, 3, 30, np.inf, -np.inf, np.nan, 1e-30, -1e30])
        real, imag = np.meshgrid(parts, parts)
        out = np.empty(real.size, dtype)
        out.real, out.imag = real.ravel(), imag.ravel()
        return out
    info = np.finfo(dtype)
    tiny, least, big, eps = info.tiny, info.smallest_subnormal, info.max, info.eps
    values = [0.0, 1, 0.5, 2, 3, 0.25, 0.1, 10, 127, 128, 150, 1 - eps, 1 + eps, eps, tiny, least, tiny / 4, big, np.inf, np.nan, np.pi]
    values += [np.pi / 2, 88.7, 88.8, 103.5, 709.7, 710, 745.5, 1022, 1023, 1024, 1075, 1e4] + ([1e22, 1e10] if dtype.itemsize > 2 else [])
    both = np.array(values, dtype)
    return np.concatenate([both, -both])


def ordinary(dtype: np.dtype, count: int, seed: int) -> np.ndarray:
    """Random values over many magnitudes; random bits for integers and, in part, for floats."""
    dtype = np.dtype(dtype)
    rng = np.random.default_rng(seed)
    if dtype.kind == "c":
        part = np.dtype(f"f{dtype.itemsize // 2}")
        return (rng.standard_normal(count) * 3).astype(part) + 1j * (rng.standard_normal(count) * 3).astype(part)
    bits = rng.integers(0, 256, (count, dtype.itemsize), dtype=np.uint8)
    if dtype.kind == "b":
        return (bits[:, 0] & 1).astype(bool)
    raw = bits.view(dtype).ravel()
    if dtype.kind in "iu":
        return np.where(rng.random(count) < 0.5, raw, rng.integers(0, 12, count).astype(dtype))
    scale = rng.choice([1e-3, 1, 1, 3, 30, 700], count)
    return np.where(rng.random(count) < 0.2, raw, (rng.standard_normal(count) * scale).astype(dtype))


def samples(dtype: np.dtype, arity: int) -> list[np.ndarray]:
    """At least 1000 elements per argument: all combinations of special values, then ordinary ones."""
    grid = np.meshgrid(*[special(dtype)] * arity)
    return [np.concatenate([axis.ravel(), ordinary(dtype, 1000, seed)]) for seed, axis in enumerate(grid)]


def assert_same_values(got: np.ndarray, want: np.ndarray, arguments: list[np.ndarray], signs: bool = True) -> None:
    """Equal, NaN where NaN, and zeros of the same sign."""
    assert got.dtype == want.dtype
    good = (got == want) | ((got != got) & (want != want))
    if signs and got.dtype.kind == "f":
        good &= (np.signbit(got) == np.signbit(want)) | (got != got)
    bad = np.flatnonzero(~good)
    assert not len(bad), [(*(a[i] for a in arguments), "got", got[i], "want", want[i]) for i in bad[:5]]


def assert_within_ulps(got: np.ndarray, want: np.ndarray, arguments: list[np.ndarray], ulps: float = 4.0) -> None:
    """got: float32 or float64; want: the same function in a wider type. The special values agree exactly, the rest within `ulps`."""
    rounded = want.astype(got.dtype)
    finite = np.isfinite(got) & np.isfinite(rounded) & (got != 0) & (rounded != 0)
    distance = np.abs(got.astype(want.dtype) - want) / np.spacing(np.abs(rounded)).astype(want.dtype)
    underflow = np.maximum(np.abs(got), np.abs(rounded)) <= 4 * np.finfo(got.dtype).smallest_subnormal
    same = (got == rounded) & (np.signbit(got) == np.signbit(rounded)) | (got != got) & (rounded != rounded)
    bad = np.flatnonzero(~(np.where(finite, distance <= ulps, same | underflow)))
    assert not len(bad), [(*(a[i] for a in arguments), "got", got[i], "want", rounded[i]) for i in bad[:5]]


def numpy_name(op: str) -> str | None:
    """The ufunc of this name, if there is one that gives a single array."""
    found = getattr(np, op, None)
    return op if (isinstance(found, np.ufunc) and found.nout == 1) or op == "clip" else None


def loops() -> list[tuple[str, str]]:
    """(op, suffix) of every helper that has a NumPy ufunc of the same name with a loop in that dtype."""
    found = []
    for op in prelude._ROWS:
        if numpy_name(op):
            found += [(op, suffix) for suffix in DTYPES if prelude.has(f"lz_{op}_{suffix}")]
    return found


def call_numpy(op: str, arrays: list[np.ndarray]) -> np.ndarray:
    return np.clip(*arrays) if op == "clip" else getattr(np, op)(*arrays)


def arity(op: str) -> int:
    return 3 if op == "clip" else getattr(np, op).nin


def moderate(array: np.ndarray) -> np.ndarray:
    """Where the square is far from overflow, or the value is special anyway."""
    return ~(np.abs(array) > 1e15) | np.isinf(array)


def exponents(op: str, arrays: list[np.ndarray]) -> list[np.ndarray]:
    """Arguments that NumPy accepts: integers to negative powers are its error, and ldexp's exponent is an integer."""
    if op == "power" and arrays[1].dtype.kind == "i":
        return [arrays[0], np.abs(arrays[1] // 2)]
    if op == "ldexp":
        integers = np.resize(np.array([0, 1, -1, 5, -60, 1100, -1100, 2**40, -(2**40)], np.int64), len(arrays[0]))
        return [arrays[0], integers]
    return arrays


@pytest.mark.parametrize(("op", "suffix"), loops())
def test_helper_is_numpys_loop(op: str, suffix: str) -> None:
    arrays = exponents(op, samples(np.dtype(DTYPES[suffix]), arity(op) if op != "clip" else 2))
    arrays += [arrays[0][::-1]] if op == "clip" else []
    if op in ("multiply", "square") and suffix == "c64":  # NumPy's vector unit fuses these products, so they overflow elsewhere
        keep = np.all([moderate(array.real) & moderate(array.imag) for array in arrays], axis=0)
        arrays = [array[keep] for array in arrays]
    want = call_numpy(op, arrays)
    got = evaluate(f"lz_{op}_{suffix}", arrays, want.dtype)
    if suffix[0] == "c" and want.dtype.kind == "c":
        assert_complex(got, want, arrays)
    elif suffix[0] == "c" and want.dtype.kind == "f":
        assert_within_ulps(got, want.astype(np.longdouble), arrays)
    elif op in VECTOR_MATH and suffix in ("f32", "f64"):
        assert_within_ulps(got, call_numpy(op, [widen(array) for array in arrays]), arrays)
    elif op in VECTOR_MATH and suffix == "f16":
        assert_within_ulps(got, want.astype(np.float64), arrays, 1.0)
    elif op in LOGADDEXP:
        assert_logaddexp(got, call_numpy(op, [widen(array) for array in arrays]), arrays)
    else:
        assert_same_values(got, want, arrays, op not in SIGN_FREE and op != "clip")


def widen(array: np.ndarray) -> np.ndarray:
    """The same values in a type with at least 11 more bits."""
    return array.astype(np.longdouble if array.dtype.itemsize == 8 else np.float64)


def assert_logaddexp(got: np.ndarray, want: np.ndarray, arguments: list[np.ndarray]) -> None:
    """NumPy's formula adds log1p to the larger argument, so 4 ulp of that one are what it can give where the sum cancels."""
    largest = np.maximum(np.abs(want.astype(got.dtype)), np.abs(np.maximum(*arguments)))
    close = np.abs(got - want) <= 4 * np.maximum(np.spacing(largest), np.finfo(got.dtype).eps)
    bad = np.flatnonzero(~(close | (got == want.astype(got.dtype)) | (got != got) & (want != want)))
    assert not len(bad), [(*(a[i] for a in arguments), "got", got[i], "want", want[i]) for i in bad[:5]]


def assert_complex(got: np.ndarray, want: np.ndarray, arguments: list[np.ndarray]) -> None:
    """Components agree within 16 epsilon of the magnitude; a component is NaN or infinite where NumPy's is."""
    eps = np.finfo(got.dtype).eps
    magnitude = np.maximum(np.abs(want.real), np.abs(want.imag))
    good = np.ones(len(got), bool)
    for mine, theirs in ((got.real, want.real), (got.imag, want.imag)):
        close = np.abs(mine - theirs) <= 16 * eps * magnitude + np.finfo(mine.dtype).smallest_subnormal
        good &= (mine == theirs) | (np.isfinite(mine) & np.isfinite(theirs) & close) | ((mine != mine) & (theirs != theirs))
    bad = np.flatnonzero(~good)
    assert not len(bad), [(*(a[i] for a in arguments), "got", got[i], "want", want[i]) for i in bad[:5]]


@pytest.mark.parametrize("frm", DTYPES)
@pytest.mark.parametrize("to", DTYPES)
def test_cast_is_astype(to: str, frm: str) -> None:
    array = samples(np.dtype(DTYPES[frm]), 1)[0]
    strided = array.repeat(2)[::2]  # NumPy's contiguous loops give other numbers than its scalar ones for floats outside uint32
    want = strided.astype(DTYPES[to]) if frm[0] != "c" or to[0] in "cb" else strided.real.astype(DTYPES[to])
    assert_same_values(evaluate(f"lz_cast_{to}_{frm}", [array], want.dtype), want, [array])


@pytest.mark.parametrize("suffix", ["f16", "f32", "f64"])
@pytest.mark.parametrize(("op", "numpy", "part"), [("modf_fraction", np.modf, 0), ("modf_integer", np.modf, 1)])
def test_modf(op: str, numpy: np.ufunc, part: int, suffix: str) -> None:
    array = samples(np.dtype(DTYPES[suffix]), 1)[0]
    want = numpy(array)[part]
    assert_same_values(evaluate(f"lz_{op}_{suffix}", [array], want.dtype), want, [array])


@pytest.mark.parametrize("suffix", ["f16", "f32", "f64"])
@pytest.mark.parametrize(("op", "part"), [("frexp_mantissa", 0), ("frexp_exponent", 1)])
def test_frexp(op: str, part: int, suffix: str) -> None:
    array = samples(np.dtype(DTYPES[suffix]), 1)[0]
    want = np.frexp(array)[part]
    if op == "frexp_exponent":
        array, want = array[np.isfinite(array)], want[np.isfinite(array)]
    assert_same_values(evaluate(f"lz_{op}_{suffix}", [array], want.dtype), want, [array])


@pytest.mark.parametrize("suffix", ["f32", "f64"])
@pytest.mark.parametrize(("op", "reference"), [("erf", math.erf), ("erfc", math.erfc), ("gamma", math.gamma), ("gammaln", math.lgamma)])
def test_special_functions(op: str, reference: object, suffix: str) -> None:
    array = np.abs(ordinary(np.dtype(DTYPES[suffix]), 1000, 3))
    array = array[(array > 1e-3) & (array < (30 if op == "gamma" else 1e5))]
    want = np.array([reference(float(value)) for value in array], np.longdouble)
    keep = np.abs(want) > 1e-30 if op == "erfc" else np.abs(want) > 0.5
    got = evaluate(f"lz_{op}_{suffix}", [array], array.dtype)
    assert_within_ulps(got[keep], want[keep], [array[keep]], 16.0)  # Python's own gamma functions are off by several ulp


@pytest.mark.parametrize(("suffix", "dtype"), [("f32", "c8"), ("f64", "c16")])
def test_complex_numbers_from_parts(suffix: str, dtype: str) -> None:
    real, imag = samples(np.dtype(DTYPES[suffix]), 2)
    got = evaluate(f"lz_complex_{suffix}", [real, imag], np.dtype(dtype))
    assert_same_values(got.real, real, [real])
    assert_same_values(got.imag, imag, [imag])


@pytest.mark.parametrize("suffix", ["c64", "c128"])
def test_products_are_not_fused(suffix: str) -> None:
    z = ordinary(np.dtype(DTYPES[suffix]), 1000, 5)
    assert not evaluate(f"lz_multiply_{suffix}", [z, z.conj()], z.dtype).imag.any()


def test_every_half_converts_both_ways() -> None:
    halves = np.arange(65536, dtype=np.uint16).view(np.float16)
    assert_same_values(evaluate("lz_cast_f32_f16", [halves], np.dtype("f4")), halves.astype("f4"), [halves])
    floats = halves.astype("f4")
    assert_same_values(evaluate("lz_cast_f16_f32", [floats], np.dtype("f2")), halves, [floats])


@pytest.mark.parametrize("wide", ["f4", "f8"])
def test_half_rounds_ties_to_even(wide: str) -> None:
    halves = np.arange(0, 0x7C00, dtype=np.uint16).view(np.float16).astype(wide)
    middles = (halves[1:] + halves[:-1]) / 2
    values = np.concatenate([middles, np.nextafter(middles, np.inf, dtype=wide), np.nextafter(middles, -np.inf, dtype=wide)])
    name = "lz_cast_f16_f32" if wide == "f4" else "lz_cast_f16_f64"
    assert_same_values(evaluate(name, [values], np.dtype("f2")), values.astype("f2"), [values])


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(*[st.integers(-(2**63), 2**63 - 1)] * 2), min_size=1, max_size=50))
@pytest.mark.parametrize("op", ["floor_divide", "remainder", "fmod", "gcd", "lcm", "left_shift", "right_shift"])
def test_integer_division_of_anything(op: str, pairs: list[tuple[int, int]]) -> None:
    a, b = (np.array(column, np.int64) for column in zip(*pairs, strict=True))
    want = call_numpy(op, [a, b])
    assert_same_values(evaluate(f"lz_{op}_i64", [a, b], want.dtype), want, [a, b])


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(*[st.floats(width=64)] * 2), min_size=1, max_size=50))
@pytest.mark.parametrize("op", ["floor_divide", "remainder", "fmod", "nextafter", "copysign", "heaviside"])
def test_float_division_of_anything(op: str, pairs: list[tuple[float, float]]) -> None:
    a, b = (np.array(column, np.float64) for column in zip(*pairs, strict=True))
    want = call_numpy(op, [a, b])
    assert_same_values(evaluate(f"lz_{op}_f64", [a, b], want.dtype), want, [a, b])


def test_vector_functions_are_called() -> None:
    """The point of the prototypes: a sine in a simd loop becomes a call of libmvec."""
    if toolchain.find_compiler().simd == 0:
        pytest.skip("this C library has no vector math")
    path = toolchain_path("lz_sin_f64")
    with open(path, "rb") as file:
        assert b"_ZGV" in file.read()


def toolchain_path(helper: str) -> str:
    key = f"test-vector-{helper}-{toolchain.find_compiler().fingerprint}"
    toolchain.build(program(helper, ["f64"], "f64"), key)
    return toolchain.diskcache.locate(key, ".so")


def test_emit_defines_each_name_once_and_only_what_is_needed() -> None:
    text = prelude.emit(["lz_logaddexp_f32", "lz_logaddexp_f32", "lz_exp_f32"])
    assert text.count("float lz_exp_f32(") == 1 and text.count("float expf(float)") == 1
    assert "lz_exp_f64" not in text and "double sin(" not in text and "#include" not in text


def test_unknown_names_are_errors() -> None:
    with pytest.raises(KeyError, match="lz_nothing_f64"):
        prelude.emit(["lz_nothing_f64"])
    with pytest.raises(KeyError, match="longdouble|float128"):
        prelude.suffix(np.dtype(np.longdouble))
    assert not prelude.has("lz_floor_divide_c64")


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_exp_over_its_whole_range(dtype):
    low, high = (-104, 89) if dtype is np.float32 else (-746, 710)
    rng = np.random.default_rng(0)
    x = np.concatenate([rng.uniform(low, high, 20000), rng.uniform(-1, 1, 20000), rng.normal(size=10000) * 1e-6]).astype(dtype)
    special = np.array([0, -0.0, np.inf, -np.inf, np.nan, high + 1, low - 1, 1e30, -1e30, 1e-40], dtype)
    exp = lazynp.jit(lambda x: lazynp.exp(x))
    with np.errstate(all="ignore"):
        exact = np.exp(x.astype(np.longdouble))
        rounded = exact.astype(dtype)
        error = np.abs(np.asarray(exp(x)) - exact) / np.spacing(rounded)
        assert error[np.isfinite(rounded)].max() < 1.1
        np.testing.assert_array_equal(np.asarray(exp(special)), np.exp(special))
