"""How much the property tests try, and the figures that tests have taken, at the end of a run.

``--hypothesis-profile=thorough`` is an hour's worth.
"""

from __future__ import annotations

import pytest
from hypothesis import settings

settings.register_profile("quick", max_examples=40, deadline=None)
settings.register_profile("thorough", max_examples=2000, deadline=None)
settings.load_profile("quick")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print what tests have recorded of themselves, failed ones too."""
    for outcome in ("passed", "failed"):
        for report in terminalreporter.getreports(outcome):
            if report.when == "call" and report.user_properties:
                figures = ", ".join(f"{key} {value}" for key, value in report.user_properties)
                terminalreporter.write_line(f"{report.nodeid}: {figures}")
