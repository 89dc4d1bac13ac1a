"""The main namespace is that of the Array API standard 2025.12: every name, against array-api-strict, which implements nothing else."""

import inspect

import numpy as np
import pytest

import lazynp as lnp

strict = pytest.importorskip("array_api_strict", reason="array-api-strict, the reference of the standard, is not installed")
pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning", "ignore::UserWarning")

NOT_FUNCTIONS = {"Device", "ArrayAPIStrictFlags", "__version__", "__array_api_version__", "linalg", "fft"} | {
    name for name in strict.__all__ if name.endswith("strict_flags")
}

CASES = [
    case.strip()
    for case in """
    xp.abs(x) ; xp.acos(x) ; xp.acosh(x) ; xp.asin(x) ; xp.asinh(x) ; xp.atan(x) ; xp.atanh(x) ; xp.ceil(x) ; xp.cos(x) ; xp.cosh(x) ;
    xp.exp(x) ; xp.expm1(x) ; xp.floor(x) ; xp.isfinite(x) ; xp.isinf(x) ; xp.isnan(x) ; xp.log(x) ; xp.log10(x) ; xp.log1p(x) ;
    xp.log2(x) ; xp.negative(x) ; xp.positive(x) ; xp.reciprocal(x) ; xp.round(x) ; xp.sign(x) ; xp.signbit(x) ; xp.sin(x) ; xp.sinh(x) ;
    xp.sqrt(x) ; xp.square(x) ; xp.tan(x) ; xp.tanh(x) ; xp.trunc(x) ; xp.add(x, y) ; xp.atan2(x, y) ; xp.copysign(x, y) ; xp.divide(x, y) ;
    xp.equal(x, y) ; xp.floor_divide(x, y) ; xp.greater(x, y) ; xp.greater_equal(x, y) ; xp.hypot(x, y) ; xp.less(x, y) ;
    xp.less_equal(x, y) ; xp.logaddexp(x, y) ; xp.maximum(x, y) ; xp.minimum(x, y) ; xp.multiply(x, y) ; xp.nextafter(x, y) ;
    xp.not_equal(x, y) ; xp.pow(x, y) ; xp.remainder(x, y) ; xp.subtract(x, y) ; xp.bitwise_and(i, j) ; xp.bitwise_or(i, j) ;
    xp.bitwise_xor(i, j) ; xp.bitwise_left_shift(i, j) ; xp.bitwise_right_shift(i, j) ; xp.floor_divide(i, j) ; xp.logical_and(b, ~b) ;
    xp.logical_or(b, ~b) ; xp.logical_xor(b, ~b) ; xp.logical_not(b) ; xp.bitwise_invert(i) ; xp.conj(z) ; xp.real(z) ; xp.imag(z) ;
    xp.abs(z) ; xp.sign(z) ; xp.exp(z) ; xp.clip(x, 0.25, 0.5) ; xp.clip(x, min=0.25) ; xp.clip(x, None, 0.5) ; xp.where(b, x, y) ;
    xp.where(b, x, 0.0) ; xp.add(x, 1) ; xp.add(1.5, f) ; xp.multiply(f, 2) ; xp.floor(i) ; xp.round(z) ; x + y * 2 - x / 3 ; x // 0.3 ;
    i % 3 ; x ** 2 ; -x ; +x ; abs(-x) ; i << 1 ; i >> 1 ; ~i ; i & j ; i | j ; i ^ j ; b & b ; m @ m ; x == y ; x != y ; x < y ; x <= y ;
    x > y ; x >= y ; 2 - f ; 1 / f ; m[0, :] ; m[:, 1] ; m[::-1, None, :] ; m[..., 0] ; m[b2] ; m[xp.asarray([1, 0]), xp.asarray([0, 2])] ;
    m[xp.asarray([1, 0]), 1] ; m.T ; m.mT ; m.shape ; m.ndim ; m.size ; f.dtype ; x.device ; xp.max(m) ; xp.max(m, keepdims=True) ;
    xp.max(m, axis=1) ; xp.max(m, axis=1, keepdims=True) ; xp.mean(m) ; xp.mean(m, keepdims=True) ; xp.mean(m, axis=1) ;
    xp.mean(m, axis=1, keepdims=True) ; xp.min(m) ; xp.min(m, keepdims=True) ; xp.min(m, axis=1) ; xp.min(m, axis=1, keepdims=True) ;
    xp.prod(m) ; xp.prod(m, keepdims=True) ; xp.prod(m, axis=1) ; xp.prod(m, axis=1, keepdims=True) ; xp.std(m) ; xp.std(m, keepdims=True) ;
    xp.std(m, axis=1) ; xp.std(m, axis=1, keepdims=True) ; xp.sum(m) ; xp.sum(m, keepdims=True) ; xp.sum(m, axis=1) ;
    xp.sum(m, axis=1, keepdims=True) ; xp.var(m) ; xp.var(m, keepdims=True) ; xp.var(m, axis=1) ; xp.var(m, axis=1, keepdims=True) ;
    xp.argmax(m) ; xp.argmax(m, keepdims=True) ; xp.argmax(m, axis=1) ; xp.argmax(m, axis=1, keepdims=True) ; xp.argmin(m) ;
    xp.argmin(m, keepdims=True) ; xp.argmin(m, axis=1) ; xp.argmin(m, axis=1, keepdims=True) ; xp.all(b2, axis=0) ; xp.any(b2, axis=0) ;
    xp.all(b2) ; xp.any(b2) ; xp.std(m, correction=1) ; xp.var(m, axis=0, correction=1) ; xp.sum(i8) ; xp.prod(u8) ; xp.sum(f) ;
    xp.sum(i, dtype=xp.float32) ; xp.prod(m, axis=(0, 1)) ; xp.sum(m, axis=()) ; xp.count_nonzero(m) ;
    xp.count_nonzero(m, axis=0, keepdims=True) ; xp.cumulative_sum(x) ; xp.cumulative_sum(m, axis=1) ;
    xp.cumulative_sum(x, include_initial=True) ; xp.cumulative_prod(m, axis=0, include_initial=True) ; xp.cumulative_prod(x) ;
    xp.cumulative_sum(i8) ; xp.diff(x) ; xp.diff(m, axis=0, n=1) ; xp.diff(x, prepend=x[:1]) ; xp.nonzero(m) ; xp.searchsorted(s, x) ;
    xp.searchsorted(s, x, side='right') ; xp.searchsorted(x, y, sorter=xp.argsort(x)) ; xp.isin(i, j) ; xp.sort(m) ;
    xp.sort(m, axis=0, descending=True) ; xp.sort(x, stable=False) ; xp.argsort(m, stable=True) ; xp.argsort(i, descending=True) ;
    xp.argsort(m, axis=0, descending=True, stable=True) ; xp.sort(xp.unique_values(i)) ; xp.unique_counts(i) ; xp.unique_inverse(i) ;
    xp.unique_all(m) ; xp.broadcast_to(x, (2, 6)) ; xp.broadcast_arrays(x, m2) ; xp.broadcast_shapes((2, 1), (3,)) ; xp.concat([m, m]) ;
    xp.concat([m, m], axis=None) ; xp.concat([m, f[:3][None, :]]) ; xp.expand_dims(m, axis=1) ; xp.expand_dims(m, axis=(0, -1)) ;
    xp.flip(m) ; xp.flip(m, axis=1) ; xp.moveaxis(c, 0, 2) ; xp.permute_dims(c, (2, 0, 1)) ; xp.repeat(m, 2) ;
    xp.repeat(m, xp.asarray([1, 2, 3]), axis=0) ; xp.reshape(m, (9,)) ; xp.reshape(m, (9,), copy=True) ;
    xp.reshape(m, (-1, 1), copy=False) ; xp.roll(m, 1) ; xp.roll(m, (1, 2), axis=(0, 1)) ; xp.squeeze(m[None, ...], axis=0) ;
    xp.squeeze(m[:, None, :], 1) ; xp.stack([x, y]) ; xp.stack([x, y], axis=-1) ; xp.tile(m, (2, 1)) ; xp.unstack(m) ;
    xp.unstack(m, axis=1) ; xp.take(m, xp.asarray([2, 0]), axis=1) ; xp.take_along_axis(m, xp.argsort(m, axis=0), axis=0) ; xp.tril(m) ;
    xp.triu(m, k=1) ; xp.meshgrid(x, s) ; xp.meshgrid(x, s, indexing='ij') ; xp.matrix_transpose(c) ; xp.arange(5) ;
    xp.arange(1, 7, 2, dtype=xp.float32) ; xp.arange(1.0, 2.0, 0.25) ; xp.empty((2, 3)).shape ; xp.empty_like(f).dtype ; xp.eye(3) ;
    xp.eye(2, 4, k=1, dtype=xp.int8) ; xp.full((2, 2), 3) ; xp.full((2,), 1.5, dtype=xp.float32) ; xp.full_like(m, 2) ;
    xp.linspace(0, 1, 5) ; xp.linspace(0, 1, 5, endpoint=False, dtype=xp.float32) ; xp.ones((2, 2)) ;
    xp.ones((2,), dtype=xp.complex64, device=x.device) ; xp.ones_like(i8) ; xp.zeros(3) ; xp.zeros_like(m, dtype=xp.bool) ;
    xp.asarray([1, 2]) ; xp.asarray(2.5) ; xp.asarray([1, 2], dtype=xp.uint8) ; xp.asarray(m, copy=True) ; xp.asarray([True, False]) ;
    xp.from_dlpack(m) ; xp.asarray([[1j]]) ; xp.astype(f, xp.float64) ; xp.astype(i, xp.int8, copy=False) ; xp.astype(x, xp.complex64) ;
    xp.astype(b, xp.int32) ; xp.can_cast(xp.int8, xp.int16) ; xp.can_cast(i8, xp.int64) ; xp.result_type(i8, u8) ; xp.result_type(f, 1.0) ;
    xp.result_type(xp.float32, xp.float64) ; xp.isdtype(f.dtype, 'real floating') ; xp.isdtype(i.dtype, ('bool', 'integral')) ;
    xp.isdtype(z.dtype, xp.complex128) ; xp.finfo(xp.float32).bits ; xp.finfo(xp.float64).eps ; xp.finfo(xp.complex64).max ;
    xp.iinfo(xp.int16).min ; xp.iinfo(xp.uint8).max ; xp.asarray([1]).dtype == xp.int64 and xp.ones(1, dtype=xp.bool) ;
    xp.asarray([1]).dtype == xp.int64 and xp.ones(1, dtype=xp.int8) ; xp.asarray([1]).dtype == xp.int64 and xp.ones(1, dtype=xp.int16) ;
    xp.asarray([1]).dtype == xp.int64 and xp.ones(1, dtype=xp.int32) ; xp.asarray([1]).dtype == xp.int64 and xp.ones(1, dtype=xp.int64) ;
    xp.asarray([1]).dtype == xp.int64 and xp.ones(1, dtype=xp.uint8) ; xp.asarray([1]).dtype == xp.int64 and xp.ones(1, dtype=xp.uint16) ;
    xp.asarray([1]).dtype == xp.int64 and xp.ones(1, dtype=xp.uint32) ; xp.asarray([1]).dtype == xp.int64 and xp.ones(1, dtype=xp.uint64) ;
    xp.asarray([1]).dtype == xp.int64 and xp.ones(1, dtype=xp.float32) ;
    xp.asarray([1]).dtype == xp.int64 and xp.ones(1, dtype=xp.float64) ;
    xp.asarray([1]).dtype == xp.int64 and xp.ones(1, dtype=xp.complex64) ;
    xp.asarray([1]).dtype == xp.int64 and xp.ones(1, dtype=xp.complex128) ; xp.e ; xp.pi ; xp.inf ; xp.nan != xp.nan ; xp.newaxis ;
    xp.matmul(m, x[:3]) ; xp.tensordot(c, c, axes=3) ; xp.tensordot(m, m, axes=([0], [1])) ; xp.vecdot(m, m) ; xp.vecdot(z, z) ;
    xp.vecdot(m, m, axis=-2) ; xp.linalg.cholesky(p) ; xp.linalg.cholesky(p, upper=True) ; xp.linalg.cross(m, m[::-1, :]) ;
    xp.linalg.det(p) ; xp.linalg.diagonal(m, offset=1) ; xp.linalg.eigh(p)[0] ; xp.linalg.eigh(p).eigenvalues ; xp.linalg.eigvalsh(p) ;
    xp.real(xp.linalg.eig(p).eigenvalues) ; xp.real(xp.linalg.eigvals(p)) ; xp.linalg.inv(p) ; xp.linalg.matmul(m, p) ;
    xp.linalg.matrix_norm(m) ; xp.linalg.matrix_norm(m, ord='nuc') ; xp.linalg.matrix_norm(c, ord=1, keepdims=True) ;
    xp.linalg.matrix_power(p, 3) ; xp.linalg.matrix_power(p, -1) ; xp.linalg.matrix_rank(m) ; xp.linalg.matrix_transpose(m) ;
    xp.linalg.outer(x, s) ; xp.linalg.pinv(m) ; xp.linalg.qr(p).R ** 2 ; xp.linalg.slogdet(p) ; xp.linalg.slogdet(p).logabsdet ;
    xp.linalg.solve(p, m) ; xp.linalg.solve(p, x[:3]) ; xp.linalg.svd(m).S ; xp.linalg.svdvals(m) ;
    xp.linalg.svd(m, full_matrices=False)[1] ; xp.linalg.tensordot(m, m) ; xp.linalg.trace(m) ; xp.linalg.trace(m, offset=1) ;
    xp.linalg.trace(xp.astype(m, xp.float32)) ; xp.linalg.vecdot(m, m) ; xp.linalg.vector_norm(m) ;
    xp.linalg.vector_norm(m, axis=1, ord=3) ; xp.linalg.vector_norm(c, axis=(0, 2), keepdims=True, ord=xp.inf) ; xp.fft.fft(z) ;
    xp.fft.ifft(z) ; xp.fft.rfft(x) ; xp.fft.irfft(z) ; xp.fft.hfft(z) ; xp.fft.ihfft(x) ; xp.fft.fft(z, n=4, norm='ortho') ;
    xp.fft.fftn(xp.astype(m, xp.complex128)) ; xp.fft.ifftn(xp.astype(c, xp.complex128), axes=(0, 1)) ; xp.fft.rfftn(m) ;
    xp.fft.irfftn(xp.astype(m, xp.complex128), s=(3, 4), axes=(0, 1)) ; xp.fft.fft(xp.astype(z, xp.complex64)) ; xp.fft.fftfreq(5, d=0.5) ;
    xp.fft.rfftfreq(6, dtype=xp.float32) ; xp.fft.fftfreq(4, dtype=xp.float32) ; xp.fft.fftshift(x) ; xp.fft.ifftshift(m, axes=0)
""".split(";")
]

RNG = np.random.default_rng(3)
M = RNG.normal(size=(3, 3))
DATA = {
    "x": RNG.random(6) * 0.8 + 0.1, "y": RNG.random(6) + 0.2, "f": RNG.random(6).astype(np.float32), "i": np.array([3, 1, 3, 0, 2, 1]),
    "j": np.array([1, 2, 2, 5, 1, 1]), "i8": np.array([100, 27, 3], np.int8), "u8": np.array([200, 2], np.uint8),
    "b": np.array([True, False] * 3), "z": RNG.normal(size=6) + 1j * RNG.normal(size=6), "m": M, "m2": RNG.random((2, 1)),
    "b2": M > 0, "p": M @ M.T + np.eye(3), "c": RNG.normal(size=(2, 3, 4)), "s": np.linspace(0, 1, 5),
}  # fmt: skip


def plain(value):
    """Results of both sides as NumPy's arrays, dtypes by their names."""
    if isinstance(value, (tuple, list)):
        return [plain(v) for v in value]
    if hasattr(value, "__array_namespace__"):
        return np.asarray(value)
    return str(value).rpartition(".")[2] if "dtype" in type(value).__name__.lower() or "device" in type(value).__name__.lower() else value


def same(actual, expected):
    if isinstance(expected, list):
        assert len(actual) == len(expected)
        for a, e in zip(actual, expected, strict=True):
            same(a, e)
    elif isinstance(expected, np.ndarray):
        actual = np.asarray(actual)
        assert actual.dtype == expected.dtype
        assert actual.shape == expected.shape
        np.testing.assert_allclose(actual, expected, rtol=1e-5 if expected.dtype in (np.float32, np.complex64) else 1e-12, atol=1e-6)
    else:
        assert str(actual).lower().removeprefix("cpu_") == str(expected).lower().removeprefix("cpu_") or actual == expected


def evaluate(text, namespace, wrap):
    return plain(eval(text, {"xp": namespace, "abs": abs}, {name: wrap(value) for name, value in DATA.items()}))


@pytest.fixture(autouse=True)
def standard():
    with strict.ArrayAPIStrictFlags(api_version="2025.12"):
        yield


@pytest.mark.parametrize("text", CASES)
def test_values(text, threshold):
    if "device" in text and ".device)" not in text:
        assert eval(text, {}, {"x": lnp.lazy(DATA["x"])}) == "cpu"
        return
    same(evaluate(text, lnp, lnp.lazy if threshold == 0 else np.copy), evaluate(text, strict, strict.asarray))


def test_every_name_is_tried():
    tried = "\n".join(CASES)
    names = {f"xp.{name}" for name in strict.__all__ if name not in NOT_FUNCTIONS and not name.startswith("__")}
    names |= {f"xp.linalg.{name}" for name in strict.linalg.__all__} | {f"xp.fft.{name}" for name in strict.fft.__all__}
    assert [name for name in sorted(names) if name not in tried] == []


def test_parameters():
    """Every parameter that can be given by name is one of ours, or is taken as an extra keyword."""
    missing = []
    for theirs, ours in ((strict, lnp), (strict.linalg, lnp.linalg), (strict.fft, lnp.fft)):
        for name in theirs.__all__:
            function = getattr(theirs, name)
            if name in NOT_FUNCTIONS or not inspect.isfunction(function):
                continue
            taken = {**inspect.signature(getattr(ours, name)).parameters, "descending": 1, "dtype": 1}
            wanted = [
                p.name for p in inspect.signature(function).parameters.values() if p.kind in (p.KEYWORD_ONLY, p.POSITIONAL_OR_KEYWORD)
            ]
            missing += [f"{name}({p})" for p in wanted if p not in taken and "kwargs" not in taken]
    assert missing == []


def test_attributes_and_methods(threshold):
    ours = lnp.lazy(DATA["m"]) if threshold == 0 else lnp.asarray(DATA["m"])
    public = [n for n in dir(strict.asarray(1.0)) if not n.startswith("_")]
    dunders = [
        n for n in vars(type(strict.asarray(1.0))) if n.startswith("__") and n not in ("__module__", "__dict__", "__weakref__", "__slots__")
    ]
    assert [
        name
        for name in public + dunders
        if not hasattr(type(ours), name) and not hasattr(ours, name) and name not in ("__buffer__", "__annotations__")
    ] == []
    assert ours.to_device("cpu") is ours or (ours.to_device("cpu") == ours).all()
    assert ours.__dlpack_device__() == (1, 0)


def test_inspection(threshold):
    x = lnp.lazy(DATA["x"])
    assert x.__array_namespace__() is lnp
    assert x.__array_namespace__(api_version="2025.12") is lnp
    assert x.__array_namespace__(api_version="2021.12") is lnp
    with pytest.raises(ValueError, match="not supported"):
        x.__array_namespace__(api_version="1999.01")
    assert lnp.__array_api_version__ == "2025.12"
    ours, theirs = lnp.__array_namespace_info__(), strict.__array_namespace_info__()
    assert ours.capabilities()["boolean indexing"]
    assert ours.capabilities()["data-dependent shapes"]
    assert set(ours.capabilities()) >= set(theirs.capabilities())
    assert ours.default_device() == "cpu"
    assert ours.devices() == ["cpu"]
    assert {name: str(d) for name, d in ours.default_dtypes().items()} == {n: plain(d) for n, d in theirs.default_dtypes().items()}
    for kind in (
        None,
        "bool",
        "signed integer",
        "unsigned integer",
        "integral",
        "real floating",
        "complex floating",
        "numeric",
        ("bool", "integral"),
    ):
        assert set(ours.dtypes(kind=kind)) == set(theirs.dtypes(kind=kind)), kind


def test_inside_jit():
    """A function written for the standard, traced."""

    def standardized(x):
        xp = x.__array_namespace__()
        centered = x - xp.mean(x, axis=0, keepdims=True)
        q = xp.linalg.vector_norm(centered, axis=1)
        return (
            xp.sort(q, descending=True),
            xp.astype(xp.argsort(q, descending=True), xp.float32),
            xp.cumulative_sum(q, include_initial=True),
        )

    same([np.asarray(v) for v in lnp.jit(standardized)(lnp.lazy(DATA["m"]))], plain(standardized(strict.asarray(DATA["m"]))))


# --- every function of one or two arrays, over all pairs of dtypes and special values ------------------------------------------

DTYPES = "bool int8 int16 int32 int64 uint8 uint16 uint32 uint64 float32 float64 complex64 complex128".split()
SPECIAL = [0.0, -0.0, 1.0, -1.0, 2.5, -2.5, np.inf, -np.inf, np.nan, 1e30, 3.0, 0.5]
PARTS = [complex(a, b) for a in (0.0, -0.0, 1.0, -2.5, np.inf, np.nan) for b in (0.0, -0.0, 2.0, -np.inf)]
SWEPT = [
    name
    for name in strict.__all__
    if inspect.isfunction(getattr(strict, name)) and "info" not in name and "empty" not in name and name not in ("repeat", "from_dlpack")
]
"""`repeat` by unsigned numbers is NumPy's TypeError, where the standard has values."""


def samples(dtype):
    if dtype == "bool":
        return np.array([False, True])
    if "int" in dtype:
        return np.array(([-7, -1, -128] if dtype[0] == "i" else []) + [0, 1, 2, 3, 7, 100], dtype)
    return np.array(SPECIAL if "float" in dtype else PARTS, dtype)


def calls(name):
    """The arguments to try: what the standard allows of them is found by trying."""
    function = getattr(strict, name)
    count = len([p for p in inspect.signature(function).parameters.values() if p.kind == p.POSITIONAL_ONLY])
    elementwise = "_elementwise" in inspect.getsourcefile(function)
    if count == 1:
        return [(samples(dtype),) for dtype in DTYPES]
    pairs = [(samples(a), samples(b)) for a in DTYPES for b in DTYPES] if count == 2 else []
    return [(a[:, None], b[None]) if elementwise else (a[:2], b[:2]) for a, b in pairs]


def signs(values):
    """Of zeros; 0 for all else."""
    return np.where(values == 0, np.copysign(1, values), 0)


@pytest.mark.parametrize("name", SWEPT)
def test_all_dtypes_and_special_values(name):
    """dtypes as the standard's, values and signs of zeros as NumPy's."""
    with lnp.config(lazy_threshold=0, backend="reference"):
        for arguments in calls(name):
            try:
                wanted = getattr(strict, name)(*[strict.asarray(x) for x in arguments])
            except Exception:  # what the standard leaves open
                continue
            if not hasattr(wanted, "dtype"):
                continue
            expected = np.asarray(getattr(np, name)(*arguments))
            got = np.asarray(getattr(lnp, name)(*map(lnp.array, arguments)))
            assert str(got.dtype) == plain(wanted.dtype) == str(expected.dtype)
            tolerance = 1e-5 if expected.dtype in (np.float32, np.complex64) else 1e-12
            for part in ("real", "imag") if expected.dtype.kind == "c" else ("real",):
                a, b = getattr(got, part), getattr(expected, part)
                np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance, err_msg=str(arguments))
                if a.dtype.kind == "f":
                    np.testing.assert_array_equal(signs(a), signs(b))


DLPACK = {
    "plain": {}, "stream": {"stream": None}, "version": {"max_version": (1, 0)}, "old": {"max_version": (0, 8)},
    "device": {"dl_device": (1, 0)}, "copy": {"copy": True, "max_version": (1, 0)}, "no copy": {"copy": False},
    "wrong stream": {"stream": 3}, "wrong device": {"dl_device": (2, 0)},
}  # fmt: skip


@pytest.mark.parametrize("name", DLPACK)
def test_dlpack(threshold, name):
    """What a consumer on the CPU or on another device may ask for: NumPy's answer, or its error."""

    def outcome(x):
        try:
            return type(x.__dlpack__(**DLPACK[name])).__name__, x.__dlpack_device__()
        except Exception as error:
            return type(error), str(error)

    assert outcome(lnp.arange(70_000.0) * 2) == outcome(np.arange(70_000.0) * 2)


def test_dlpack_shares_memory(threshold):
    x = lnp.arange(70_000.0) * 2
    seen = np.from_dlpack(x)
    assert seen.__array_interface__["data"] == x.__array_interface__["data"]
    x[0] = 7
    assert seen[0] == 7
    assert strict.from_dlpack(x)[0] == 7
    assert lnp.from_dlpack(strict.asarray(seen))[0] == 7
