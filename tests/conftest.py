"""What every test run says at its end."""

from __future__ import annotations

import pytest


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the figures that tests recorded with `record_property`; xdist brings them here from its workers.

    Whole numbers of one name are added up.
    """
    figures: dict[str, list[object]] = {}
    for report in terminalreporter.getreports("passed"):
        if report.when == "call":
            for name, value in report.user_properties:
                figures.setdefault(name, []).append(value)
    if figures:
        terminalreporter.section("measured")
        for name, values in figures.items():
            counts = [value for value in values if isinstance(value, int)]
            for value in [sum(counts)] if len(counts) == len(values) else values:
                terminalreporter.write_line(f"{name}: {value}")
