"""The command line: `python -m lazynp run PROGRAM.py`, `python -m lazynp coverage`."""

import argparse
import sys

from lazynp.api.table import coverage_page, coverage_report
from lazynp.debug import run


def main(arguments: list[str] | None = None) -> int:
    """Returns the exit status."""
    options = _parser().parse_args(arguments)
    return options.command(options)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m lazynp", description="NumPy programs, lazy, fused and compiled.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _add_run(commands)
    _add_coverage(commands)
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


if __name__ == "__main__":
    sys.exit(main())
