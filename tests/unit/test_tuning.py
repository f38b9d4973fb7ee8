"""tune: settings, machine and catalog in, one plan with reasons out."""

import pytest

from tests.making import gpu, host, service, settings
from usenet.domain import steps
from usenet.domain.errors import ConfigError, SystemFailure, ValidationError
from usenet.domain.host import Drive
from usenet.domain.plan import LeftOut, Observed, Plan, PortHolder, by_reason
from usenet.domain.service import Service
from usenet.domain.settings import Settings
from usenet.domain.tuning import tune

CATALOG: dict[str, Service] = {
    "tv": service(ports=[{"container": 8989}], family="linuxserver", after=["loader"], wants={"data": "write"}),
    "loader": service(ports=[{"container": 9091}], wants={"downloads": "torrents"}, config={"": "/config"}),
    "screen": service(ports=[{"container": 8096}], wants={"encoder": True, "media": "read"}),
    "watcher": service(ports=[{"container": 19999}], wants={"engine": True}),
    "socket-proxy": service(ports=[{"container": 2375, "publish": False}], family="root"),
    "node": service(ports=[{"container": 8266}], needs=["tv"]),
    "old": service(ports=[{"container": 1}], retired="since 2025", replaced_by="tv"),
}


def plan(wished: Settings, observed: Observed = Observed(), *, available: bool = False, **machine: object) -> Plan:  # noqa: B008
    return tune(host(**machine), wished, CATALOG, observed, home="/srv/u", available=available)


def because(found: Plan, about: str) -> str:
    return next(c.because for c in found.choices if c.about == about)


def test_only_what_is_on_in_the_order_of_needs() -> None:
    found = plan(settings("tv", "loader"))
    assert list(found.grants) == ["tv", "loader"]
    assert found.waves == (("loader",), ("tv",))
    assert found.grants["tv"].after == ("loader",)
    assert plan(settings("tv")).grants["tv"].after == ()


def test_a_need_is_added_with_the_reason() -> None:
    found = plan(settings("watcher"))
    assert list(found.grants) == ["watcher", "socket-proxy"]
    assert because(found, "socket-proxy") == "watcher needs it"
    assert found.grants["watcher"].environment["DOCKER_HOST"] == "tcp://socket-proxy:2375"
    assert found.grants["watcher"].binds == ()


def test_a_need_that_is_switched_off_is_an_error() -> None:
    wished = Settings.model_validate({"services": {"node": {}, "tv": {"enabled": False}}})
    with pytest.raises(ValidationError, match="tv is switched off, and node can't run without it"):
        plan(wished)


def test_unknown_service_with_the_nearest_name() -> None:
    with pytest.raises(ValidationError, match="no service 'screem'") as caught:
        plan(settings("screem"))
    assert caught.value.where == "usenet.yaml: services/screem"
    assert "did you mean screen?" in caught.value.hint


def test_retired_service_says_so() -> None:
    assert because(plan(settings("old")), "old") == "since 2025"


def test_identity_by_family() -> None:
    found = plan(settings("tv", "loader", user={"uid": 1234, "gid": 99, "umask": "007"}, timezone="Europe/Berlin"))
    tv, loader = found.grants["tv"], found.grants["loader"]
    assert {k: tv.environment[k] for k in ("PUID", "PGID", "UMASK", "TZ")} == {
        "PUID": "1234",
        "PGID": "99",
        "UMASK": "007",
        "TZ": "Europe/Berlin",
    }
    assert (tv.user, loader.user) == ("", "1234:99")
    assert "PUID" not in loader.environment
    assert tv.capabilities == ("CHOWN", "DAC_OVERRIDE", "FOWNER", "KILL", "SETGID", "SETUID")
    assert loader.capabilities == ()


def test_data_is_bound_under_one_path_inside() -> None:
    found = plan(settings("tv", "loader", "screen", data="/pool"))
    binds = {name: [(b.source, b.target, b.read_only) for b in g.binds] for name, g in found.grants.items()}
    assert binds == {
        "tv": [("/pool", "/data", False)],
        "loader": [("/srv/u/config/loader", "/config", False), ("/pool/torrents", "/data/torrents", False)],
        "screen": [("/pool/media", "/data/media", True), ("/pool/drives", "/data/drives", True)],
    }


def test_encoder_choice_reaches_the_grant() -> None:
    found = plan(settings("screen"), gpus=(gpu("intel", driver="i915"),))
    assert found.grants["screen"].devices == ("/dev/dri/renderD128",)
    assert because(found, "screen.encoder") == "found and usable; what it encodes could not be asked"
    off = Settings.model_validate({"services": {"screen": {"gpu": "none"}}})
    assert plan(off, gpus=(gpu("intel"),)).grants["screen"].devices == ()


def test_image_made_here_changes_the_family() -> None:
    observed = Observed(buildable={"tv": "usenet/tv:bookworm-1"}, reachable={"example.org": False})
    found = plan(settings("tv"), observed).grants["tv"]
    assert (found.image, found.build, found.user) == ("usenet/tv:bookworm-1", "tv", "1000:1000")
    assert found.capabilities == ()
    assert found.check[:2] == ("CMD", "busybox")


@pytest.mark.parametrize(
    ("observed", "source", "image", "reason"),
    [
        (Observed(), "auto", "example.org/thing:1.0", "from example.org"),
        (
            Observed(images=frozenset({"example.org/thing:1.0"})),
            "auto",
            "example.org/thing:1.0",
            "in the engine's store",
        ),
        (
            Observed(images=frozenset({"usenet/tv:b"}), buildable={"tv": "usenet/tv:b"}),
            "auto",
            "usenet/tv:b",
            "made here before, and in the engine's store",
        ),
        (Observed(buildable={"tv": "usenet/tv:b"}), "build", "usenet/tv:b", "made from Debian's packages, as set"),
        (Observed(buildable={"tv": "usenet/tv:b"}), "pull", "example.org/thing:1.0", "from its registry"),
    ],
)
def test_where_the_image_comes_from(observed: Observed, source: str, image: str, reason: str) -> None:
    found = plan(settings("tv", images=source), observed)
    assert found.grants["tv"].image == image
    assert because(found, "tv.image") == reason


def test_what_cannot_be_had_is_an_error_that_names_the_cure() -> None:
    with pytest.raises(SystemFailure, match=r"tv: example.org does not answer, and there is no recipe") as caught:
        plan(settings("tv"), Observed(reachable={"example.org": False}))
    assert "--available" in caught.value.hint


@pytest.mark.parametrize(
    ("wished", "because"),
    [
        ({"images": "pull", "services": {"tv": {}}}, "example.org does not answer, and images are only pulled"),
        ({"services": {"tv": {"image": "nosuch.example/x:1"}}}, "nosuch.example does not answer, and nosuch.example"),
    ],
)
def test_a_registry_that_does_not_answer_leaves_out_what_only_it_has(wished: dict[str, object], because: str) -> None:
    observed = Observed(reachable={"example.org": False, "nosuch.example": False}, buildable={"tv": "usenet/tv:b"})
    (out,) = plan(Settings.model_validate(wished), observed, available=True).left_out
    assert out.service == "tv"
    assert because in out.because


def test_what_cannot_be_had_is_left_out_with_what_needs_it() -> None:
    observed = Observed(buildable={"node": "usenet/node:b", "loader": "usenet/loader:b"})
    found = plan(settings("tv", "node", "loader", images="build"), observed, available=True)
    assert list(found.grants) == ["loader"]
    assert [(out.service, out.because) for out in found.left_out] == [
        ("tv", "there is no recipe to make its image here; it comes from a registry only"),
        ("node", "tv is needed, and can't be had"),
    ]


def test_one_line_for_each_reason_names_all_that_it_holds_for() -> None:
    said = ("a: too big", "b: gone", "c: too big")
    left_out = [LeftOut(service=service, because=why) for service, why in (text.split(": ") for text in said)]
    assert by_reason(left_out) == ("a, c: too big", "b: gone")
    assert by_reason(()) == ()


def test_own_environment_wins() -> None:
    wished = Settings.model_validate({"services": {"tv": {"environment": {"TZ": "UTC", "X": "1"}}}})
    environment = plan(wished).grants["tv"].environment
    assert (environment["TZ"], environment["X"]) == ("UTC", "1")


@pytest.mark.parametrize("address", ["localhost", "10.0.0", "::1", "everyone"])
def test_address_that_is_none(address: str) -> None:
    with pytest.raises((ConfigError, ValueError), match="expected"):
        plan(settings("tv", publish=address))


def test_the_same_input_gives_the_same_plan() -> None:
    assert plan(settings("tv", "loader")) == plan(settings("tv", "loader"))


def test_environment_may_name_the_owner_of_the_data() -> None:
    catalog = {"share": service(family="root", environment={"UID": "{uid}", "GID": "{gid}"})}
    found = tune(host(), settings("share", user={"uid": 7, "gid": 8}), catalog, Observed(), home="/h").grants["share"]
    assert (found.environment["UID"], found.environment["GID"], found.user) == ("7", "8", "")
    assert found.capabilities == ("DAC_OVERRIDE",)


def test_an_image_only_made_here_is_as_its_file_says() -> None:
    wants = {"capabilities": ["SETUID"]}
    catalog = {"nfs": service(family="root", image="usenet/nfs:bookworm", wants=wants)}
    found = tune(host(), settings("nfs"), catalog, Observed(buildable={"nfs": "usenet/nfs:b-1"}), home="/h")
    grant = found.grants["nfs"]
    assert (grant.image, grant.user, grant.capabilities) == ("usenet/nfs:b-1", "", ("DAC_OVERRIDE", "SETUID"))


def test_a_recipe_needs_no_capability() -> None:
    catalog = {"samba": service(family="root", wants={"capabilities": ["NET_BIND_SERVICE"]})}
    found = tune(host(), settings("samba", images="build"), catalog, Observed(buildable={"samba": "b:1"}), home="/h")
    assert found.grants["samba"].capabilities == ()


def test_raw_drives_only_for_who_wants_them() -> None:
    drives = (
        Drive(name="sda", path="/dev/sda", size=1, bus="sata"),
        Drive(name="loop0", path="/dev/loop0", size=1, bus="loop"),
    )
    catalog = {"smart": service(wants={"drives": True}), "web": service(ports=[{"container": 1}])}
    found = tune(host(drives=drives), settings("smart", "web"), catalog, Observed(), home="/h").grants
    assert (found["smart"].devices, found["web"].devices) == (("/dev/sda",), ())


def test_on_the_hosts_own_network_its_ports_are_checked_and_not_published() -> None:
    catalog = {"plex": service(ports=[{"container": 32400}], wants={"network": "host"})}
    found = tune(host(), settings("plex"), catalog, Observed(), home="/h").grants["plex"]
    assert [(p.address, p.host) for p in found.ports] == [("0.0.0.0", 32400)]
    held = Observed(ports=(PortHolder(port=32400, protocol="tcp", owner="other", address="127.0.0.1"),))
    with pytest.raises(SystemFailure, match="port 32400/tcp for plex is held by other"):
        tune(host(), settings("plex"), catalog, held, home="/h")


@pytest.mark.parametrize(
    ("written", "root"),
    [
        ("data", "/srv/u/data"),
        ("./data", "/srv/u/data"),
        (".", "/srv/u"),
        ("../films/", "/srv/films"),
        ("//mnt//x/", "/mnt/x"),
        ("/mnt/./x/../y", "/mnt/y"),
    ],
)
def test_the_data_root_is_one_path_however_written(written: str, root: str) -> None:
    found = plan(settings("tv", data=written))
    assert found.data == root
    assert [b.source for b in found.grants["tv"].binds] == [root]
    assert f"{root}/media/movies" in steps.directories(found)[0].paths


def test_the_root_of_the_machine_is_no_data_root() -> None:
    with pytest.raises(ValidationError, match="root of the machine"):
        plan(settings("tv", data="../.."))


@pytest.mark.parametrize(
    ("wished", "where", "cure"),
    [
        ({"publish": "10.9.9.9", "services": {"tv": {}}}, "publish", "config set publish lan"),
        (
            {"services": {"tv": {"publish": "10.9.9.9"}}},
            "services/tv/publish",
            "config set services.tv.publish lan",
        ),
    ],
)
def test_an_address_of_another_machine_is_refused_with_those_there_are(
    wished: dict[str, object], where: str, cure: str
) -> None:
    machine = Observed(addresses=frozenset({"127.0.0.1", "192.0.2.4"}))
    there_are = r"no address of this machine; it has 127\.0\.0\.1, 192\.0\.2\.4"
    with pytest.raises(ValidationError, match=there_are) as caught:
        plan(Settings.model_validate(wished), machine)
    assert caught.value.where == f"usenet.yaml: {where}"
    assert caught.value.hint.endswith(cure)
    assert plan(Settings.model_validate(wished)).grants["tv"].ports[0].address == "10.9.9.9"


@pytest.mark.parametrize("address", ["127.0.0.1", "127.0.0.9", "lan", "192.0.2.4"])
def test_an_address_of_this_machine_is_taken(address: str) -> None:
    machine = Observed(addresses=frozenset({"127.0.0.1", "192.0.2.4"}))
    assert plan(settings("tv", publish=address), machine).grants["tv"].ports


def test_a_port_that_the_container_does_not_have_is_refused() -> None:
    wished = Settings.model_validate({"services": {"tv": {"ports": {8989: 1, 9999: 2}}}})
    with pytest.raises(ValidationError, match="expected a port of the container; it publishes 8989") as caught:
        plan(wished)
    assert caught.value.where == "usenet.yaml: services/tv/ports/9999"
    assert "config unset services.tv.ports.9999" in caught.value.hint
    proxy = Settings.model_validate({"services": {"socket-proxy": {"ports": {2375: 2375}}}})
    with pytest.raises(ValidationError, match="it publishes none"):
        plan(proxy)


@pytest.mark.parametrize(
    "image", ["a/b:1", "ghcr.io/a/b:v1", f"a/b@sha256:{'0' * 64}", f"localhost:5000/b:1@sha256:{'a' * 64}"]
)
def test_an_image_of_ones_own_by_version_or_digest(image: str) -> None:
    own = Settings.model_validate({"services": {"tv": {"image": image}}})
    assert plan(own).grants["tv"].image == image


@pytest.mark.parametrize("image", ["a/b", "a/b:1 --privileged", "a/b@sha256:12", "a/b@1"])
def test_an_image_that_is_none(image: str) -> None:
    with pytest.raises(ValueError, match="image"):
        Settings.model_validate({"services": {"tv": {"image": image}}})
