"""The name of a made image follows from its recipe, and from nothing else."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from usenet.adapters import recipes, templates
from usenet.domain.errors import ValidationError

IMAGES = templates.root() / "images"


def recipe(folder: Path, name: str = "thing") -> Path:
    made = folder / name
    made.mkdir(parents=True)
    (made / "Dockerfile").write_text("FROM scratch\n")
    (made / "start").write_text("#!/bin/sh\n")
    return made


def test_a_reference_names_service_release_and_digest(tmp_path: Path) -> None:
    assert re.fullmatch(r"usenet/thing:bookworm-[0-9a-f]{12}", recipes.reference(recipe(tmp_path)))


def test_it_does_not_follow_from_place_or_time(tmp_path: Path) -> None:
    here = recipe(tmp_path / "a")
    there = tmp_path / "b" / "thing"
    shutil.copytree(here, there, copy_function=shutil.copyfile)
    assert recipes.reference(here) == recipes.reference(there)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], max_examples=30)
@given(at=st.integers(0, 12), bit=st.integers(0, 7))
def test_any_bit_makes_another_image(tmp_path: Path, at: int, bit: int) -> None:
    made = tmp_path / "thing"
    shutil.rmtree(made, ignore_errors=True)
    before = recipes.reference(recipe(tmp_path))
    content = bytearray((made / "Dockerfile").read_bytes())
    content[at] ^= 1 << bit
    (made / "Dockerfile").write_bytes(content)
    assert recipes.reference(made) != before


def test_so_do_a_name_an_executable_bit_and_a_moved_boundary(tmp_path: Path) -> None:
    made = recipe(tmp_path)
    seen = {recipes.reference(made)}
    (made / "start").chmod(0o755)
    seen.add(recipes.reference(made))
    (made / "start").rename(made / "begin")
    seen.add(recipes.reference(made))
    (made / "Dockerfile").write_text("FROM scratch\n#")
    (made / "begin").write_text("!/bin/sh\n")
    seen.add(recipes.reference(made))
    assert len(seen) == 4


def test_rights_of_group_and_others_do_not_count(tmp_path: Path) -> None:
    made = recipe(tmp_path)
    before = recipes.reference(made)
    (made / "start").chmod(0o600)
    assert recipes.reference(made) == before


def test_the_program_that_goes_into_an_image_is_part_of_its_name(tmp_path: Path) -> None:
    made, program = recipe(tmp_path), tmp_path / "program"
    (program / "__pycache__").mkdir(parents=True)
    (program / "main.py").write_text("1\n")
    before = recipes.reference(made, program)
    (program / "__pycache__" / "main.pyc").write_text("compiled")
    assert recipes.reference(made, program) == before
    (program / "main.py").write_text("2\n")
    assert recipes.reference(made, program) != before


def test_the_recorder_is_built_from_its_own_room_and_nothing_else() -> None:
    assert (recipes.context("recorder") / "recorder.py").is_file()
    assert recipes.directory("recorder") != recipes.context("recorder")
    assert recipes.context("aria2") == recipes.directory("aria2")


def test_a_service_without_recipe_is_told_which_there_are() -> None:
    with pytest.raises(ValidationError, match="no recipe to make an image of sonarr") as failure:
        recipes.built_reference("sonarr")
    assert "transmission" in failure.value.hint


def test_every_recipe_is_of_a_service() -> None:
    services = {p.name.removesuffix(".yaml.j2") for p in (IMAGES.parent / "compose" / "services").glob("*.yaml.j2")}
    assert set(recipes.buildable()) <= services


@pytest.mark.parametrize("name", recipes.buildable())
def test_recipes_keep_to_what_old_engines_build(name: str) -> None:
    text = (IMAGES / name / "Dockerfile").read_text()
    assert text.startswith("ARG BASE=debian:bookworm-slim\nFROM ${BASE}")
    assert not re.search(r"^# *syntax|<<|--link|--network|HEALTHCHECK", text, re.MULTILINE)
    assert "--no-install-recommends busybox" in text or " busybox " in text
    assert "rm -rf /var/lib/apt/lists/*" in text


@pytest.mark.parametrize("name", recipes.buildable())
def test_a_started_program_replaces_its_script(name: str) -> None:
    start = IMAGES / name / "start"
    if not start.exists():
        assert "ENTRYPOINT" in (IMAGES / name / "Dockerfile").read_text()
        return
    text = start.read_text()
    assert re.search(r"^exec |os\.execvp|^main\(\)$", text, re.MULTILINE), "process 1 would not see SIGTERM"
    assert "UMASK" in text
