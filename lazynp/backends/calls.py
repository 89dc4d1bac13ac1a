"""Calls of BLAS and LAPACK as C."""

from __future__ import annotations

import numpy as np

from lazynp.backends import blas, lapack, prelude, products, sorting
from lazynp.backends.nests import Gemm, Lapack
from lazynp.backends.program import FIRST_DIM
from lazynp.backends.texts import literal
from lazynp.backends.writer import LEAVE, Program, Writer


def gemm_call(gemm: Gemm, program: Program) -> str:
    writer = Writer(program)
    suffix = prelude.suffix(gemm.dtype)
    letter = blas.LETTERS[suffix]
    m, n, k = [writer.poly(p) for p in gemm.sizes]
    ctype = prelude.ctype(gemm.dtype)
    places = []
    for buffer, size in ((gemm.x, f"{m} * {k}"), (gemm.y, f"{k} * {n}"), (gemm.out, f"{m} * {n}")):
        program.name(buffer.memory)
        places.append(f"({ctype} *){program.address(buffer.memory)} + b * {size}")
    batch = writer.poly(gemm.batch)
    sizes = " ".join([f"const int64_t {a.name} = dims[{FIRST_DIM} + {a.name[1:]}];" for a in sorted(writer.sizes)])
    alike = gemm.x.memory is gemm.y.memory and gemm.turned[0] != gemm.turned[1]  # a matrix by its own transpose
    if suffix in products.SUFFIXES and products.wanted():
        program.products.add(suffix)
        bare = [f"({ctype} *){program.address(buffer.memory)}" for buffer in (gemm.x, gemm.y, gemm.out)]
        turned = gemm.turned[0] + 2 * gemm.turned[1]
        operands = f"{program.routine(letter + 'gemm')}, {turned}, {', '.join(bare)}, {batch}, {m}, {n}, {k}, {int(alike)}"
        return f"{{ {sizes} lz_product_{suffix}(slots, dims, {operands}); }}"
    one, zero = [literal(np.array(x, gemm.dtype)[()], gemm.dtype) for x in (1, 0)]
    letters = ["'T'" if t else "'N'" for t in gemm.turned]
    ld = [m if gemm.turned[0] else k, k if gemm.turned[1] else n]
    if alike:
        routine = program.routine(letter + "syrk")
        call = f"lz_syrk_{suffix}({routine}, {letters[0]}, {m}, {k}, {one}, {places[0]}, {ld[0]}, {zero}, {places[2]});"
    else:
        operands = f"{one}, {places[0]}, {ld[0]}, {places[1]}, {ld[1]}, {zero}, {places[2]}, {n}"
        call = f"lz_gemm_{suffix}({program.routine(letter + 'gemm')}, {letters[0]}, {letters[1]}, {m}, {n}, {k}, {operands});"
    return f"{{ {sizes} for (int64_t b = 0; b < {batch}; b++) {call} }}"


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
