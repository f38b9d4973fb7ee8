"""usenet hardware verify: the proof, inside each container, that its card transcodes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from usenet.cli import console
from usenet.cli.flags import FLAGS
from usenet.cli.hardware import app
from usenet.cli.places import home
from usenet.domain.errors import UsenetError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from usenet.actions.hardware.verify import Verified
    from usenet.domain.hardware.proof import Finding

_COLUMNS = ("service", "what", "codec", "result", "fps", "on", "known by")


@app.command()
def verify() -> None:
    """Prove inside each container that what it was granted decodes and encodes; a card that fails is given up."""
    from usenet.actions.hardware import verify as action

    place = home()
    if FLAGS.dry_run:
        console.commands(action.commands(place))
        return
    found = action.verify(place, console.say)
    console.show(found, lambda: _human(found))
    if not found.proven:
        raise typer.Exit(UsenetError.code)


def _human(found: Verified) -> None:
    if not found.findings:
        console.line("nothing to prove: no service of this stack transcodes")
        return
    console.table(_COLUMNS, (row for finding in found.findings for row in _rows(finding)))
    for finding in found.findings:
        _told(finding)


def _rows(finding: Finding) -> Iterator[tuple[object, ...]]:
    device = finding.encoder
    on = " ".join(filter(None, (device.kind, device.device, device.gpu)))
    for one in finding.proofs:
        yield finding.service, one.action, one.codec, one.state, one.fps or "", on, one.how or one.reason
    if not finding.proofs:
        yield finding.service, "", "", finding.state, "", on, finding.reason


def _told(finding: Finding) -> None:
    """What it means, in a sentence; a failure is loud, and names what is done instead."""
    from usenet.domain.hardware.proof import OWN

    name, gpu, tried = finding.service, finding.encoder.gpu, finding.where
    if finding.state == "proven" and not gpu:
        console.line(f"{name}: software transcodes, as planned; no card was granted, and none is proven")
    elif finding.state == "proven":
        again = "" if tried == OWN else "; it lost the card, and gets it back with: usenet deploy"
        console.line(f"{name}: {gpu} transcodes in {tried}{again}")
    elif finding.state == "failed" and gpu:
        console.problem(f"{name}: {gpu} DOES NOT TRANSCODE in {tried}: {finding.reason}")
        instead = "falls back to software with: usenet deploy" if tried == OWN else "goes on with software"
        console.problem(f"{name} {instead}", mark="hint:")
    elif finding.state == "failed":
        console.problem(f"{name}: SOFTWARE DOES NOT TRANSCODE in {tried}: {finding.reason}")
    elif finding.state == "partly":
        console.problem(f"{name}: {gpu or 'software'} works only in part; it stays: {finding.reason}")
    else:
        console.problem(f"{name}: not proven: {finding.reason}")
