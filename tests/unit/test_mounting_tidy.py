"""Two runs may take away what a killed one left out of sight, at the same moment."""

from __future__ import annotations

from pathlib import Path

import pytest

from usenet.adapters import shell
from usenet.adapters.storage import mounting
from usenet.domain.errors import SystemFailure


@pytest.mark.parametrize(
    "there", [[True, False, False], [True, True]], ids=["the other was quicker", "it can't be unmounted"]
)
def test_what_another_run_unmounts_meanwhile_is_no_failure(
    there: list[bool], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object, **__: object) -> str:
        raise SystemFailure("umount: not mounted")

    seen = iter(there)
    monkeypatch.setattr(mounting, "holds", lambda _: next(seen))
    monkeypatch.setattr(shell, "run", lambda *_, **__: shell.Done(32, "", "not mounted"))
    monkeypatch.setattr(shell, "checked", refused)
    place = tmp_path / "place"
    place.mkdir()
    if there[-1]:
        with pytest.raises(SystemFailure):
            mounting._remove(place)
    else:
        mounting._remove(place)
        assert not place.exists()
