"""Why the tests that fail on lazynp fail: one row for each root cause, the tests by file, class or name."""

from running import Outcome

REASONS: dict[str, tuple[str, ...]] = {}
"""Reason -> the tests (or classes, or files) that fail for it."""

_REASON_OF = {test: text for text, tests in REASONS.items() for test in tests}


def why(test: str, outcome: Outcome | None) -> str:
    """The reason of a failure: the table's, else what the test said."""
    parts = test.split("::")
    for n in range(len(parts), 0, -1):
        if "::".join(parts[:n]) in _REASON_OF:
            return _REASON_OF["::".join(parts[:n])]
    if outcome is None:
        return "not collected"
    return "not yet: " + outcome.get("message", outcome["outcome"])
