"""Linear algebra of programs in C: LAPACK's routines on row-major matrices, as numpy.linalg calls them.

    has(node) -> bool               whether a LIBRARY node has a C function
    ROUTINES[op name] -> Routine    what it calls, and what it says when it fails
    text(helpers, library) -> str   C text of the functions that a program uses, after blas.Blas.calls

Every function takes the slots of its routines, its arguments, its results (a null pointer for one that nobody reads), how many
matrices there are, and sizes. It returns 0, the number that LAPACK complains with, or -1 where there was no memory. Matrices are turned
into column-major order and back as in NumPy's umath_linalg.cpp, so that the last bits are NumPy's too. Floating point flags that LAPACK
raises are dropped, as there. Systems and determinants of triangular and of positive definite matrices take other routines, of half the work
or less, except at level "exact": what a matrix is, is seen while it runs.
"""

from collections.abc import Iterable
from functools import cache
from typing import NamedTuple

import numpy as np

from lazynp.backends import blas, prelude
from lazynp.config import settings
from lazynp.ir.node import Node

_REAL = {"f32": "float", "f64": "double", "c64": "float", "c128": "double"}


class Routine(NamedTuple):
    """calls: LAPACK's names without the letter of the dtype; dtypes: in which it computes; sizes: which of rows, columns and columns of the
    second argument the C function takes; failure: the text of the LinAlgError."""

    calls: tuple[str, ...]
    dtypes: str
    sizes: str
    failure: str
    text: tuple[str, ...]


_HEADER = """\
void *malloc(__SIZE_TYPE__); void free(void *);
typedef struct { void *memory; double local[512]; } lz_scratch;
/* Memory for some bytes: of the stack where they are few. */
static inline void *lz_scratch_take(lz_scratch *s, int64_t bytes) {
    return s->memory = bytes <= (int64_t)sizeof(s->local) ? (void *)s->local : malloc(bytes);
}
static inline void lz_scratch_give(lz_scratch *s) { if (s->memory != (void *)s->local) free(s->memory); }
static inline int64_t lz_leave_flags(int64_t before, int64_t info) { lz_clear_flags(); lz_raise_flags(before); return info; }
"""

_TURN = """\
/* to (columns, rows) = the transpose of from (rows, columns), whose rows are ld apart. */
static inline void lz_turn_$S($T *restrict to, const $T *restrict from, int64_t rows, int64_t columns, int64_t ld) {
    for (int64_t i0 = 0; i0 < rows; i0 += 16)
        for (int64_t j0 = 0; j0 < columns; j0 += 16)
            for (int64_t i = i0; i < rows && i < i0 + 16; i++)
                for (int64_t j = j0; j < columns && j < j0 + 16; j++) to[j * rows + i] = from[i * ld + j];
}
"""

_KINDS = """\
enum { lz_general, lz_upper, lz_lower, lz_positive };
"""

_KIND = """\
static int lz_finite_$S(const $T *x, int64_t n) {
    int64_t finite = 1;
    for (int64_t i = 0; i < n; i++) finite &= x[i] - x[i] == 0;
    return finite;
}
/* What can be seen of a matrix that is solved for: a triangle of zeros, or that it is its own transpose and may be positive definite. Of
   most matrices the first element off the diagonal tells that it is neither. */
static int lz_kind_$S(const $T *a, int64_t n) {
    if (n < $LEAST || $EXACT) return lz_general;
    int64_t upper = 1, lower = 1, alike = 1;
    for (int64_t i = 0; i < n && upper; i++) for (int64_t j = 0; j < i; j++) upper &= a[i * n + j] == 0;
    for (int64_t i = 0; i < n && lower; i++) for (int64_t j = i + 1; j < n; j++) lower &= a[i * n + j] == 0;
    if (upper || lower) {
        for (int64_t i = 0; i < n; i++) if (a[i * n + i] == 0) return lz_general; /* rounded pivots may not show it */
        return !lz_finite_$S(a, n * n) ? lz_general : upper ? lz_upper : lz_lower;
    }
    for (int64_t i = 0; i < n && alike; i++) alike = a[i * n + i] > 0 && a[i] == a[i * n];
    for (int64_t i0 = 0; i0 < n && alike; i0 += 16)
        for (int64_t j0 = i0; j0 < n; j0 += 16)
            for (int64_t i = i0; i < n && i < i0 + 16; i++)
                for (int64_t j = j0; j < n && j < j0 + 16; j++) alike &= a[i * n + j] == a[j * n + i];
    return alike ? lz_positive : lz_general;
}
/* Cholesky's factor in the lower triangle of a column-major matrix, and the logarithm of the determinant. 0: the matrix is not positive
   definite, or so nearly singular that it is for the factors with pivots to say whether it is. */
static int lz_positive_factor_$S(void *potrf, $T *a, int64_t n, $T *logdet) {
    char lower = 'L';
    $I n_ = ($I)n, info = 0;
    $T most = 0, least = 0, sum = 0;
    for (int64_t i = 0; i < n; i++) if (a[i * n + i] > most) most = a[i * n + i];
    ((lz_$Xpotrf_t)potrf)(&lower, &n_, a, &n_, &info);
    if (info) return 0;
    for (int64_t i = 0; i < n; i++) {
        const $T pivot = a[i * n + i] * a[i * n + i];
        if (i == 0 || !(pivot >= least)) least = pivot;
        if (logdet) sum += 2 * $LOG(a[i * n + i]);
    }
    if (logdet) *logdet = sum;
    return least > n * $EPS * most;
}
"""

_SMALL = """\
/* The factors of a small matrix with pivots, applied to the rows of x (n, k). 0, where a pivot is so small that the matrix may be
   singular, or is not finite: then LAPACK's roundings decide. det: the product of the pivots with its sign. */
static inline int lz_small_$S(const $T *a, $T *x, int64_t n, int64_t k, $T *det) {
    $T u[$SMALL * $SMALL], most = 0, product = 1;
    for (int64_t i = 0; i < n * n; i++) {
        u[i] = a[i];
        if (__builtin_fabs(a[i]) > most) most = __builtin_fabs(a[i]);
    }
    const $T least = n * $EPS * most;
    for (int64_t c = 0; c < n; c++) {
        int64_t best = c;
        for (int64_t i = c + 1; i < n; i++) if (__builtin_fabs(u[i * n + c]) > __builtin_fabs(u[best * n + c])) best = i;
        if (best != c) {
            for (int64_t j = c; j < n; j++) { const $T t = u[c * n + j]; u[c * n + j] = u[best * n + j]; u[best * n + j] = t; }
            for (int64_t j = 0; j < k; j++) { const $T t = x[c * k + j]; x[c * k + j] = x[best * k + j]; x[best * k + j] = t; }
            product = -product;
        }
        const $T pivot = u[c * n + c];
        if (!(__builtin_fabs(pivot) > least)) return 0;
        product *= pivot;
        for (int64_t i = c + 1; i < n; i++) {
            const $T f = u[i * n + c] / pivot;
            for (int64_t j = c + 1; j < n; j++) u[i * n + j] -= f * u[c * n + j];
            for (int64_t j = 0; j < k; j++) x[i * k + j] -= f * x[c * k + j];
        }
    }
    for (int64_t i = n - 1; i >= 0 && k; i--) {
        for (int64_t l = i + 1; l < n; l++) for (int64_t j = 0; j < k; j++) x[i * k + j] -= u[i * n + l] * x[l * k + j];
        for (int64_t j = 0; j < k; j++) x[i * k + j] /= u[i * n + i];
    }
    if (det) *det = product;
    return 1;
}
"""

_LOGARITHM = """\
$R $LOG($R);
"""

_FACTORS = """\
/* The factors of a copy of a, or its inverse applied to b; b null: to the identity. */
static int64_t lz_apply_inverse_$S(void *gesv, void *potrf, void *potrs, void *potri, void *trsm, void *trtri, const $T *a, const $T *b,
                                   $T *out, int64_t count, int64_t n, int64_t k) {
    const int64_t flags = lz_flags();
    lz_scratch s;
    $T *turned = lz_scratch_take(&s, (n * n + n * k) * (int64_t)sizeof($T) + n * (int64_t)sizeof($I));
    if (!turned) return -1;
    $T *sides = turned + n * n;
    $I *pivots = ($I *)(sides + n * k), n_ = ($I)n, k_ = ($I)k, ld = n > 0 ? ($I)n : 1, info = 0;
    for (int64_t c = 0; c < count && n && k && !info; c++, a += n * n, out += n * k) {
        $FEW
        const int kind = $KIND;
        lz_turn_$S(turned, a, n, n, n);
        if (b) { lz_turn_$S(sides, b, n, k, k); b += n * k; }
        else if (kind != lz_positive) for (int64_t i = 0; i < n; i++) for (int64_t j = 0; j < n; j++) sides[i * n + j] = $ONE;
        $SPECIAL
        lz_turn_$S(out, sides, k, n, n);
    }
    lz_scratch_give(&s);
    return lz_leave_flags(flags, info);
}
"""

_FEW = """\
if (n <= $SMALL && !$EXACT) {
            if (b) __builtin_memcpy(out, b, n * k * sizeof($T));
            else for (int64_t i = 0; i < n; i++) for (int64_t j = 0; j < n; j++) out[i * n + j] = i == j;
            if (lz_small_$S(a, out, n, k, 0)) { b += b ? n * k : 0; continue; }
        }"""
_SPECIAL = """\
if ((kind == lz_upper || kind == lz_lower) && lz_finite_$S(sides, b ? n * k : 0)) { /* pivots spread NaN further */
            char side = 'L', part = kind == lz_upper ? 'U' : 'L', no = 'N';
            $T one = 1;
            if (!b) { ((lz_$Xtrtri_t)trtri)(&part, &no, &n_, turned, &ld, &info); lz_turn_$S(out, turned, n, n, n); continue; }
            ((lz_$Xtrsm_t)trsm)(&side, &part, &no, &no, &n_, &k_, &one, turned, &ld, sides, &ld);
        } else if (kind == lz_positive && lz_positive_factor_$S(potrf, turned, n, 0)) {
            char lower = 'L';
            if (!b) {
                ((lz_$Xpotri_t)potri)(&lower, &n_, turned, &ld, &info);
                for (int64_t i = 0; i < n; i++) for (int64_t j = i; j < n; j++) out[i * n + j] = out[j * n + i] = turned[i * n + j];
                continue;
            }
            ((lz_$Xpotrs_t)potrs)(&lower, &n_, &k_, turned, &ld, sides, &ld, &info);
        } else {
            if (kind == lz_positive) lz_turn_$S(turned, a, n, n, n);
            if (kind == lz_positive && !b) for (int64_t i = 0; i < n; i++) for (int64_t j = 0; j < n; j++) sides[i * n + j] = i == j;
            ((lz_$Xgesv_t)gesv)(&n_, &k_, turned, &ld, pivots, sides, &ld, &info);
        }"""
_PLAIN = "(void)kind; ((lz_$Xgesv_t)gesv)(&n_, &k_, turned, &ld, pivots, sides, &ld, &info);"

_SOLVE = """\
static int64_t lz_solve_$S(void *gesv, void *potrf, void *potrs, void *potri, void *trsm, void *trtri, const $T *a, const $T *b, $T *out,
                           int64_t count, int64_t n, int64_t k) {
    return lz_apply_inverse_$S(gesv, potrf, potrs, potri, trsm, trtri, a, b, out, count, n, k);
}
"""

_INV = """\
static int64_t lz_inv_$S(void *gesv, void *potrf, void *potrs, void *potri, void *trsm, void *trtri, const $T *a, $T *out, int64_t count,
                         int64_t n) {
    return lz_apply_inverse_$S(gesv, potrf, potrs, potri, trsm, trtri, a, 0, out, count, n, n);
}
"""

_CHOLESKY = """\
static int64_t lz_cholesky_$S(void *potrf, const $T *a, $T *out, int64_t count, int64_t n) {
    const int64_t flags = lz_flags();
    lz_scratch s;
    $T *turned = lz_scratch_take(&s, n * n * (int64_t)sizeof($T));
    if (!turned) return -1;
    $I n_ = ($I)n, ld = n > 0 ? ($I)n : 1, info = 0;
    char lower = 'L';
    for (int64_t c = 0; c < count && n && !info; c++, a += n * n, out += n * n) {
        lz_turn_$S(turned, a, n, n, n);
        ((lz_$Xpotrf_t)potrf)(&lower, &n_, turned, &ld, &info);
        for (int64_t j = 1; j < n; j++) for (int64_t i = 0; i < j; i++) turned[j * n + i] = $ZERO;
        lz_turn_$S(out, turned, n, n, n);
    }
    lz_scratch_give(&s);
    return lz_leave_flags(flags, info);
}
"""

_SLOGDET = """\
$R $EXP($R);
/* Sign and logarithm from the factors with pivots; a singular matrix has 0 and -inf. det: their product. */
static int64_t lz_factored_$S(void *getrf, void *potrf, const $T *a, $T *sign, $T *logdet, $T *det, int64_t count, int64_t n) {
    const int64_t flags = lz_flags();
    lz_scratch s;
    $T *turned = lz_scratch_take(&s, n * n * (int64_t)sizeof($T) + n * (int64_t)sizeof($I));
    if (!turned) return -1;
    $I *pivots = ($I *)(turned + n * n), n_ = ($I)n, ld = n > 0 ? ($I)n : 1, info = 0;
    for (int64_t c = 0; c < count; c++, a += n * n) {
        $T one = 1, log_ = 0;
        if (n > 0 && n <= $SMALL && !$EXACT && lz_small_$S(a, 0, n, 0, &one) && __builtin_isnormal(one)) {
            if (sign) sign[c] = one < 0 ? -1 : 1;
            if (logdet) logdet[c] = $LOG(__builtin_fabs(one));
            if (det) det[c] = one;
            continue;
        }
        one = 1;
        const int kind = lz_kind_$S(a, n);
        if (n) lz_turn_$S(turned, a, n, n, n);
        if (kind == lz_positive && lz_positive_factor_$S(potrf, turned, n, &log_)) goto found;
        if (kind == lz_positive) lz_turn_$S(turned, a, n, n, n);
        if (kind == lz_upper || kind == lz_lower) for (int64_t i = 0; i < n; i++) pivots[i] = ($I)(i + 1);
        else if (n) ((lz_$Xgetrf_t)getrf)(&n_, &n_, turned, &ld, pivots, &info);
        log_ = info > 0 ? -__builtin_inf() : 0;
        if (info > 0) one = 0;
        for (int64_t i = 0; i < n && info <= 0; i++) if (pivots[i] != ($I)(i + 1)) one = -one;
        for (int64_t i = 0; i < n && info <= 0; i++) {
            $T pivot = turned[i * n + i];
            if (pivot < 0) { one = -one; pivot = -pivot; }
            log_ += $LOG(pivot);
        }
    found:
        if (sign) sign[c] = one;
        if (logdet) logdet[c] = log_;
        if (det) det[c] = one * $EXP(log_);
        info = 0;
    }
    lz_scratch_give(&s);
    return lz_leave_flags(flags, 0);
}
static inline int64_t lz_slogdet_$S(void *getrf, void *potrf, const $T *a, $T *sign, $T *logdet, int64_t count, int64_t n) {
    return lz_factored_$S(getrf, potrf, a, sign, logdet, 0, count, n);
}
static inline int64_t lz_det_$S(void *getrf, void *potrf, const $T *a, $T *det, int64_t count, int64_t n) {
    return lz_factored_$S(getrf, potrf, a, 0, 0, det, count, n);
}
"""

_TRIANGULAR = """\
static inline int lz_none_$S($T z) { return $NONE; }
/* out = the inverse of a triangle of a, applied to b. Row-major out is its own transpose in column-major order: out' a' = b'. */
static int64_t lz_solve_triangular_$S(void *trsm, const $T *a, const $T *b, $T *out, int64_t count, int64_t n, int64_t k,
                                      int lower, int unit) {
    const int64_t flags = lz_flags();
    char side = 'R', part = lower ? 'U' : 'L', as_stored = 'N', diagonal = unit ? 'U' : 'N';
    $I n_ = ($I)n, k_ = ($I)k, ld = n > 0 ? ($I)n : 1;
    $T one = $UNIT;
    for (int64_t c = 0; c < count && n && k; c++, a += n * n, b += n * k, out += n * k) {
        for (int64_t i = 0; i < n && !unit; i++) if (lz_none_$S(a[i * n + i])) return lz_leave_flags(flags, i + 1);
        if (out != b) __builtin_memcpy(out, b, n * k * sizeof($T));
        ((lz_$Xtrsm_t)trsm)(&side, &part, &as_stored, &diagonal, &k_, &n_, &one, (void *)a, &ld, out, &k_);
    }
    return lz_leave_flags(flags, 0);
}
"""

_EIGH = """\
/* Eigenvalues and, unless vectors is null, eigenvectors in columns, from the lower triangles. */
static int64_t lz_eigh_$S(void *syevd, const $T *a, $T *values, $T *vectors, int64_t count, int64_t n) {
    const int64_t flags = lz_flags();
    char wanted = vectors ? 'V' : 'N', lower = 'L';
    $I n_ = ($I)n, ld = n > 0 ? ($I)n : 1, info = 0, ask = -1, integers = 0;
    $T size = 0;
    ((lz_$Xsyevd_t)syevd)(&wanted, &lower, &n_, &size, &ld, &size, &size, &ask, &integers, &ask, &info);
    $I work = ($I)size;
    lz_scratch s;
    $T *turned = lz_scratch_take(&s, (n * n + n + work) * (int64_t)sizeof($T) + integers * (int64_t)sizeof($I));
    if (!turned) return -1;
    $T *spectrum = turned + n * n, *room = spectrum + n;
    for (int64_t c = 0; c < count && n && !info; c++, a += n * n) {
        lz_turn_$S(turned, a, n, n, n);
        ((lz_$Xsyevd_t)syevd)(&wanted, &lower, &n_, turned, &ld, spectrum, room, &work, ($I *)(room + work), &integers, &info);
        if (values) __builtin_memcpy(values + c * n, spectrum, n * sizeof($T));
        if (vectors) lz_turn_$S(vectors + c * n * n, turned, n, n, n);
    }
    lz_scratch_give(&s);
    return lz_leave_flags(flags, info);
}
static inline int64_t lz_eigvalsh_$S(void *syevd, const $T *a, $T *values, int64_t count, int64_t n) {
    return lz_eigh_$S(syevd, a, values, 0, count, n);
}
"""

_QR = """\
static int64_t lz_qr_$S(void *geqrf, void *orgqr, const $T *a, $T *q, $T *r, int64_t count, int64_t m, int64_t n) {
    const int64_t flags = lz_flags(), k = m < n ? m : n;
    $I m_ = ($I)m, n_ = ($I)n, k_ = ($I)k, ld = m > 0 ? ($I)m : 1, info = 0, ask = -1;
    $T first = 0, second = 0;
    ((lz_$Xgeqrf_t)geqrf)(&m_, &n_, &first, &ld, &first, &first, &ask, &info);
    ((lz_$Xorgqr_t)orgqr)(&m_, &k_, &k_, &second, &ld, &second, &second, &ask, &info);
    $I work = ($I)(first > second ? first : second);
    if (work < 1) work = 1;
    lz_scratch s;
    $T *turned = lz_scratch_take(&s, (m * n + k + work) * (int64_t)sizeof($T));
    if (!turned) return -1;
    $T *scales = turned + m * n, *room = scales + k;
    for (int64_t c = 0; c < count && k && !info; c++, a += m * n) {
        lz_turn_$S(turned, a, m, n, n);
        ((lz_$Xgeqrf_t)geqrf)(&m_, &n_, turned, &ld, scales, room, &work, &info);
        if (r) for (int64_t i = 0; i < k; i++) for (int64_t j = 0; j < n; j++) r[(c * k + i) * n + j] = j < i ? 0 : turned[j * m + i];
        if (!q || info) continue;
        ((lz_$Xorgqr_t)orgqr)(&m_, &k_, &k_, turned, &ld, scales, room, &work, &info);
        lz_turn_$S(q + c * m * k, turned, k, m, m);
    }
    lz_scratch_give(&s);
    return lz_leave_flags(flags, info);
}
"""

_SVD = """\
static int64_t lz_svd_$S(void *gesdd, const $T *a, $T *u, $T *values, $T *vt, int64_t count, int64_t m, int64_t n) {
    const int64_t flags = lz_flags(), k = m < n ? m : n;
    const int vectors = u || vt || $EXACT; /* without them a third of the work, and other roundings */
    char some = vectors ? 'S' : 'N';
    $I m_ = ($I)m, n_ = ($I)n, k_ = k > 0 ? ($I)k : 1, ld = m > 0 ? ($I)m : 1, info = 0, ask = -1, integer = 0;
    $T size = 0;
    ((lz_$Xgesdd_t)gesdd)(&some, &m_, &n_, &size, &ld, &size, &size, &ld, &size, &k_, &size, &ask, &integer, &info);
    $I work = ($I)size;
    if (work < 1) work = 1;
    lz_scratch s;
    $T *turned = lz_scratch_take(&s, (m * n + vectors * (m + n) * k + k + work) * (int64_t)sizeof($T) + 8 * k * (int64_t)sizeof($I));
    if (!turned) return -1;
    $T *left = turned + m * n, *right = left + vectors * m * k, *spectrum = right + vectors * k * n, *room = spectrum + k;
    for (int64_t c = 0; c < count && k && !info; c++, a += m * n) {
        lz_turn_$S(turned, a, m, n, n);
        ((lz_$Xgesdd_t)gesdd)(&some, &m_, &n_, turned, &ld, spectrum, left, &ld, right, &k_, room, &work, ($I *)(room + work), &info);
        if (u) lz_turn_$S(u + c * m * k, left, k, m, m);
        if (values) __builtin_memcpy(values + c * k, spectrum, k * sizeof($T));
        if (vt) lz_turn_$S(vt + c * k * n, right, n, k, k);
    }
    lz_scratch_give(&s);
    return lz_leave_flags(flags, info);
}
"""

_SOLVERS = ("gesv", "potrf", "potrs", "potri", "trsm", "trtri")
_KNOWN = (_KINDS, _LOGARITHM, _KIND, _SMALL)
_MOST_SMALL = 8
"""Rows of matrices that take less time than LAPACK takes to look at its arguments."""
_LEAST_KIND = 24
"""Rows from which the kind of a matrix is looked for; smaller ones are as fast with pivots."""

ROUTINES = {
    "cholesky": Routine(("potrf",), "dD", "m", "Matrix is not positive definite", (_CHOLESKY,)),
    "solve": Routine(_SOLVERS, "dD", "mk", "Singular matrix", (*_KNOWN, _FACTORS, _SOLVE)),
    "inv": Routine(_SOLVERS, "dD", "m", "Singular matrix", (*_KNOWN, _FACTORS, _INV)),
    "slogdet": Routine(("getrf", "potrf"), "d", "m", "", (*_KNOWN, _SLOGDET)),
    "det": Routine(("getrf", "potrf"), "d", "m", "", (*_KNOWN, _SLOGDET)),
    "solve_triangular": Routine(("trsm",), "fdFD", "mk", "singular matrix: resolution failed at diagonal {0}", (_TRIANGULAR,)),
    "eigh": Routine(("syevd",), "d", "m", "Eigenvalues did not converge", (_EIGH,)),
    "eigvalsh": Routine(("syevd",), "d", "m", "Eigenvalues did not converge", (_EIGH,)),
    "qr": Routine(("geqrf", "orgqr"), "d", "mn", "Incorrect argument found in performing QR factorization", (_QR,)),
    "svd": Routine(("gesdd",), "d", "mn", "SVD did not converge", (_SVD,)),
}


@cache
def _available(name: str, char: str) -> bool:
    routine, library = ROUTINES.get(name), blas.table()
    if routine is None or library is None or char not in routine.dtypes:
        return False
    return all(library.has(call) for call in calls(name, np.dtype(char)))


_WIDE = {"f": "d", "F": "D"}


def has(node: Node) -> bool:
    """Whether this machine's LAPACK does what a LIBRARY node asks for, perhaps in double precision."""
    if node.op.name not in ROUTINES:
        return False
    char = node.args[0].dtype.char
    return _available(node.op.name, char) or _available(node.op.name, _WIDE.get(char, char))


def widened(node: Node) -> np.dtype | None:
    """The dtype in which NumPy computes a node of single precision: numpy.linalg has routines of double precision only."""
    char = node.args[0].dtype.char
    return np.dtype(_WIDE[char]) if char in _WIDE and char not in ROUTINES[node.op.name].dtypes else None


def calls(name: str, dtype: np.dtype) -> list[str]:
    """LAPACK's names of the routines that the function for an op calls."""
    letter = blas.LETTERS[prelude.suffix(dtype)]
    return [letter + stem for stem in ROUTINES[name].calls]


def text(helpers: Iterable[tuple[str, np.dtype]], library: blas.Blas) -> str:
    """C text of the functions for ops on dtypes: what several need stands there once."""
    parts = dict.fromkeys([_HEADER])
    for name, dtype in helpers:
        parts |= dict.fromkeys([library.prototype(call) for call in calls(name, dtype)])
        parts |= dict.fromkeys([_written(piece, prelude.suffix(dtype), library.int_type) for piece in (_TURN, *ROUTINES[name].text)])
    return "\n".join(parts)


def _written(piece: str, suffix: str, integer: str) -> str:
    real, number = _REAL[suffix], prelude.CTYPES[suffix]
    is_complex = suffix.startswith("c")
    if is_complex and piece in (_KIND, _SMALL):
        return ""
    piece = piece.replace("$FEW", "" if is_complex else _FEW).replace("$SMALL", str(_MOST_SMALL))
    piece = piece.replace("$SPECIAL", _PLAIN if is_complex else _SPECIAL).replace("$KIND", "0" if is_complex else "lz_kind_$S(a, n)")
    piece = piece.replace("$EXACT", str(int(settings.level == "exact"))).replace("$LEAST", str(_LEAST_KIND))
    piece = piece.replace("$EPS", "2.220446049250313e-16" if real == "double" else "1.1920929e-07f")
    narrow = "f" if real == "float" else ""
    unit, zero = ("{1, 0}", "(($T){0, 0})") if is_complex else ("1", "0")
    one = "(($T){i == j, 0})" if is_complex else "i == j"
    none = "z.re == 0 && z.im == 0" if is_complex else "z == 0"
    words = {"$ONE": one, "$ZERO": zero, "$UNIT": unit, "$NONE": none, "$LOG": f"log{narrow}", "$EXP": f"exp{narrow}"}
    for word, meaning in (*words.items(), ("$S", suffix), ("$X", blas.LETTERS[suffix]), ("$T", number), ("$R", real), ("$I", integer)):
        piece = piece.replace(word, meaning)
    return piece
