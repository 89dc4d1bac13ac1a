"""Every parameter of every function: calls made of NumPy's signatures, as NumPy answers them and as lazynp does with everything lazy.

Compared are values, dtypes, shapes, strides, what is written to outputs, the class and words of exceptions and all warnings.
"""

import inspect
import warnings

import numpy as np
import pytest

import lazynp as lnp

RNG = np.random.default_rng(0)
A = RNG.normal(size=(4, 6))
DATA = {
    "A": A, "C": np.arange(24).reshape(4, 6) % 7, "T": RNG.normal(size=(2, 3, 4)), "M": A > 0, "N": np.where(A > 1, np.nan, A),
    "Z": A + 1j * A[::-1], "F": A.astype("f4"), "U": np.arange(24, dtype="u1").reshape(4, 6), "S": A[:, :4] @ A[:, :4].T + 4 * np.eye(4),
}  # fmt: skip

ARGUMENTS = {
    **dict.fromkeys("concatenate concat stack vstack hstack dstack column_stack block lexsort".split(), ("[A, A]",)),
    **dict.fromkeys("percentile nanpercentile".split(), ("A, 30",)), **dict.fromkeys("quantile nanquantile".split(), ("A, .3",)),
    **dict.fromkeys("partition argpartition roll round around insert delete repeat append".split(), ("A, 1",)),
    **dict.fromkeys("zeros ones".split(), ("(2, 3)",)), **dict.fromkeys("linspace geomspace logspace".split(), ("1, 9, 5",)),
    **dict.fromkeys("sum prod mean var std max min any all cumsum argmax sort array asarray".split(), ("A", "T", "F", "Z", "C", "M")),
    "insert": ("A, 1, 5.",), "append": ("A, A",), "delete": ("A, 1",), "dot": ("A, A.T",), "choose": ("C % 2, [A, A]",),
    "clip": ("A, -1, 1", "C, 1, 4"), "take": ("A, [0, 1]",), "compress": ("[True, False, True], A",), "einsum": ("'ij->j', A",),
    "full": ("(2, 3), 4",), "full_like": ("A, 4",), "eye": ("3, 4",), "identity": ("3",), "arange": ("3, 9",), "tri": ("3",),
    "astype": ("A, 'f4'",), "reshape": ("A, (6, 4)",), "expand_dims": ("A",), "squeeze": ("A[:, None]",), "swapaxes": ("A, 0, 1",),
    "moveaxis": ("A, 0, 1",), "take_along_axis": ("A, C % 4",), "unpackbits": ("U",), "packbits": ("M",), "copyto": ("+A, A * 2",),
    "linalg.multi_dot": ("[S, S]",), "linalg.cross": ("A[:, :3], A[:, 3:]",), "cross": ("A[:3], A[1:]",),
    "linalg.outer": ("A[0], A[1]",), "linalg.matrix_power": ("S, 2",), "linalg.tensorsolve": ("np.eye(24).reshape(4, 6, 24), A",),
    "searchsorted": ("np.sort(A[0]), A",), "unravel_index": ("C, (4, 6)",), "digitize": ("A, [0., 1.]",), "isin": ("C, [1, 2]",),
    "trapezoid": ("A",), "cumulative_sum": ("A[0]",), "cumulative_prod": ("A[0]",), "bincount": ("C.ravel()",),
    "resize": ("A, (3, 3)",), "tile": ("A, 2",), "pad": ("A, 1",), "where": ("M, A, 0",), "broadcast_to": ("A, (2, 4, 6)",),
    "fft.fftfreq": ("8",), "fft.rfftfreq": ("8",), "split": ("A, 2",), "array_split": ("A, 2",), "interp": ("A, [0., 1.], [0., 2.]",),
    "ravel_multi_index": ("(C % 4, C % 6), (4, 6)",), "indices": ("(2, 3)",), "select": ("[M], [A]",),
}  # fmt: skip
"""What precedes the parameters; other functions get the first of GENERIC that NumPy takes."""
GENERIC = ("A", "S", "A, A", "A[0]", "C")

VALUES = {
    "axis": ["None", "0", "-1", "(0, 1)", "(1,)", "()", "2", "(0, 0)", "1.0", "'0'", "True", "[0, 1]"],
    "axes": ["None", "(0, 1)", "(1, 0)", "1", "([0], [0])"],
    "keepdims": ["True", "False", "1"],
    "dtype": ["'f4'", "'f8'", "'i4'", "'c16'", "'?'", "'bogus'", "None"],
    "initial": ["0", "1.5", "None"],
    "where": ["M", "M[:1]", "True", "A", "M[:, :5]", "C"],
    "casting": ["'no'", "'safe'", "'same_kind'", "'unsafe'", "'bogus'"],
    "order": ["'C'", "'F'", "'A'", "'K'", "'X'", "None"],
    "subok": ["True", "False"],
    "copy": ["True", "False", "None"],
    "like": ["A", "None", "3"],
    "device": ["'cpu'", "'x'"],
    "ddof": ["0", "4", "1.5"],
    "kind": ["'stable'", "'x'", "None"],
    "method": ["'nearest'", "'x'"],
    "mode": ["'clip'", "'wrap'", "'x'"],
    "side": ["'right'", "'x'"],
    "norm": ["'ortho'", "'x'"],
    "n": ["1", "7", "-1"],
    "ord": ["1", "np.inf", "'x'"],
    "shape": ["(2, 3)", "()"],
    "ndmin": ["3"],
    "weights": ["A * A"],
    "returned": ["True"],
    "out": [
        "O(6)", "O(4)", "O((4, 6))", "O((4, 6), 'i8')", "O((4, 6), 'c16')", "O((4, 6), 'f4')", "O(6, 'i8')", "O(6, 'f4')", "O((1, 6))",
        "O((4, 5))", "'x'", "[1, 2]", "(O(6), O(6))",
    ],
}  # fmt: skip
PAIRS = {"axis": ["0", "-1"], "keepdims": ["True"], "where": ["M"], "out": ["O(6)", "O(6, 'f4')", "O((1, 6))"], "dtype": ["'f4'"]}
"""Given together, two at a time."""

LEFT_OUT = set(
    "info test show_config show_runtime seterr seterrcall setbufsize set_printoptions printoptions errstate load empty empty_like "
    "row_stack piecewise apply_along_axis apply_over_axes save savez savez_compressed savetxt put place putmask "
    "fill_diagonal put_along_axis".split()
)  # fmt: skip
"""Settings, files, memory that nobody has written to, functions of functions, functions that write (tests/test_mutation.py)."""

KNOWN = {
    "which of several wrong axes is named": "fft.fft2 fft.fftn fft.ifft2 fft.ifftn fft.irfft2 fft.irfftn fft.rfft2 fft.rfftn",
}
"""Why a difference is there, and the functions."""
EXCUSED = {name: reason for reason, names in KNOWN.items() for name in names.split()}


def functions():
    """{name: NumPy's function} for all that are no ufuncs."""
    found = {}
    for prefix, module in (("", np), ("linalg.", np.linalg), ("fft.", np.fft)):
        for name in sorted(module.__all__):
            function = getattr(module, name)
            if (
                callable(function)
                and not isinstance(function, (type, np.ufunc))
                and name not in LEFT_OUT
                and function not in found.values()
            ):
                found[prefix + name] = function
    return found


FUNCTIONS = functions()


def look_up(namespace, name):
    for part in name.split("."):
        namespace = getattr(namespace, part)
    return namespace


def lay_out(array):
    """A lazy array with the same order of axes in memory."""
    if array.ndim < 2 or array.flags.c_contiguous:
        return lnp.lazy(array)
    axes = sorted(range(array.ndim), key=lambda k: -array.strides[k])
    return lnp.lazy(np.ascontiguousarray(array.transpose(axes))).transpose(np.argsort(axes).tolist())


def answer(namespace, name, text, data=DATA):
    """(what a call returns or raises, what it has said)."""
    outs = []
    convert = (lambda x: np.copy(x, order="K")) if namespace is np else lay_out

    def out(shape, dtype=float):
        outs.append(convert(np.full(shape, 3, dtype)))
        return outs[-1]

    space = {key: convert(value) for key, value in data.items()} | {"np": np, "O": out, "F_": look_up(namespace, name)}
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        try:
            result = eval(f"F_({text})", space)
            found = described(result), [described(o) for o in outs], [result is o for o in outs]
        except Exception as error:
            return (type(error).__name__, str(error).split("\n")[0]), set()
    return found, {(w.category, str(w.message)) for w in said if "lazynp" not in w.category.__module__}


def described(value):
    if isinstance(value, (tuple, list)):
        return [type(value).__name__, *map(described, value)]
    if hasattr(value, "dtype") and hasattr(value, "strides"):
        array = np.asarray(value)
        strides = tuple([s for s, n in zip(value.strides, value.shape, strict=True) if n > 1]) if value.size else ()
        return isinstance(value, (np.generic, lnp.ndarray)), array.dtype, array.shape, strides, array
    return repr(value)


def alike(found, expected):
    if type(found) is not type(expected):
        return False
    if isinstance(expected, (tuple, list)):
        return len(found) == len(expected) and all(map(alike, found, expected))
    if not isinstance(expected, np.ndarray):
        return found == expected
    if expected.dtype.kind not in "fc":
        return np.array_equal(found, expected)
    tolerance = {"float16": 2e-3, "float32": 1e-6, "complex64": 1e-6}.get(expected.dtype.name, 1e-13)
    with np.errstate(all="ignore"):
        scale = np.max(np.abs(expected[np.isfinite(expected)]), initial=1.0)
        return found.shape == expected.shape and np.allclose(found, expected, tolerance, tolerance * scale, equal_nan=True)


def starts(name, function):
    """The arguments that come first."""
    if name in ARGUMENTS:
        return ARGUMENTS[name]
    return [text for text in GENERIC if not isinstance(answer(np, name, text)[0][0], str)][:1]


def calls(name, function):
    try:
        parameters = set(inspect.signature(function).parameters)
    except ValueError:  # a C function without one
        parameters = {"dtype", "order", "like", "out", "casting", "copy", "subok", "ndmin", "device", "axis", "where"}
    for first in starts(name, function):
        options = [f"{p}={v}" for p in VALUES.keys() & parameters for v in VALUES[p]]
        named = [p for p in PAIRS if p in parameters]
        options += [f"{p}={v}, {q}={w}" for p in named for q in named if p < q for v in PAIRS[p] for w in PAIRS[q]]
        yield from sorted(f"{first}, {option}" for option in options)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_parameters_of_functions(name):
    wrong = []
    for text in calls(name, FUNCTIONS[name]):
        expected = answer(np, name, text)
        with lnp.config(backend="reference", lazy_threshold=0):
            found = answer(lnp, name, text)
        if not alike(found[0], expected[0]) or found[1] != expected[1]:
            wrong.append(f"{name}({text}): {found} instead of {expected}")
    if name in EXCUSED:
        assert wrong, f"{name} has no difference any more"
    else:
        assert not wrong, "\n".join(wrong[:5])


# --- ufuncs ---------------------------------------------------------------------------------------------------------------

UFUNCS = {u.__name__: u for u in vars(np).values() if isinstance(u, np.ufunc) and u.signature is None}
KINDS = {"f8": A, "i8": (A * 5).astype("i8"), "?": A > 0, "c16": DATA["Z"], "u1": np.abs(A * 5).astype("u1")}

OPTIONS = """
; out=O((4, 6)) ; out=O((4, 6), 'c16') ; out=O((4, 6), 'i8') ; out=O((4, 6), 'f4'), where=M ; out=O((4, 6), 'c16'), where=M ;
out=O((4, 5), 'c16') ; out=O((2, 4, 6), 'c16') ; out=O((4, 6), 'c16'), where=M[:1] ; out=O((4, 6), 'c16'), where=False ;
out=O((4, 6), 'c16'), where=C ; dtype='f4' ; dtype='i4' ; dtype='c16' ; dtype='?' ; dtype='O' ; casting='no' ; casting='unsafe' ;
casting='bogus' ; casting='unsafe', dtype='f4' ; casting='safe', dtype='f4' ; order='F' ; order='X' ; subok=False ; subok='x' ; axis=0 ;
keepdims=True ; foo=1
""".replace("\n", " ").split(" ; ")
PAIRS_OF_OPERANDS = ("G, G", "X.T, X.T", "X[0, 0], Y[0, 0]", "X, 2", "X, 2.5", "X, Y[0]")
FOLDS = """
reduce(T) ; reduce(T, 1) ; reduce(T, None) ; reduce(T, (0, 2)) ; reduce(T, 3) ; reduce(T, 1.0) ; reduce(T, (0, 0)) ;
reduce(T, -1, keepdims=True) ; reduce(T, initial=1) ; reduce(T, initial=None) ; reduce(T, where=T > 0, initial=1) ;
reduce(T, where=T > 0) ; reduce(T[:0]) ; reduce(T[:0], None, initial=2) ; reduce(T, dtype='f4') ; reduce(T, dtype='i4') ;
reduce(T, dtype='c16') ; reduce(T, out=O((4, 6))) ; reduce(T, out=O((4, 6), 'c16')) ; reduce(T, out=O((4, 6), 'i8')) ;
reduce(T, out=O((4, 5), 'c16')) ; accumulate(T) ; accumulate(T, -1) ; accumulate(T, 5) ; accumulate(T, (0,)) ;
accumulate(T, dtype='f4') ; accumulate(T, out=O((2, 4, 6), 'c16')) ; accumulate(T[0, 0, 0]) ; reduceat(X, [0, 2, 1, 3]) ;
reduceat(X, [0, 9]) ; reduceat(X, [0, 2], 1) ; outer(X, Y[0]) ; outer(X, Y[0], dtype='f4') ; outer(X, Y[0], out=O((4, 6, 6), 'c16'))
""".replace("\n", " ").split(" ; ")


def differences(name, texts, data):
    for text in texts:
        expected = answer(np, *text, data)
        with lnp.config(backend="reference", lazy_threshold=0):
            found = answer(lnp, *text, data)
        if not alike(found[0], expected[0]) or found[1] != expected[1]:
            yield f"{text}: {found} instead of {expected}"


def _for_all_outputs(option, count):
    """An output for each result."""
    if count == 1 or not option.startswith("out="):
        return option
    single = option[4 : option.index(", w") if ", w" in option else len(option)]
    return option.replace(single, f"({single}, {single})")


@pytest.mark.parametrize("name", UFUNCS)
def test_parameters_of_ufuncs(name):
    function, wrong = UFUNCS[name], []
    for kind, x in KINDS.items():
        y = x[::-1].copy() if name not in ("left_shift", "right_shift", "power", "ldexp") else KINDS["u1"] % 3
        data = {"X": x, "Y": y, "M": DATA["M"], "C": DATA["C"], "G": np.asfortranarray(x), "T": np.stack([x, x[::-1]])}
        nin = function.nin
        texts = [(name, f"{', '.join('XY'[:nin])}, {_for_all_outputs(option.strip(), function.nout)}") for option in OPTIONS]
        texts += [
            (name, ", ".join(text.split(", ")[:nin])) for text in ("G, G", "X.T, X.T", "X[0, 0], Y[0, 0]", "X, 2", "X, 2.5", "X, Y[0]")
        ]
        texts += [(name, text) for text in ("X, Y[0, :5]", "X, Y, X, Y, X")]
        if function.nin == 2 and function.nout == 1:
            texts += [(f"{name}.{method}", rest.strip()[:-1]) for method, _, rest in [fold.strip().partition("(") for fold in FOLDS]]
        wrong += [f"{kind} {line}" for line in differences(name, texts, data)]
    assert not wrong, f"{len(wrong)} of them\n" + "\n".join(wrong[:6])
