"""Kernels that differ only in numbers and names share one C function, called with a row of a table: five thousand writes of slices into
one array are one function and one loop, so the time to compile them does not grow with their number. Kernels for threads that differ only
in where their arrays lie (the layers of a network, a filter that is applied twice) are one function, called with slots of its own.
"""

from __future__ import annotations

import re
from collections import Counter
from itertools import groupby

from lazynp.backends.program import ARENA, FIRST_SLOT

_CHUNKED = re.compile(r"static void (k\d+)_chunk\(")
_ADDRESS = re.compile(rf"(?:\(void \*\))?\(\(char \*\)slots\[{ARENA}\] \+ \((\d+)\)\)|slots\[(\d+)\]")
_ARRAY = re.compile(r"\b(?:t|in|out|c)\d+(?=\b|_rows\b)")
_LEAST = 6
"""So many kernels of one form are worth a table."""
_NUMBER = re.compile(r"(?<![\w.])(?:(\d+\.\d+(?:e[+-]?\d+)?|\d+e[+-]?\d+)|(\d+)(?:LL)?)(?![\w.])")
_DECLARED = re.compile(r"\*restrict (\w+) = ")
_LOCAL_ARRAY = re.compile(r"(?m)^ *\w+ \w+\[\d+\](?: __attribute__.*)?;")
_NAME = re.compile(r"\b[A-Za-z_]\w*\b")
_VALUE = re.compile(r"\b(?:v|at)\d+\b")


def compact(kernels: list[tuple[str, str]]) -> tuple[list[str], list[str]]:
    """kernels: (definition, call) in order of execution -> (definitions, calls)."""
    forms = [_form(definition) for definition, _ in kernels]
    rows: dict[str, list[int]] = {}
    for number, form in enumerate(forms):
        if form is not None:
            rows.setdefault(form[0], []).append(number)
    shared = {skeleton: f"s{n}" for n, (skeleton, numbers) in enumerate(rows.items()) if len(numbers) >= _LEAST}
    functions = [
        definition for (definition, _), form in zip(kernels, forms, strict=True) if definition and (form is None or form[0] not in shared)
    ]
    for skeleton, name in shared.items():
        functions.append(_function(skeleton, name, [forms[n] for n in rows[skeleton]]))  # type: ignore[misc]
    place = {n: (shared[skeleton], k) for skeleton, numbers in rows.items() if skeleton in shared for k, n in enumerate(numbers)}
    return functions, _calls(kernels, place, functions)


def alike(kernels: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """The same (definition, call) pairs, where kernels with chunks that differ in the places of their arrays alone are defined once."""
    forms = [_chunked_form(definition) for definition, _ in kernels]
    first: dict[str, int] = {}
    for number, form in enumerate(forms):
        if form is not None:
            first.setdefault(form[1], number)
    rows: dict[str, list[list[int]]] = {}
    for form in forms:
        if form is not None:
            rows.setdefault(form[1], []).append(form[2])
    found = []
    called: Counter[str] = Counter()
    for number, ((definition, call), form) in enumerate(zip(kernels, forms, strict=True)):
        if form is None or len(rows[form[1]]) == 1:
            found.append((definition, call))
            continue
        name, text, own = form
        shared = forms[first[text]][0]  # type: ignore[index]
        place = f"{shared}_places + {len(own) * called[text]}"
        called[text] += 1
        call = call.replace(f"{name}(slots, dims);", f"{shared}_at(slots, dims, {place});")
        found.append((_with_places(text, shared, rows[text]) if first[text] == number else "", call))
    return found


def _with_places(text: str, name: str, rows: list[list[int]]) -> str:
    """The kernel, and a function that calls it with slots of a row: a slot's number, or -1 - an offset in the arena."""
    table = ", ".join([str(n) for row in rows for n in row])
    return "\n".join([
        re.sub(r"\bkernel(?=_|\()", name, text),
        f"static const int64_t {name}_places[] = {{{table}}};",
        f"static __attribute__((noinline)) void {name}_at(void **slots, const int64_t *dims, const int64_t *place) {{",
        f"    void *own[{FIRST_SLOT + len(rows[0])}];",
        f"    for (int k = 0; k < {FIRST_SLOT}; k++) own[k] = slots[k];",
        f"    for (int k = 0; k < {len(rows[0])}; k++)",
        f"        own[{FIRST_SLOT} + k] = place[k] < 0 ? (char *)slots[{ARENA}] - 1 - place[k] : slots[place[k]];",
        f"    {name}(own, dims);",
        "}",
    ])  # fmt: skip


def _chunked_form(definition: str) -> tuple[str, str, list[int]] | None:
    """(name, text in which arrays have names and slots by order, where they lie); None for kernels without chunks."""
    named = _CHUNKED.search(definition)
    if named is None:
        return None
    name = named[1]
    places: dict[int, int] = {}
    arrays: dict[str, str] = {}

    def place(match: re.Match[str]) -> str:
        lies = -1 - int(match[1]) if match[1] else int(match[2])
        if 0 <= lies < FIRST_SLOT:
            return match[0]
        return f"slots[{FIRST_SLOT + places.setdefault(lies, len(places))}]"

    text = re.sub(rf"\b{name}(?=_chunk\b|_edges\b|_task\b|\()", "kernel", definition)
    text = _ARRAY.sub(lambda match: arrays.setdefault(match[0], f"q{len(arrays)}"), _ADDRESS.sub(place, text))
    return name, text, list(places)


def _form(definition: str) -> tuple[str, list[str], list[str]] | None:
    """(skeleton, its integers, its floats); None for kernels with chunks. The sizes of local arrays have to be constants: of a kernel
    that has some, only where its memory is may differ."""
    if not definition or definition.startswith("/*") or "_chunk(" in definition:
        return None
    body = definition.partition("{")[2]
    pointers: dict[str, str] = {}
    for number, name in enumerate(_DECLARED.findall(body)):
        pointers.setdefault(name, f"q{number}")
    body = _NAME.sub(lambda m: pointers.get(m[0], m[0]), body)
    names: dict[str, str] = {}
    body = _VALUE.sub(lambda m: names.setdefault(m[0], f"v{len(names)}"), body)
    integers: list[str] = []
    floats: list[str] = []

    def parameter(match: re.Match[str]) -> str:
        kept = floats if match[1] else integers
        before = match.string[max(match.start() - 3, 0) : match.start()]
        if match[2] in ("0", "1") and before != "+ (":  # an offset in the arena is a number like any other
            return match[0]
        if match[2] and before[1:] in ("/ ", "% "):  # a division by a constant is a multiplication; by a variable it costs 20 times as much
            return match[0]
        kept.append(match[1] or match[2])
        return f"{'real' if match[1] else 'whole'}{len(kept) - 1}"  # letters that no kernel's own names begin with

    if _LOCAL_ARRAY.search(body):
        return "\n".join([_NUMBER.sub(parameter, line) if "*restrict" in line else line for line in body.split("\n")]), integers, floats
    return _NUMBER.sub(parameter, body), integers, floats


def _function(skeleton: str, name: str, rows: list[tuple[str, list[str], list[str]]]) -> str:
    integers, floats = rows[0][1], rows[0][2]
    locals_ = [f"const int64_t whole{k} = P[{k}];" for k in range(len(integers))] + [
        f"const double real{k} = F[{k}];" for k in range(len(floats))
    ]
    tables = [
        f"static const {ctype} {name}_{letter}[] = {{{', '.join(value for row in rows for value in row[column]) or '0'}}};"
        for ctype, letter, column in (("int64_t", "P", 1), ("double", "F", 2))
    ]
    head = f"static __attribute__((noinline)) void {name}(void **slots, const int64_t *dims, const int64_t *P, const double *F) {{"
    call = f"static __attribute__((noinline)) void {name}_row(void **slots, const int64_t *dims, int64_t row) {{"
    row = f"    {name}(slots, dims, {name}_P + {len(integers)} * row, {name}_F + {len(floats)} * row);"
    return "\n".join([*tables, head, "    " + " ".join(locals_) + skeleton, call, row, "}"])


def _calls(kernels: list[tuple[str, str]], place: dict[int, tuple[str, int]], functions: list[str]) -> list[str]:
    """The calls; neighbours that call shared functions become a loop over a table of functions and rows, which is added to `functions`."""
    calls: list[str] = []
    for is_shared, group in groupby(range(len(kernels)), key=lambda number: number in place):
        members = list(group)
        if not is_shared:
            calls += [kernels[n][1] for n in members]
            continue
        name = f"r{members[0]}"
        called = ", ".join([f"{place[n][0]}_row" for n in members])
        rows = ", ".join([str(place[n][1]) for n in members])
        functions.append(
            f"static void (*const {name}[])(void **, const int64_t *, int64_t) = {{{called}}};\n"
            f"static const int64_t {name}_row[] = {{{rows}}};"
        )
        stop = next((kernels[n][1].partition(";")[2] for n in members if "return" in kernels[n][1]), "")
        call = f"{name}[k](slots, dims, {name}_row[k]);"
        calls.append(f"for (int64_t k = 0; k < {len(members)}; k++) {f'{{ {call}{stop} }}' if stop else call}")
    return calls
