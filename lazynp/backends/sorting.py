"""Sorting and searching of programs in C. NumPy's own functions sort, called by their addresses: they have vectors (AVX-512, AVX2, NEON)
and an order of NaN that need no second definition; only bytes are counted here. The search is written here, for many keys side by side.

    has(node) -> bool                   whether a LIBRARY node has a C function
    calls(node) -> list                 the names of the routines that it calls
    sizes(node, shapes), options(node)  what it takes beside memories
    text(helpers) -> str                C text of the functions that a program uses

Every function takes the slots of its routines, its arguments, its result, and sizes: (count, n, inner) of the axis that is sorted, or
(1, n, m) and the side. It returns 0, or -1 where there was no memory.
"""

from collections.abc import Iterable

import numpy as np

from lazynp.backends import prelude
from lazynp.backends.polynomial import Poly, product
from lazynp.ir.node import Node
from lazynp.native import numpy_sorter

_KINDS = {None: 0, "quicksort": 0, "stable": 2, "mergesort": 2}
"""numpy.sort's names of algorithms, as its C interface numbers them (NPY_SORTKIND). Which one "heapsort" is depends on NumPy's version."""
_SEARCHED = frozenset({"b1", "i8", "i16", "i32", "i64", "u8", "u16", "u32", "u64", "f32", "f64"})

_HEADER = "void *malloc(__SIZE_TYPE__); void free(void *);"

_LINES = """\
/* $what of the lines along the middle axis of (count, n, inner). */
static int64_t lz_$name_$S(void *sort, const $T *a, $result *out, int64_t count, int64_t n, int64_t inner) {
    const int64_t flags = lz_flags(), lines = n ? count * inner : 0;
    int64_t wrong = 0;
    char *room = inner > 1 ? malloc(n * (sizeof(int64_t) + sizeof($T))) : 0;
    if (inner > 1 && !room) return -1;
    for (int64_t c = 0; c < lines && !wrong; c++) {
        const int64_t first = c / inner * n * inner + c % inner;
        $result *const to = inner > 1 ? ($result *)room : out + first;
        $sorted
        for (int64_t i = 0; inner > 1 && i < n; i++) out[first + i * inner] = to[i];
    }
    free(room);
    lz_clear_flags();
    lz_raise_flags(flags);
    return wrong ? -1 : 0;
}
"""


def _lines(name: str, what: str, result: str, *steps: str) -> str:
    """A function that sorts line after line; steps: what it does with one, in C."""
    parts = {"$name": name, "$what": what, "$result": result, "$sorted": "\n        ".join(steps)}
    made = _LINES
    for part, value in parts.items():
        made = made.replace(part, value)
    return made


_SORT = _lines(
    "sort",
    "The elements in order",
    "$T",
    "for (int64_t i = 0; i < n; i++) to[i] = a[first + i * inner];",
    "wrong = ((int (*)(void *, int64_t, void *))sort)(to, n, 0);",
)
_ARGSORT = _lines(
    "argsort",
    "The order of the elements",
    "int64_t",
    "$T *const keys = ($T *)(inner > 1 ? room + n * sizeof(int64_t) : (char *)(a + first));",
    "for (int64_t i = 0; inner > 1 && i < n; i++) keys[i] = a[first + i * inner];",
    "for (int64_t i = 0; i < n; i++) to[i] = i;",
    "wrong = ((int (*)(void *, int64_t *, int64_t, void *))sort)(keys, to, n, 0);",
)

_SEARCH = """\
/* NumPy's order: NaN comes last. */
LZ_INLINE int lz_before_$S($T a, $T b) { return (a < b) | ((b != b) & (a == a)); }
LZ_INLINE int lz_passes_$S($T element, $T key, int right) { return right ? !lz_before_$S(key, element) : lz_before_$S(element, key); }
/* out[k] = how many of the n elements of a keys[k] passes. All keys take the same steps, side by side: without
   branches, by gathers of vectors. */
LZ_INLINE void lz_passed_$S(const $T *restrict a, const $T *restrict keys, int64_t *restrict out, int64_t n, int64_t m, int right) {
    for (int64_t k = 0; k < m; k++) out[k] = 0;
    for (int64_t half; n > 1; n -= half) {
        half = n >> 1;
        for (int64_t k = 0; k < m; k++) out[k] += -(int64_t)lz_passes_$S(a[out[k] + half - 1], keys[k], right) & half;
    }
    for (int64_t k = 0; n && k < m; k++) out[k] += lz_passes_$S(a[out[k]], keys[k], right);
}
/* Keys that come in order, as those of interpolations do, are looked for from where the last one was found. */
LZ_INLINE void lz_search_$S(const $T *restrict a, const $T *restrict keys, int64_t *restrict out, int64_t n, int64_t m, int right) {
    enum { BLOCK = 64 };
    for (int64_t k0 = 0; k0 < m; k0 += BLOCK) {
        const int64_t count = m - k0 < BLOCK ? m - k0 : BLOCK;
        int rising = 1;
        for (int64_t k = k0 ? k0 : 1; k < k0 + count; k++) rising &= keys[k - 1] <= keys[k];
        if (!rising) {
            lz_passed_$S(a, keys + k0, out + k0, n, count, right);
            continue;
        }
        for (int64_t k = k0; k < k0 + count; k++) {
            int64_t low = k ? out[k - 1] : 0, reach = 1;
            for (; reach <= n - low && lz_passes_$S(a[low + reach - 1], keys[k], right); reach *= 2) low += reach;
            lz_passed_$S(a + low, keys + k, out + k, reach - 1 < n - low ? reach - 1 : n - low, 1, right);
            out[k] += low;
        }
    }
}
/* NumPy's own search: its answers where the elements of a are in no order, and for so few keys that looking at all of a takes longer. */
static void lz_bisect_$S(const $T *a, const $T *keys, int64_t *out, int64_t n, int64_t m, int right) {
    for (int64_t k = 0, low = 0, high = n; k < m; k++) {
        if (k && (right ? !lz_before_$S(keys[k], keys[k - 1]) : lz_before_$S(keys[k - 1], keys[k]))) high = n;
        else if (k) { low = 0; high = high < n ? high + 1 : n; }
        while (low < high) {
            const int64_t middle = low + ((high - low) >> 1);
            if (lz_passes_$S(a[middle], keys[k], right)) low = middle + 1;
            else high = middle;
        }
        out[k] = low;
    }
}
LZ_INLINE int lz_in_order_$S(const $T *a, int64_t n) {
    int falls = 0;
    for (int64_t i = 1; i < n; i++) falls |= lz_before_$S(a[i], a[i - 1]);
    return !falls;
}
static int64_t lz_searchsorted_$S(const $T *a, const $T *keys, int64_t *out, int64_t count, int64_t n, int64_t m, int64_t right) {
    if (m < n / 512 || !lz_in_order_$S(a, n)) lz_bisect_$S(a, keys, out, n, m, (int)right);
    else if (right) lz_search_$S(a, keys, out, n, m, 1);
    else lz_search_$S(a, keys, out, n, m, 0);
    return 0;
}
"""

_COUNTED_SORT = """\
/* The elements in order: as many of each value as there are. */
static int64_t lz_sort_$S(const $T *a, $T *out, int64_t count, int64_t n, int64_t inner) {
    enum { FEW = 24, FIRST = ($T)-1 < 0 ? 128 : 0 };
    for (int64_t c = 0; n && c < count * inner; c++) {
        const $T *const from = a + c / inner * n * inner + c % inner;
        $T *const to = out + (from - a);
        if (n <= FEW) {
            for (int64_t i = 0, k; i < n; i++) {
                const $T one = from[i * inner];
                for (k = i; k > 0 && to[(k - 1) * inner] > one; k--) to[k * inner] = to[(k - 1) * inner];
                to[k * inner] = one;
            }
            continue;
        }
        int64_t many[4][256], i = 0, at = 0; /* four tables: equal neighbours need not wait for each other */
        __builtin_memset(many, 0, sizeof many);
        for (; i + 4 <= n; i += 4) for (int k = 0; k < 4; k++) many[k][(uint8_t)from[(i + k) * inner]]++;
        for (; i < n; i++) many[0][(uint8_t)from[i * inner]]++;
        for (int v = 0; v < 256; v++) {
            const uint8_t value = (uint8_t)(v + FIRST);
            const int64_t all = many[0][value] + many[1][value] + many[2][value] + many[3][value];
            if (inner == 1 && all) __builtin_memset(to + at, value, all);
            for (int64_t k = at; inner > 1 && k < at + all; k++) to[k * inner] = ($T)value;
            at += all;
        }
    }
    return 0;
}
"""

TEXTS = {"sort": _SORT, "argsort": _ARGSORT, "searchsorted": _SEARCH}


def has(node: Node) -> bool:
    """Whether a LIBRARY node has a C function here."""
    if node.op.name not in TEXTS:
        return False
    try:
        suffix = prelude.suffix(node.args[0].dtype)
    except KeyError:
        return False
    if node.op.name == "searchsorted":
        return suffix in _SEARCHED
    return _is_counted(node.op.name, node.args[0].dtype) or (node.method in _KINDS and all(map(numpy_sorter, calls(node))))


def _is_counted(name: str, dtype: np.dtype) -> bool:
    """Whether values are counted, not compared: there are 256. NumPy compares (100,000 bytes: 2,800 us; counted: 40)."""
    return name == "sort" and dtype.itemsize == 1 and dtype.kind in "biu"


def calls(node: Node) -> list[str]:
    """The names of the routines that the function for a node calls: "numpy.<function> <kind> <number of the dtype>"."""
    if node.op.name == "searchsorted" or _is_counted(node.op.name, node.args[0].dtype):
        return []
    return [f"numpy.{node.op.name} {_KINDS[node.method]} {node.args[0].dtype.num}"]


def sizes(node: Node, shapes: list[tuple[Poly, ...]]) -> tuple[Poly, ...]:
    """The sizes that the function takes, given the shapes of the arguments."""
    if node.op.name == "searchsorted":
        return product(()), shapes[0][0], product(shapes[1])
    axis = node.axis
    return product(shapes[0][:axis]), shapes[0][axis], product(shapes[0][axis + 1 :])


def options(node: Node) -> list[str]:
    """What else it takes."""
    return [str(int(node.side == "right"))] if node.op.name == "searchsorted" else []


def text(helpers: Iterable[tuple[str, np.dtype]]) -> str:
    """C text of the functions for ops on dtypes."""
    parts = [_HEADER]
    for name, dtype in helpers:
        suffix = prelude.suffix(dtype)
        parts.append(
            (_COUNTED_SORT if _is_counted(name, dtype) else TEXTS[name]).replace("$S", suffix).replace("$T", prelude.CTYPES[suffix])
        )
    return "\n".join(parts)
