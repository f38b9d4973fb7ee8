"""The catalog: what is found, what is refused and where, what a plugin may do."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from usenet.actions import catalog, services_list
from usenet.adapters import catalog as files
from usenet.adapters.home import Home
from usenet.compose.catalog import shows_a_socket, split
from usenet.domain.catalog import ServiceFile
from usenet.domain.errors import ConfigError, ValidationError
from usenet.domain.service import Group

ROOT = Path(__file__).parents[2]
BODY = '---\n{% include "base.yaml.j2" %}\n'
HEAD = """\
title: Tiny
about: Does little
group: other
role: local
image: example.org/tiny:1.2
family: official
ports:
  - {container: 8000, host: 18001}
health: {http: /}
"""


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "services").mkdir()
    return tmp_path


def write(home: Path, name: str, text: str) -> Path:
    path = home / "services" / f"{name}.yaml.j2"
    path.write_text(text, encoding="utf-8")
    return path


def refused(home: Path, text: str, name: str = "tiny") -> ConfigError:
    write(home, name, text)
    with pytest.raises(ConfigError) as caught:
        catalog.load(home)
    return caught.value


def install(folder: Path, entry: str, package: str, module: str = "") -> Path:
    """A plugin as pip leaves it: a package, and metadata that points to it."""
    info = folder / f"{package}-1.dist-info"
    info.mkdir(parents=True)
    (info / "entry_points.txt").write_text(
        f"[console_scripts]\nx = y:z\n\n[usenet.services]\n{entry} = {package}\n\n[other]\na = b\n", encoding="utf-8"
    )
    (folder / package / "services").mkdir(parents=True)
    (folder / package / "__init__.py").write_text(module, encoding="utf-8")
    return folder / package / "services"


def test_a_file_dropped_in_is_in_the_catalog(home: Path) -> None:
    write(home, "tiny", HEAD + BODY)
    known, warnings = catalog.load(home)
    tiny = known["tiny"]
    assert (tiny.service.title, tiny.source, tiny.directory) == (
        "Tiny",
        "services/tiny.yaml.j2",
        str(home / "services"),
    )
    assert tiny.body == '{% include "base.yaml.j2" %}\n'
    assert warnings == ()
    assert "jellyfin" in known
    assert "tiny" not in catalog.load()[0]
    assert list(known) == sorted(known)


def test_a_misspelt_name_is_recognised() -> None:
    known, _ = catalog.load()
    assert known.closest("sonar")[0] == "sonarr"
    assert known.closest("qqqqqqqq") == ()


WRONG = {
    "unknown key": ("titel: x\n" + HEAD, ":1: titel", 'did you mean "title"?'),
    "unknown key of a port": (HEAD.replace("host:", "hots:"), ":8: ports/0/hots", 'did you mean "host"?'),
    "unknown key of wants": (HEAD + "wants:\n  encodr: true\n", ":11: wants/encodr", 'did you mean "encoder"?'),
    "missing": (HEAD.replace("family: official\n", ""), ":1: family", "services list"),
    "wrong type": (HEAD.replace("8000", "eight"), ":8: ports/0/container", "services list"),
    "wrong word": (HEAD.replace("group: other", "group: fun"), ":3: group", "services list"),
    "no version": (HEAD.replace("tiny:1.2", "tiny"), ":5: image", "services list"),
    "latest": (HEAD.replace("tiny:1.2", "tiny:latest"), ":5: image", "services list"),
    "size": (HEAD + "wants: {memory: lots}\n", ":10: wants/memory", "services list"),
    "health of an unknown port": (
        HEAD.replace("{http: /}", "{http: /, port: 9}"),
        ":9: health/port",
        "its tcp ports in the container: 8000",
    ),
    "a port twice": (HEAD.replace("health", "  - {container: 8000}\nhealth"), ":9: ports/1", ""),
    "relative path": (HEAD + "config:\n  a: etc\n", ":11: config/a", "begins with /"),
    "path that climbs": (HEAD + "config:\n  ../b: /etc\n", ":11: config/../b", ""),
    "glob that climbs": (HEAD + "backup:\n  exclude:\n    - a\n    - ../b\n", ":13: backup/exclude/1", ""),
    "undeclared secret": (
        HEAD + 'environment:\n  A: "${B}"\n',
        ":11: environment/A",
        "add: secrets: {B: given}",
    ),
    "secret in a sentence": (
        HEAD + 'secrets: {B: given}\nenvironment: {A: "x${B}"}\n',
        ":11: environment/A",
        'write: "${NAME}"',
    ),
    "the engine's socket": (
        HEAD + "wants: {binds: {/run/docker.sock: /d.sock}}\n",
        ":10: wants/binds",
        "writes: wants: {engine: true}",
    ),
    "the engine on the host's network": (
        HEAD + "wants: {engine: true, network: host}\n",
        ":10: wants/engine",
        "take out network: host",
    ),
    "nobody with a configuration": (
        HEAD + "config: {a: /etc/a}\nwants: {account: nobody}\n",
        ":11: wants/account",
        "",
    ),
    "nobody in an image that chooses itself": (
        HEAD.replace("family: official", "family: linuxserver") + "wants: {account: nobody}\n",
        ":10: wants/account",
        "",
    ),
    "all capabilities": (HEAD + "wants: {capabilities: [ALL]}\n", ":10: wants/capabilities", ""),
    "waits for itself": (HEAD + "needs: [tiny]\n", ":10: needs", "take tiny out of needs and after"),
    "key twice": (HEAD + "title: again\n", ":10", "delete one"),
    "not YAML": (HEAD + "wants: {encoder\n", ":10", "close"),
    "a list": ("- a\n", ":1", "begin with: title:"),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_file_is_refused_at_its_line(home: Path, case: str) -> None:
    text, place, hint = WRONG[case]
    error = refused(home, text + BODY)
    assert error.where == "services/tiny.yaml.j2" + place
    assert hint in error.hint
    assert error.code == 4


def test_the_message_says_what_was_expected_and_found(home: Path) -> None:
    assert refused(home, HEAD.replace("8000", "eight") + BODY).message == 'expected a whole number, found "eight"'
    assert "one of media, automation" in refused(home, HEAD.replace("group: other", "group: fun") + BODY).message
    assert "a size such as 512M" in refused(home, HEAD + "wants: {memory: lots}\n" + BODY).message


def test_all_that_is_wrong_is_named_at_once(home: Path) -> None:
    error = refused(home, HEAD.replace("8000", "eight").replace("group: other", "group: fun") + BODY)
    assert error.where.endswith(":3: group")
    assert "services/tiny.yaml.j2:8: ports/0/container" in error.message


@pytest.mark.parametrize("text", [HEAD, HEAD + "---\n", HEAD + "---\n \n", "", "---\n", "---\n---\n"])
def test_a_file_without_body_is_refused(home: Path, text: str) -> None:
    assert "include" in refused(home, text).hint


@pytest.mark.parametrize("name", ["Tiny", "a_b", "a--b", "1a", ".."])
def test_a_name_that_won_t_do_is_refused(home: Path, name: str) -> None:
    if name == "..":
        write(home, name, HEAD + BODY)  # hidden, so it is passed over
        assert ".." not in catalog.load(home)[0]
        return
    error = refused(home, HEAD + BODY, name)
    assert error.where == f"services/{name}.yaml.j2"


def test_bytes_that_are_no_text_are_refused(home: Path) -> None:
    write(home, "tiny", "").write_bytes(b"title: \xff\n")
    with pytest.raises(ConfigError, match="expected UTF-8") as caught:
        catalog.load(home)
    assert caught.value.where == "services/tiny.yaml.j2:1"


def test_the_same_name_twice_names_both_files(home: Path) -> None:
    write(home, "sonarr", HEAD + BODY)
    with pytest.raises(ValidationError) as caught:
        catalog.load(home)
    assert "templates/compose/services/sonarr.yaml.j2" in caught.value.message
    assert " services/sonarr.yaml.j2" in caught.value.message


def test_a_need_that_no_service_answers_is_refused(home: Path) -> None:
    write(home, "tiny", HEAD + "needs: [tdar]\n" + BODY)
    with pytest.raises(ValidationError, match="there is no service tdar") as caught:
        catalog.load(home)
    assert caught.value.where == "services/tiny.yaml.j2: needs"
    assert "tdarr" in caught.value.hint


def test_waiting_for_a_service_that_is_not_installed_is_fine(home: Path) -> None:
    write(home, "tiny", HEAD + "after: [from-a-plugin]\n" + BODY)
    assert "tiny" in catalog.load(home)[0]


def test_a_plugin_brings_services(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    services = install(tmp_path, "fun", "plugin_that_works")
    (services / "tiny.yaml.j2").write_text(HEAD + BODY, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    known, warnings = catalog.load()
    assert known["tiny"].source == str(services / "tiny.yaml.j2")
    assert warnings == ()
    assert "tiny" in files.names()


@pytest.mark.parametrize(
    ("module", "text", "told"),
    [
        ("raise RuntimeError('no luck')", HEAD + BODY, "RuntimeError: no luck"),
        ("import nothing_of_that_name", HEAD + BODY, "ModuleNotFoundError"),
        ("raise SystemExit(9)", HEAD + BODY, "SystemExit"),
        ("", "titel: x\n", "tiny.yaml.j2"),
        ("", HEAD.replace("8000", "eight") + BODY, "tiny.yaml.j2:8: ports/0/container"),
    ],
)
def test_a_broken_plugin_is_left_out_with_a_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, module: str, text: str, told: str
) -> None:
    package = "plugin_broken"
    services = install(tmp_path, "fun", package, module)
    (services / "tiny.yaml.j2").write_text(text, encoding="utf-8")
    (services / "good.yaml.j2").write_text(HEAD + BODY, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, package, raising=False)
    known, warnings = catalog.load()
    assert not {"tiny", "good"} & set(known)
    assert "jellyfin" in known
    assert len(warnings) == 1
    assert "the plugin fun is left out" in warnings[0]
    assert told in warnings[0]


def test_a_plugin_without_services_is_left_out_with_a_warning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(tmp_path, "fun", "plugin_empty").rmdir()
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "plugin_empty", raising=False)
    assert "there is no folder services/" in catalog.load()[1][0]


def test_completion_parses_nothing_and_imports_no_plugin(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(home, "broken", "this is: [no service")
    services = install(tmp_path / "site", "fun", "plugin_not_imported", "raise RuntimeError")
    (services / "remote.yaml.j2").write_text("neither", encoding="utf-8")
    code = (
        "import sys; from pathlib import Path; from usenet.adapters import catalog; "
        "print(*catalog.names(Path(sys.argv[1]))); "
        "print(*({'yaml', 'pydantic', 'jinja2', 'plugin_not_imported'} & set(sys.modules)))"
    )
    told = subprocess.run(
        [sys.executable, "-c", code, str(home)],
        env={"PYTHONPATH": f"{tmp_path / 'site'}:{ROOT}", "PATH": ""},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    names, loaded = told.stdout.splitlines()
    assert {"broken", "remote", "jellyfin"} <= set(names.split())
    assert loaded == ""


def test_the_list_shows_what_is_on_and_where(home: Path) -> None:
    (home / "usenet.yaml").write_text(
        "services:\n  sonarr: {port: 9999}\n  radarr: {enabled: false}\n  audiobookshelf: {ports: {80: 8000}}\n"
    )
    write(home, "tiny", HEAD + BODY)
    rows, warnings = services_list.rows(Home(home))
    assert warnings == ()
    places = [(get_args(Group).index(r.group), r.name) for r in rows]
    assert places == sorted(places)
    shown = {r.name: (r.port, r.enabled) for r in rows}
    assert shown["sonarr"] == (9999, True)
    assert shown["radarr"] == (7878, False)
    assert shown["audiobookshelf"] == (8000, True)
    assert shown["tiny"] == (18001, False)
    assert shown["recyclarr"] == (None, False)
    assert shown["socket-proxy"] == (None, False)
    overseerr = next(r for r in rows if r.name == "overseerr")
    assert overseerr.replaced_by == "seerr"
    assert overseerr.retired


def test_the_list_needs_no_stack_directory(tmp_path: Path) -> None:
    rows, _ = services_list.rows(Home(tmp_path / "nothing"))
    assert len(rows) > 50
    assert not any(r.enabled for r in rows)


def test_the_pages_of_docs_are_current() -> None:
    checked = subprocess.run(
        [sys.executable, str(ROOT / "scripts/docs"), "--check"], capture_output=True, text=True, timeout=60
    )
    assert (checked.returncode, checked.stderr) == (0, "")


LINE = st.text(st.characters(codec="utf-8", exclude_characters="\n"), max_size=20)


def file(text: str) -> ServiceFile:
    return ServiceFile(name="tiny", text=text, place="services/tiny.yaml.j2", directory="")


@given(st.lists(LINE.filter(lambda line: line.rstrip() != "---")), st.lists(LINE), st.sampled_from(["\n", "\r\n"]))
def test_split_keeps_every_character(head: list[str], body: list[str], end: str) -> None:
    above = "".join(line + end for line in ["title: x", *head])
    below = "".join(line + end for line in [*body, "last"])
    assert split(file(f"{above}---{end}{below}")) == (above, below)


@given(st.text())
def test_split_answers_or_refuses_any_text(text: str) -> None:
    try:
        parts = split(file(text))
    except ConfigError as refusal:
        place = refusal.where
    else:
        assert text.startswith(parts[0])
        assert text.endswith(parts[1])
        assert parts[1].strip()
        return
    assert place.startswith("services/tiny.yaml.j2:")


def test_a_line_before_the_head_belongs_to_it() -> None:
    assert split(file("# mine\n---\ntitle: x\n---\nbody\n---\nmore\n")) == (
        "# mine\n---\ntitle: x\n",
        "body\n---\nmore\n",
    )


@pytest.mark.parametrize(
    "path",
    [
        *("/", "//", "/var", "/var/", "/run", "/run/", "/var/run", "/var//run/.", "/var/lib/../run", "//run"),
        *("/run/docker.sock", "/var/run/docker.sock", "/run/containerd", "/run/podman/podman.sock"),
        *("/run/user", "/run/user/1000", "/var/run/user/1000", "/run/user/1000/docker.sock", "/home/x/docker.sock"),
    ],
)
def test_a_bind_that_shows_an_engines_socket_is_refused(home: Path, path: str) -> None:
    error = refused(home, HEAD + f"wants: {{binds: {{{path}: /host}}}}\n" + BODY)
    assert error.where == "services/tiny.yaml.j2:10: wants/binds"
    assert path in error.message


@pytest.mark.parametrize("path", ["/proc", "/sys", "/run/udev", "/var/log", "/var/lib/docker", "/var/running"])
def test_other_binds_are_not(path: str) -> None:
    assert not shows_a_socket(path)
