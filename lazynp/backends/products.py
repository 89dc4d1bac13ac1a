"""Matrix products in C of our own, for processors whose vectors are wider than those that the process's BLAS uses.

    wanted() -> bool            whether that is so here
    text(suffix) -> str         C: lz_product_<suffix> for f32 or f64, on top of Blas.calls

OpenBLAS chooses its kernels by the processor's name, and takes the ones for 256-bit vectors where it does not know it: 58 GFLOP/s on a core
that does 120. The loops are those of Goto and van de Geijn (Anatomy of high-performance matrix multiplication, 2008): panels of both
operands are packed so that the innermost kernel reads memory in order and keeps a tile of the result in registers. An element is summed in
the same order for any number of threads.
"""

from collections.abc import Sequence
from math import prod

from lazynp.backends import blas, toolchain
from lazynp.backends.program import POOL

SUFFIXES = ("f32", "f64")
_WIDE = "-mprefer-vector-width=512"
_BYTES = 64
_ROWS, _VECTORS = 8, 3
"""The tile in registers: 24 accumulators of 32 registers. Also 14 x 2 and 12 x 2 were measured: they are slower from 400 columns on."""
_DEPTH, _HIGH, _ACROSS = 256, (96, 128), {"f32": (240, 480), "f64": (192, 384)}
"""Elements of the packed blocks of small products and of large ones: 128 x 256 of the left operand stay in the second-level cache, a panel
of the right one in the first. Small products are as fast with small blocks, which are no more than what OpenBLAS packs for them."""
_LARGE = 1 << 28
"""Multiplications of a product that is large: 1000 x 1000 x 1000 is 3 % faster with large blocks."""
_LEAST, _SMALLEST, _FILLED = 32768, 8000, 58
"""Multiplications of a product worth packing; of a smaller one if it fills so many percent of its tiles. 100 products of 32 x 32 x 32:
160 -> 94 us."""
_WIDE_CORES = frozenset({"SkylakeX", "Cooperlake", "SapphireRapids"})
"""OpenBLAS's names of kernels for vectors of 512 bits."""


def wanted() -> bool:
    """Whether the compiler writes for vectors of 512 bits and the library is an OpenBLAS whose kernels have narrower ones."""
    compiler = toolchain.find_compiler()
    core = blas.core_name()
    return compiler is not None and _WIDE in compiler.flags and core != "" and core not in _WIDE_CORES


def packs(m: int | None, n: int | None, k: int | None, suffix: str) -> bool:
    """Whether a product of these sizes is certainly no call of the library: operands are packed, which can multiply them by a number."""
    return bool(wanted() and m and n and k and m >= _ROWS and 2 * n > _BYTES // {"f32": 4, "f64": 8}[suffix] and m * n * k > _LEAST)


def packed(suffix: str, sizes: Sequence[int | None] = (None, None, None)) -> int:
    """The bytes that a thread keeps of its blocks after a product of some rows, columns and inner sizes; None: not known."""
    itemsize = {"f32": 4, "f64": 8}[suffix]
    wide = _VECTORS * _BYTES // itemsize
    large = None in sizes or prod(filter(None, sizes)) > _LARGE
    limits = (_HIGH[large], _ACROSS[suffix][large], _DEPTH)
    m, n, k = [limit if size is None else min(size, limit) for size, limit in zip(sizes, limits, strict=True)]
    return (-(-m // _ROWS) * _ROWS + -(-n // wide) * wide) * k * itemsize


def text(suffix: str) -> str:
    """lz_product_<s>(slots, dims, gemm, turned, a, b, c, batch, m, n, k, half, onto): c (batch, m, n) = op(a) (m, k) op(b) (k, n) for each
    member of the batch, all of them contiguous. turned: 1, where a is stored transposed, plus 2, where b is. half: the result is symmetric,
    and only one triangle is computed. gemm: the library's routine, for results of a few rows or columns, where packing costs as much.
    onto: an lz_onto_<s> (blas.py), c = alpha (scale op(a)) op(b) + beta d. scale is one in products for the library (`packs`), and `half`
    goes without d."""
    ctype, lanes = {"f32": "float", "f64": "double"}[suffix], _BYTES // {"f32": 4, "f64": 8}[suffix]
    names = {
        "$S": suffix,
        "$T": ctype,
        "$L": lanes,
        "$R": _ROWS,
        "$W": lanes * _VECTORS,
        "$K": _DEPTH,
        "$H": _HIGH[1],
        "$h": _HIGH[0],
        "$N": _ACROSS[suffix][1],
        "$n": _ACROSS[suffix][0],
        "$Z": _LARGE,
        "$P": POOL,
        "$M": _LEAST,
        "$s": _SMALLEST,
        "$f": _FILLED,
    }
    parts = [_TYPES, *[_kernel(vectors, lanes) for vectors in range(1, _VECTORS + 1)], _LOOPS]
    whole = "\n".join(parts)
    for name, value in names.items():
        whole = whole.replace(name, str(value))
    return whole


def _kernel(vectors: int, lanes: int) -> str:
    """A tile of _ROWS rows and so many vectors: c = a b, or c += a b."""
    tile = [(r, v) for r in range(_ROWS) for v in range(vectors)]
    places = [f"*(lz_loose_$S *)(c + {r} * ld + {v * lanes})" for r, v in tile]
    return "\n".join(
        [
            f"LZ_FUSED static void lz_tile{vectors}_$S(int64_t k, const $T *restrict a, const $T *restrict b, $T *restrict c, int64_t ld,",
            "    int add) {",
            "    LZ_FUSES",
            f"    lz_vector_$S {', '.join([f'c{r}_{v} = {{0}}' for r, v in tile])};",
            f"    for (int64_t p = 0; p < k; p++, a += {_ROWS}, b += {vectors * lanes}) {{",
            *[f"        const lz_vector_$S b{v} = *(const lz_vector_$S *)(b + {v * lanes});" for v in range(vectors)],
            *[f"        c{r}_{v} += b{v} * a[{r}];" for r, v in tile],
            "    }",
            *["    if (add) {", *[f"        {place} += c{r}_{v};" for place, (r, v) in zip(places, tile, strict=True)]],
            *["    } else {", *[f"        {place} = c{r}_{v};" for place, (r, v) in zip(places, tile, strict=True)], "    }"],
            "}",
        ]
    )


_TYPES = """\
#if defined(__clang__)
#define LZ_FUSED __attribute__((noinline))
#define LZ_FUSES _Pragma("clang fp contract(fast)")
#else
#define LZ_FUSES
#define LZ_FUSED __attribute__((noinline, optimize("fp-contract=fast")))
#endif
typedef $T lz_vector_$S __attribute__((vector_size(64)));
typedef $T lz_loose_$S __attribute__((vector_size(64), aligned(4), may_alias));
typedef struct { const $T *a, *b; $T *c; int64_t m, n, k, blocks, high; int turned, half; lz_onto_$S onto; } lz_product_of_$S;
static __thread $T lz_left_$S[$H * $K] __attribute__((aligned(64))), lz_right_$S[$N * $K] __attribute__((aligned(64)));
"""

# x[p * along + i * across]: i < count runs over rows or columns of the result, p < k is summed over. A panel has `width` of them per p.
_LOOPS = """\
static void lz_pack_$S(const $T *restrict x, int64_t along, int64_t across, int64_t count, int64_t k, $T *restrict to, int64_t width,
                        $T scale) {
    if (across == 1 && count == width) {
        for (int64_t p = 0; p < k; p++) for (int64_t r = 0; r < width; r++) to[p * width + r] = scale * x[p * along + r];
    } else if (along == 1 && count == width) {
        for (int64_t p = 0; p < k; p++) for (int64_t r = 0; r < width; r++) to[p * width + r] = scale * x[p + r * across];
    } else for (int64_t p = 0; p < k; p++) {
        for (int64_t r = 0; r < count; r++) to[p * width + r] = scale * x[p * along + r * across];
        for (int64_t r = count; r < width; r++) to[p * width + r] = 0;
    }
}
static inline int64_t lz_least_$S(int64_t a, int64_t b) { return a < b ? a : b; }
static inline int64_t lz_padded_$S(int64_t columns) { return columns < $W ? (columns + $L - 1) / $L * $L : $W; }
static void lz_tile_$S(int64_t k, const $T *a, const $T *b, $T *c, int64_t ld, int add, int64_t width) {
    if (width == $W) lz_tile3_$S(k, a, b, c, ld, add);
    else if (width == 2 * $L) lz_tile2_$S(k, a, b, c, ld, add);
    else lz_tile1_$S(k, a, b, c, ld, add);
}
/* A tile into its place: the first of the sums along k brings what is added, the others add to it. */
static inline void lz_place_$S(const $T *restrict tile, int64_t width, $T *c, int64_t ld, int64_t rows, int64_t columns, int later,
                               $T alpha, const lz_onto_$S *onto, const $T *d) {
    for (int64_t r = 0; r < rows; r++, tile += width, c += ld, d += onto->row) {
        if (later) for (int64_t l = 0; l < columns; l++) c[l] = c[l] + alpha * tile[l];
        else if (!onto->d) for (int64_t l = 0; l < columns; l++) c[l] = alpha * tile[l];
        else if (onto->column == 1) for (int64_t l = 0; l < columns; l++) c[l] = alpha * tile[l] + onto->beta * d[l];
        else for (int64_t l = 0; l < columns; l++) c[l] = alpha * tile[l] + onto->beta * d[l * onto->column];
    }
}
static void lz_block_$S(const lz_product_of_$S *p, const $T *a, const $T *b, $T *c, const $T *d, int64_t first, int64_t last) {
    const int64_t n = p->n, k = p->k, ra = p->turned & 1 ? 1 : k, ca = p->turned & 1 ? p->m : 1;
    const int64_t rb = p->turned & 2 ? 1 : n, cb = p->turned & 2 ? k : 1;
    const int plain = !p->onto.d && p->onto.alpha == 1, large = p->m * n * k > $Z;
    const int64_t across = large ? $N : $n, most = large ? $H : $h;
    $T edge[$R * $W] __attribute__((aligned(64)));
    for (int64_t j0 = 0; j0 < n && !(p->half && j0 >= last); j0 += across)
    for (int64_t k0 = 0; k0 < k; k0 += $K) {
        const int64_t nc = lz_least_$S(n - j0, across), kc = lz_least_$S(k - k0, $K);
        for (int64_t j = 0; j < nc; j += $W)
            lz_pack_$S(b + k0 * rb + (j0 + j) * cb, rb, cb, lz_least_$S(nc - j, $W), kc, lz_right_$S + j * kc, lz_padded_$S(nc - j), 1);
        for (int64_t i0 = first; i0 < last; i0 += most) {
            const int64_t mc = lz_least_$S(last - i0, most);
            for (int64_t i = 0; i < mc; i += $R)
                lz_pack_$S(a + (i0 + i) * ra + k0 * ca, ca, ra, lz_least_$S(mc - i, $R), kc, lz_left_$S + i * kc, $R,
                            p->onto.scale);
            for (int64_t j = 0; j < nc; j += $W)
            for (int64_t i = 0; i < mc; i += $R) {
                if (p->half && j0 + j >= i0 + i + $R) continue;
                const int64_t width = lz_padded_$S(nc - j), rows = lz_least_$S(mc - i, $R), columns = lz_least_$S(nc - j, $W);
                const $T *left = lz_left_$S + i * kc, *right = lz_right_$S + j * kc;
                $T *to = c + (i0 + i) * n + j0 + j;
                if (plain && rows == $R && columns == width) { lz_tile_$S(kc, left, right, to, n, k0 > 0, width); continue; }
                lz_tile_$S(kc, left, right, edge, width, 0, width);
                lz_place_$S(edge, width, to, n, rows, columns, k0 > 0, p->onto.alpha, &p->onto,
                            p->onto.d ? d + (i0 + i) * p->onto.row + (j0 + j) * p->onto.column : 0);
            }
        }
    }
}
static void lz_product_task_$S(const void *with, int64_t chunk) {
    const lz_product_of_$S *p = with;
    const int64_t member = chunk / p->blocks, first = chunk % p->blocks * p->high;
    lz_block_$S(p, p->a + member * p->m * p->k, p->b + member * p->k * p->n, p->c + member * p->m * p->n,
                p->onto.d ? p->onto.d + member * p->onto.member : 0, first, lz_least_$S(first + p->high, p->m));
}
static void lz_mirror_$S($T *c, int64_t n) {
    for (int64_t i0 = 0; i0 < n; i0 += 32) for (int64_t j0 = i0; j0 < n; j0 += 32)
        for (int64_t i = i0; i < n && i < i0 + 32; i++)
            for (int64_t j = j0 > i ? j0 : i + 1; j < n && j < j0 + 32; j++) c[i * n + j] = c[j * n + i];
}
static void lz_product_$S(void **slots, const int64_t *dims, void *gemm, int turned, const void *a, const void *b, void *c, int64_t batch,
                          int64_t m, int64_t n, int64_t k, int half, lz_onto_$S onto) {
    const int64_t tiles = (m + $R - 1) / $R * $R * ((n + $L - 1) / $L * $L);
    const int loose = m * n * k <= $M && (m * n * k <= $s || 100 * m * n < $f * tiles);
    if ((m < $R || 2 * n <= $L || loose) && (onto.alpha != 0 || !k)) { /* BLAS skips what is multiplied by zero, NaN too */
        lz_gemm_onto_$S(gemm, turned & 1 ? 'T' : 'N', turned & 2 ? 'T' : 'N', a, b, c, batch, m, n, k, onto);
        return;
    }
    const int many = dims[0] > 1 && slots[$P] && batch * m * n * k > 16 * dims[2];
    const int64_t share = (m + 4 * dims[0] - 1) / (4 * dims[0]), least = share < $H ? $H : share;
    const int64_t high = many && batch < dims[0] ? (least + $R - 1) / $R * $R : m, blocks = (m + high - 1) / high;
    const lz_product_of_$S task = {a, b, c, m, n, k, blocks, high, turned, half, onto};
    if (many && blocks * batch > 1) ((lz_parallel)slots[$P])(lz_product_task_$S, &task, blocks * batch, dims[0], 0);
    else for (int64_t i = 0; i < blocks * batch; i++) lz_product_task_$S(&task, i);
    if (half) for (int64_t i = 0; i < batch; i++) lz_mirror_$S(($T *)c + i * n * n, n);
}
"""
