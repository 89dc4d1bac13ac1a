"""Elementary functions of real floats as C text, so that gcc makes vectors of them: rows of the table in `prelude`.

    ROWS        (op, family, body, parameters, result)
    FUNCTIONS   op -> C text of a function that has vector forms of its own

Libm's fmod, frexp and ldexp are calls per element; what is here needs a few operations. tests/test_vector_math.py holds all to NumPy's
values.
"""

from typing import Any

ROWS: list[tuple[str, str, str, str, str]] = []


def _row(op: str, family: str, body: str, parameters: str = "$T a, $T b", result: str = "$T") -> None:
    ROWS.append((op, family, body, parameters, result))


# ---- exponentials
# exp(a) = 2**n * exp(r), |r| <= log(2)/2 (Muller, Elementary Functions, 3rd ed., ch. 11), with the polynomial 1 + r + r**2 * q(r) of the
# least relative error (Remez: 2**-57.9, 2**-28.3): at most 1.07 ulp, and no lane is slow. The vector functions of glibc leave lanes that
# overflow or underflow to the scalar one, at forty times the time, and such lanes are often those that a `where` throws away. |a| is
# limited as an integer: of a choice between constants gcc's -ftree-pre makes choices of all that follows from them (0.65 -> 0.42 ns).
# t holds n in its low bits; 2**n is two factors, so that subnormal results are rounded once: half of n goes to the exponent of p, the rest
# becomes a number; where n is negative both have the sign bit.
_EXP = """\
if (!LZ_FMA) return exp$F(a);
$U b, h, m; __builtin_memcpy(&b, &a, sizeof b); m = b & ($U)-1 >> 1; b = (m < {most} ? m : {most}) | (b & ~(($U)-1 >> 1));
$T x, y, z; __builtin_memcpy(&x, &b, sizeof x);
const $T t = __builtin_fma$F(x, ($T)0x1.71547652b82fep+0, ($T){shift}), n = t - ($T){shift};
const $T r = __builtin_fma$F(n, {low}, __builtin_fma$F(n, {high}, x));
{polynomial}
p = 1 + __builtin_fma$F(p, r2, r);
__builtin_memcpy(&b, &t, sizeof b); __builtin_memcpy(&m, &p, sizeof m); h = (b & {even}) << ({bits} - 1);
m += h; h = (b << {bits}) - h + (($U){bias} << {bits}); __builtin_memcpy(&y, &m, sizeof y); __builtin_memcpy(&z, &h, sizeof z);
return a != a ? a : y * z;"""


def _powers(text: str, coefficients: str, **numbers: Any) -> str:
    """The text of a function that begins as exp does."""
    return text.format(polynomial=_polynomial("r", coefficients), **numbers).replace("\n", " ")


def _polynomial(x: str, coefficients: str) -> str:
    """Statements that make p the polynomial in x, the highest power first: even and odd powers apart, because half of them wait for each
    other then; two such functions in a row are bound by that (1.09 -> 0.97 ns)."""
    found = coefficients.split()
    chains = []
    for chain in (found[::-1][0::2][::-1], found[::-1][1::2][::-1]):
        text = chain[0]
        for coefficient in chain[1:]:
            text = f"__builtin_fma$F({text}, {x}2, {coefficient})"
        chains.append(text)
    return f"const $T {x}2 = {x} * {x}; $T p = __builtin_fma$F({chains[1]}, {x}, {chains[0]});"


_EXP_DOUBLE = {
    "coefficients": "0x1.ad7f6f0e24922p-26 0x1.28ad72cd4ab37p-22 0x1.71df255235e0bp-19 0x1.a0199a0c66195p-16 0x1.a01a012a57b5ep-13"
    " 0x1.6c16c1842a126p-10 0x1.1111111127be5p-7 0x1.555555555087cp-5 0x1.55555555554fap-3 0x1.000000000000ap-1",
    "shift": "0x1.8p52",
    "high": "-0x1.62e42fefa39efp-1",
    "low": "-0x1.abc9e3b39803fp-56",
    "bias": 1023,
    "bits": 52,
}
_EXP_SINGLE = {
    "coefficients": "0x1.6a2434p-10f 0x1.1239e2p-7f 0x1.5558f2p-5f 0x1.555492p-3f 0x1.fffffcp-2f",
    "shift": "0x1.8p23",
    "high": "-0x1.62e430p-1f",
    "low": "0x1.05c610p-29f",
    "bias": 127,
    "bits": 23,
}
_row("exp", "double", _powers(_EXP, **_EXP_DOUBLE, most="0x4087500000000000", even="0xffe"), "$T a")
_row("exp", "single", _powers(_EXP, **_EXP_SINGLE, most="0x42d00000", even="0x1fe"), "$T a")
# tanh(a) = e / (e + 2) with e = exp(2 * |a|) - 1 from the same polynomial, where |a| is at most 20 (10): from there on it is 1. At most
# 2.8 ulp, in half the time of libmvec's.
_TANH = """\
if (!LZ_FMA) return tanh$F(a);
$U b, m; __builtin_memcpy(&b, &a, sizeof b); m = b & ($U)-1 >> 1; m = m < {most} ? m : {most};
$T x, s; __builtin_memcpy(&x, &m, sizeof x); x += x;
const $T t = __builtin_fma$F(x, ($T)0x1.71547652b82fep+0, ($T){shift}), n = t - ($T){shift};
const $T r = __builtin_fma$F(n, {low}, __builtin_fma$F(n, {high}, x));
{polynomial}
p = __builtin_fma$F(p, r2, r);
__builtin_memcpy(&b, &t, sizeof b); b = (b + {bias}) << {bits}; __builtin_memcpy(&s, &b, sizeof s);
const $T e = __builtin_fma$F(p, s, s - 1), y = __builtin_copysign$F(e / (e + 2), a);
return a != a ? a : y;"""
_row("tanh", "double", _powers(_TANH, **_EXP_DOUBLE, most="0x4034000000000000"), "$T a")
_row("tanh", "single", _powers(_TANH, **_EXP_SINGLE, most="0x41200000"), "$T a")

# Both are scaled by one of four powers of two, which the highest bits of the larger exponent choose, so that squares are in range; an
# infinity goes before NaN: the bits of both are at least those of an infinity then. Within 1.5 ulp; libmvec's takes twice as long.
_HYPOT = (
    "$I x, y, m, g, h; $T u, v, scale, back; __builtin_memcpy(&x, &a, sizeof x); __builtin_memcpy(&y, &b, sizeof y);"
    " x &= ($I)(($U)-1 >> 1); y &= ($I)(($U)-1 >> 1); m = x > y ? x : y; g = m & {groups}; h = {scale} - g; g += {back};"
    " __builtin_memcpy(&scale, &h, sizeof h); __builtin_memcpy(&back, &g, sizeof g);"
    " __builtin_memcpy(&u, &x, sizeof u); __builtin_memcpy(&v, &y, sizeof v); u *= scale; v *= scale; m = x < y ? x : y;"
    " u = __builtin_sqrt$F(LZ_FMA ? __builtin_fma$F(u, u, v * v) : u * u + v * v) * back; return m == {infinity} ? ($T)LZ_INF : u;"
)
_row(
    "hypot",
    "double",
    _HYPOT.format(groups="0x6000000000000000", scale="0x7000000000000000", back="0x0fe0000000000000", infinity="0x7ff0000000000000"),
)
_row("hypot", "single", _HYPOT.format(groups="0x60000000", scale="0x70000000", back="0x0f000000", infinity="0x7f800000"))

# log1p(a) for 0 <= a <= 1, without special values. Double: the logarithm of (1 + s) / (1 - s) as in fdlibm's e_log.c, with the polynomial
# in s * s of the least error there (2**-59); the first terms are put together so that the rounding of s matters little. Single: a
# polynomial (2**-27.5), which takes less than a division.
_row(
    "log1p_unit",
    "double",
    "if (!LZ_FMA) return log1p(a); const double s = a / (2 + a), z = s * s; "
    + _polynomial("z", "0x1.5c8a5530a01fap-3 0x1.559c5184bccb3p-4 0x1.efdd82f870419p-4 0x1.1067689a220f3p-3 0x1.3b1de324614fcp-3"
                  " 0x1.745cb39b64b8cp-3 0x1.c71c741f8c937p-3 0x1.2492492085769p-2 0x1.99999999a0840p-2 0x1.5555555555535p-1")
    + " return a - s * (a - z * p);",
    "$T a",
)  # fmt: skip
_row(
    "log1p_unit",
    "single",
    "if (!LZ_FMA) return log1pf(a); "
    + _polynomial("a", "-0x1.b2f574p-9f 0x1.4b0828p-6f -0x1.d86314p-5f 0x1.b579b8p-4f -0x1.3a7a7ep-3f 0x1.935c9ep-3f -0x1.ff26e0p-3f"
                  " 0x1.554df0p-2f -0x1.ffffd2p-2f")
    + " return __builtin_fmaf(p, a2, a);",
    "$T a",
)  # fmt: skip

# ---- parts of numbers
# Numbers below the normal ones are scaled first.
_FREXP = (
    "const $T x = __builtin_fabs$F(a) < {least} ? a * {scale} : a; $U u; __builtin_memcpy(&u, &x, sizeof u);"
    " const int whole = (a != 0) & (__builtin_fabs$F(a) < LZ_INF);"
)
_MANTISSA = " u = (u & ~({exponents})) | {half}; $T m; __builtin_memcpy(&m, &u, sizeof m); return whole ? m : a;"
_EXPONENT = " $I e = ($I)(u >> {bits} & {most}) - {bias} - (__builtin_fabs$F(a) < {least} ? {places} : 0); return (int32_t)(whole ? e : 0);"
# Two factors bring the exponent into range, without rounding but for numbers whose last factor makes them 0 (musl's scalbn); the third one
# rounds.
_STEP = " h = n > {bias} ? {bias} : n < 1 - {bias} ? 2 - {bias} + {bits} : 0; n -= h; h = h + {bias} << {bits};"
_SCALED = " __builtin_memcpy(&f, &h, sizeof f); a *= f;"
_LDEXP = (
    "$I n = ($I)(b > {far} ? {far} : b < -{far} ? -{far} : b), h; $T f;"
    + (_STEP + _SCALED) * 2
    + " n = n > {bias} ? {bias} : n < 1 - {bias} ? 1 - {bias} : n; h = n + {bias} << {bits};"
    + _SCALED
    + " return a;"
)
for _family, _numbers in (
    ("double", {"least": "0x1p-1022", "scale": "0x1p54", "exponents": "0x7ff0000000000000", "half": "0x3fe0000000000000", "bits": 52,
                "most": "0x7ff", "bias": 1022, "places": 54}),
    ("single", {"least": "0x1p-126f", "scale": "0x1p25f", "exponents": "0x7f800000", "half": "0x3f000000", "bits": 23, "most": "0xff",
                "bias": 126, "places": 25}),
):  # fmt: skip
    _row("frexp_mantissa", _family, (_FREXP + _MANTISSA).format(**_numbers), "$T a")
    _row("frexp_exponent", _family, (_FREXP + _EXPONENT).format(**_numbers), "$T a", "int32_t")
_row("ldexp", "double", _LDEXP.format(far=2200, bias=1023, bits=52), "$T a, int64_t b")
_row("ldexp", "single", _LDEXP.format(far=400, bias=127, bits=23), "$T a, int64_t b")

# ---- remainders
# |a| - trunc(|a| / |b|) * |b| is exact while all digits of the quotient's whole part are there: rounding makes it one too large at most,
# and the remainder then has the other sign. What is far from that goes to libm, one by one.
for _family, _limit in (("double", "0x1p53"), ("single", "0x1p24f")):
    _row(
        "modulo_near",
        _family,
        "const $T x = __builtin_fabs$F(a), y = __builtin_fabs$F(b), q = __builtin_trunc$F(x / y);"
        f" $T r = __builtin_fma$F(-q, x < y ? 0 : y, x); r = r < 0 ? r + y : r; *far |= !(q < {_limit});"
        " return __builtin_copysign$F(r, a);",
        "$T a, $T b, $I *far",
    )
_row("modulo_far", "double", "fmod(a, b)")
_row("modulo_far", "single", "int64_t far = 0; const double r = lz_modulo_near_f64(a, b, &far); return far ? fmodf(a, b) : (float)r;")
_row("fmod", "float", "LZ_FMA ? lz_modulo_$S(a, b) : fmod$F(a, b)")

_VECTORS = (("b", 16, "__SSE2__"), ("c", 32, "__AVX__"), ("d", 32, "__AVX2__"), ("e", 64, "__AVX512F__"))
"""x86-64's vector functions: the letter in their names (x86-64 psABI, vector function ABI), the bytes of a vector, the macro of processors
that have it."""


def _vector_forms(name: str, itemsize: int, count: int = 2) -> str:
    """A function of one or two numbers under its own name and under those that gcc calls from loops of vectors. <name>_near(a, b, &far) is
    an expression over all lanes and says where it does not hold; <name>_far is computed for such lanes alone: most vectors have none."""
    letters = ("a", "b")[:count]

    def listed(form: str) -> str:
        return ", ".join([form % letter for letter in letters])

    numbers, given, types = listed("$T %s"), listed("%s"), ", ".join(["$T"] * count)
    lines = [
        f"LZ_INLINE $T {name}_one_$S({numbers}) {{ $I far = 0; const $T r = {name}_near_$S({given}, &far);"
        f" return __builtin_expect(far != 0, 0) ? {name}_far_$S({given}) : r; }}",
        "#if LZ_FORMS",
        f"$T {name}_$S({types}) LZ_SIMD22;",
        f'static $T {name}_scalar_$S({types}) __asm__("{name}_$S") __attribute__((used));',
        f"static $T {name}_scalar_$S({numbers}) {{ return {name}_one_$S({given}); }}",
    ]
    for letter, size, macro in _VECTORS:
        lanes, vector, form = size // itemsize, f"{name}_$S_v{letter}", f"{name}_$S_{letter}"
        vectors, parameters, elements = ", ".join([vector] * count), listed(f"{vector} %s"), listed("%s[k]")
        symbol = f"_ZGV{letter}N{lanes}{'v' * count}_{name}_$S"
        lines += [
            f"#ifdef {macro}",
            f"typedef $T {vector} __attribute__((vector_size({size})));",
            f'static {vector} {form}({vectors}) __asm__("{symbol}") __attribute__((used));',
            f"static {vector} {form}({parameters}) {{",
            f"    $T r[{lanes}]; $I any = 0;",
            '    _Pragma("omp simd reduction(|:any)")',
            f"    for (int k = 0; k < {lanes}; k++) {{ $I far = 0; r[k] = {name}_near_$S({elements}, &far); any |= far; }}",
            f'    for (int k = 0; any && k < {lanes}; k++) {{ __asm__ volatile (""); r[k] = {name}_one_$S({elements}); }}',  # no vectors
            "    __builtin_memcpy(&a, r, sizeof a); return a;",
            "}",
            "#endif",
        ]
    return "\n".join([*lines, "#else", f"LZ_INLINE $T {name}_$S({numbers}) {{ return {name}_one_$S({given}); }}", "#endif"])


# ---- the same bits alone and in vectors
# What vectors of glibc's functions compute differs in its last bit from what its scalar functions do; of numbers that are computed alone or
# in a vector as it happens (lanes.py) these do not. Within 1.5 ulp. sin and cos: the reduction by pi/2 in three parts (Cody and Waite) with
# fma, exact enough below 2**20; log: 2**k * m, sqrt(1/2) <= m < sqrt(2). The polynomials are fdlibm's (k_sin.c, k_cos.c, e_log.c).
_REDUCED = (
    "if (!LZ_FMA) {{ *far = 1; return a; }} const double t = __builtin_fma(a, 0x1.45f306dc9c883p-1, 0x1.8p52), n = t - 0x1.8p52;"
    " const double r = __builtin_fma(n, 0x1.f1976b7ed8fbcp-110, __builtin_fma(n, -0x1.1a62633145c07p-54,"
    " __builtin_fma(n, -0x1.921fb54442d18p+0, a))), z = r * r;"
    " int64_t q; __builtin_memcpy(&q, &t, sizeof q); q += {turn}; *far |= !(__builtin_fabs(a) < 0x1p20);"
)
_QUARTERS = (
    " double s = 0x1.5d93a5acfd57cp-33, c = -0x1.8fae9be8838d4p-37;"
    + "".join([f" s = __builtin_fma(s, z, {k});" for k in (
        "-0x1.ae5e68a2b9cebp-26", "0x1.71de357b1fe7dp-19", "-0x1.a01a019c161d5p-13", "0x1.111111110f8a6p-7", "-0x1.5555555555549p-3")])
    + "".join([f" c = __builtin_fma(c, z, {k});" for k in (
        "0x1.1ee9ebdb4b1c4p-29", "-0x1.27e4f809c52adp-22", "0x1.a01a019cb159p-16", "-0x1.6c16c16c15177p-10", "0x1.555555555554cp-5",
        "-0.5")])
    + " s = __builtin_fma(r * z, s, r); c = __builtin_fma(c, z, 1.0); s = a == 0 ? a : s;"
    " int64_t x, y; __builtin_memcpy(&x, &s, sizeof x); __builtin_memcpy(&y, &c, sizeof y);"
    " x = q & 1 ? y : x; x ^= (int64_t)((uint64_t)(q & 2) << 62); __builtin_memcpy(&s, &x, sizeof s); return s;"
)  # fmt: skip
_LOG = (
    "if (!LZ_FMA) { *far = 1; return a; } int64_t u; __builtin_memcpy(&u, &a, sizeof u); *far |= !((a >= 0x1p-1022) & (a < LZ_INF));"
    " const int64_t e = (int64_t)((uint64_t)(u + 0x00095f619980c433) >> 52), k = e | 0x4330000000000000;"
    " u -= (int64_t)((uint64_t)(e - 1023) << 52); double m, n; __builtin_memcpy(&m, &u, sizeof m);"
    " __builtin_memcpy(&n, &k, sizeof n); n -= 0x1p52 + 1023;"
    " const double f = m - 1, s = f / (2 + f), z = s * s, h = 0.5 * f * f; double p = 0x1.2f112df3e5244p-3;"
    + "".join([f" p = __builtin_fma(p, z, {k});" for k in (
        "0x1.39a09d078c69fp-3", "0x1.7466496cb03dep-3", "0x1.c71c51d8e78afp-3", "0x1.2492494229359p-2", "0x1.999999997fa04p-2",
        "0x1.5555555555593p-1")])
    + " return n * 0x1.62e42feep-1 - ((h - __builtin_fma(s, __builtin_fma(p, z, h), n * 0x1.a39ef35793c76p-33)) - f);"
)  # fmt: skip
for _op, _text in (("sin", _REDUCED.format(turn=0) + _QUARTERS), ("cos", _REDUCED.format(turn=1) + _QUARTERS), ("log", _LOG)):
    _row(f"{_op}_alike_near", "double", _text, "$T a, $I *far")
    _row(f"{_op}_alike_far", "double", f"{_op}(a)", "$T a")

FUNCTIONS = {"modulo": {"double": _vector_forms("lz_modulo", 8), "single": _vector_forms("lz_modulo", 4)}}
FUNCTIONS |= {f"{_op}_alike": {"double": _vector_forms(f"lz_{_op}_alike", 8, 1)} for _op in ("sin", "cos", "log")}
