"""Configuration lies only where databases survive; which filesystem holds a path is told by the longest mount."""

from __future__ import annotations

import json
from dataclasses import asdict

import pytest

from tests.making import host, service, settings
from usenet.adapters import mounts as table
from usenet.domain import mounts
from usenet.domain.errors import ValidationError
from usenet.domain.host import Drive, Filesystem, Host, Mount, Partition
from usenet.domain.plan import Observed
from usenet.domain.tuning import tune

SHARE = Filesystem(source="nas:/u", type="nfs4", mounts=(Mount(target="/mnt/nas"),))
POOL = Filesystem(source="a:b", type="fuse.mergerfs", mounts=(Mount(target="/mnt/pool"),))
LENT = Filesystem(source="home", type="virtiofs", mounts=(Mount(target="/mnt/lent"),))


def machine() -> Host:
    parts = {"/": "ext4", "/mnt/stick": "exfat", "/mnt/stick/deep": "ext4", "/mnt/old": "ntfs3", "/mnt/zeros": "xfs"}
    drives = tuple(
        Drive(
            name=f"sd{n}",
            path=f"/dev/sd{n}",
            size=1,
            partitions=(
                Partition(
                    path=f"/dev/sd{n}1",
                    kind="part",
                    size=1,
                    filesystem=Filesystem(source=f"/dev/sd{n}1", type=kind, mounts=(Mount(target=target),)),
                ),
            ),
        )
        for n, (target, kind) in enumerate(parts.items())
    )
    return host(drives=drives, network_filesystems=(SHARE, LENT), fuse_filesystems=(POOL,))


def plan_in(home: str) -> None:
    tune(machine(), settings("thing"), {"thing": service()}, Observed(), home=home)


@pytest.mark.parametrize(
    ("home", "said"),
    [
        ("/mnt/stick/u", "/mnt/stick is exfat, where"),
        ("/mnt/stick", "/mnt/stick is exfat, where"),
        ("/mnt/old/u", "/mnt/old is ntfs3, where"),
        ("/mnt/nas/u", "/mnt/nas is nfs4, where"),
        ("/mnt/pool/u", "/mnt/pool is fuse.mergerfs, where"),
    ],
)
def test_configuration_where_databases_break_is_refused(home: str, said: str) -> None:
    with pytest.raises(ValidationError, match=said) as caught:
        plan_in(home)
    assert caught.value.where == f"{home}/config"
    assert "usenet init --home DIR" in caught.value.hint


@pytest.mark.parametrize("home", ["/srv/u", "/mnt/stick/deep/u", "/mnt/stickers", "/mnt/zeros/u", "/mnt/lent/u"])
def test_configuration_may_lie_on_what_knows_owners_and_locks(home: str) -> None:
    plan_in(home)


def test_nothing_is_refused_where_no_mount_was_seen() -> None:
    mounts.check_config(host(), "/srv/u")


def test_what_a_program_mounted_is_read_from_the_table() -> None:
    kinds = {"/mnt/pool": "fuse.mergerfs", "/mnt/far": "fuse.sshfs", "/mnt/ntfs": "fuseblk", "/": "ext4"}
    rows = [{"target": target, "source": "s", "fstype": kind, "options": "rw"} for target, kind in kinds.items()]
    (found,) = table.fuse(table.parse(json.dumps({"filesystems": rows})))
    assert asdict(found)["mounts"] == ({"target": "/mnt/pool", "options": ("rw",), "propagation": ""},)
    assert (found.type, found.size) == ("fuse.mergerfs", None)
