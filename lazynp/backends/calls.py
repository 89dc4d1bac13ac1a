"""Calls of BLAS and LAPACK as C."""

from __future__ import annotations

import numpy as np

from lazynp.backends import blas, lapack, prelude, products, sorting
from lazynp.backends.lower import Buffer
from lazynp.backends.nests import Factor, Gemm, Lapack, Onto
from lazynp.backends.program import FIRST_DIM
from lazynp.backends.texts import literal
from lazynp.backends.writer import LEAVE, Program, Writer
from lazynp.ir.node import const


def gemm_call(gemm: Gemm, program: Program) -> str:
    writer = Writer(program)
    suffix = prelude.suffix(gemm.dtype)
    letter = blas.LETTERS[suffix]
    sizes = [writer.poly(p) for p in gemm.sizes]
    batch = writer.poly(gemm.batch)
    for buffer in gemm.reads + gemm.writes:
        program.name(buffer.memory)
    if suffix in products.SUFFIXES and products.wanted():
        packed = products.packed(suffix, [size.constant for size in gemm.sizes])
        program.products[suffix] = max(packed, program.products.get(suffix, 0))
        operands = [_place(buffer, gemm, program) for buffer in (gemm.x, gemm.y, gemm.out)]
        turned = gemm.turned[0] + 2 * gemm.turned[1]
        onto = _onto_text(gemm, program, writer)
        given = ["slots", "dims", program.routine(letter + "gemm"), turned, *operands, batch, *sizes, int(gemm.alike), onto]
        call = f"lz_product_{suffix}({', '.join(map(str, given))});"
    elif gemm.onto is not None and gemm.onto.added is not None:
        letters = ["'T'" if t else "'N'" for t in gemm.turned]
        operands = [_place(buffer, gemm, program) for buffer in (gemm.x, gemm.y, gemm.out)]
        given = [program.routine(letter + "gemm"), *letters, *operands, batch, *sizes, _onto_text(gemm, program, writer)]
        call = f"lz_gemm_onto_{suffix}({', '.join(given)});"
    else:
        call = f"for (int64_t b = 0; b < {batch}; b++) {_library_call(gemm, program, sizes)}"
    known = " ".join([f"const int64_t {a.name} = dims[{FIRST_DIM} + {a.name[1:]}];" for a in sorted(writer.sizes)])
    return f"{{ {known} {call} }}"


def _place(buffer: Buffer, gemm: Gemm, program: Program) -> str:
    return f"({prelude.ctype(gemm.dtype)} *){program.address(buffer.memory)}"


def _library_call(gemm: Gemm, program: Program, sizes: list[str]) -> str:
    """One product of a batch, which nothing is added to."""
    suffix, (m, n, k) = prelude.suffix(gemm.dtype), sizes
    letter = blas.LETTERS[suffix]
    extents = (f"{m} * {k}", f"{k} * {n}", f"{m} * {n}")
    x, y, out = [f"{_place(b, gemm, program)} + b * {size}" for b, size in zip((gemm.x, gemm.y, gemm.out), extents, strict=True)]
    one, zero = [literal(np.array(value, gemm.dtype)[()], gemm.dtype) for value in (1, 0)]
    factor = one if gemm.onto is None else _factor(gemm.onto.alpha, gemm, program, Writer(program))
    left, right = ["'T'" if t else "'N'" for t in gemm.turned]
    ld = [m if gemm.turned[0] else k, k if gemm.turned[1] else n]
    if gemm.alike:
        return f"lz_syrk_{suffix}({program.routine(letter + 'syrk')}, {left}, {m}, {k}, {factor}, {x}, {ld[0]}, {zero}, {out});"
    operands = f"{factor}, {x}, {ld[0]}, {y}, {ld[1]}, {zero}, {out}, {n}"
    return f"lz_gemm_{suffix}({program.routine(letter + 'gemm')}, {left}, {right}, {m}, {n}, {k}, {operands});"


def _onto_text(gemm: Gemm, program: Program, writer: Writer) -> str:
    """The lz_onto_ of a product as C."""
    onto = gemm.onto or Onto()
    added = "0"
    if onto.added is not None:
        added = f"{_place(onto.added, gemm, program)} + {writer.poly(onto.offset)}"
    factors = [_factor(factor, gemm, program, writer) for factor in onto.factors]
    return f"(lz_onto_{prelude.suffix(gemm.dtype)}){{{', '.join([*factors, added, *map(writer.poly, onto.strides)])}}}"


def _factor(factor: Factor, gemm: Gemm, program: Program, writer: Writer) -> str:
    node, sign = factor.value, "-" if factor.negated else ""
    if node is None:
        return sign + literal(gemm.dtype.type(1), gemm.dtype)
    if node.op is const:
        return sign + literal(node.value.array[()], node.dtype)
    return f"{sign}({_place(node.buffer, gemm, program)})[{writer.poly(node.address)}]"


def lapack_call(call: Lapack, program: Program) -> str:
    """The function runs; where it fails, the program ends before anything reads its results."""
    writer = Writer(program)
    name, dtype = call.node.op.name, call.node.args[0].dtype
    program.helpers.add((name, dtype))
    of_numpy = sorting.has(call.node)
    arguments = [program.routine(routine) for routine in (sorting.calls(call.node) if of_numpy else lapack.calls(name, dtype))]
    for buffer in call.reads + call.results:
        if buffer is not None:
            program.name(buffer.memory)
        arguments.append("0" if buffer is None else program.address(buffer.memory))
    arguments += [writer.poly(p) for p in (call.count, *call.sizes)]
    arguments += sorting.options(call.node) if of_numpy else [str(int(value)) for value in call.node.attrs]
    sizes = " ".join([f"const int64_t {a.name} = dims[{FIRST_DIM} + {a.name[1:]}];" for a in sorted(writer.sizes)])
    code = program.failure(call.where, "LinAlgError", "" if of_numpy else lapack.ROUTINES[name].failure)
    failed = f"if (info) {{ lz_fail(slots, {code}, info - 1, info); {LEAVE} }}"
    return f"{{ {sizes} const int64_t info = lz_{name}_{prelude.suffix(dtype)}({', '.join(arguments)}); {failed} }}"
