"""Edits of usenet.yaml: what was asked for changes, everything else stays to the character."""

import io
import re

import pytest
from hypothesis import given
from hypothesis import settings as limits
from hypothesis import strategies as st
from ruamel.yaml import YAML

from usenet.adapters import settings
from usenet.adapters.home import Home
from usenet.adapters.settings import change, edit, proof
from usenet.domain.errors import ConfigError, UsenetError, ValidationError

FILE = """\
# My media server
version: 1   # the format

name: 'media'
data: "/srv/my data"  # the big drive
user: {uid: 1000, gid: 1000}   # me

# what runs
services:
  # films
  radarr: {}
  sonarr:
    port: 8990  # 8989 is taken
    # quality
    environment:
      LEVEL: debug

  jellyfin:   # the screen
    enabled: true
  sabnzbd:
# end
"""


@pytest.fixture
def home(tmp_path):
    (tmp_path / "usenet.yaml").write_text(FILE)
    return Home(tmp_path)


@pytest.mark.parametrize(
    ("path", "value", "old", "new"),
    [
        ("services.sonarr.port", "9000", "port: 8990  # 8989 is taken", "port: 9000  # 8989 is taken"),
        ("name", "films", "name: 'media'", "name: films"),
        ("user.umask", "022", "{uid: 1000, gid: 1000}   # me", "{uid: 1000, gid: 1000, umask: '022'}   # me"),
        ("services.radarr.port", "1234", "radarr: {}", "radarr: {port: 1234}"),
        ("services.sonarr.environment.TZ", "no", "LEVEL: debug\n", "LEVEL: debug\n      TZ: 'no'\n"),
        ("services.jellyfin.enabled", False, "enabled: true", "enabled: false"),
        ("services.sabnzbd.memory", "512M", "  sabnzbd:\n", "  sabnzbd:\n    memory: 512M\n"),
        ("services.bazarr.port", "6767", "  sabnzbd:\n", "  sabnzbd:\n  bazarr:\n    port: 6767\n"),
        ("profile", "light", "  sabnzbd:\n", "  sabnzbd:\nprofile: light\n"),
        ("services.sonarr.environment.X", "a: {b} # c", "LEVEL: debug\n", "LEVEL: debug\n      X: 'a: {b} # c'\n"),
        ("services.radarr.environment", "{A: '1', B: c}", "radarr: {}", "radarr: {environment: {A: '1', B: c}}"),
    ],
)
def test_setting_a_value_changes_its_characters_only(home, path, value, old, new):
    settings.set(home, path, value)
    assert home.settings.read_text() == FILE.replace(old, new)


def test_several_changes_are_one_write_or_none(home, monkeypatch):
    written = []
    monkeypatch.setattr(change.files, "write", lambda path, text: written.append((path, text)))
    settings.together(home, {"name": "films", "user.gid": None})
    (once,) = written
    assert once == (home.settings, FILE.replace("'media'", "films").replace(", gid: 1000", ""))
    with pytest.raises(ValidationError):
        settings.together(home, {"name": "films", "services.sonarr.port": "many"})
    assert len(written) == 1


@pytest.mark.parametrize(
    ("path", "old", "new"),
    [
        ("services.sonarr.port", "    port: 8990  # 8989 is taken\n", "    # 8989 is taken\n"),
        ("name", "name: 'media'\n", ""),
        ("user.gid", ", gid: 1000", ""),
        ("user.uid", "uid: 1000, ", ""),
        ("services.radarr", "  radarr: {}\n", ""),
        ("services.sonarr.environment.LEVEL", "      LEVEL: debug\n", ""),
        ("profile", "", ""),
        ("services.nothing.port", "", ""),
        (
            "services.sonarr",
            "  sonarr:\n    port: 8990  # 8989 is taken\n    # quality\n    environment:\n      LEVEL: debug\n",
            "  # 8989 is taken\n  # quality\n",
        ),
    ],
)
def test_unsetting_takes_out_the_lines_and_leaves_the_comments(home, path, old, new):
    settings.unset(home, path)
    assert home.settings.read_text() == FILE.replace(old, new)


def test_set_and_get_agree_and_defaults_are_answered(home):
    settings.set(home, "services.sonarr.memory", "2G")
    assert settings.get(home, "services.sonarr.memory") == 2 << 30
    assert settings.get(home, "timezone") == "Etc/UTC"
    assert settings.get(home, "user") == {"uid": 1000, "gid": 1000, "umask": "002"}


@pytest.mark.parametrize(
    ("path", "value", "message", "hint"),
    [
        (
            "services.sonarr.port",
            "99999",
            'services.sonarr.port: expected a number of at most 65535, found "99999"',
            "",
        ),
        ("services.sonarr.port", "22:22", 'services.sonarr.port: expected a whole number, found "22:22"', ""),
        ("services.sonarr.prot", "1", 'unknown key "prot"', 'did you mean "port"'),
        ("nme", "x", 'unknown key "nme"', 'did you mean "name"'),
        ("services.Sonarr.port", "1", "small letters", ""),
        ("services..port", "1", "expected a path", ""),
        ("services.sonarr", "x", "expected keys with values", ""),
        ("name.x", "1", "", "by hand"),
    ],
)
def test_a_refused_value_leaves_the_file_alone(home, path, value, message, hint):
    with pytest.raises(UsenetError) as failure:
        settings.set(home, path, value)
    assert message.replace("services.sonarr", "services/sonarr").replace("r.p", "r/p") in str(failure.value)
    assert hint in failure.value.hint
    assert home.settings.read_text() == FILE


def test_a_path_that_does_not_exist_is_answered_with_the_nearest(home):
    with pytest.raises(ValidationError, match='found "sonar"') as failure:
        settings.get(home, "services.sonar.port")
    assert failure.value.hint == 'did you mean "sonarr"?'


def test_a_bad_file_can_be_mended_by_a_verb(tmp_path):
    home = Home(tmp_path)
    home.settings.write_text("name: media # n\nservices:\n  sonarr:\n    prot: 5 # p\n    port: x\n")
    assert [p.path for p in settings.set(home, "services.sonarr.port", 1).remaining] == ["services/sonarr/prot"]
    assert settings.unset(home, "services.sonarr.prot").remaining == ()
    assert home.settings.read_text() == "name: media # n\nservices:\n  sonarr:\n    # p\n    port: 1\n"


def test_enable_and_disable(home):
    settings.enable(home, ["bazarr", "radarr"])
    assert "  sabnzbd:\n  bazarr: {}\n" in home.settings.read_text()
    settings.disable(home, ["radarr", "sonarr", "jellyfin", "bazarr", "nobody"])
    assert settings.load(home).enabled == ("sabnzbd",)
    text = home.settings.read_text()
    assert "radarr" not in text
    assert "LEVEL: debug\n    enabled: false\n" in text
    settings.enable(home, ["sonarr"])
    assert "enabled" not in home.settings.read_text()


def test_windows_line_ends_and_byte_order_marks_stay(tmp_path):
    home = Home(tmp_path)
    home.settings.write_bytes("\ufeffname: media\r\nservices:\r\n  a: {}".encode())
    settings.set(home, "services.b.port", 5)
    settings.set(home, "name", "x")
    assert home.settings.read_bytes() == "\ufeffname: x\r\nservices:\r\n  a: {}\r\n  b:\r\n    port: 5\r\n".encode()


def test_a_value_behind_an_alias_is_left_to_a_person(tmp_path):
    home = Home(tmp_path)
    home.settings.write_text("services:\n  a: &same {port: 1}\n  b: *same\n")
    with pytest.raises(ConfigError, match="without changing something else"):
        settings.set(home, "services.b.port", 5)
    with pytest.raises(ConfigError, match="without changing something else"):
        settings.set(home, "services.a.port", 5)


NAMES = st.sampled_from(["sonarr", "radarr", "jellyfin", "sabnzbd", "new-one"])
WORDS = st.text(
    st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"]) | st.sampled_from("\n\t #:{}[]'\"no|>-&*!%@"),
    max_size=12,
)
VALUES = st.one_of(
    st.tuples(st.builds("services.{}.port".format, NAMES), st.integers(1, 65535)),
    st.tuples(st.builds("services.{}.enabled".format, NAMES), st.booleans()),
    st.tuples(st.builds("services.{}.environment.{}".format, NAMES, st.sampled_from(["A", "LEVEL"])), WORDS),
    st.tuples(st.builds("services.{}.ports.{}".format, NAMES, st.integers(1, 3)), st.integers(1, 65535)),
    st.tuples(st.just("data"), WORDS.map("x".__add__)),
    st.tuples(st.just("user.uid"), st.integers(0, 99999)),
    st.tuples(st.just("user.umask"), st.sampled_from(["002", "022", "0077"])),
    st.tuples(st.just("profile"), st.sampled_from(["light", "auto"])),
)
UNSET = st.tuples(
    st.sampled_from(
        ["services", "services.sonarr", "services.radarr", "services.sonarr.environment", "user", "user.gid", "data"]
    )
    | VALUES.map(lambda pair: pair[0]),
    st.none(),
)
FILES = st.sampled_from(
    [
        FILE,
        FILE.replace("\n", "\r\n"),
        "",
        "# only this\n",
        "---\n# a\nservices: # b",
        "{name: x, # c\n services: {}\n}\n",
        "services: {sonarr: {port: 1, # p\n  gpu: none}, radarr: # r\n  }\n",
        "services:\n  sonarr: ~ # t\n  radarr:\n    environment: {A: 'x\n\n      y'}\n",
        "services:\n    sonarr:\n        environment:\n            A: | # head\n                x # none\n\n"
        "            # after\n            LEVEL: y\n",
    ]
)


def comments(text: str) -> list[str]:
    return sorted(proof.comments(text.removeprefix("\ufeff")))


@limits(max_examples=200)
@given(FILES, st.lists(VALUES | UNSET, max_size=8))
def test_any_sequence_of_edits_keeps_every_comment_and_says_what_was_asked(source, changes):
    settings.parse(source)
    text, expected = source, {}
    for path, value in changes:
        text = edit.without(text, path) if value is None else edit.with_value(text, path, value)
        expected = {p: v for p, v in expected.items() if not (p + ".").startswith(path + ".")}
        if value is not None:
            expected[path] = value
    assert comments(text) == comments(source)
    made = settings.parse(text).model_dump(mode="json")
    again = YAML(typ="safe").load(io.StringIO(text)) or {}
    for path, value in expected.items():
        keys = path.split(".")
        assert dig(made, keys) == value
        assert dig(again, keys) == value


def dig(data, keys):
    for key in keys:
        data = data.get(key, data.get(int(key)) if re.fullmatch(r"\d+", key) else None)
    return data
