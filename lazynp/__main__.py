"""The command line: `python -m lazynp run PROGRAM.py`, `coverage`, `tune`, `cache list|clear|export|import`."""

import argparse
import sys
import time
from collections.abc import Callable

from lazynp import choices
from lazynp.api.table import coverage_page, coverage_report
from lazynp.backends import archive, diskcache
from lazynp.debug import run, tuning
from lazynp.runtime.evaluate import machine_file


def main(arguments: list[str] | None = None) -> int:
    """Returns the exit status."""
    options = _parser().parse_args(arguments)
    return options.command(options)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m lazynp", description="NumPy programs, lazy, fused and compiled.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _add_run(commands)
    _add_coverage(commands)
    _add_cache(commands)
    _add_tune(commands)
    return parser


def _add_run(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = commands.add_parser(
        "run",
        help="run a NumPy program on lazynp",
        description="Run a NumPy program unmodified: in its own source, numpy means lazynp; the libraries it imports keep NumPy.",
        epilog="Exit status: the program's own; with --compare 1 when the results differ.",
    )
    parser.add_argument(
        "--compare", action="store_true", help="run it on NumPy too, in a second process without lazynp, and report what differs"
    )
    parser.add_argument("--json", metavar="FILE", help="write the report there")
    parser.add_argument("--record", metavar="FILE", help=argparse.SUPPRESS)
    parser.add_argument("program", metavar="PROGRAM.py")
    parser.add_argument("arguments", nargs=argparse.REMAINDER, metavar="ARGS", help="the program's own")
    parser.set_defaults(command=_run)


def _run(options: argparse.Namespace) -> int:
    if options.record:
        return run.record(options.program, options.arguments, options.record)
    if options.compare or options.json:
        return run.run_and_report(options.program, options.arguments, options.compare, options.json)
    return run.run(options.program, options.arguments)


def _add_coverage(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = commands.add_parser("coverage", help="the status of every NumPy name")
    parser.add_argument("--markdown", action="store_true", help="as the page of the documentation")
    parser.set_defaults(command=_coverage)


def _coverage(options: argparse.Namespace) -> int:
    print(coverage_page() if options.markdown else coverage_report(), end="" if options.markdown else "\n")
    return 0


def _add_tune(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = commands.add_parser(
        "tune",
        help="fit the constants of the cost model to this machine",
        description="Measure small programs with every constant of the cost model (on an idle machine), and keep what was best for later.",
    )
    parser.add_argument("--dry", action="store_true", help="only show it")
    parser.set_defaults(command=_tune)


def _tune(options: argparse.Namespace) -> int:
    fitted = tuning.fit(print)
    if not options.dry:
        choices.save(machine_file(), fitted)
        print(f"kept in {machine_file()}")
    return 0


def _add_cache(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = commands.add_parser("cache", help="the compiled programs on disk", description=f"The compiled programs in {diskcache.root()}.")
    actions = parser.add_subparsers(required=True, metavar="ACTION")
    actions.add_parser("list", help="what there is, the latest used last").set_defaults(command=_cache_list)
    actions.add_parser("clear", help="remove all of it").set_defaults(command=_cache_clear)
    export = actions.add_parser("export", help="write the programs of this version to a file, for other machines with such a processor")
    export.add_argument("file", metavar="FILE")
    export.set_defaults(command=_cache_export)
    load = actions.add_parser(
        "import",
        help="add the programs of such a file; they run without a compiler",
        description="Add the programs of an exported file. They are machine code: import only what you would run.",
    )
    load.add_argument("file", metavar="FILE")
    load.set_defaults(command=_cache_import)


def _cache_list(options: argparse.Namespace) -> int:
    rows = archive.summary()
    for row in rows:
        used = time.strftime("%Y-%m-%d %H:%M", time.localtime(row.used))
        kernels = "of another version" if not row.usable else "library" if row.kernels is None else f"{row.kernels} kernels"
        print(f"{row.key[:16]:16}  {row.size / 1024:8.1f} KiB  {used}  {kernels}")
    size = sum(row.size for row in rows) / (1 << 20)
    print(f"{len(rows)} programs, {size:.1f} MiB, in {diskcache.root()}")
    return 0


def _cache_clear(options: argparse.Namespace) -> int:
    rows = archive.summary()
    diskcache.clear()
    print(f"removed {len(rows)} programs, {sum(row.size for row in rows) / (1 << 20):.1f} MiB, from {diskcache.root()}")
    return 0


def _cache_export(options: argparse.Namespace) -> int:
    return _reported(lambda: f"{archive.export(options.file)} programs written to {options.file}")


def _cache_import(options: argparse.Namespace) -> int:
    return _reported(lambda: f"{archive.load(options.file)} programs imported from {options.file}")


def _reported(action: Callable[[], str]) -> int:
    try:
        print(action())
    except (archive.ArchiveError, OSError) as error:
        print(f"python -m lazynp cache: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
