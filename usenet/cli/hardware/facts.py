"""usenet hardware list."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from usenet.cli.hardware import app

SAVED = typer.Option("--host", metavar="FILE", help="A machine saved by: usenet hardware list --json")


@app.command("list")
def list_(host: Annotated[Path | None, SAVED] = None) -> None:
    """Show processor, memory, drives, GPUs, engine; what was not seen."""
    from usenet.cli import hardware_view

    hardware_view.show(host)
