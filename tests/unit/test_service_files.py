"""The service files that come with usenet: all there, and none with the faults that such files have had elsewhere."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import yaml
from jinja2 import DictLoader, Environment, StrictUndefined

from tests import making
from usenet.actions import catalog
from usenet.adapters.templates import root
from usenet.compose import render
from usenet.domain import order
from usenet.domain.plan import Observed, Plan
from usenet.domain.service import Service
from usenet.domain.settings import DEFAULT_SERVICES
from usenet.domain.tuning import tune

FOLDER = root() / "compose" / "services"
KNOWN = catalog.load()[0]
TEXTS = {path.relative_to(FOLDER).as_posix(): path.read_text(encoding="utf-8") for path in FOLDER.rglob("*.j2")}
NAMES = sorted(name.removesuffix(".yaml.j2") for name in TEXTS if "/" not in name)

HISTORIC = [
    "sabnzbd",
    "transmission",
    "sonarr",
    "radarr",
    "bazarr",
    "prowlarr",
    "readarr",
    "mylar3",
    "whisparr",
    "recyclarr",
    "jellyfin",
    "seerr",
    "yacreader",
    "tdarr",
    "stash",
    "samba",
    "nfs",
    "netdata",
    "portainer",
]
TODAY = [
    "plex",
    "tautulli",
    "komga",
    "kavita",
    "audiobookshelf",
    "navidrome",
    "calibre-web",
    "suwayomi",
    "lidarr",
    "tdarr-node",
    "unpackerr",
    "kometa",
    "maintainerr",
    "qbittorrent",
    "nzbget",
    "aria2",
    "gluetun",
    "cloudflared",
    "caddy",
    "socket-proxy",
    "uptime-kuma",
    "homepage",
    "scrutiny",
    "prometheus",
    "alertmanager",
    "grafana",
    "node-exporter",
    "cadvisor",
    "authelia",
    "crowdsec",
    "mediamtx",
    "recorder",
]
PORTS = {
    "sabnzbd": 8080,
    "transmission": 9091,
    "sonarr": 8989,
    "radarr": 7878,
    "bazarr": 6767,
    "prowlarr": 9696,
    "readarr": 8787,
    "mylar3": 8090,
    "whisparr": 6969,
    "jellyfin": 8096,
    "seerr": 5055,
    "yacreader": 8082,
    "tdarr": 8265,
    "stash": 9999,
    "samba": 445,
    "nfs": 2049,
    "netdata": 19999,
    "portainer": 9000,
    "plex": 32400,
    "tautulli": 8181,
    "komga": 25600,
    "kavita": 5000,
    "navidrome": 4533,
    "calibre-web": 8083,
    "suwayomi": 4567,
    "lidarr": 8686,
    "maintainerr": 6246,
    "nzbget": 6789,
    "aria2": 6800,
    "uptime-kuma": 3001,
    "prometheus": 9090,
    "alertmanager": 9093,
    "grafana": 3000,
    "node-exporter": 9100,
    "recorder": 8095,
}
# Programs of our own, whose documentation lies with the tool's.
OURS = {"recorder"}
# Without a port there is nothing to ask from outside.
UNASKED = {"recyclarr", "unpackerr", "kometa", "tdarr-node"}
# What a container may see of the host's own files.
SYSTEM = {"/proc", "/sys", "/etc/os-release", "/run/udev", "/var/lib/docker", "/var/log"}
DANGEROUS = {"ALL", "SYS_MODULE", "SYS_BOOT", "SYS_TIME", "MAC_ADMIN", "BPF"}


def service(name: str) -> Service:
    return KNOWN[name].service


def everything() -> Plan:
    settings = making.settings(*NAMES, images="pull")
    built = {name: f"usenet/{name}:bookworm" for name in ("aria2", "nfs", "recorder")}
    return tune(making.host(), settings, KNOWN.services, Observed(buildable=built), home="/stack", available=True)


def test_none_of_these_is_missing() -> None:
    assert set(HISTORIC) | set(TODAY) | {"overseerr", "jellyseerr"} <= set(NAMES)


def test_what_is_refused_is_not_there() -> None:
    assert not {"watchtower", "huntarr", "jackett"} & set(NAMES)
    page = (Path(__file__).parents[2] / "docs/services.md").read_text(encoding="utf-8")
    assert all(f"| {name} |" in page for name in ("watchtower", "huntarr", "jackett"))


def test_the_default_set() -> None:
    assert {name for name in NAMES if service(name).default} == set(DEFAULT_SERVICES)


def test_what_retired_says_why_and_names_its_successor() -> None:
    retired = {name: service(name).replaced_by for name in NAMES if service(name).retired}
    assert retired == {"overseerr": "seerr", "jellyseerr": "seerr", "readarr": ""}


def test_host_ports_are_unique() -> None:
    wanted = [(port.proposed, port.protocol, name) for name in NAMES for port in service(name).ports if port.publish]
    by_port: dict[tuple[int, str], list[str]] = {}
    for number, protocol, name in wanted:
        by_port.setdefault((number, protocol), []).append(name)
    assert {port: names for port, names in by_port.items() if len(names) > 1} == {}


@pytest.mark.parametrize("name", PORTS)
def test_a_known_service_keeps_its_known_port(name: str) -> None:
    assert service(name).ports[0].proposed == PORTS[name]


def test_nothing_waits_in_a_circle_or_for_nobody() -> None:
    before = {name: (*service(name).needs, *service(name).after) for name in NAMES}
    assert {b for names in before.values() for b in names} <= set(NAMES)
    waves = order.waves(before)
    assert sorted(name for wave in waves for name in wave) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_a_service_has_a_probe(name: str) -> None:
    health = service(name).health
    assert bool(health.http or health.tcp) == (name not in UNASKED)


@pytest.mark.parametrize("name", NAMES)
def test_a_service_has_a_minute_to_answer_first(name: str) -> None:
    assert service(name).health.start_period >= 60  # on a busy machine the quickest need twenty seconds


@pytest.mark.parametrize("name", NAMES)
def test_what_a_person_reads_is_plain(name: str) -> None:
    head = service(name)
    assert head.about[0].isupper()
    assert not head.about.endswith(".")
    assert head.documentation.startswith("https://") or name in OURS
    assert not head.note or head.note.endswith(".")
    assert not re.search(r"powerful|modern|beautiful|awesome|easy|seamless|blazing", head.about + head.note, re.I)


@pytest.mark.parametrize("name", NAMES)
def test_a_service_gets_no_more_than_it_may(name: str) -> None:
    wants = service(name).wants
    allowed = SYSTEM | ({"/var/run/docker.sock"} if name == "socket-proxy" else set())
    assert set(wants.binds) <= allowed
    assert not set(wants.capabilities) & DANGEROUS
    assert "SYS_ADMIN" not in wants.capabilities or name == "scrutiny"
    assert wants.network == "stack"


@pytest.mark.parametrize("name", NAMES)
def test_data_goes_with_the_role(name: str) -> None:
    wants = service(name).wants
    on_drives = bool(wants.media or wants.data or wants.downloads)
    assert on_drives == (service(name).role == "pool-dependent")


@pytest.mark.parametrize("name", ["sonarr", "radarr", "lidarr", "readarr", "whisparr", "mylar3"])
def test_who_imports_sees_downloads_and_media_through_one_mount(name: str) -> None:
    assert service(name).wants.data == "write"
    assert service(name).wants.media is service(name).wants.downloads is None


@pytest.mark.parametrize("name", NAMES)
def test_every_secret_is_used_and_held_by_nobody_else(name: str) -> None:
    head = service(name)
    assert {f"${{{key}}}" for key in head.secrets} <= set(head.environment.values())
    for variable, value in head.environment.items():
        if re.search(r"(KEY|PASS|PASSWORD|SECRET|TOKEN)$", variable):
            assert re.fullmatch(r"\$\{[A-Z0-9_]+\}", value), f"{variable} holds a live secret"


@pytest.mark.parametrize("name", NAMES)
def test_the_body_prints_grants_and_decides_nothing(name: str) -> None:
    first, *others = KNOWN[name].body.rstrip("\n").split("\n")
    assert first == '{% include "base.yaml.j2" %}'
    for line in others:
        key, _, value = line.partition(": ")
        assert key in ("command", "tmpfs", "hostname", "read_only", "init")
        json.loads(value)


FORBIDDEN = {
    "a floating tag": r":latest\b|:stable\b|:nightly\b|:develop\b",
    "privileged": r"privileged",
    "somebody's home or drive": r"/home/(?!suwayomi)|/mnt/|/media/[a-z]+/|/srv/|/Users/|~/",
    "an address of a private network": r"\b(10\.\d{1,3}|192\.168|172\.(1[6-9]|2\d|3[01]))(\.\d{1,3}){2}\b",
    "somebody's account": r"\b[\w.+-]+@[\w-]+\.[a-z]{2,}\b",
    "fixed DNS": r"^\s*dns:",
    "a vendor": r"(?i)\b(nvidia|intel|amd|vaapi|nvenc|quicksync)\b",
    "a long random text": r"\b(?=[0-9a-f]*\d)[0-9a-f]{20,}\b|\b[A-Za-z0-9+]{40,}",
    "a private label of SELinux": r":Z\b",
    "user: for images that switch by themselves": r"\bP[UG]ID: (?!.\{[ug]id\})",
}


@pytest.mark.parametrize("what", FORBIDDEN)
def test_no_file_holds(what: str) -> None:
    found = {
        name: match[0] for name, text in TEXTS.items() if (match := re.search(FORBIDDEN[what], text, re.MULTILINE))
    }
    assert found == {}


def test_only_the_proxy_sees_the_engine() -> None:
    assert [name for name, text in TEXTS.items() if "docker.sock" in text] == ["socket-proxy.yaml.j2"]
    assert service("socket-proxy").environment["POST"] == "0"
    assert not any(port.publish for port in service("socket-proxy").ports)


def test_every_template_belongs_to_a_service() -> None:
    asked = {f"{name}/{file}.j2" for name in NAMES for file in service(name).files}
    assert {name for name in TEXTS if "/" in name} == asked


def test_all_of_them_plan_and_render_together() -> None:
    plan = everything()
    assert set(plan.grants) == set(NAMES)
    stack = render.render(plan, catalog.templates(KNOWN, plan.grants))
    compose = yaml.safe_load(stack.files["compose.yaml"])
    assert set(compose["services"]) == set(NAMES)
    secrets = re.findall(r"\$\{(\w+)", stack.files["compose.yaml"])
    assert set(secrets) == set(plan.secrets)
    for path, text in stack.files.items():
        assert "${" not in text or not path.startswith("files/")
        if path.endswith((".yml", ".yaml")):
            assert yaml.safe_load(text)


def rendered(file: str, *names: str) -> str:
    plan = tune(
        making.host(),
        making.settings(*names, images="pull"),
        KNOWN.services,
        Observed(),
        home="/stack",
    )
    environment = Environment(loader=DictLoader(TEXTS), undefined=StrictUndefined, trim_blocks=True, autoescape=False)
    return environment.get_template(f"{file}.j2").render(plan=plan, grant=plan.grants[file.partition("/")[0]])


def test_prometheus_watches_what_is_on() -> None:
    alone = yaml.safe_load(rendered("prometheus/prometheus.yml", "prometheus"))
    assert [job["job_name"] for job in alone["scrape_configs"]] == ["prometheus"]
    assert "alerting" not in alone
    names = ("prometheus", "alertmanager", "node-exporter", "cadvisor", "netdata", "mediamtx", "sonarr")
    text = yaml.safe_load(rendered("prometheus/prometheus.yml", *names))
    targets = {job["job_name"]: job["static_configs"][0]["targets"] for job in text["scrape_configs"]}
    assert targets == {
        "prometheus": ["localhost:9090"],
        "netdata": ["netdata:19999"],
        "node-exporter": ["node-exporter:9100"],
        "cadvisor": ["cadvisor:8080"],
        "mediamtx": ["mediamtx:9998"],
    }
    assert text["alerting"]["alertmanagers"][0]["static_configs"][0]["targets"] == ["alertmanager:9093"]


def test_caddy_leads_to_every_page_by_its_container_port() -> None:
    text = rendered("caddy/Caddyfile", "caddy", "audiobookshelf", "grafana", "node-exporter", "recyclarr")
    assert re.findall(r"http://(\S+):8088 \{\n\treverse_proxy (\S+)\n", text) == [
        ("audiobookshelf.localhost", "audiobookshelf:80"),
        ("grafana.localhost", "grafana:3000"),
    ]
    assert "respond /health 200" in text


def test_grafana_knows_prometheus_only_where_it_runs() -> None:
    assert not yaml.safe_load(rendered("grafana/datasources.yml", "grafana"))["datasources"]
    both = yaml.safe_load(rendered("grafana/datasources.yml", "grafana", "prometheus"))
    assert [source["url"] for source in both["datasources"]] == ["http://prometheus:9090"]
