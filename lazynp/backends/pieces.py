"""A large C file as several, so that as many compilers can run at the same time. Kernels are cut out; what calls them stays.

A program of 5000 operations, no two kernels alike, takes gcc as long as it takes Python to write it."""

import re

_LEAST = 30_000
"""Characters of kernels in a piece: half a second of gcc. Reading the common part and linking cost 40 ms."""
_MOST = 8
BEGIN, END = "/* kernels */\n", "/* entry */\n"
"""In the source, around the functions of the program."""
_ITEM = re.compile(r"(?ms)^[^\s}#/].*?(?:^}\n|;\n(?=[^\s}#]|\Z))")
_DEFINITION = re.compile(r"static void (k\d+)(_chunk|_edges|_task)?\(([^)]*)\) \{")
_CALLED = re.compile(r"\b((?:k|s|loop|calls)\d\w*)\(")
_HIDDEN = '__attribute__((visibility("hidden"))) void {}(void **slots, const int64_t *dims);\n'


def pieces(source: str, most: int) -> list[str]:
    """At most so many files which, linked, are the same program; the file itself if it is small."""
    head, begin, rest = source.partition(BEGIN)
    body, end, entry = rest.partition(END)
    if most < 2 or not begin or not end or len(body) < 2 * _LEAST:
        return [source]
    kernels, others = _kernels(body)
    count = min(most, _MOST, sum(map(len, kernels.values())) // _LEAST)
    if count < 2:
        return [source]
    files, sizes = [head + _declared(kernels) for _ in range(count)], [0] * count
    sizes[0] = len(others) + len(entry)
    for name, text in kernels.items():
        place = sizes.index(min(sizes))
        files[place] += text.replace(f"static void {name}(", f"void {name}(")
        sizes[place] += len(text)
    files[0] += others + entry
    return files


def _kernels(body: str) -> tuple[dict[str, str], str]:
    """The functions of kernels that call nothing of the program but their own parts, by kernel; and everything else."""
    groups: dict[str, list[str]] = {}
    others, end = "", 0
    for item in _ITEM.finditer(body):
        others += body[end : item.start()]
        end = item.end()
        found = _DEFINITION.match(item[0])
        if found is None:
            others += item[0]
        else:
            groups.setdefault(found[1], []).append(item[0])
    movable = {name: "".join(items) for name, items in groups.items() if _stands_alone(name, items)}
    return movable, "".join(["".join(items) for name, items in groups.items() if name not in movable]) + others + body[end:]


def _stands_alone(name: str, items: list[str]) -> bool:
    defined = {"".join(filter(None, found.groups()[:2])) for item in items if (found := _DEFINITION.match(item))}
    called = {called for item in items for called in _CALLED.findall(item)}
    return called <= defined and any(item.startswith(f"static void {name}(void **slots, const int64_t *dims) {{") for item in items)


def _declared(kernels: dict[str, str]) -> str:
    return "".join([_HIDDEN.format(name) for name in kernels])
