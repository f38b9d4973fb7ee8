"""What a program sees of the recorder: names that are what they are called, whatever was imported before."""

from __future__ import annotations

import subprocess
import sys
from inspect import ismodule

import pytest

import usenet.recorder
from usenet.recorder import exporting, recovery, verification  # noqa: F401 - a module must not hide a function


@pytest.mark.parametrize("name", [*usenet.recorder.__all__, "open"])
def test_a_public_name_is_no_module(name: str) -> None:
    assert not ismodule(getattr(usenet.recorder, name))


def test_a_name_that_is_none_is_refused() -> None:
    with pytest.raises(AttributeError, match="nothing"):
        getattr(usenet.recorder, "nothing")  # noqa: B009 - mypy knows that there is none


def test_recovery_and_checks_need_python_alone() -> None:
    """None of the packages of the extra is loaded, nor anything else of ours."""
    code = """
import sys
from usenet.recorder import Recorder, export, recover, recover_all
from usenet.recorder.boxes import entries
ours = {name.split(".")[1] for name in sys.modules if name.startswith("usenet.")}
others = {name.partition(".")[0] for name in sys.modules} & {"av", "aiohttp", "boto3", "yaml", "pydantic", "typer"}
print(ours, others)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=240, check=True)
    assert done.stdout.strip() == "{'recorder'} set()"
