"""NumPy's scalar arithmetic as C text: typedefs, prototypes of libm, and helpers `lz_<op>_<suffix>`. No header is included.

    emit(names) -> str             C text that defines the given helpers (or libm functions), and what they need, in order
    has(name) -> bool              whether there is such a helper
    ctype(dtype), suffix(dtype)    "double", "f64"
    helper(op, dtype) -> name      "lz_floor_divide_f64"; cast(to, frm) -> "lz_cast_i32_f64"

`op` is NumPy's name of the ufunc; the suffix is the dtype of the *loop*, which is the dtype of all arguments unless the row below says
otherwise. Suffixes: b1 i8 i16 i32 i64 u8 u16 u32 u64 f16 f32 f64 c64 c128. Values in C:
* b1 is uint8_t, 0 or 1. Comparisons, logical operations and predicates return it.
* f16 is a struct around the bits, so no C operator applies: every operation is a helper that computes in float and rounds once, as NumPy.
* c64, c128 are structs {re, im}, not _Complex: multiplication is the plain formula and division Smith's, as in NumPy; C99's Annex G
  would recover infinities that NumPy leaves as NaN, at the cost of a call per product. Functions go to libm through _Complex.

Helpers are branch-free selects where that makes them vectorise. libm functions that libmvec has are declared with
`__attribute__((simd))` when LZ_MVEC (set by toolchain) says so: inside `#pragma omp simd` they become vector calls, without -ffast-math.
tests/test_vector_math.py holds each to 4 ulp and to NumPy's special values.
"""

import re
from collections.abc import Iterable
from functools import cache

import numpy as np

from lazynp.backends import elementary

CTYPES = {
    "b1": "uint8_t",
    "i8": "int8_t",
    "i16": "int16_t",
    "i32": "int32_t",
    "i64": "int64_t",
    "u8": "uint8_t",
    "u16": "uint16_t",
    "u32": "uint32_t",
    "u64": "uint64_t",
    "f16": "lz_f16",
    "f32": "float",
    "f64": "double",
    "c64": "lz_c64",
    "c128": "lz_c128",
}
"""The C type of each suffix."""

_SUFFIX = {"b": "b1", "i": "i", "u": "u", "f": "f", "c": "c"}

HEADER = """\
typedef signed char int8_t; typedef unsigned char uint8_t; typedef short int16_t; typedef unsigned short uint16_t;
typedef int int32_t; typedef unsigned int uint32_t; typedef __INT64_TYPE__ int64_t; typedef __UINT64_TYPE__ uint64_t;
typedef struct { uint16_t bits; } lz_f16;
typedef struct { float re, im; } lz_c64;
typedef struct { double re, im; } lz_c128;
#define LZ_INLINE static inline __attribute__((always_inline, unused))
#if defined(__ELF__) && defined(__x86_64__) /* Without its version, memcpy is the GNU C library's of 2002, which has short vectors. */
void *memcpy(void *to, const void *from, __SIZE_TYPE__ size) __asm__("memmove");
#endif
/* Division by a constant power of two is a shift, also for negative numbers: the floor is wanted. */
#if defined(__FMA__) || defined(__FP_FAST_FMA) || defined(__aarch64__)
#define LZ_FMA 1
#else
#define LZ_FMA 0
#endif
#define LZ_POWER(b) (__builtin_constant_p(b) && (b) > 0 && !((b) & ((b) - 1)))
#if defined(__x86_64__) /* processors divide 32 bits in half the time of 64 or less; a sieve of quotients 219 -> 150 us */
#define LZ_SHORT(a, b) (sizeof(a) == 8 && !__builtin_constant_p(b) && !(((uint64_t)(a) | (uint64_t)(b)) >> 32) && (b))
#else
#define LZ_SHORT(a, b) 0
#endif
#define LZ_EARLY(a) ({ __typeof__(a) lz_early = (a); __asm__("" : "+r"(lz_early)); lz_early; })
#define LZ_BY_ZERO ({ volatile float lz_zero = 0; lz_zero = 1 / lz_zero; 0; }) /* 0, and the flag of floating-point divisions */
#define LZ_INVALID ({ volatile float lz_zero = 0; lz_zero = lz_zero / lz_zero; })
#define LZ_OVERFLOW ({ volatile float lz_large = 1e38f; lz_large = lz_large * lz_large; })
#define LZ_HIDDEN(a) ({ volatile __typeof__(a) lz_hidden = (a); lz_hidden; }) /* a constant that the compiler takes for unknown */
#if defined(__x86_64__) /* what no integer can hold becomes the least one */
#define LZ_OUTGROWS(a) ((int64_t)((uint64_t)(int64_t)(a) + ((uint64_t)1 << 62)) < 0)
#else
#define LZ_OUTGROWS(a) (!((a) >= -0x1p62 && (a) < 0x1p62))
#endif
#define LZ_INF __builtin_inf()
#define LZ_SMALL 1e-140
#define LZ_LARGE 1e150
#define LZ_NEARLY 4e-15
#define LZ_SMALLf 1e-15f
#define LZ_LARGEf 1e15f
#define LZ_NEARLYf 2e-6f
#define LZ_NAN __builtin_nan("")
#define LZ_NANF __builtin_nanf("")
#if !defined(__clang__) && __GNUC__ >= 12
#define LZ_ROUNDED(x) __builtin_assoc_barrier(x)
#else
#define LZ_ROUNDED(x) (x)
#endif
#if defined(__GNUC__) && !defined(__clang__)
#define LZ_NO_MASKS __attribute__((optimize("no-tree-loop-if-convert")))
#else
#define LZ_NO_MASKS
#endif
#if defined(__AVX512DQ__) /* turns that run abreast */
#define LZ_LANES 32
#else
#define LZ_LANES 0
#endif
#if defined(__AVX2__)
#define LZ_PLAIN_LANES 32
#else
#define LZ_PLAIN_LANES 0
#endif
#if defined(__x86_64__)
#define LZ_CHOOSE(test, yes, no) __asm__("testb %2, %2\\n\\tcmovne %1, %0" : "+r"(no) : "r"(yes), "q"(test) : "cc")
#define LZ_CHOOSE_IF(code, sign, a, b, yes, no) __asm__("cmp %3, %2\\n\\tcmov" #code " %1, %0" : "+r"(no) : "r"(yes), "r"(a), "r"(b) : "cc")
#else
#define LZ_CHOOSE(test, yes, no) no = test ? yes : no
#define LZ_CHOOSE_IF(code, sign, a, b, yes, no) no = a sign b ? yes : no
#endif
#if defined(__x86_64__) && defined(__AVX__)
#define LZ_COMPARED_64(mask, sign, code, a, b) __asm__("vcmpsd %3, %2, %1, %0" : "=x"(mask) : "x"(a), "x"(b), "i"(code))
#define LZ_COMPARED_32(mask, sign, code, a, b) __asm__("vcmpss %3, %2, %1, %0" : "=x"(mask) : "x"(a), "x"(b), "i"(code))
#define LZ_EXTREME_64(r, name, sign, a, b) __asm__("v" #name "sd %2, %1, %0" : "=x"(r) : "x"(a), "x"(b)) /* b where one is NaN */
#define LZ_EXTREME_32(r, name, sign, a, b) __asm__("v" #name "ss %2, %1, %0" : "=x"(r) : "x"(a), "x"(b))
#define LZ_UNLESS(r, mask, no) __asm__("vandnps %2, %1, %0" : "=x"(r) : "x"(mask), "x"(no))
#else
#define LZ_COMPARED_64(mask, sign, code, a, b) mask = a sign b ? LZ_NAN : 0
#define LZ_COMPARED_32(mask, sign, code, a, b) mask = a sign b ? LZ_NANF : 0
#define LZ_EXTREME_64(r, name, sign, a, b) r = a sign b ? a : b
#define LZ_EXTREME_32(r, name, sign, a, b) r = a sign b ? a : b
#define LZ_UNLESS(r, mask, no) LZ_BLEND(r, mask, 0, no)
#endif
#if defined(__x86_64__) && (defined(__AVX512VL__) || defined(LZ_TERNARY))
#define LZ_BLEND(r, mask, yes, no) __asm__("vpternlogd $0xca, %2, %1, %0" : "=x"(r) : "x"(yes), "x"(no), "0"(mask))
#elif defined(__x86_64__) && defined(__AVX__)
#define LZ_BLEND(r, mask, yes, no) __asm__("vblendvps %3, %1, %2, %0" : "=x"(r) : "x"(yes), "x"(no), "x"(mask))
#else
#define LZ_BLEND(r, mask, yes, no) r = mask != 0 ? yes : no /* a mask is a NaN or zero */
#endif
#if LZ_MVEC >= 22 && !defined(__clang__) /* functions of our own have vector forms */
#define LZ_FORMS 1
#else
#define LZ_FORMS 0
#endif
#if LZ_FORMS
#define LZ_SIMD22 __attribute__((simd("notinbranch"), const, nothrow))
#else
#define LZ_SIMD22 __attribute__((const, nothrow))
#endif
#if LZ_MVEC >= 35 && !defined(__clang__)
#define LZ_SIMD35 LZ_SIMD22
#else
#define LZ_SIMD35 __attribute__((const, nothrow))
#endif
"""

# name: (number of arguments, libmvec level or 0)
_LIBM = dict.fromkeys(("exp", "log", "sin", "cos"), (1, 22)) | {"pow": (2, 22)}
_LIBM |= dict.fromkeys("exp2 expm1 log2 log10 log1p tan asin acos atan sinh cosh tanh asinh acosh atanh cbrt erf erfc".split(), (1, 35))
_LIBM |= {"atan2": (2, 35), "hypot": (2, 35), "fmod": (2, 0), "tgamma": (1, 0), "fma": (3, 0)}
_COMPLEX_LIBM = "csqrt cexp clog csin ccos ctan csinh ccosh ctanh casin cacos catan casinh cacosh catanh".split()


def _prototypes() -> dict[str, str]:
    found = {}
    for name, (count, level) in _LIBM.items():
        mark = f"LZ_SIMD{level}" if level else "__attribute__((const, nothrow))"
        for tail, real in (("", "double"), ("f", "float")):
            found[name + tail] = f"{real} {name}{tail}({', '.join([real] * count)}) {mark};"
    for tail, real in (("", "double"), ("f", "float")):
        for name in _COMPLEX_LIBM:
            found[name + tail] = f"_Complex {real} {name}{tail}(_Complex {real}) __attribute__((const, nothrow));"
        found["cpow" + tail] = f"_Complex {real} cpow{tail}(_Complex {real}, _Complex {real}) __attribute__((const, nothrow));"
        found["lgamma" + tail] = f"{real} lgamma{tail}({real}) __attribute__((nothrow));"
        found[f"lgamma{tail}_r"] = f"{real} lgamma{tail}_r({real}, int *) __attribute__((nothrow));"
    return found


_PROTOTYPES = _prototypes()

_FAMILIES = {
    "bool": ("b1",),
    "signed": ("i8", "i16", "i32", "i64"),
    "unsigned": ("u8", "u16", "u32", "u64"),
    "float": ("f32", "f64"),
    "half": ("f16",),
    "complex": ("c64", "c128"),
    "double": ("f64",),
    "single": ("f32",),
    "cdouble": ("c128",),
}
_FAMILIES["int"] = _FAMILIES["signed"] + _FAMILIES["unsigned"]
_FAMILIES["real"] = _FAMILIES["int"] + _FAMILIES["float"]
_FAMILIES["ordered"] = _FAMILIES["bool"] + _FAMILIES["real"]

# Rows: op -> {family: (result, parameters, body)}; body is an expression, or statements if it ends with ';'.
# $T type, $S suffix, $F "f" for float, $U/$I unsigned/signed integer of the same width, $B bits;
# $R/$Q real type and suffix of a complex, $C twice $B.
_ROWS: dict[str, dict[str, tuple[str, str, str]]] = {}


def _row(op: str, families: str, body: str, parameters: str = "$T a, $T b", result: str = "$T") -> None:
    for family in families.split():
        _ROWS.setdefault(op, {})[family] = (result, parameters, body)


def _rows1(families: str, bodies: dict[str, str], result: str = "$T") -> None:
    for op, body in bodies.items():
        _row(op, families, body, "$T a", result)


def _rows2(families: str, bodies: dict[str, str], result: str = "$T") -> None:
    for op, body in bodies.items():
        _row(op, families, body, "$T a, $T b", result)


# ---- arithmetic that C has
_rows2("real", {"add": "($T)(a + b)", "subtract": "($T)(a - b)", "multiply": "($T)(a * b)"})
_rows2("bool", {"add": "a | b", "multiply": "a & b", "maximum": "a | b", "minimum": "a & b", "fmax": "a | b", "fmin": "a & b"})
_rows2("float", {"divide": "a / b"})
# quotients.py; zeros keep their signs where b is positive. Of fma(-e, c, q) gcc would make another e, which has not the sign of -0.
_row("quotient", "float", "$T q = a * c, e = __builtin_fma$F(q, b, -a); return __builtin_fma$F(e, -c, q);", "$T a, $T b, $T c")
_rows1("real", {"negative": "($T)-a", "positive": "a", "square": "($T)(a * a)", "conjugate": "a"})
_rows1("bool", {"absolute": "a", "conjugate": "a"})
_rows2("bool int", {"bitwise_and": "a & b", "bitwise_or": "a | b", "bitwise_xor": "a ^ b"})
_rows1("int", {"invert": "($T)~a"})
_rows1("bool", {"invert": "!a"})
_COMPARE = {
    "equal": "a == b",
    "not_equal": "a != b",
    "less": "a < b",
    "less_equal": "a <= b",
    "greater": "a > b",
    "greater_equal": "a >= b",
}
_rows2("ordered", _COMPARE, "uint8_t")
for _op, _body in _COMPARE.items():  # of uint64 with int64, by value: C would convert the negative number
    _less, _greater = int(_op in ("not_equal", "less", "less_equal")), int(_op in ("not_equal", "greater", "greater_equal"))
    _row(f"{_op}_mixed", "signed", f"a < 0 ? {_less} : {_body.replace('a', '(uint64_t)a')}", "$T a, uint64_t b", "uint8_t")
    _row(f"{_op}_mixed", "unsigned", f"b < 0 ? {_greater} : {_body.replace('b', '(uint64_t)b')}", "$T a, int64_t b", "uint8_t")
_rows2(
    "ordered", {"logical_and": "(a != 0) & (b != 0)", "logical_or": "(a != 0) | (b != 0)", "logical_xor": "(a != 0) ^ (b != 0)"}, "uint8_t"
)
_rows1("ordered", {"logical_not": "a == 0"}, "uint8_t")

# ---- integers: NumPy's results for a zero divisor, the most negative number and shift counts out of range
_row("floor_divide", "unsigned", "if (LZ_SHORT(a, b)) return (uint32_t)a / (uint32_t)b; return b ? a / b : LZ_BY_ZERO;")
_row("remainder", "unsigned", "if (LZ_SHORT(a, b)) return (uint32_t)a % (uint32_t)b; return b ? a % b : LZ_BY_ZERO;")
_row("fmod", "unsigned", "return b ? a % b : LZ_BY_ZERO;")
_row(
    "floor_divide",
    "signed",
    "if (LZ_POWER(b)) return ($T)(a >> __builtin_ctzll((uint64_t)b)); if (LZ_SHORT(a, b)) return (uint32_t)a / (uint32_t)b; "
    "if (b == 0) return LZ_BY_ZERO; if (b == -1) { $T n = ($T)(0 - ($U)a); if (n == a && a) LZ_OVERFLOW; return n; } "
    "$T q = a / b; return q - ((q * b != a) & ((a < 0) != (b < 0)));",
)
_row(
    "remainder",
    "signed",
    "if (LZ_POWER(b)) return ($T)(a & (b - 1)); if (LZ_SHORT(a, b)) return (uint32_t)a % (uint32_t)b; "
    "if (b == 0) return LZ_BY_ZERO; if (b == -1) return 0; $T r = a % b; return r + ((r != 0) & ((r < 0) != (b < 0)) ? b : 0);",
)
_row("fmod", "signed", "return b == 0 ? LZ_BY_ZERO : b == -1 ? 0 : a % b;")
_row("power", "int", "$U r = 1, p = a; for ($U n = b > 0 ? b : 0; n; n >>= 1) { if (n & 1) r *= p; p *= p; } return b < 0 ? 0 : ($T)r;")
_row("left_shift", "int", "return ($U)b < $B ? ($T)(($U)a << ($U)b) : 0;")
_row("right_shift", "unsigned", "return b < $B ? a >> b : 0;")
_row("right_shift", "signed", "return a >> (($U)b < $B ? ($U)b : $B - 1);")
_row("gcd", "unsigned", "while (b) { $T r = LZ_SHORT(a, b) ? ($T)((uint32_t)a % (uint32_t)b) : a % b; a = b; b = r; } return a;")
_row("gcd", "signed", "return ($T)lz_gcd_u$B(a < 0 ? 0 - ($U)a : ($U)a, b < 0 ? 0 - ($U)b : ($U)b);")
_row("lcm", "unsigned", "$T g = lz_gcd_$S(a, b); return g ? ($T)(a / g * b) : 0;")
_row("lcm", "signed", "return ($T)lz_lcm_u$B(a < 0 ? 0 - ($U)a : ($U)a, b < 0 ? 0 - ($U)b : ($U)b);")
_rows2("int", {name: f"a {sign} b ? a : b" for name, sign in {"maximum": ">", "minimum": "<", "fmax": ">", "fmin": "<"}.items()})
# a choice of which no compiler sees that it need not compute b where a is false; d is a zero that it does not know
_row("both", "int", "c ^= ($T)d; return c ^ ((b ^ c) & ($T)-($T)(a != 0));", "uint8_t a, $T b, $T c, int64_t d")
_row(
    "both",
    "float",
    "$I x, y; __builtin_memcpy(&x, &b, sizeof b); __builtin_memcpy(&y, &c, sizeof c); y ^= ($I)d; y ^= (x ^ y) & -($I)(a != 0); "
    "__builtin_memcpy(&c, &y, sizeof c); return c;",
    "uint8_t a, $T b, $T c, int64_t d",
)
# a choice that never is a branch; a zero needs one instruction less
_row("one_of", "int", "LZ_CHOOSE(a, b, c); return c;", "uint8_t a, $T b, $T c")
_row(
    "one_of",
    "float",
    "union { $I bits; $T number; } m = {-($I)(a != 0)}; return lz_masked_$S(m.number, b, c);",
    "uint8_t a, $T b, $T c",
)
for _name, _sign, _code in (("less", "<", 1), ("less_equal", "<=", 2), ("equal", "==", 0), ("not_equal", "!=", 4)):
    _row(
        f"one_of_{_name}",
        "float",
        f"$T m; LZ_COMPARED_$B(m, {_sign}, {_code}, a, b); return lz_masked_$S(m, c, d);",
        "$T a, $T b, $T c, $T d",
    )
for _name, _sign, _signed, _unsigned in (("less", "<", "l", "b"), ("less_equal", "<=", "le", "be"), ("equal", "==", "e", "e"),
                                         ("not_equal", "!=", "ne", "ne")):  # fmt: skip
    for _family, _code in (("signed", _signed), ("unsigned", _unsigned)):
        _row(f"one_of_{_name}", _family, f"LZ_CHOOSE_IF({_code}, {_sign}, a, b, c, d); return d;", "$T a, $T b, $T c, $T d")
_row("greater_one", "float", "$T r; LZ_EXTREME_$B(r, max, >, a, b); return r;")
_row("lesser_one", "float", "$T r; LZ_EXTREME_$B(r, min, <, a, b); return r;")
_row(
    "masked",
    "float",
    "union { $T number; $I bits; } x = {b}; $T r;"
    " if (__builtin_constant_p(x.bits) && x.bits == 0) LZ_UNLESS(r, a, c); else LZ_BLEND(r, a, b, c); return r;",
    "$T a, $T b, $T c",
)
_rows1("signed", {"absolute": "($T)(a < 0 ? 0 - ($U)a : ($U)a)", "sign": "(a > 0) - (a < 0)"})
_rows1("unsigned", {"absolute": "a", "sign": "a > 0"})
_rows1("int", {"reciprocal": "lz_cast_$S_f64(1.0 / (double)a)"})
_rows1("bool int", {"isnan": "0", "isinf": "0", "isfinite": "1"}, "uint8_t")
_rows1("bool int", {"floor": "a", "ceil": "a", "trunc": "a"})
_row("bitwise_count", "unsigned", "(uint8_t)__builtin_popcountll(a)", "$T a", "uint8_t")
_row("bitwise_count", "signed", "(uint8_t)__builtin_popcountll(($U)(a < 0 ? 0 - ($U)a : ($U)a))", "$T a", "uint8_t")

# ---- floats
_LIBM_NAMES = {name: name for name in "exp exp2 expm1 log log2 log10 log1p sin cos tan sinh cosh tanh cbrt erf erfc".split()}
_LIBM_NAMES |= {f"arc{name}": f"a{name}" for name in "sin cos tan sinh cosh tanh".split()}
_LIBM_NAMES |= {"gammaln": "lgamma", "gamma": "tgamma"}
_rows1("float", {op: f"{function}$F(a)" for op, function in _LIBM_NAMES.items() if op not in ("exp", "tanh")})
_rows1("float", {"exp_alone": "exp$F(a)"})  # for one value whose successor waits for it: libm's table is faster then than a polynomial
for _entry in elementary.ROWS:
    _row(*_entry)
_rows1("float", {op: f"__builtin_{op}$F(a)" for op in ("sqrt", "floor", "ceil", "trunc", "rint", "fabs")})
_rows2("float", {"arctan2": "atan2$F(a, b)", "power": "pow$F(a, b)", "copysign": "__builtin_copysign$F(a, b)"})
_row("float_power", "double", "pow(a, b)")
_rows1("float", {"absolute": "__builtin_fabs$F(a)", "reciprocal": "1 / a", "sign": "a != a ? a : ($T)((a > 0) - (a < 0))"})
_rows1("float", {"isnan": "a != a", "isinf": "__builtin_fabs$F(a) == LZ_INF", "isfinite": "__builtin_fabs$F(a) < LZ_INF"}, "uint8_t")
_row("signbit", "float", "$U u; __builtin_memcpy(&u, &a, sizeof u); return u >> ($B - 1);", "$T a", "uint8_t")
# One comparison that the processor's maximum makes as well, then NaN. Of `(a >= b) | (a != a) ? a : b` gcc makes branches where it is
# nested, and random rows take them at random (softmax of 10,000 rows of 100, float32: 1190 -> 470 us).
_rows2("float", {op: f"$T m = b {sign} a ? b : a; return b != b ? b : m;" for op, sign in (("maximum", ">"), ("minimum", "<"))})
_rows2("float", {op: f"$T m = b {sign} a ? b : a; return a != a ? b : m;" for op, sign in (("fmax", ">"), ("fmin", "<"))})
_row("clip", "ordered", "lz_minimum_$S(lz_maximum_$S(a, b), c)", "$T a, $T b, $T c")
_row("heaviside", "float", "a != a ? a : a == 0 ? b : ($T)(a > 0)")
_rows1("float", dict.fromkeys(("deg2rad", "radians"), "a * (($T)3.14159265358979323846 / ($T)180)"))
_rows1("float", dict.fromkeys(("rad2deg", "degrees"), "a * (($T)180 / ($T)3.14159265358979323846)"))
# Python's and NumPy's divmod: the remainder has the sign of b, the quotient is the floor; a zero of either keeps a sign (npy_divmod).
_row(
    "remainder",
    "float",
    "$T m = lz_fmod_$S(a, b); $T z = __builtin_copysign$F(0, b); $T n = m != 0 ? ((b < 0) != (m < 0) ? m + b : m) : z;"
    " return b == 0 ? m : n;",
)
_row(
    "floor_divide",
    "float",
    "$T m = lz_fmod_$S(a, b), d = (a - m) / b; d -= (m != 0) & ((b < 0) != (m < 0)); $T f = __builtin_floor$F(d); f += d - f > ($T)0.5;"
    " f = d != 0 ? f : __builtin_copysign$F(0, a / b); return b == 0 ? a / b : f;",
)
_row(
    "logaddexp",
    "float",
    "$T d = a - b, m = d > 0 ? a : b, s = m + lz_log1p_unit_$S(lz_exp_$S(-__builtin_fabs$F(d)));"
    " return a == b ? a + ($T)0.693147180559945309417 : d == d ? s : d;",
)
_row(
    "logaddexp2",
    "float",
    "$T d = a - b, m = d > 0 ? a : b, s = m + ($T)1.442695040888963407360 * log1p$F(exp2$F(-__builtin_fabs$F(d)));"
    " return a == b ? a + 1 : d == d ? s : d;",
)
# The next number towards b is one step in the integer order of the bits.
_row(
    "nextafter",
    "float",
    "$I u, v; __builtin_memcpy(&u, &a, sizeof u); v = (a < b) == (a > 0) ? u + 1 : u - 1;"
    " $I tiny = b < 0 ? ($I)((($U)1 << ($B - 1)) + 1) : 1; v = a == 0 ? tiny : v; $T r; __builtin_memcpy(&r, &v, sizeof r);"
    " return a != a || b != b ? a + b : a == b ? b : r;",
)
_row("spacing", "float", "__builtin_fabs$F(a) == LZ_INF ? ($T)LZ_NAN : lz_nextafter_$S(a, a < 0 ? -($T)LZ_INF : ($T)LZ_INF) - a", "$T a")
_row("modf_fraction", "float", "$T r = a - __builtin_trunc$F(a); return __builtin_copysign$F(lz_isinf_$S(a) ? 0 : r, a);", "$T a")
_row("modf_integer", "float", "__builtin_trunc$F(a)", "$T a")
_row("expit", "float", "1 / (1 + lz_exp_$S(-a))", "$T a")

# ---- special functions, in double precision; scipy.special's values at poles and for NaN
_rows1(
    "double",
    {"special_erf": "erf(a)", "special_erfc": "erfc(a)", "special_gammaln": "int sign; return a == -LZ_INF ? a : lgamma_r(a, &sign);"},
)
_row("special_xlogy", "double", "a == 0 && b == b ? 0 : a * log(b)")
_row("special_xlog1py", "double", "a == 0 && b == b ? 0 : a * log1p(b)")
_row("special_entr", "double", "a > 0 ? -a * log(a) : a == 0 ? 0 : a != a ? a : -LZ_INF", "$T a")
_row("special_log_expit", "double", "(a < 0 ? a : 0) - lz_log1p_unit_f64(lz_exp_f64(-__builtin_fabs(a)))", "$T a")
# Near 1/2 the quotient would lose digits.
_row("special_logit", "double", "a >= 0.3 && a <= 0.65 ? log1p(2 * (a - 0.5)) - log1p(-2 * (a - 0.5)) : log(a / (1 - a))", "$T a")
_row(
    "special_ndtr",
    "double",
    "$T t = a * 0.70710678118654752440; $T tail = 0.5 * erfc(__builtin_fabs(t));"
    " return __builtin_fabs(t) < 1 ? 0.5 + 0.5 * erf(t) : t > 0 ? 1 - tail : t != t ? t : tail;",
    "$T a",
)
# Reflection for negative numbers, recurrence into [1, 2], where a rational approximation around the root is used (Boost.Math,
# digamma_imp_1_2, 53 bits); from 10 on the asymptotic series (Abramowitz & Stegun 6.3.18).
_row(
    "special_digamma",
    "double",
    "if (a == 0) return __builtin_copysign(LZ_INF, -a); if (a != a || a == LZ_INF) return a; $T y = 0;"
    " if (a < 0) { $T part = a - __builtin_floor(a); if (part == 0 || a == -LZ_INF) return LZ_NAN; part -= part > 0.5;"
    " y = part == -0.5 || part == 0.5 ? 0 : -3.14159265358979323846 / tan(3.14159265358979323846 * part); a = 1 - a; }"
    " if (a < 1) { y -= 1 / a; a += 1; } if (a < 10) { while (a > 2) { a -= 1; y += 1 / a; }"
    " $T g = a - 1569415565.0 / 1073741824.0; g -= (381566830.0 / 1073741824.0) / 1073741824.0;"
    " g -= 0.9016312093258695918615325266959189453125e-19;"
    " $T x = a - 1; $T p = ((((-0.0020713321167745952 * x - 0.045251321448739056) * x - 0.28919126444774784) * x"
    " - 0.65031853770896507) * x - 0.32555031186804491) * x + 0.25479851061131551;"
    " $T q = (((((-0.55789841321675513e-6 * x + 0.0021284987017821144) * x + 0.054151797245674225) * x + 0.43593529692665969) * x"
    " + 1.4606242909763515) * x + 2.0767117023730469) * x + 1;"
    " return y + g * 0.99558162689208984375 + g * (p / q); }"
    " $T z = 1 / (a * a); $T tail = a < 1e17 ? z * ((((((z / 12 - 691.0 / 32760) * z + 1.0 / 132) * z - 1.0 / 240) * z + 1.0 / 252) * z"
    " - 1.0 / 120) * z + 1.0 / 12) : 0; return y + log(a) - 0.5 / a - tail;",
    "$T a",
)
_SINGLE = ("erf", "erfc", "gammaln", "digamma", "ndtr", "logit", "log_expit", "entr")
for _op in _SINGLE:
    _row(f"special_{_op}", "single", f"(float)lz_special_{_op}_f64(a)", "$T a")
for _op in ("xlogy", "xlog1py"):
    _row(f"special_{_op}", "single", f"(float)lz_special_{_op}_f64(a, b)")

# ---- complex
_rows2("complex", {"add": "($T){a.re + b.re, a.im + b.im}", "subtract": "($T){a.re - b.re, a.im - b.im}"})
# GCC 12's vectoriser makes fmaddsub of these even with -ffp-contract=off: z * conj(z) would not be real. The barrier stops it.
_PRODUCT = "($T){LZ_ROUNDED(a.re * b.re) - LZ_ROUNDED(a.im * b.im), LZ_ROUNDED(a.re * b.im) + LZ_ROUNDED(a.im * b.re)}"
_rows2("complex", {"multiply": _PRODUCT})
# The operands are chosen, by bits, before anything is divided: of a branch vectors compute both sides, and the side that is not taken would
# divide by zero, of which the flag tells. 1 / 0 * a is NumPy's a / 0; 0 / 0 leaves the flag "invalid" alone.
_PARTS = (
    "$R x = __builtin_fabs$F(b.re), y = __builtin_fabs$F(b.im); const int64_t p = -(x >= y);"
    " $R g = lz_choose_$Q(p, b.re, b.im), l = lz_choose_$Q(p, b.im, b.re);"
)
_row(
    "divide",
    "complex",
    f"{_PARTS} const int64_t z = p & -(x == 0); $R u = lz_choose_$Q(p, a.re, a.im), v = lz_choose_$Q(p, a.im, a.re);"
    " $R t = l / lz_choose_$Q(z, 1, g), s = ($R)!(z & (u == 0) & (v == 0)) / lz_choose_$Q(z, 0, g + l * t);"
    " $R vt = LZ_ROUNDED(v * t), ut = LZ_ROUNDED(u * t), n = lz_choose_$Q(p, v - ut, ut - v);"
    " return ($T){lz_choose_$Q(z, u, u + vt) * s, lz_choose_$Q(z, v, n) * s};",
)
_row(
    "reciprocal",
    "complex",
    f"{_PARTS.replace('b.', 'a.')} $R t = l / g, d = g + l * t; return ($T){{lz_choose_$Q(p, 1, t) / d, -lz_choose_$Q(p, t, 1) / d}};",
    "$T a",
)
_rows1("complex", {"negative": "($T){-a.re, -a.im}", "positive": "a", "conjugate": "($T){a.re, -a.im}"})
_rows1("complex", {"square": _PRODUCT.replace("b.", "a.")})
_row("complex", "float", "(lz_c$C){a, b}", result="lz_c$C")
# By bits: gcc makes a branch around the store of `c ? a : b` where b is what was there, and has no masked stores of pairs.
_row(
    "choose",
    "float",
    "$I x, y; __builtin_memcpy(&x, &a, sizeof a); __builtin_memcpy(&y, &b, sizeof b); x = (x & m) | (y & ~m);"
    " __builtin_memcpy(&a, &x, sizeof a); return a;",
    "$I m, $T a, $T b",
)
_row("where", "complex", "return ($T){lz_choose_$Q(-c, a.re, b.re), lz_choose_$Q(-c, a.im, b.im)};", "uint8_t c, $T a, $T b")
_rows1("complex", {"rint": "($T){__builtin_rint$F(a.re), __builtin_rint$F(a.im)}"})
_rows1("complex", {"absolute": "lz_hypot_$Q(a.re, a.im)", "real": "a.re", "imag": "a.im", "angle": "atan2$F(a.im, a.re)"}, "$R")
# |a| against b, mostly without the root: the squares decide it unless they are nearly equal, or may leave the range of the type.
for _op, _below, _above in (("less", 1, 0), ("less_equal", 1, 0), ("greater", 0, 1), ("greater_equal", 0, 1)):
    _row(
        f"absolute_{_op}",
        "complex",
        "if (b > LZ_SMALL$F && b < LZ_LARGE$F && __builtin_fabs$F(a.re) < LZ_LARGE$F && __builtin_fabs$F(a.im) < LZ_LARGE$F) {"
        " const $R s = a.re * a.re + a.im * a.im, t = b * b, e = t * LZ_NEARLY$F;"
        f" if (s < t - e) return {_below}; if (s > t + e) return {_above}; }}"
        f" return lz_hypot_$Q(a.re, a.im) {_COMPARE[_op][2:-2]} b;",
        "$T a, $R b",
        "uint8_t",
    )
    _row(f"absolute_surely_{_op}", "complex", f"a.re * a.re + a.im * a.im {_COMPARE[_op][2:-2]} b * b", "$T a, $R b", "uint8_t")
_row(
    "absolute_unsure",  # without branches: a loop of it becomes one over vectors
    "complex",
    "const $R s = a.re * a.re + a.im * a.im, t = b * b, e = t * LZ_NEARLY$F;"
    " return !((b > LZ_SMALL$F) & (b < LZ_LARGE$F) & (__builtin_fabs$F(a.re) < LZ_LARGE$F) & (__builtin_fabs$F(a.im) < LZ_LARGE$F)"
    " & ((s < t - e) | (s > t + e)));",
    "$T a, $R b",
    "uint8_t",
)
for _op in ("isnan", "isinf"):
    _row(_op, "complex", f"lz_{_op}_$Q(a.re) | lz_{_op}_$Q(a.im)", "$T a", "uint8_t")
_row("isfinite", "complex", "lz_isfinite_$Q(a.re) & lz_isfinite_$Q(a.im)", "$T a", "uint8_t")
_LESS = "((a.re {0} b.re && a.im == a.im && b.im == b.im) || (a.re == b.re && a.im {1} b.im))"
_rows2(
    "complex",
    {
        "equal": "a.re == b.re && a.im == b.im",
        "not_equal": "a.re != b.re || a.im != b.im",
        "less": _LESS.format("<", "<"),
        "less_equal": _LESS.format("<", "<="),
        "greater": _LESS.format(">", ">"),
        "greater_equal": _LESS.format(">", ">="),
        "logical_and": "(a.re != 0 || a.im != 0) && (b.re != 0 || b.im != 0)",
        "logical_or": "a.re != 0 || a.im != 0 || b.re != 0 || b.im != 0",
        "logical_xor": "(a.re != 0 || a.im != 0) != (b.re != 0 || b.im != 0)",
    },
    "uint8_t",
)
_rows1("complex", {"logical_not": "a.re == 0 && a.im == 0"}, "uint8_t")
_rows2(
    "complex",
    {
        "maximum": "lz_isnan_$S(a) || lz_greater_equal_$S(a, b) ? a : b",
        "minimum": "lz_isnan_$S(a) || lz_less_equal_$S(a, b) ? a : b",
        "fmax": "lz_isnan_$S(b) || lz_greater_equal_$S(a, b) ? a : b",
        "fmin": "lz_isnan_$S(b) || lz_less_equal_$S(a, b) ? a : b",
    },
)
# NumPy's clip compares complex numbers without the NaN rule of its maximum: only a NaN in `a` stays.
_row(
    "clip",
    "complex",
    "$T m = lz_isnan_$S(a) || (a.re == b.re ? a.im > b.im : a.re > b.re) ? a : b;"
    " return lz_isnan_$S(m) || (m.re == c.re ? m.im < c.im : m.re < c.re) ? m : c;",
    "$T a, $T b, $T c",
)
_TO_C99 = "_Complex $R z; __real__ z = a.re; __imag__ z = a.im; "
for _op in "sqrt exp log sin cos tan sinh cosh tanh arcsin arccos arctan arcsinh arccosh arctanh".split():
    _row(_op, "complex", f"{_TO_C99}z = c{_LIBM_NAMES.get(_op, _op)}$F(z); return ($T){{__real__ z, __imag__ z}};", "$T a")
_row("exp2", "complex", "lz_exp_$S(($T){a.re * ($R)0.693147180559945309417, a.im * ($R)0.693147180559945309417})", "$T a")
for _op, _factor in (("log2", "1.442695040888963407360"), ("log10", "0.434294481903251827651")):
    _row(_op, "complex", f"$T l = lz_log_$S(a); return ($T){{l.re * ($R){_factor}, l.im * ($R){_factor}}};", "$T a")
_row("expm1", "complex", "$R s = sin$F(a.im / 2); return ($T){expm1$F(a.re) * cos$F(a.im) - 2 * s * s, exp$F(a.re) * sin$F(a.im)};", "$T a")
_row("log1p", "complex", "return ($T){log$F(lz_hypot_$Q(a.re + 1, a.im)), atan2$F(a.im, a.re + 1)};", "$T a")
_row(
    "sign",
    "complex",
    "$R r = lz_hypot_$Q(a.re, a.im); if (r == LZ_INF) { if (!lz_isinf_$Q(a.re)) return ($T){0, a.im > 0 ? 1 : -1};"
    " if (!lz_isinf_$Q(a.im)) return ($T){a.re > 0 ? 1 : -1, 0}; return ($T){LZ_NAN, LZ_NAN}; }"
    " return r == 0 ? ($T){0, 0} : ($T){a.re / r, a.im / r};",
    "$T a",
)
# npy_cpow: integer exponents below 100 are products, which keeps real bases real.
_row(
    "power",
    "complex",
    "if (b.re == 0 && b.im == 0) return ($T){1, 0};"
    " if (a.re == 0 && a.im == 0) { if (b.re > 0) return ($T){0, 0}; LZ_INVALID; return ($T){LZ_NAN, LZ_NAN}; }"
    " if (b.im == 0 && b.re > -100 && b.re < 100 && (int)b.re == b.re) { int n = (int)b.re; if (n == 1) return a;"
    " if (n == 2) return lz_multiply_$S(a, a); if (n == 3) return lz_multiply_$S(a, lz_multiply_$S(a, a));"
    " $T r = {1, 0}, p = a; for (int k = n < 0 ? -n : n; ; p = lz_multiply_$S(p, p)) { if (k & 1) r = lz_multiply_$S(r, p);"
    " if (!(k >>= 1)) break; } return n < 0 ? lz_divide_$S(($T){1, 0}, r) : r; }"
    " _Complex $R x, y; __real__ x = a.re; __imag__ x = a.im; __real__ y = b.re; __imag__ y = b.im; x = cpow$F(x, y);"
    " return ($T){__real__ x, __imag__ x};",
)
_row("float_power", "cdouble", "lz_power_c128(a, b)")

# ---- half: bits, and what is not "compute in float and round"
_row("negative", "half", "(lz_f16){a.bits ^ 0x8000}", "$T a")
_rows1("half", {"positive": "a", "conjugate": "a", "absolute": "(lz_f16){a.bits & 0x7fff}", "fabs": "(lz_f16){a.bits & 0x7fff}"})
_row("signbit", "half", "a.bits >> 15", "$T a", "uint8_t")
_row("copysign", "half", "(lz_f16){(a.bits & 0x7fff) | (b.bits & 0x8000)}")
_row(
    "nextafter",
    "half",
    "float x = lz_cast_f32_f16(a), y = lz_cast_f32_f16(b); if (x != x || y != y) return (lz_f16){0x7e00}; if (x == y) return a;"
    " if (x == 0) return (lz_f16){y < 0 ? 0x8001 : 1}; return (lz_f16){(x < y) == (x > 0) ? a.bits + 1 : a.bits - 1};",
)
_row(
    "spacing",
    "half",
    "uint16_t m = a.bits & 0x7fff; if (m >= 0x7c00) return (lz_f16){0x7e00};"
    " uint16_t n = m == 0 || a.bits >> 15 == 0 ? m + 1 : m - 1;"
    " return lz_cast_f16_f32(__builtin_fabsf(lz_cast_f32_f16((lz_f16){n}) - lz_cast_f32_f16((lz_f16){m})));",
    "$T a",
)

# The product o overflows where the half does (and for the last float before that): its flag is NumPy's warning.
_F16_F32 = """\
    uint32_t u, m, n, k; __builtin_memcpy(&u, &a, 4); m = u & 0x7fffffff;
    float f, o = a * 0x1.001002p112f; __builtin_memcpy(&k, &o, 4); __builtin_memcpy(&f, &m, 4); f += 0.5f; __builtin_memcpy(&n, &f, 4);
    uint32_t normal = ((m + 0xfff + ((m >> 13) & 1)) >> 13) - (112 << 10), h = m < 0x38800000 ? n - 0x3f000000 : normal;
    h = ((k & 0x7fffffff) == 0x7f800000) & (m >= 0x477ff000) ? 0x7c00 : h;
    h = m > 0x7f800000 ? 0x7c00 | (m >> 13 & 0x3ff) | (m >> 13 & 0x3ff ? 0 : 1) : h;
    return (lz_f16){(uint16_t)(h | (u >> 16 & 0x8000))};"""
_F32_F16 = """\
    uint32_t m = (uint32_t)(a.bits & 0x7fff) << 13, s = (uint32_t)(a.bits & 0x8000) << 16, n;
    float f; __builtin_memcpy(&f, &m, 4); f *= 0x1p112f; __builtin_memcpy(&n, &f, 4);
    n = m >= 0x0f800000 ? m | 0x7f800000 : n; n |= s; __builtin_memcpy(&f, &n, 4); return f;"""
# Rounding to odd in float keeps the information that a second rounding to half needs (Boldo & Melquiond 2008).
_F16_F64 = """\
    float f = (float)a; uint32_t u; __builtin_memcpy(&u, &f, 4);
    int move = (a == a) & ((double)f != a) & !(u & 1);
    u += move ? (__builtin_fabs((double)f) > __builtin_fabs(a) ? -1 : 1) : 0;
    __builtin_memcpy(&f, &u, 4); return lz_cast_f16_f32(f);"""


def suffix(dtype: np.dtype) -> str:
    """ "f64" of float64. Raises KeyError for a dtype that C code does not know (longdouble, datetime64, object, ...)."""
    dtype = np.dtype(dtype)
    found = "b1" if dtype.kind == "b" else f"{_SUFFIX.get(dtype.kind, dtype.kind)}{dtype.itemsize * 8}"
    if found not in CTYPES:
        raise KeyError(f"no C type for dtype {dtype}")
    return found


def ctype(dtype: np.dtype) -> str:
    """ "double" of float64."""
    return CTYPES[suffix(dtype)]


def helper(op: str, dtype: np.dtype) -> str:
    """The name of the helper for NumPy's ufunc `op` in the loop of this dtype."""
    return f"lz_{op}_{suffix(dtype)}"


def mixed(op: str, dtypes: list[np.dtype]) -> str | None:
    """The name of the helper that compares a signed with an unsigned integer; None for other dtypes."""
    return helper(f"{op}_mixed", dtypes[0]) if [d.kind for d in dtypes] in (["i", "u"], ["u", "i"]) else None


def cast(to: np.dtype, frm: np.dtype) -> str:
    """The name of the helper that converts as NumPy's astype does."""
    return f"lz_cast_{suffix(to)}_{suffix(frm)}"


def has(name: str) -> bool:
    """Whether emit() can define this name."""
    return name in _PROTOTYPES or _definition(name) is not None


def emit(names: Iterable[str]) -> str:
    """C text: header, prototypes of libm, helpers, each once and after what it needs. Raises KeyError for an unknown name."""
    order: dict[str, str] = {}
    stack = [(name, False) for name in sorted(set(names), reverse=True)]
    while stack:
        name, ready = stack.pop()
        if name in order:
            continue
        text = _text(name)
        if ready:
            order[name] = text
        else:
            stack.append((name, True))
            stack += [(needed, False) for needed in _needs(name)]
    prototypes = [text for name, text in order.items() if name in _PROTOTYPES]
    helpers = [text for name, text in order.items() if name not in _PROTOTYPES]
    return HEADER + "\n".join([*prototypes, *helpers, ""])


def _text(name: str) -> str:
    text = _PROTOTYPES.get(name) or _definition(name)
    if text is None:
        raise KeyError(f"no C helper {name!r}")
    return text


@cache
def _needs(name: str) -> tuple[str, ...]:
    """Helpers and libm functions that the text of a helper calls."""
    if name in _PROTOTYPES:
        return ()
    called = dict.fromkeys(re.findall(r"\b(\w+)\(", _text(name)))
    return tuple(word for word in called if word != name and (word in _PROTOTYPES or _definition(word) is not None))


@cache
def _definition(name: str) -> str | None:
    """The C function of a helper, from its row; None if there is no such helper."""
    found = re.fullmatch(r"lz_(\w+)_([biufc]\d+)", name)
    if found is None or found[2] not in CTYPES:
        return None
    op, tail = found[1], found[2]
    if op.startswith("cast_"):
        return _cast_text(name, op[5:], tail) if op[5:] in CTYPES else None
    forms = elementary.FUNCTIONS.get(op, {})
    text = next((forms[family] for family in forms if tail in _FAMILIES[family]), None)
    if text is not None:
        return _fill(text, tail)
    rows = _ROWS.get(op, {})
    row = next((rows[family] for family in rows if tail in _FAMILIES[family]), None)
    if row is None and tail == "f16" and rows.keys() & set(_FLOATS):
        return _through_float(name, op)
    if row is None:
        return None
    return _function(name, *(_fill(part, tail) for part in row))


def _function(name: str, result: str, parameters: str, body: str) -> str:
    statements = body if body.endswith(";") else f"return {body};"
    return f"LZ_INLINE {result} {name}({parameters}) {{ {statements} }}"


def _fill(text: str, tail: str) -> str:
    bits = int(tail[1:]) if tail[0] in "iuf" else int(tail[1:]) // 2
    real = f"f{bits}"
    values = {"T": CTYPES[tail], "S": tail, "F": "f" if real == "f32" else "", "B": str(bits), "U": f"uint{bits}_t", "I": f"int{bits}_t"}
    values |= {"R": CTYPES.get(real, ""), "Q": real}
    values["C"] = str(2 * bits)
    return re.sub(r"\$([TSFBUIRQC])", lambda match: values[match[1]], text)


_FLOATS = ("float", "single", "real", "ordered")
"""Where the loop of float32 may be."""


def _through_float(name: str, op: str) -> str:
    """NumPy's half loops: convert to float, compute, round."""
    rows = _ROWS[op]
    result, parameters, _ = next(rows[family] for family in _FLOATS if family in rows)
    arguments = [f"lz_cast_f32_f16({word})" if kind == "$T" else word for kind, word in (item.split() for item in parameters.split(", "))]
    call = f"lz_{op}_f32({', '.join(arguments)})"
    return _function(name, _fill(result, "f16"), _fill(parameters, "f16"), f"lz_cast_f16_f32({call})" if result == "$T" else call)


def _cast_text(name: str, to: str, frm: str) -> str:
    special = {("f16", "f32"): _F16_F32, ("f32", "f16"): _F32_F16, ("f16", "f64"): _F16_F64}.get((to, frm))
    return _function(name, CTYPES[to], f"{CTYPES[frm]} a", special or _cast_body(to, frm))


def _cast_body(to: str, frm: str) -> str:
    """What NumPy compiled for x86-64 gives, also where C leaves the result of float to integer undefined: cvttsd2si's most negative number,
    narrowed for smaller types."""
    if to == frm:
        return "a"
    if to[0] == "c":
        part = f"f{int(to[1:]) // 2}"
        return f"({CTYPES[to]}){{a.re, a.im}}" if frm[0] == "c" else f"({CTYPES[to]}){{{_call(part, frm, 'a')}, 0}}"
    if frm[0] == "c":
        part = f"f{int(frm[1:]) // 2}"
        return "a.re != 0 || a.im != 0" if to == "b1" else _call(to, part, "a.re")
    if frm == "f16":
        return "(a.bits & 0x7fff) != 0" if to == "b1" else _call(to, "f32", "lz_cast_f32_f16(a)")
    if to == "b1":
        return "a != 0"
    if to == "f16":
        return _call("f16", "f32", "(float)a")
    if frm[0] == "f" and to == "u64":
        return "return a >= 0x1p63f ? (uint64_t)(int64_t)(a - 0x1p63f) ^ ((uint64_t)1 << 63) : (uint64_t)(int64_t)a;"
    if frm[0] == "f" and to in ("i8", "i16", "u8", "u16"):
        return f"({CTYPES[to]})(int32_t)a"
    if frm[0] == "f" and to == "u32":
        return "(uint32_t)(int64_t)a"
    return f"({CTYPES[to]})a"


def _call(to: str, frm: str, text: str) -> str:
    return text if to == frm else f"lz_cast_{to}_{frm}({text})"
