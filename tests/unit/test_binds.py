"""What a container sees of the host: one data tree with one path, its own configuration, nothing more."""

from __future__ import annotations

from typing import Any

import pytest

from tests import stacks
from tests.making import host, service, settings
from usenet.domain import binds
from usenet.domain.host import Drive, Engine, Filesystem, Mount, Partition, System
from usenet.domain.mounts import filesystems
from usenet.domain.settings import Settings


def seen(wished: Settings | None = None, **head: Any) -> list[tuple[str, str, bool]]:
    found = binds.binds("thing", service(**head), wished or settings("thing"), "/srv/u", "/pool", "rslave", host=host())
    return [(b.source, b.target, b.read_only) for b in found]


def test_nothing_wanted_nothing_seen() -> None:
    assert seen() == []


def test_configuration_lies_below_the_stack_directory() -> None:
    assert seen(config={"": "/config", "cache": "/cache"}) == [
        ("/srv/u/config/thing", "/config", False),
        ("/srv/u/config/thing/cache", "/cache", False),
    ]


@pytest.mark.parametrize(
    ("wants", "expected"),
    [
        ({"data": "write"}, [("/pool", "/data", False)]),
        ({"data": "read"}, [("/pool", "/data", True)]),
        ({"media": "read"}, [("/pool/media", "/data/media", True), ("/pool/drives", "/data/drives", True)]),
        ({"media": "write"}, [("/pool/media", "/data/media", False), ("/pool/drives", "/data/drives", False)]),
        ({"data": "write", "media": "read"}, [("/pool", "/data", False), ("/pool/media", "/data/media", True)]),
        ({"downloads": "torrents"}, [("/pool/torrents", "/data/torrents", False)]),
        ({"downloads": "usenet"}, [("/pool/usenet", "/data/usenet", False)]),
        (
            {"recordings": "write"},
            [("/pool/drives", "/data/drives", False), ("/pool/recordings", "/data/recordings", False)],
        ),
        ({"scratch": "/tmp/work"}, [("/srv/u/config/thing/scratch", "/tmp/work", False)]),
        ({"binds": {"/sys": "/host/sys"}}, [("/sys", "/host/sys", True)]),
    ],
)
def test_each_want(wants: dict[str, object], expected: list[tuple[str, str, bool]]) -> None:
    assert seen(wants=wants) == expected


def test_a_person_decides_what_may_be_written() -> None:
    only_read = Settings.model_validate({"services": {"thing": {"data": "read"}}})
    may_write = Settings.model_validate({"services": {"thing": {"data": "write"}}})
    assert seen(only_read, wants={"data": "write", "scratch": "/s"}) == [
        ("/pool", "/data", True),
        ("/srv/u/config/thing/scratch", "/s", False),
    ]
    assert seen(may_write, wants={"media": "read"}) == [
        ("/pool/media", "/data/media", False),
        ("/pool/drives", "/data/drives", False),
    ]


def test_selinux_labels_what_is_the_stacks_own_and_nothing_of_the_host() -> None:
    wanted = service(
        config={"": "/c"}, files={"f": "/f"}, wants={"data": "write", "scratch": "/t", "binds": {"/sys": "/s"}}
    )
    for on in (True, False):
        machine = host(system=System(kernel="6.1", distribution="fedora", selinux=on))
        found = binds.binds("thing", wanted, settings("thing"), "/srv/u", "/pool", "rslave", host=machine)
        assert {b.target: b.relabel for b in found} == {"/c": on, "/data": on, "/t": on, "/f": on, "/s": False}


def test_the_engines_directory_is_where_the_engine_says() -> None:
    wanted = service(wants={"binds": {"/var/lib/docker": "/var/lib/docker", "/sys": "/sys"}})
    moved = Engine(version="26", api="1.45", compose="2.26", root="/data/docker")
    for machine, where in ((host(), "/var/lib/docker"), (host(engine=moved), "/data/docker")):
        found = binds.binds("thing", wanted, settings("thing"), "/srv/u", "/pool", "", host=machine)
        assert {b.source: b.target for b in found} == {where: where, "/sys": "/sys"}


def test_only_the_data_propagates() -> None:
    wanted = service(config={"": "/c"}, files={"f": "/f"}, wants={"data": "write", "binds": {"/sys": "/s"}})
    found = binds.binds("thing", wanted, settings("thing"), "/srv/u", "/pool", "rslave", host=host())
    assert {b.target: (b.propagation, b.directory) for b in found} == {
        "/c": ("", True),
        "/data": ("rslave", True),
        "/f": ("", False),
        "/s": ("", False),
    }


def mounted(*mounts: Mount) -> Drive:
    """One drive with each mount on a partition of a partition, as LUKS and LVM make them."""
    inner = tuple(
        Partition(
            path=f"/dev/mapper/m{n}",
            kind="lvm",
            size=1,
            filesystem=Filesystem(source=f"/dev/mapper/m{n}", type="ext4", mounts=(mount,)),
        )
        for n, mount in enumerate(mounts)
    )
    outer = Partition(path="/dev/sda1", kind="crypt", size=1, children=inner)
    return Drive(name="sda", path="/dev/sda", size=1, partitions=(outer,))


ROOT = Mount(target="/", propagation="private")


@pytest.mark.parametrize(
    ("mounts", "data", "wanted", "why"),
    [
        ((Mount(target="/", propagation="shared"),), "/srv/data", "rslave", "/ is a shared mount"),
        ((ROOT,), "/srv/data", "", "/ is a private mount"),
        ((ROOT, Mount(target="/mnt/pool", propagation="shared")), "/mnt/pool", "rslave", "/mnt/pool is a shared"),
        ((ROOT, Mount(target="/mnt/pool", propagation="shared")), "/mnt/pool/x", "rslave", "/mnt/pool is a shared"),
        ((ROOT, Mount(target="/mnt/pool", propagation="shared")), "/mnt/pool2", "", "/ is a private mount"),
        ((Mount(target="/", propagation="shared"), Mount(target="/mnt")), "/mnt/a", "", "/mnt is a private mount"),
        ((), "/mnt/a", "", "was not seen"),
    ],
)
def test_drives_appear_inside_only_where_the_mount_is_shared(
    mounts: tuple[Mount, ...], data: str, wanted: str, why: str
) -> None:
    found, choice = binds.propagation(host(drives=(mounted(*mounts),) if mounts else ()), data)
    assert found == wanted
    assert why in choice.because
    assert choice.about == "data.propagation"
    assert ("restart of the containers" in choice.because) == (not wanted)


def test_a_network_filesystem_counts() -> None:
    share = Filesystem(source="nas:/films", type="nfs4", mounts=(Mount(target="/mnt/nas", propagation="shared"),))
    assert binds.propagation(host(network_filesystems=(share,)), "/mnt/nas/films")[0] == "rslave"


@pytest.mark.parametrize("name", stacks.HOSTS)
def test_on_every_saved_host_it_is_what_its_mounts_say(name: str) -> None:
    machine = stacks.HOSTS[name]
    mounts = {
        mount.target: mount.propagation
        for drive in machine.drives
        for filesystem in filesystems(drive)
        for mount in filesystem.mounts
    }
    for target, kind in mounts.items():
        inner = f"{target.rstrip('/')}/no-such-mount/data"
        assert binds.propagation(machine, inner)[0] == ("rslave" if "shared" in kind else ""), target


def test_the_tree_keeps_hardlinks_possible() -> None:
    found = binds.data_directories("/pool")
    assert found[0] == "/pool"
    kinds = {"movies", "tv", "music", "books", "comics"}
    for base in ("torrents", "usenet/complete", "media"):
        assert {f"/pool/{base}/{kind}" for kind in kinds} <= {*found}
    assert {"/pool/usenet/incomplete", "/pool/drives"} <= {*found}
    assert len(found) == len(set(found)) == 1 + 4 + 15 + 2
    places = {path: number for number, path in enumerate(found)}
    assert all(places[path.rpartition("/")[0]] < places[path] for path in found[1:])


def test_the_tree_at_the_top_and_with_spaces() -> None:
    assert "/My Films/media/tv" in binds.data_directories("/My Films")
    assert binds.data_directories("/")[0] == "/"
