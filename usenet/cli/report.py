"""Where a bug leaves its report."""

from __future__ import annotations

from pathlib import Path

from usenet.cli.flags import FLAGS


def describe(failure: BaseException, arguments: list[str]) -> str:
    """The failure in one line, without secrets."""
    from usenet.actions import report

    return report.describe(failure, arguments, FLAGS.home)


def write_report(failure: BaseException, arguments: list[str]) -> Path | None:
    """Save what is needed to find the bug, without secrets; the file, or None where none can be written."""
    from usenet.actions import report

    return report.write(failure, arguments, FLAGS.home)
