"""Boards of Raspberry Pi with the names, nodes and formats that people published of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.saved import facts, names
from tests.unit.gpu_bed import Bed


@pytest.mark.parametrize("name", names("v4l2"))
def test_a_published_board_is_known_with_what_it_decodes_and_encodes(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    saved = facts("v4l2", name)
    tree = {"proc/device-tree/model": saved["model"] + "\0"}
    for node, about in saved["nodes"].items():
        tree |= {f"dev/{node}": "", f"sys/class/video4linux/{node}/name": about["name"] + "\n"}

    (board,), unseen = Bed(tmp_path, monkeypatch).look({"tree": tree, "v4l2": saved["nodes"]})

    assert (board.name, board.vendor, unseen) == (saved["model"], "raspberrypi", ())
    told = {"codecs": [one.path for one in board.codecs], "decode": board.decode, "encode": board.encode}
    assert told == {key: tuple(value) if key != "codecs" else value for key, value in saved["expected"].items()}
