"""What a new stack proposes comes from the machine and from who asks."""

import pytest

from usenet.adapters import identity


@pytest.mark.parametrize(
    ("link", "text", "zone"),
    [
        ("/usr/share/zoneinfo/Europe/Berlin", None, "Europe/Berlin"),
        ("../usr/share/zoneinfo/America/Argentina/Buenos_Aires", "Etc/UTC\n", "America/Argentina/Buenos_Aires"),
        (None, "Asia/Tokyo\n", "Asia/Tokyo"),
        ("/etc/my zone", "Asia/Tokyo\n", "Asia/Tokyo"),
        (None, "", "Etc/UTC"),
        (None, "22:22\n", "Etc/UTC"),
        (None, None, "Etc/UTC"),
    ],
)
def test_the_zone_is_the_machines(tmp_path, link, text, zone):
    (tmp_path / "etc").mkdir()
    if link:
        (tmp_path / "etc" / "localtime").symlink_to(link)
    if text is not None:
        (tmp_path / "etc" / "timezone").write_text(text)
    assert identity.timezone(tmp_path) == zone


@pytest.mark.parametrize(
    ("euid", "env", "user"),
    [
        (1001, {}, (1001, 1002)),
        (0, {}, (1000, 1000)),
        (0, {"SUDO_UID": "1500", "SUDO_GID": "1600"}, (1500, 1600)),
        (0, {"SUDO_UID": "0", "SUDO_GID": "0"}, (1000, 1000)),
        (0, {"SUDO_UID": "x"}, (1000, 1000)),
        (1001, {"SUDO_UID": "1500", "SUDO_GID": "1600"}, (1001, 1002)),
    ],
)
def test_the_owner_is_who_asked(monkeypatch, euid, env, user):
    monkeypatch.setattr("os.geteuid", lambda: euid)
    monkeypatch.setattr("os.getegid", lambda: 1002 if euid else 0)
    assert identity.user(env) == user


def test_a_zone_is_known_from_the_database_of_the_machine(tmp_path):
    zones = tmp_path / "usr" / "share" / "zoneinfo"
    (zones / "Europe").mkdir(parents=True)
    assert identity.knows_zone("Mars/X", tmp_path), "nothing to ask"
    (zones / "UTC").write_bytes(b"TZif2")
    (zones / "Europe" / "Rome").write_bytes(b"TZif2")
    (zones / "leapseconds").write_text("# no zone")
    assert identity.knows_zone("Europe/Rome", tmp_path)
    assert [z for z in ("Mars/X", "Europe", "leapseconds", "UTC/X") if identity.knows_zone(z, tmp_path)] == []
