"""BLAS and LAPACK for generated C: addresses of routines that are already in this process, with their C types.

    table() -> Blas | None          NumPy's own library, else SciPy's cython_blas/cython_lapack, else None
    Blas.pointer("dgemm") -> int    pass it to a program in a slot: addresses change between processes, programs are cached on disk
    Blas.prototype("dgemm") -> str  `typedef void (*lz_dgemm_t)(char *, ...);`; declares the type that the slot is cast to
    Blas.calls("f64") -> str        static C functions lz_gemm_f64 and lz_gemv_f64 for row-major operands, on top of such pointers

Everything follows Fortran's convention: column-major, every argument an address, integers of `Blas.int_type` ("int64_t" or "int").
`Blas.int_type` belongs in the key of a program. NumPy's library is preferred because it is loaded anyway; importing
scipy.linalg.cython_blas costs 0.2 s.
"""

import ctypes
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib import import_module

from numpy.linalg import _umath_linalg  # its extension module is linked to BLAS and LAPACK; dlsym on it searches both

LETTERS = {"f32": "s", "f64": "d", "c64": "c", "c128": "z"}
"""What the names of routines begin with, by the suffix of the dtype."""
_CTYPES = {"f32": "float", "f64": "double", "c64": "lz_c64", "c128": "lz_c128"}

# c: char *, i: integer *, v: void * (data or scalar of the routine's type). Netlib's reference gives the meaning.
_SIGNATURES = {
    "gemm": "cciiivvivivvi",
    "gemv": "ciivvivivvi",
    "syrk": "cciivvivvi",
    "trsm": "cccciivvivi",
    "trmm": "cccciivvivi",
    "trsv": "cccivivi",
    "axpy": "ivvivi",
    "getrf": "iiviii",
    "getrs": "ciiviivii",
    "getri": "iviivii",
    "gesv": "iiviivii",
    "potrf": "civii",
    "potrs": "ciivivii",
    "potri": "civii",
    "trtri": "ccivii",
    "trtrs": "ccciivivii",
    "geqrf": "iivivvii",
}
_REAL = {"ger": "iivvivivi", "dot": "ivivi", "orgqr": "iiivivvii", "syevd": "ccivivviiii", "gesdd": "ciivivviviviii"}
_COMPLEX = {
    "geru": "iivvivivi",
    "gerc": "iivvivivi",
    "herk": "cciivvivvi",
    "ungqr": "iiivivvii",
    "heevd": "ccivivviviiii",
    "gesdd": "ciivivvivivivii",
}
_LAPACK = {
    *("getrf", "getrs", "getri", "gesv", "potrf", "potrs", "potri", "trtri", "trtrs", "geqrf", "orgqr", "ungqr"),
    *("syevd", "heevd", "gesdd"),
}


CALLED = ("gemm", "gemv", "syrk")
"""What the functions of `Blas.calls` call."""


@dataclass(frozen=True, slots=True)
class Blas:
    """One library. source: "numpy" or "scipy"; lookup: routine name -> address, 0 if it has none."""

    source: str
    int_type: str
    lookup: Callable[[str], int]

    convention = "fortran"

    def has(self, name: str) -> bool:
        """Whether the library has the routine, e.g. "dgemm"."""
        return _signature(name) is not None and self.lookup(name) != 0

    def pointer(self, name: str) -> int:
        """The address of a routine. Raises KeyError if the library does not have it."""
        address = self.lookup(name) if _signature(name) is not None else 0
        if not address:
            raise KeyError(f"{self.source}'s BLAS has no routine {name!r}")
        return address

    def prototype(self, name: str) -> str:
        """C text: the function pointer type lz_<name>_t. Raises KeyError for a routine that is not in the tables above."""
        signature = _signature(name)
        if signature is None:
            raise KeyError(f"no signature for the routine {name!r}")
        kinds = {"c": "char *", "i": f"{self.int_type} *", "v": "void *"}
        result = {"sdot": "float", "ddot": "double"}.get(name, "void")
        return f"typedef {result} (*lz_{name}_t)({', '.join(kinds[letter] for letter in signature)});"

    def calls(self, suffix: str) -> str:
        """C text, after the prelude's header: row-major matrix products for f32, f64, c64 or c128.

            lz_gemm_<s>(fn, ta, tb, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc)    c (m, n) = alpha op(a) (m, k) op(b) (k, n) + beta c
            lz_syrk_<s>(fn, ta, m, k, alpha, a, lda, beta, c)    c (m, m) = alpha op(a) (m, k) op(a).T + beta c, half the work of gemm
            lz_gemv_<s>(fn, ta, m, n, alpha, a, lda, x, incx, beta, y, incy)         y = alpha op(a) x + beta y, a (m, n) as stored
            lz_gemm_onto_<s>(fn, ta, tb, a, b, c, batch, m, n, k, onto)    contiguous c = alpha op(a) op(b) + beta d, real dtypes only

        fn is the slot; ta, tb: 'N', 'T' or, in gemm only, 'C'; ld*: elements from row to row; alpha, beta by value."""
        letter = LETTERS[suffix]
        whole = _CALLS + _ONTO if suffix in ("f32", "f64") else _CALLS
        text = whole.replace("$S", suffix).replace("$X", letter).replace("$T", _CTYPES[suffix]).replace("$I", self.int_type)
        return "\n".join([*[self.prototype(f"{letter}{routine}") for routine in CALLED], text])


# A row-major matrix is its transpose in column-major order: c = a b  <=>  c' = b' a'. BLAS wants ld >= 1 also where a size is 0 or 1.
# gemv has no 'C': the column-major twin would be conjugation without transposition, which BLAS does not offer.
_CALLS = """\
static inline $I lz_ld_$S(int64_t ld, int64_t least) { return ($I)(ld > least ? ld : least > 0 ? least : 1); }
static void lz_gemm_$S(void *fn, char ta, char tb, int64_t m, int64_t n, int64_t k, $T alpha, const void *a, int64_t lda,
                       const void *b, int64_t ldb, $T beta, void *c, int64_t ldc) {
    $I m_ = ($I)m, n_ = ($I)n, k_ = ($I)k, lda_ = lz_ld_$S(lda, ta == 'N' ? k : m), ldb_ = lz_ld_$S(ldb, tb == 'N' ? n : k);
    $I ldc_ = lz_ld_$S(ldc, n);
    ((lz_$Xgemm_t)fn)(&tb, &ta, &n_, &m_, &k_, &alpha, (void *)b, &ldb_, (void *)a, &lda_, &beta, c, &ldc_);
}
static void lz_syrk_$S(void *fn, char ta, int64_t m, int64_t k, $T alpha, const void *a, int64_t lda, $T beta, void *c) {
    $I m_ = ($I)m, k_ = ($I)k, lda_ = lz_ld_$S(lda, ta == 'N' ? k : m), ldc_ = lz_ld_$S(m, m);
    char upper = 'U', turned = ta == 'N' ? 'T' : 'N';
    ((lz_$Xsyrk_t)fn)(&upper, &turned, &m_, &k_, &alpha, (void *)a, &lda_, &beta, c, &ldc_);
    $T *r = c; /* column-major upper is row-major lower: mirror it, tile by tile */
    for (int64_t i0 = 0; i0 < m; i0 += 32)
        for (int64_t j0 = i0; j0 < m; j0 += 32)
            for (int64_t i = i0; i < m && i < i0 + 32; i++)
                for (int64_t j = j0 > i ? j0 : i + 1; j < m && j < j0 + 32; j++) r[i * m + j] = r[j * m + i];
}
static void lz_gemv_$S(void *fn, char ta, int64_t m, int64_t n, $T alpha, const void *a, int64_t lda, const void *x, int64_t incx,
                       $T beta, void *y, int64_t incy) {
    $I m_ = ($I)m, n_ = ($I)n, lda_ = lz_ld_$S(lda, n), incx_ = ($I)incx, incy_ = ($I)incy;
    char turned = ta == 'N' ? 'T' : 'N';
    ((lz_$Xgemv_t)fn)(&turned, &n_, &m_, &alpha, (void *)a, &lda_, (void *)x, &incx_, &beta, y, &incy_);
}
"""


_ONTO = """\
/* What a product and its left operand are multiplied with, and what is added to it: beta d, where d is null, the result itself or an array
   with strides. */
typedef struct { $T scale, alpha, beta; const $T *d; int64_t member, row, column; } lz_onto_$S;
/* c (batch, m, n) = alpha op(a) op(b) + beta d; alpha is not zero, scale is one. */
static __attribute__((unused)) void lz_gemm_onto_$S(void *fn, char ta, char tb, const $T *a, const $T *b, $T *c, int64_t batch, int64_t m,
                                                    int64_t n, int64_t k, lz_onto_$S onto) {
    const int there = onto.d == c && onto.beta != 0; /* BLAS does not read what is multiplied by zero */
    for (int64_t i = 0; i < batch; i++, a += m * k, b += k * n, c += m * n, onto.d += onto.d ? onto.member : 0) {
        if (onto.d && !there)
            for (int64_t r = 0; r < m; r++)
                if (onto.column == 1) for (int64_t j = 0; j < n; j++) c[r * n + j] = onto.beta * onto.d[r * onto.row + j];
                else for (int64_t j = 0; j < n; j++) c[r * n + j] = onto.beta * onto.d[r * onto.row + j * onto.column];
        lz_gemm_$S(fn, ta, tb, m, n, k, onto.alpha, a, ta == 'N' ? k : m, b, tb == 'N' ? n : k, there ? onto.beta : onto.d != 0, c, n);
    }
}
"""


def is_routine(name: str) -> bool:
    """Whether this library is to have a routine that a program calls; NumPy has the others (`native.numpy_sorter`)."""
    return not name.startswith("numpy.")


def _signature(name: str) -> str | None:
    letter, routine = name[:1], name[1:]
    extra = _REAL if letter in ("s", "d") else _COMPLEX if letter in ("c", "z") else None
    return None if extra is None else _SIGNATURES.get(routine) or extra.get(routine)


@cache
def table() -> Blas | None:
    """The library of this process: NumPy's if its symbols can be found, else SciPy's; None if neither can."""
    return from_numpy() or from_scipy()


@cache
def from_numpy() -> Blas | None:
    """The library that NumPy is linked to: OpenBLAS in its wheels (names with scipy_ and 64_), the system's BLAS elsewhere."""
    library = ctypes.CDLL(_umath_linalg.__file__)
    for spelling, int_type in (("scipy_{}_64_", "int64_t"), ("{}_64_", "int64_t"), ("scipy_{}_", "int"), ("{}_", "int")):
        lookup = _in_library(library, spelling)
        if all(lookup(name) for name in ("dgemm", "sgemm", "dgemv", "dgesv")):
            return Blas("numpy", int_type, lookup)
    return None


def _in_library(library: ctypes.CDLL, spelling: str) -> Callable[[str], int]:
    def lookup(name: str) -> int:
        try:
            return ctypes.cast(library[spelling.format(name)], ctypes.c_void_p).value or 0
        except AttributeError:
            return 0

    return cache(lookup)


@cache
def _thread_getter() -> Callable[[], int]:
    """OpenBLAS's own question for its number of threads; other libraries set no limit."""
    library = ctypes.CDLL(_umath_linalg.__file__)
    for spelling in ("scipy_openblas_get_num_threads64_", "scipy_openblas_get_num_threads", "openblas_get_num_threads"):
        found = getattr(library, spelling, None)
        if found is not None:
            found.restype = ctypes.c_int
            return found  # type: ignore[no-any-return]
    return lambda: 1 << 30


@cache
def core_name() -> str:
    """OpenBLAS's name of the processor whose kernels it has chosen; "" for other libraries."""
    library = ctypes.CDLL(_umath_linalg.__file__)
    for spelling in ("scipy_openblas_get_corename64_", "scipy_openblas_get_corename", "openblas_get_corename"):
        found = getattr(library, spelling, None)
        if found is not None:
            found.restype = ctypes.c_char_p
            return str(found().decode())
    return ""


def thread_limit() -> int:
    """How many threads NumPy's BLAS would use now: what the environment and threadpoolctl allow numerical libraries."""
    return _thread_getter()()


@cache
def thread_getter() -> int:
    """The address of the C function that `thread_limit` calls; 0 for libraries that set no limit."""
    getter = _thread_getter()
    return ctypes.cast(getter, ctypes.c_void_p).value or 0 if isinstance(getter, ctypes._CFuncPtr) else 0


@cache
def from_scipy() -> Blas | None:
    """SciPy's exported pointers; None if SciPy is not installed. Imports scipy.linalg."""
    try:
        tables = [import_module(f"scipy.linalg.cython_{part}").__pyx_capi__ for part in ("blas", "lapack")]
    except ImportError:
        return None

    def lookup(name: str) -> int:
        capsule = tables[name[1:] in _LAPACK].get(name)
        return 0 if capsule is None else _capsule_address(capsule)

    return Blas("scipy", "int", cache(lookup))


def _capsule_address(capsule: object) -> int:
    """The address in a Cython capsule, whose name is the C signature (C API: PyCapsule_GetPointer)."""
    api = ctypes.pythonapi
    name = ctypes.PYFUNCTYPE(ctypes.c_char_p, ctypes.py_object)(("PyCapsule_GetName", api))(capsule)
    return ctypes.PYFUNCTYPE(ctypes.c_void_p, ctypes.py_object, ctypes.c_char_p)(("PyCapsule_GetPointer", api))(capsule, name)
