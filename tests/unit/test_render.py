"""A body and a grant in, Compose text out: what is kept, what is refused, and with which words."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from tests.making import host, service, settings
from usenet.adapters import stack as on_disk
from usenet.adapters.home import Home
from usenet.compose import render as rendering
from usenet.compose.render import Stack, Templates, render
from usenet.domain.errors import ConfigError
from usenet.domain.plan import Observed, Plan
from usenet.domain.tuning import tune

BASE = (Path(__file__).parents[2] / "templates/compose/base.yaml.j2").read_text()
INCLUDE = '{% include "base.yaml.j2" %}\n'


def plan(data: str = "/pool", **head: object) -> Plan:
    services = {"thing": service(**head)}
    return tune(host(), settings("thing", data=data), services, Observed(), home="/srv/u")


def stack(body: str = INCLUDE, files: dict[str, str] | None = None, *, found: Plan | None = None) -> Stack:
    templates = Templates(
        base=BASE, bodies={"thing": body}, files=files or {}, sources={"thing": "services/thing.yaml.j2"}
    )
    return render(found or plan(), templates)


def compose(made: Stack) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(made.files["compose.yaml"])["services"]["thing"]
    return found


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (INCLUDE + "command: {{ nothing }}\n", "'nothing' is undefined"),
        (INCLUDE + "command: {{ grant.nothing }}\n", "has no attribute 'nothing'"),
        (INCLUDE + "{% if %}\n", "Expected an expression"),
        (INCLUDE + "{{ 'unclosed }}\n", "body does not render"),
        ('{% include "other.yaml.j2" %}\n', "other.yaml.j2"),
        ("- image: {{ image }}\n", "must be a mapping"),
        ("just words\n", "must be a mapping"),
        (INCLUDE + "7: {a: [1, 2\n", "does not render"),
        (INCLUDE + "{1: 2}: x\n", "does not render"),
        ("image: {{ image | tojson }}\n", "leaves out or changes cap_drop, security_opt"),
        (INCLUDE + "cap_drop: []\n", "leaves out or changes cap_drop"),
        (INCLUDE + "security_opt: [seccomp=unconfined]\n", "leaves out or changes security_opt"),
        (INCLUDE + "image: another:1\n", "leaves out or changes image"),
    ],
)
def test_a_body_that_will_not_do_names_its_file(body: str, words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        stack(body)
    assert caught.value.where == "services/thing.yaml.j2"
    assert words in caught.value.message
    assert "base.yaml.j2" in caught.value.hint


def test_further_keys_are_kept() -> None:
    made = compose(stack(INCLUDE + 'command: ["a", "$b"]\nread_only: true\nulimits:\n  nofile: 1024\n'))
    assert made["command"] == ["a", "$b"]
    assert made["read_only"] is True
    assert made["ulimits"] == {"nofile": 1024}
    assert made["image"] == "example.org/thing:1.0"


@pytest.mark.parametrize(
    "words", ["", "\n", "init: true\n", "init: true", "tmpfs: [/run]\r\ninit: true\r\n", "labels: {a: '}} %} #}'}\n"]
)
def test_words_without_jinja_are_what_they_are_in_a_template(words: str) -> None:
    assert stack(INCLUDE + words) == stack(INCLUDE + words + "{# Jinja #}")


def test_a_remark_in_jinja_is_left_out() -> None:
    assert "command" not in compose(stack(INCLUDE + '{# command: ["a"] #}\n'))


def test_another_base_makes_another_stack() -> None:
    templates = Templates(base=BASE, bodies={"thing": INCLUDE}, files={}, sources={"thing": "thing.yaml.j2"})
    render(plan(), templates)
    made = render(plan(), dataclasses.replace(templates, base=BASE + "init: true\n"))
    assert compose(made)["init"] is True


def test_a_body_may_ask_who_it_is() -> None:
    made = compose(stack(INCLUDE + "hostname: {{ service | tojson }}\nlabels: {image: {{ image | tojson }}}\n"))
    assert (made["hostname"], made["labels"]) == ("thing", {"image": "example.org/thing:1.0"})


def test_an_empty_key_is_left_out() -> None:
    assert "command" not in compose(stack(INCLUDE + "command:\n"))


LINE_VALUES = st.recursive(
    st.booleans() | st.integers(-(2**53), 2**53) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
KEYS = st.from_regex(r"[a-z]+(_[a-z]+)?", fullmatch=True).filter(lambda key: yaml.safe_load(f"{key}: 1") == {key: 1})


@given(st.dictionaries(KEYS, LINE_VALUES, min_size=1, max_size=6))
def test_the_quick_reading_of_json_lines_is_what_yaml_reads(values: dict[str, object]) -> None:
    text = "".join(f"{key}: {json.dumps(value, ensure_ascii=False)}\n" for key, value in values.items())
    assert rendering.parse(text) == values
    if all(character.isprintable() for character in text.replace("\n", "")):
        assert yaml.safe_load(text) == values


@pytest.mark.parametrize(
    "text",
    [
        "a: 1\na: 2\n",
        "a:\n  b: 1\n",
        "a: x # note\n",
        "a: 'it'\n",
        "# only\na: 1\n",
        "a: {b: c}\n",
        "on: 1\n",
    ],
)
def test_what_is_no_json_line_is_read_as_yaml(text: str) -> None:
    loaded = yaml.safe_load(text)
    if all(isinstance(key, str) for key in loaded):
        assert rendering.parse(text) == loaded


@pytest.mark.parametrize(
    "path",
    ["/mnt/My $HOME", "/mnt/${DATA}", "/mnt/a: b #c", "/mnt/'q' \"d\"", "/mnt/ünï \U0001f600", "/mnt/a\u2028b\x85c"],
)
def test_a_path_arrives_as_it_is(path: str) -> None:
    made = compose(stack(found=plan(path, wants={"data": "write"})))
    (bind,) = made["volumes"]
    assert bind["source"] == path.replace("$", "$$")


def test_own_files_are_rendered_beside() -> None:
    found = plan(files={"thing.conf": "/etc/thing.conf"}, wants={"data": "read"})
    made = stack(files={"files/thing/thing.conf": "root={{ plan.data }}\nuid={{ plan.uid }}\n"}, found=found)
    assert made.files["files/thing/thing.conf"] == "root=/pool\nuid=1000\n"
    assert "files/thing/thing.conf" in json.loads(made.files["plan.json"])["files"]


def test_a_changed_file_changes_the_service_that_reads_it() -> None:
    found = plan(files={"a": "/a"})
    labels = [compose(stack(files={"files/thing/a": text}, found=found))["labels"] for text in ("x", "y", "x")]
    assert labels[0] == labels[2] != labels[1]
    assert "labels" not in compose(stack(found=plan()))


@pytest.mark.parametrize("own", ["{a: b}", "[a=b]"])
def test_labels_of_its_own_are_kept(own: str) -> None:
    made = compose(stack(INCLUDE + f"labels: {own}\n", {"files/thing/a": "x"}, found=plan(files={"a": "/a"})))["labels"]
    found = made if isinstance(made, dict) else dict(label.split("=") for label in made)
    assert found.pop("usenet.files")
    assert found == {"a": "b"}


def test_own_file_that_does_not_render_names_both() -> None:
    found = plan(files={"thing.conf": "/etc/thing.conf"})
    with pytest.raises(ConfigError, match=r"files/thing/thing\.conf does not render: 'nothing' is undefined") as caught:
        stack(files={"files/thing/thing.conf": "{{ nothing }}"}, found=found)
    assert caught.value.where == "services/thing.yaml.j2"


def test_each_service_has_the_files_of_its_own_name() -> None:
    services = {
        name: service(ports=[{"container": port}], files={"a": "/a"})
        for name, port in (("one", 1001), ("one-more", 1002))
    }
    found = tune(host(), settings(*services), services, Observed(), home="/srv/u")
    templates = Templates(
        base=BASE,
        bodies=dict.fromkeys(services, INCLUDE),
        files={f"files/{name}/a": "for {{ grant.service }}" for name in services},
        sources=dict.fromkeys(services, "x.yaml.j2"),
    )
    made = render(found, templates).files
    assert {name: made[f"files/{name}/a"] for name in services} == {name: f"for {name}" for name in services}


def test_the_digest_follows_every_byte() -> None:
    first = stack(files={"files/thing/a": "x"})
    assert first.digest == stack(files={"files/thing/a": "x"}).digest
    assert len(first.digest) == 64
    changed = [
        stack(files={"files/thing/a": "y"}),
        stack(files={"files/thing/b": "x"}),
        stack(INCLUDE + "init: true\n", {"files/thing/a": "x"}),
        stack(files={"files/thing/a": "x"}, found=dataclasses.replace(plan(), umask="022")),
    ]
    assert len({first.digest, *(other.digest for other in changed)}) == len(changed) + 1


def test_the_plan_reads_back(tmp_path: Path) -> None:
    found = plan(
        ports=[{"container": 8000}, {"container": 53, "protocol": "udp"}], health={"http": "/x", "status": [401]}
    )
    made = stack(found=found)
    home = Home(tmp_path)
    on_disk.write(home, made.files, ())
    read = on_disk.load(home)
    assert read.project == "usenet"
    assert set(read.files) == set(made.files)
    grant, back = found.grants["thing"], read.services["thing"]
    assert (back.ports, back.probe, back.image) == (grant.ports, grant.probe, grant.image)
    assert (home.stack / ".env").readlink() == Path("../.env")


@pytest.mark.parametrize(
    "damage", ["", "{", "[]", '{"grants": {}}', '{"grants": {"a": {}}, "project": "u", "files": []}']
)
def test_a_damaged_plan_is_said_to_be(tmp_path: Path, damage: str) -> None:
    (tmp_path / "stack").mkdir()
    (tmp_path / "stack" / "plan.json").write_text(damage)
    with pytest.raises(ConfigError, match="is damaged") as caught:
        on_disk.load(Home(tmp_path))
    assert "usenet services up" in caught.value.hint


def test_no_stack_yet(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no stack was written in") as caught:
        on_disk.load(Home(tmp_path))
    assert "usenet deploy" in caught.value.hint


def test_what_goes_is_removed_and_the_rest_stays(tmp_path: Path) -> None:
    home = Home(tmp_path)
    on_disk.write(home, {"compose.yaml": "a", "files/x/y": "b"}, ())
    on_disk.write(home, {"compose.yaml": "c"}, ("files/x/y",))
    assert on_disk.on_disk(home, ("compose.yaml", "files/x/y", "compose.yaml/z")) == {"compose.yaml": "c"}
