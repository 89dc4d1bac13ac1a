"""Outcomes of the runs, kept file by file, so that a run of hours may be interrupted and is of one state of the sources."""

import json
import subprocess
import sys
from pathlib import Path

from running import PACKAGE, Outcome, run_suite


class Kept:
    """The outcomes of one way to run the suite, in `folder/name.json`; nothing is kept where the folder is None."""

    def __init__(self, folder: Path | None, name: str) -> None:
        self._path = None if folder is None else folder / f"{name}.json"
        self._sources = "" if name == "numpy" else _sources()
        self._files: dict[str, dict[str, Outcome]] = self._read()

    def outcomes(self, threshold: int | None, files: list[str], jobs: int) -> dict[str, Outcome]:
        """{key: outcome} of the tests in the files; those that are not kept yet are run now."""
        missing = [file for file in files if file not in self._files]
        if missing:
            run_suite(threshold, missing, jobs, self._keep)
        return {key: outcome for file in files for key, outcome in self._files[file].items()}

    def _keep(self, file: str, outcomes: dict[str, Outcome]) -> None:
        self._files[file] = outcomes
        if self._path is not None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._path.write_text(json.dumps({"sources": self._sources, "files": self._files}))

    def _read(self) -> dict[str, dict[str, Outcome]]:
        if self._path is None or not self._path.exists():
            return {}
        kept = json.loads(self._path.read_text())
        if kept["sources"] != self._sources:
            sys.exit(f"{self._path} is of other sources of lazynp: choose another folder")
        return kept["files"]  # type: ignore[no-any-return]


def _sources() -> str:
    """What git calls this state of the package."""
    found = subprocess.run(["git", "rev-parse", "HEAD:lazynp"], cwd=PACKAGE, capture_output=True, text=True, check=True)
    return found.stdout.strip()
