"""The .env file: what Compose reads back, what is made up, and what is never touched."""

import json
import os
import pickle
import stat
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from usenet.adapters import compose, secrets
from usenet.adapters.home import Home
from usenet.domain.errors import ConfigError, ValidationError
from usenet.domain.secret import Secret

NASTY = [
    "", " ", "plain", "two words", " lead", "trail ", "#", "a#b", "a #b", "'", '"', "it's", 'say "x"', '\'"',
    "\\", "a\\", "\\\\", "a\\nb", "\\'", '\\"', "$", "$$", "$HOME", "${HOME}", "a$b", "${A:-x}", "\\$HOME",
    "'$HOME'", "it's $5", "`id`", "$(id)", "!", "a\\!b", "%s", "a=b", "a:b", "=", ":", "{}", "[x]", "*", "&",
    "|", ">", "~", "no", "0755", "22:22", "\t", "a\tb", "é😀", "a,b;c", "//x", "<x>", "?", "\\t", "'a' # b",
    '"a" # b', 'x\'y\\z"$w', "export A=b", "\u2028", "\x7f",
]  # fmt: skip


@pytest.fixture
def home(tmp_path):
    return Home(tmp_path)


def test_compose_reads_back_what_was_written(home):
    if not compose.version():
        pytest.skip("docker compose is not installed")
    names = {f"V{number}": value for number, value in enumerate(NASTY)}
    home.env.write_text("".join(secrets.format_line(name, value) for name, value in names.items()))
    service = {"image": "x", "environment": {name: f"${{{name}}}" for name in names}}
    (home.path / "compose.yaml").write_text(json.dumps({"services": {"a": service}}))
    asked = ["docker", "compose", "--project-directory", ".", "config", "--format", "json"]
    clean = {key: value for key, value in os.environ.items() if key in ("PATH", "HOME", "DOCKER_CONFIG")}
    done = subprocess.run(asked, cwd=home.path, env=clean, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    read = json.loads(done.stdout)["services"]["a"]["environment"]
    assert {name: value.replace("$$", "$") for name, value in read.items()} == names
    assert {name: value.reveal() for name, value in secrets.read(home).items()} == names


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=30))
def test_a_value_is_read_back_or_refused(value):
    try:
        line = secrets.format_line("A", value)
    except ValidationError:
        assert any(c < " " and c != "\t" for c in value)
        return
    assert line.count("\n") == 1
    assert secrets.parse("# x\n" + line + "B=1\n") == {"A": value, "B": "1"}


@given(st.text(st.sampled_from("A=:'\"\\#$ \n\t1é\r"), max_size=40))
def test_garbage_is_refused_by_line_and_without_showing_it(text):
    refused = None
    try:
        secrets.parse(text)
    except ConfigError as failure:
        refused = failure
    if refused:
        assert refused.where.startswith(".env:")
        assert "A" not in refused.message.removeprefix("expected NAME")


def test_what_is_missing_is_made_and_nothing_else_is_touched(home):
    before = "# mine\nB='x y' # why\n\nexport A=1\nEMPTY="
    home.env.write_text(before)
    home.env.chmod(0o644)
    wanted = {"A": "hex32", "KEY": "hex32", "WORD": "password", "VPN": "given", "EMPTY": "password"}
    done = secrets.ensure(home, wanted)
    assert done == secrets.Ensured(made=("KEY", "WORD"), missing=("VPN", "EMPTY"), narrowed=True)
    text = home.env.read_text()
    assert text.startswith(before + "\n")
    assert stat.S_IMODE(home.env.stat().st_mode) == 0o600
    values = secrets.parse(text)
    assert len(values["KEY"]) == 32
    assert int(values["KEY"], 16)
    assert len(values["WORD"]) >= 20
    assert secrets.ensure(home, wanted) == secrets.Ensured(missing=("VPN", "EMPTY"))
    assert home.env.read_text() == text


def test_a_dry_run_makes_nothing_and_a_new_file_is_private(home):
    assert secrets.ensure(home, {"KEY": "hex32"}, dry_run=True).made == ("KEY",)
    assert not home.env.exists()
    secrets.ensure(home, {"KEY": "hex32"})
    assert stat.S_IMODE(home.env.stat().st_mode) == 0o600


def test_bytes_that_are_no_text_stay(home):
    home.env.write_bytes(b"# caf\xe9\nA=\xff\n")
    secrets.ensure(home, {"KEY": "hex32"})
    assert home.env.read_bytes().startswith(b"# caf\xe9\nA=\xff\nKEY=")


def test_a_secret_shows_itself_to_nobody():
    secret = Secret("hunter2")
    shown = [str(secret), repr(secret), f"{secret}", f"{secret:>20}", "%s" % secret, str([secret]), str({"a": secret})]  # noqa: UP031
    assert all("redacted" in text and "hunter2" not in text for text in shown)
    assert secret.reveal() == "hunter2"
    with pytest.raises(TypeError):
        json.dumps(secret)
    with pytest.raises(TypeError, match="stays in this process"):
        pickle.dumps(secret)


def test_redacting_finds_quoted_forms_too(home):
    value = "a'b\"c\\dé"
    home.env.write_text(secrets.format_line("A", value) + "B=xy\n")
    text = f"{value} {value!r} {json.dumps(value)} xy"
    assert secrets.redact(text, home) == "[redacted] '[redacted]' \"[redacted]\" xy"
    home.env.write_text("broken line\n")
    assert secrets.redact(text, home) == "[redacted]"
