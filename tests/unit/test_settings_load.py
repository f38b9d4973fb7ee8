"""usenet.yaml is read as a person means it, or refused with line, path, expectation and cure."""

from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import settings as limits
from hypothesis import strategies as st

from usenet.adapters import settings
from usenet.adapters.home import Home, find
from usenet.domain.errors import ConfigError, SystemFailure

LAUGHS = "\n".join(
    ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    + [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 10)]
)


@pytest.mark.parametrize(
    ("text", "where", "message"),
    [
        (
            "services:\n  sonarr:\n    port: 99999",
            "3: services/sonarr/port",
            'expected a number of at most 65535, found "99999"',
        ),
        ("services:\n  sonarr:\n    port: 22:22", "3: services/sonarr/port", 'expected a whole number, found "22:22"'),
        ("services:\n  sonarr:\n    port: yes", "3: services/sonarr/port", 'expected a whole number, found "yes"'),
        ("services:\n  sonarr: 5", "2: services/sonarr", 'expected keys with values, found "5"'),
        (
            "services:\n  Sonarr:",
            "2: services/Sonarr",
            'expected small letters, digits and single dashes: media, sonarr-4k, found "Sonarr"',
        ),
        ("services: [sonarr]", "1: services", "expected keys with values, found a list"),
        ("services:\n  a: {memory: 12Q}", "2: services/a/memory", 'expected a size such as 512M or 2G, found "12Q"'),
        ("services:\n  a: {environment: {A: }}", "2: services/a/environment/A", "expected text, found nothing"),
        (
            "services:\n  a: {environment: {9A: x}}",
            "2: services/a/environment/9A",
            'expected the name of a variable: TZ, MY_KEY, found "9A"',
        ),
        (
            "\nuser: {umask: 755}",
            "2: user/umask",
            'takes rights away from the owner; it is a mask, not a mode: use 002, 022 or 077; found "755"',
        ),
        ("user: {umask: 8}", "1: user/umask", 'expected three octal digits: 002, 022 or 077, found "8"'),
        ("version: 2", "1: version", 'expected one of 1, found "2"'),
        (
            "profile: fast",
            "1: profile",
            'expected one of auto, dedicated, high_performance, balanced, light, development or custom, found "fast"',
        ),
        (
            "storage: {webhook: hxxp://chat.example/token}",
            "1: storage/webhook",
            "expected an address that begins with https:// or http://, or ${NAME}, which is taken from .env, "
            "found something else",
        ),
        ("storage: {webhook: [token]}", "1: storage/webhook", "expected text, found something else"),
        (
            "storage: {drives: {pool: {uuid: a}}}",
            "1: storage/drives/pool",
            "no drive can be called pool: there drives are seen as one",
        ),
        (
            "storage: {drives: {Films.A: {uuid: a}}}",
            "1: storage/drives/Films.A",
            'expected small letters, digits and -, at most 32 of them: films-2, found "Films.A"',
        ),
        ("storage: {drives: {a: {}}}", "1: storage/drives/a", "expected either uuid or path, found neither"),
        (
            "storage: {drives: {a: {uuid: a, path: /b}}}",
            "1: storage/drives/a",
            "expected either uuid or path, found both",
        ),
        (
            "storage: {drives: {a: {path: b}}}",
            "1: storage/drives/a/path",
            'expected a path that begins with /, found "b"',
        ),
        (
            "storage: {drives: {a: {path: //x/../etc/b}}}",
            "1: storage/drives/a/path",
            'expected a directory that does not belong to the machine itself; found "//x/../etc/b"',
        ),
        (
            "storage: {drives: {a: {uuid: a}}, pool: {drives: {a: {}}, min_free: lots}}",
            "1: storage/pool/min_free",
            'expected a size such as 512M or 2G, found "lots"',
        ),
        ("share: .nan", "1: share", 'expected a number, found ".nan"'),
        ("share: 1.5", "1: share", 'expected a number of at most 1, found "1.5"'),
        (
            "publish: 1.2.3.400",
            "1: publish",
            'expected 127.0.0.1 (this machine only), lan (every address), or an IPv4 address; found "1.2.3.400"',
        ),
        ("data: ''", "1: data", 'expected some text, found ""'),
        ("data: /", "1: data", 'expected a directory for the data, not the root of the machine; found "/"'),
        ("data: //x/..", "1: data", 'expected a directory for the data, not the root of the machine; found "//x/.."'),
        (
            "data: ~/media",
            "1: data",
            'expected a path; ~ means something else for each user, so write it out; found "~/media"',
        ),
        (
            "services:\n  a: {image: 'x:1 --privileged'}",
            "2: services/a/image",
            'expected an image with its version: caddy:2.8, lscr.io/linuxserver/sonarr:4.0, found "x:1 --privileged"',
        ),
        (
            "services:\n  a: {image: caddy}",
            "2: services/a/image",
            'expected an image with its version: caddy:2.8, lscr.io/linuxserver/sonarr:4.0, found "caddy"',
        ),
        (
            "services:\n  a:\n    environment:\n      A: b\n      DB_PASSWORD: hunter22",
            "5: services/a/environment/DB_PASSWORD",
            "expected ${NAME}, found a value: what sounds like a secret is not written into this file",
        ),
        ("timezone: 22:22", "1: timezone", 'expected a zone name: Europe/Berlin, found "22:22"'),
        ("- sonarr", "1", "expected keys with values at the top, found a list"),
        ("sonarr", "1", 'expected keys with values at the top, found "sonarr"'),
        ("a: 1\n\tb: 2", "2", "expected spaces, found a tab"),
        ("name: a\nname: b", "2", "expected each key once, found 'name' again (first in line 1)"),
        ("name: 'a", "1", "expected a closing quote, found the end of the file"),
        ("name: {a", "1", "expected a comma or a closing bracket"),
        ("name: a: b", "1", "expected one `key: value`, found another colon"),
        ("name: @a", "1", "expected a value, found a character that can't begin one"),
        ("a\x00: b", "1", "expected text, found the control character U+0000"),
        ("a: 1\n---\nb: 2", "2", "expected one document, found a second"),
        (
            "a: !!python/object:os.system x",
            "1",
            "expected a plain value, found the tag tag:yaml.org,2002:python/object:os.system",
        ),
        ("a: *b", "1", "expected a known anchor, found *b"),
        ("a: &a [*a]", "1", "expected a known anchor, found *a"),
        ("? [a]\n: b", "1", "expected a name before the colon, found something else"),
        ("[" * 100_000, "1", "expected at most 24 levels, found more"),
        (LAUGHS, "5", "expected at most 50000 values, found 111111"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(text, where, message):
    with pytest.raises(ConfigError) as failure:
        settings.parse(text)
    assert (failure.value.where, failure.value.message) == (f"usenet.yaml:{where}", message)
    assert failure.value.hint
    assert failure.value.code == 4


def test_a_zone_that_the_machine_does_not_know_is_refused(monkeypatch):
    monkeypatch.setattr("usenet.adapters.identity.knows_zone", lambda name: name != "Mars/X")
    assert settings.parse("timezone: Europe/Berlin").timezone == "Europe/Berlin"
    with pytest.raises(ConfigError) as failure:
        settings.parse("name: a\ntimezone: Mars/X")
    expected = 'expected a zone that this machine knows, such as Europe/Berlin, found "Mars/X"'
    assert (failure.value.where, failure.value.message) == ("usenet.yaml:2: timezone", expected)
    assert failure.value.hint


def test_what_only_sounds_secret_is_taken():
    known = {"API_KEY": "${K}", "TOKEN_FILE": "/run/token", "DISABLE_AUTH": "true", "PASSWORD": "", "LEVEL": "secret"}
    text = "services: {a: {environment: {" + ", ".join(f"{k}: '{v}'" for k, v in known.items()) + "}}}"
    assert settings.parse(text).services["a"].environment == known


def test_words_stay_what_was_typed():
    text = "name: no\nuser: {umask: 022}\nservices:\n  a:\n    port: 0o17\n".replace("0o17", "8080")
    read = settings.parse(text + "    environment: {A: no, B: 0755, C: 22:22, D: 1e3, E: 2024-01-01, F: ~x, G: ''}\n")
    assert read.name == "no"
    assert read.user.umask == "022"
    assert read.services["a"].port == 8080
    assert list(read.services["a"].environment.values()) == ["no", "0755", "22:22", "1e3", "2024-01-01", "~x", ""]


@pytest.mark.parametrize(
    "text", ["", "# nothing\n", "---\n", "{}", "\ufeffname: usenet", "services:", "user:\nname: ~", "version: '1'"]
)
def test_nothing_means_the_defaults(text):
    assert settings.parse(text) == settings.parse("version: 1")


def test_an_alias_is_followed():
    read = settings.parse("services:\n  a: &small {memory: 512M}\n  b: *small\n")
    assert read.services["b"].memory == 512 << 20


def test_every_problem_is_named(tmp_path):
    home = Home(tmp_path)
    home.settings.write_text("nme: x\nservices:\n  sonarr:\n    prot: 1\n    enabled: perhaps\n")
    assert [(p.where, p.message[:20]) for p in settings.problems(home)] == [
        ("usenet.yaml:1: nme", 'unknown key "nme"; e'),
        ("usenet.yaml:4: services/sonarr/prot", 'unknown key "prot"; '),
        ("usenet.yaml:5: services/sonarr/enabled", "expected true or fal"),
    ]
    with pytest.raises(ConfigError) as failure:
        settings.load(home)
    first, second, third = str(failure.value).splitlines()
    assert first.startswith("usenet.yaml:1: nme: unknown key")
    assert second.startswith("       usenet.yaml:4: services/sonarr/prot: unknown key")
    assert third.startswith("       usenet.yaml:5: services/sonarr/enabled: expected true or false")
    assert failure.value.hint.startswith('did you mean "name"?')


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (b"name: caf\xe9\n", "expected UTF-8, found the byte 0xe9"),
        ("name: x".encode("utf-16"), "expected UTF-8, found UTF-16"),
        (b"#" * (10 << 20), "expected a settings file of at most 1 MiB, found more"),
    ],
)
def test_a_file_that_is_no_text_is_refused(tmp_path, raw, message):
    (tmp_path / "usenet.yaml").write_bytes(raw)
    with pytest.raises(ConfigError) as failure:
        settings.load(Home(tmp_path))
    assert failure.value.message == message
    assert settings.problems(Home(tmp_path))[0].message == message


def test_a_file_that_cannot_be_read_is_said(tmp_path):
    (tmp_path / "usenet.yaml").mkdir()
    with pytest.raises(ConfigError, match=r"there is no usenet\.yaml"):
        settings.load(Home(tmp_path))
    with pytest.raises(SystemFailure, match="can't be read: Is a directory"):
        settings.content(tmp_path / "usenet.yaml")


@limits(max_examples=300)
@given(st.text(max_size=200) | st.text(st.sampled_from("ab:{}[],&*!|>'\"%@`#-? \n\t~<=0."), max_size=60))
@example("[" * 5000)
@example("? " * 5000)
@example("a: &a [" * 300)
def test_garbage_is_refused_in_words(text):
    try:
        settings.parse(text)
    except ConfigError as refused:
        said = refused
    else:
        return
    assert said.message


def test_the_stack_directory_is_found_as_git_finds_a_repository(tmp_path, monkeypatch):
    stack, inside, other = tmp_path / "stack", tmp_path / "stack" / "a" / "b", tmp_path / "other"
    inside.mkdir(parents=True)
    other.mkdir()
    (stack / "usenet.yaml").write_text("")
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    env = {"HOME": "/home/me"}
    assert find("", env, inside).path == stack
    assert find("", env, other).path == Path("/home/me/usenet")
    assert find("", {**env, "USENET_HOME": str(other)}, inside).path == other
    assert find("../x", {**env, "USENET_HOME": str(other)}, other).path == tmp_path / "x"
    monkeypatch.setattr("os.geteuid", lambda: 0)
    assert find("", env, other).path == Path("/srv/usenet")
    with pytest.raises(ConfigError, match="is not a directory"):
        find(str(stack / "usenet.yaml"), env, other)
    with pytest.raises(ConfigError) as failure:
        Home(other).require()
    assert failure.value.hint == f"make one with: usenet init --home {other}"


@pytest.mark.parametrize(
    ("given", "env"), [("", {}), ("", {"HOME": "~"}), ("~/x", {}), ("~none/x", {}), ("", {"USENET_HOME": "~none"})]
)
def test_no_stack_is_made_in_a_directory_named_tilde(given, env, tmp_path, monkeypatch):
    """Of a user without a home directory, as a container may have one, or of a slip in a name."""
    monkeypatch.setattr("os.path.expanduser", lambda path: path)  # as Python says that it knows none
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    with pytest.raises(ConfigError, match="home directory for ~") as failure:
        find(given, env, tmp_path)
    assert "--home" in failure.value.hint


@pytest.mark.parametrize("text", ["storage: {drives: {pool: {uuid: a}}}", "storage: {drives: {a: {}}}"])
def test_no_hint_would_forget_a_drive(text: str) -> None:
    with pytest.raises(ConfigError) as raised:
        settings.parse(text)
    assert "unset" not in raised.value.hint
