"""What `python -m lazynp run` says about a program: as text for the terminal, as JSON for machines."""

import json
import math
import os
from typing import Any, NamedTuple

from lazynp.debug.run_variables import RTOL, Difference

_SHOWN = 20
"""Variables that are the same are listed up to so many; those that differ always are."""


class Side(NamedTuple):
    """One run. seconds: of the program and of computing its pending results; error: "Class: message" of an uncaught error, or ""."""

    seconds: float
    status: int
    error: str


class Report(NamedTuple):
    """numpy: None when there was no such run; trouble then says why, if it was wanted. stats: those of `lazynp.stats()`."""

    program: str
    arguments: list[str]
    lazynp: Side
    numpy: Side | None
    variables: list[Difference]
    stats: dict[str, Any]
    trouble: str = ""

    @property
    def same(self) -> bool | None:
        """Whether both runs ended alike and left the same variables; None without a run on NumPy that was not wanted."""
        if self.numpy is None:
            return False if self.trouble else None
        return self._ended_alike() and all(v.same or v.varies for v in self.variables)

    def _ended_alike(self) -> bool:
        assert self.numpy is not None
        ours, theirs = ((side.status, side.error.partition(":")[0]) for side in (self.lazynp, self.numpy))
        return ours == theirs

    def fallbacks(self) -> list[dict[str, Any]]:
        """Most frequent first."""
        rows = sorted(self.stats["fallbacks"].items(), key=lambda item: (-item[1], item[0]))
        return [{"file": file, "line": line, "function": name, "count": count} for (file, line, name), count in rows]

    # --- text ---

    def text(self) -> str:
        """The report for the terminal, without a newline at its end."""
        lines = [f"lazynp run --compare {' '.join([_relative(self.program), *self.arguments])}", *self._verdict()]
        lines += [_row("time", self._times()), _row("compile", self._compilation())]
        lines += [*self._fallback_lines(), *self._variable_lines()]
        return "\n".join(lines)

    def _verdict(self) -> list[str]:
        if self.trouble:
            return [_row("result", f"NOT COMPARED: {self.trouble}")]
        assert self.numpy is not None
        differ = sum(not v.same and not v.varies for v in self.variables)
        found = f"{len(self.variables)} numeric variable{'s' * (len(self.variables) != 1)}"
        if self.same:
            verdict = f"SAME ({found}, within {RTOL:g} of the largest magnitude)"
        else:
            verdict = f"DIFFERENT ({differ} of {found})" if differ else "DIFFERENT: the programs ended differently"
        lines = [_row("result", verdict)]
        if self.lazynp.status or self.numpy.status or self.lazynp.error or self.numpy.error:
            lines.append(_row("ended", f"lazynp {_ending(self.lazynp)}, NumPy {_ending(self.numpy)}"))
        return lines

    def _times(self) -> str:
        if self.numpy is None:
            return f"lazynp {_seconds(self.lazynp.seconds)}"
        ratio = self.numpy.seconds / max(self.lazynp.seconds, 1e-9)
        return f"lazynp {_seconds(self.lazynp.seconds)}, NumPy {_seconds(self.numpy.seconds)}: {ratio:.2f} times NumPy's speed"

    def _compilation(self) -> str:
        kernels = self.stats["kernels"]
        return f"{_seconds(self.stats['compile_seconds'])}, {kernels} kernel{'s' * (kernels != 1)}"

    def _fallback_lines(self) -> list[str]:
        rows = self.fallbacks()
        if not rows:
            return [_row("fallback", "no line fell back to NumPy")]
        lines = [_row("fallback", f"{len(rows)} line{'s' * (len(rows) != 1)} fell back to NumPy")]
        return lines + [f"    {row['count']:>7} x  {_relative(row['file'])}:{row['line']}  {row['function']}" for row in rows]

    def _variable_lines(self) -> list[str]:
        rows = [v for v in self.variables if not v.same] + [v for v in self.variables if v.same][:_SHOWN]
        if not rows:
            return []
        table = [("variable", "in", "dtype", "shape", "difference", ""), *[_cells(v) for v in rows]]
        widths = [max(len(line[i]) for line in table) for i in range(5)]
        lines = ["  ".join([*[cell.ljust(width) for cell, width in zip(line, widths, strict=False)], line[5]]).rstrip() for line in table]
        more = len(self.variables) - len(rows)
        return [f"  {line}" for line in lines] + ([f"  and {more} more that are the same"] if more else [])

    # --- JSON ---

    def write_json(self, path: str) -> None:
        """The whole report, every variable included. Raises OSError."""
        with open(path, "w", encoding="utf-8") as file:
            json.dump(self.as_dict(), file, indent=2, allow_nan=False)
            file.write("\n")

    def as_dict(self) -> dict[str, Any]:
        """Plain values only. `same`, `numpy` and `speedup` are None without a run on NumPy."""
        return {
            "program": self.program,
            "arguments": self.arguments,
            "same": self.same,
            "trouble": self.trouble,
            "rtol": RTOL,
            "lazynp": self.lazynp._asdict(),
            "numpy": self.numpy and self.numpy._asdict(),
            "speedup": self.numpy and self.numpy.seconds / max(self.lazynp.seconds, 1e-9),
            "compile_seconds": self.stats["compile_seconds"],
            "kernels": self.stats["kernels"],
            "fallbacks": self.fallbacks(),
            "variables": [_plain(v) for v in self.variables],
        }


def _plain(variable: Difference) -> dict[str, Any]:
    finite = variable.error is not None and math.isfinite(variable.error)
    changes = {"same": variable.same, "shape": list(variable.shape), "error": variable.error if finite else None}
    return {**variable._asdict(), **changes}


def _cells(variable: Difference) -> tuple[str, ...]:
    error = "" if variable.error is None else "0" if variable.error == 0 else f"{variable.error:.1e}"
    note = "" if variable.same else "varies from run to run on NumPy too" if variable.varies else f"DIFFERENT: {variable.reason}"
    return variable.name, variable.scope, variable.dtype, str(variable.shape), error, note


def _row(label: str, text: str) -> str:
    return f"  {label:<9}{text}"


def _seconds(value: float) -> str:
    return f"{value:.2f} s" if value >= 1 else f"{value * 1e3:.1f} ms"


def _ending(side: Side) -> str:
    return f"status {side.status}" + (f" ({side.error.splitlines()[0]})" if side.error else "")


def _relative(path: str) -> str:
    """The path from here, when that is shorter."""
    relative = os.path.relpath(path)
    return relative if len(relative) < len(path) else path
