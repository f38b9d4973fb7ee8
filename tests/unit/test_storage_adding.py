"""Which drive a person means, what it is called, and who may not join."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from usenet.domain.errors import ValidationError
from usenet.domain.host import Cpu, Drive, Filesystem, Host, Memory, Mount, Partition, System
from usenet.domain.storage import adding
from usenet.domain.storage.intent import DRIVE_NAME, DriveSettings
from usenet.domain.storage.marker import Marker
from usenet.domain.storage.offers import Offer
from usenet.domain.storage.seen import Seen


def offer(
    device: str,
    uuid: str,
    label: str = "",
    *targets: str,
    why: str = "",
    type_: str = "ext4",
    others: tuple[str, ...] = (),
) -> Offer:
    filesystem = Filesystem(
        source=device, type=type_, uuid=uuid, label=label, mounts=tuple(Mount(target=one) for one in targets)
    )
    drive = Drive(name=device[5:8], path=device[:-1], size=2**40, serial=f"S-{device}")
    return Offer(device=device, drive=drive, filesystem=filesystem, size=2**40, why=why, others=others)


SHELF = (
    offer("/dev/nvme0n1p2", "0f8a2b64", "root", "/", why="holds / of this machine"),
    offer("/dev/sda1", "9c1f-films", "Meine Filme", "/mnt/films"),
    offer("/dev/sdb1", "7FE3-E9B5", "twice"),
    offer("/dev/sdc1", "c0ffee", "twice"),
    offer("/dev/sdd", "de305d54", "pool", others=("/dev/sde",), type_="btrfs"),
    offer("/dev/sdf1", "dead", "映画\n/..", "/mnt/映画"),
    offer("/dev/sdg1", "feed", "locked", why="is locked"),
    offer("/dev/sdh1", "beef", "locked"),
    offer("/dev/sdi1", "/dev/nvme0n1p2", "/dev/sda1"),  # a label can be made to look like anything
)


@pytest.mark.parametrize(
    ("word", "device"),
    [
        ("/dev/sda1", "/dev/sda1"),
        ("sda1", "/dev/sda1"),
        ("9c1f-films", "/dev/sda1"),
        ("Meine Filme", "/dev/sda1"),
        ("/mnt/films", "/dev/sda1"),
        ("/mnt/films/", "/dev/sda1"),
        ("c0ffee", "/dev/sdc1"),
        ("/dev/sde", "/dev/sdd"),
        ("sde", "/dev/sdd"),
        ("映画\n/..", "/dev/sdf1"),
        ("/mnt/映画", "/dev/sdf1"),
        ("locked", "/dev/sdh1"),
    ],
)
def test_a_drive_is_found_by_any_of_its_names(word: str, device: str) -> None:
    found = adding.find(word, SHELF)
    assert found is not None
    assert found.device == device


@pytest.mark.parametrize(
    "word", ["/mnt/films/films", "/home/anna", "./films", "films/new", "..", ".", "//server/films"]
)
def test_another_path_is_no_drive(word: str) -> None:
    assert adding.find(word, SHELF) is None


@pytest.mark.parametrize(
    ("word", "told", "hint"),
    [
        ("twice", "'twice' can be /dev/sdb1 and /dev/sdc1", "by its device or its UUID"),
        ("/", "/dev/nvme0n1p2 can't be used: it holds / of this machine", "storage list --all"),
        ("/dev/nvme0n1p2", "/dev/nvme0n1p2 can't be used", "storage list"),
        ("feed", "/dev/sdg1 can't be used: it is locked", "storage list"),
        ("9c1e-films", "there is no drive '9c1e-films'", "did you mean 9c1f-films?"),
        ("7fe3-e9b5", "there is no drive", "did you mean 7FE3-E9B5?"),
        ("meine filme", "there is no drive", "did you mean Meine Filme?"),
        ("C0FFEE", "there is no drive", "did you mean c0ffee"),
        ("/dev/sdz1", "there is no drive", "did you mean /dev/sd"),
        ("", "there is no drive ''", "storage list --all"),
        ("nothing alike", "there is no drive", "see all with: usenet storage list --all"),
    ],
)
def test_what_names_no_drive_that_can_be_used_is_an_error_with_a_cure(word: str, told: str, hint: str) -> None:
    with pytest.raises(ValidationError, match=re.escape(told)) as raised:
        adding.find(word, SHELF)
    assert hint in str(raised.value.hint)


@given(st.text(max_size=12))
def test_no_word_breaks_the_finding(word: str) -> None:
    try:
        adding.find(word, SHELF)
    except ValidationError:
        return


def test_without_drives_there_is_none() -> None:
    with pytest.raises(ValidationError, match="there is no drive"):
        adding.find("films", ())
    assert adding.find("/srv/films", ()) is None


@pytest.mark.parametrize(
    ("proposals", "called"),
    [
        (["Meine Filme"], "meine-filme"),
        (["Zwölf Füße"], "zwolf-fusse"),
        (["映画", "WDC WD40EFRX-68N"], "wdc-wd40efrx-68n"),
        (["two\nlines/.."], "two-lines"),
        (["-rf"], "rf"),
        (["..", "/", ""], "drive"),
        (["taken"], "taken-2"),
        (["pool"], "pool-2"),
        (["x" * 50], "x" * 32),
        (["x" * 31 + " y"], "x" * 31),
        (["y" * 32], "y" * 28 + "-2"),
    ],
)
def test_a_name_is_made_of_what_the_drive_says(proposals: list[str], called: str) -> None:
    assert adding.name("", proposals, {"taken", "y" * 32}) == called


@given(st.lists(st.text(max_size=40), max_size=3), st.sets(st.sampled_from(["drive", "drive-2", "a", "a-2"])))
def test_every_name_is_one_word_and_free(proposals: list[str], taken: set[str]) -> None:
    called = adding.name("", proposals, taken)
    assert re.fullmatch(DRIVE_NAME, called)
    assert called not in taken


@pytest.mark.parametrize("wished", ["..", "a/b", "A", "films\n", "-a", "a-", " ", "x" * 33, "ü", "a b", "a.b", "pool"])
def test_a_name_that_could_be_a_path_or_an_option_is_refused(wished: str) -> None:
    with pytest.raises(ValidationError, match="be called"):
        adding.name(wished, (), ())


FILMS = DriveSettings(uuid="9c1f-films", serial="S-/dev/sda1", type="ext4")
NAS = DriveSettings(path="/mnt/nas/films")
DRIVES = {"films": FILMS, "nas": NAS}


def test_the_same_drive_joins_once() -> None:
    assert adding.joined(DRIVES, "films", FILMS)
    assert not adding.joined(DRIVES, "films", FILMS.model_copy(update={"role": "backup"}))
    assert not adding.joined(DRIVES, "shows", DriveSettings(uuid="c0ffee"))
    with pytest.raises(ValidationError, match="in the stack already, as films"):
        adding.joined(DRIVES, "other", FILMS)
    with pytest.raises(ValidationError, match="films is another drive"):
        adding.joined(DRIVES, "films", DriveSettings(uuid="c0ffee"))
    with pytest.raises(ValidationError, match="in the stack already, as nas"):
        adding.joined(DRIVES, "other", NAS)
    with pytest.raises(ValidationError, match="nas is another drive"):
        adding.joined(DRIVES, "nas", DriveSettings(path="/mnt/nas/shows"))


@pytest.mark.parametrize(
    ("wished", "drive_", "type_", "kept"),
    [
        (False, False, "ext4", False),
        (True, False, "ext4", True),
        (False, True, "ext4", True),
        (False, False, "hfsplus", True),
    ],
)
def test_what_cannot_be_written_is_kept_as_read_only(wished: bool, drive_: bool, type_: str, kept: bool) -> None:
    one = offer("/dev/sda1", "1", type_=type_)
    one = Offer(
        device=one.device,
        drive=Drive(name="sda", path="/dev/sda", size=1, serial="S", read_only=drive_),
        filesystem=one.filesystem,
        size=1,
    )
    made = adding.settings(one, "recordings", read_only=wished, needed=False)
    assert (made.uuid, made.serial, made.type, made.role, made.needed) == ("1", "S", type_, "recordings", False)
    assert made.read_only is kept


def test_what_a_person_did_not_say_is_as_it_was_and_else_the_usual() -> None:
    old = DriveSettings(uuid="1", role="backup", needed=False, read_only=True)
    assert adding.choices(None, None, None, None) == ("media", True, False)
    assert adding.choices(old, None, None, None) == ("backup", False, True)
    assert adding.choices(old, "downloads", True, False) == ("downloads", True, False)
    assert adding.choices(None, "backup", False, True) == ("backup", False, True)


SEEN = Seen(data="/srv/usenet", shared=True)
ROOT = Filesystem(source="/dev/sdz", type="ext4", uuid="root")


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/srv",
        "/srv/usenet",
        "/srv/usenet/drives/x",
        "/home/anna/stack",
        "/home/anna",
        "/mnt/nas",
        "/mnt/nas/films/x",
    ],
)
def test_a_directory_that_overlaps_is_refused(path: str) -> None:
    with pytest.raises(ValidationError):
        adding.check_directory(path, SEEN, "/home/anna/stack", DRIVES, ROOT)


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "//",
        "/etc",
        "/etc/ssh",
        "/proc/1",
        "/sys",
        "/dev/shm",
        "/usr/local",
        "/boot",
        "/root",
        "/run/x",
        "/tmp",
        "/var",
    ],
)
def test_what_the_machine_lives_in_is_refused(path: str) -> None:
    with pytest.raises(ValidationError, match="belongs to the machine itself"):
        adding.check_directory(path, SEEN, "/home/anna/stack", {}, ROOT)


@pytest.mark.parametrize(
    "path",
    [
        "/run/media/anna/DISK",
        "/mnt/films",
        "/media/usb",
        "/var/lib/films",
        "/opt/films",
        "/tmp/films",
        "/etcetera",
        "/run2",
    ],
)
def test_what_only_sounds_like_the_machine_is_taken(path: str) -> None:
    adding.check_directory(path, SEEN, "/home/anna/stack", {}, ROOT)


@pytest.mark.parametrize(
    "path", ["/srv/usenet2", "/srv/usen", "/srv/other", "/mnt/nas/shows", "/mnt/nas/films", "/mnt/Meine Filme"]
)
def test_a_directory_beside_is_taken(path: str) -> None:
    adding.check_directory(path, SEEN, "/home/anna/stack", DRIVES, ROOT)


@pytest.mark.parametrize("path", ["/mnt/a\nb", "/mnt/a\u2028b", "/mnt/a\x85b", "/mnt/\udcff"])
def test_a_path_that_a_table_of_lines_cannot_hold_is_refused(path: str) -> None:
    with pytest.raises(ValidationError, match="fstab"):
        adding.check_directory(path, SEEN, "/home/anna/stack", {}, ROOT)


def test_a_directory_on_a_drive_of_the_stack_is_refused() -> None:
    held = Filesystem(source="/dev/sda1", type="ext4", uuid="9c1f-films")
    with pytest.raises(ValidationError, match="lies on the drive films"):
        adding.check_directory("/mnt/films/new", SEEN, "/home/anna/stack", DRIVES, held)


def test_two_directories_of_one_server_are_two_drives() -> None:
    adding.check_directory(
        "/mnt/nas/shows", SEEN, "/home/anna/stack", DRIVES, Filesystem(source="nas:/shows", type="nfs4")
    )


def test_a_directory_of_which_nobody_knows_where_it_lies_is_refused() -> None:
    with pytest.raises(ValidationError, match="nobody could see"):
        adding.check_directory("/mnt/x", SEEN, "/home/anna/stack", DRIVES, None)


def test_a_drive_of_which_a_directory_is_in_the_stack_is_refused() -> None:
    held = Filesystem(source="/dev/sda1", type="ext4", uuid="1", mounts=(Mount(target="/mnt/nas"),))
    other = Filesystem(source="/dev/sdb1", type="ext4", uuid="2", mounts=(Mount(target="/mnt/b"),))
    host = Host(
        cpu=Cpu(model="", cores=1, threads=1, architecture=""),
        memory=Memory(total=1, available=1),
        system=System(kernel="", distribution=""),
        drives=tuple(
            Drive(
                name=one.source[5:8],
                path=one.source[:-1],
                size=1,
                partitions=(Partition(path=one.source, kind="part", size=1, filesystem=one),),
            )
            for one in (held, other)
        ),
        sources={},
    )
    with pytest.raises(ValidationError, match="/mnt/nas/films on this drive is in the stack already, as nas"):
        adding.check_drive(offer("/dev/sda1", "1"), host, DRIVES)
    adding.check_drive(offer("/dev/sdb1", "2"), host, DRIVES)


def test_a_drive_of_another_stack_joins_only_when_told() -> None:
    theirs = Marker(stack="theirs", name="movies", uuid="1")
    with pytest.raises(ValidationError, match="another stack, as movies"):
        adding.check_marker(theirs, "ours", "films", adopt=False)
    with pytest.raises(ValidationError, match="another stack"):
        adding.check_marker(theirs, "", "films", adopt=False)
    adding.check_marker(theirs, "ours", "films", adopt=True)
    adding.check_marker(Marker(stack="ours", name="old", uuid="1"), "ours", "films", adopt=False)
    adding.check_marker(None, "ours", "films", adopt=False)


def test_what_is_told_before() -> None:
    travel = DriveSettings(uuid="1", type="exfat")
    assert adding.notes(travel, SEEN, ["jellyfin", "sonarr"])[0] == "seen by: jellyfin, sonarr"
    assert any("no hardlinks" in note for note in adding.notes(travel, SEEN, []))
    assert adding.notes(FILMS, SEEN, []) == ("seen by: no service that is on",)
    private = Seen(data="/srv/usenet", shared=False)
    assert any("usenet services up" in note for note in adding.notes(FILMS, private, []))


def test_a_drive_without_a_label_has_a_short_name() -> None:
    assert adding.short("2c3ed24b-ad34-4531-8092-762dc8f2f7b1") == "2c3ed24b"
    assert adding.short("7FE3-E9B5") == "7FE3-E9B5"


def test_who_names_no_drive_is_told_which_there_are() -> None:
    assert adding.absent("x", ()).hint == "no drive is in the stack; see: usenet storage list"
    assert adding.absent("x", ("films", "nas")).hint == "there is: films, nas"
