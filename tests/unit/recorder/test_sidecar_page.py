"""The page for people names every key, every state and every figure that there is."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "recorder-sidecar.md").read_text(encoding="utf-8")
SOURCE = ROOT / "usenet" / "recorder" / "sidecar"
WORDS = {
    "config.py": r'(?:part|own)\.(?:text|number|size|choice|switch|whole|path|part)\("(\w+)"',
    "figures.py": r'Figure\(\s*"(\w+)"',
}


@pytest.mark.parametrize("file", WORDS)
def test_the_page_names(file: str) -> None:
    known = set(re.findall(WORDS[file], (SOURCE / file).read_text(encoding="utf-8")))
    assert len(known) > 20
    assert {word for word in known if not re.search(rf"\b{word}\b", PAGE)} == set()


def test_it_names_every_state() -> None:
    states = set(
        re.findall(r'"(idle|held|away|connecting|recording)"', (SOURCE / "post.py").read_text(encoding="utf-8"))
    )
    assert len(states) == 5
    assert all(f"`{state}`" in PAGE for state in states)
