"""Files are wholly old or wholly new, whatever happens on the way: kill -9, a full disk, no permission, two at once."""

import json
import os
import stat
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from usenet.adapters import files
from usenet.domain.errors import SystemFailure, UsenetError

root_only = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def alone(scenario: str, where: Path) -> None:
    """Run a scenario of alone.py to its end."""
    command = [sys.executable, str(Path(__file__).with_name("alone.py")), scenario, str(where)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("what", ["a file that is there", "a new file", "a set of files", "config set", "secrets"])
def test_a_kill_at_any_step_leaves_the_old_or_the_new_and_the_next_run_works(tmp_path, what):
    alone(what, tmp_path)


def test_a_kill_at_any_step_leaves_no_directory_with_the_wrong_rights(tmp_path):
    alone("a directory", tmp_path)


@root_only
def test_what_a_plain_user_may_not_do_comes_with_the_command_that_does_it(tmp_path):
    alone("no rights", tmp_path)


@root_only
def test_a_stack_directory_that_is_closed_is_no_bug(tmp_path):
    alone("a closed stack directory", tmp_path)


@root_only
def test_the_lock_of_a_directory_whose_group_is_not_ones_own(tmp_path):
    alone("a directory of another group", tmp_path)


def test_unchanged_content_is_not_written_again(tmp_path):
    path = tmp_path / "f"
    assert files.write(path, "x") is True
    before = path.stat()
    assert files.write(path, "x") is False
    now = path.stat()
    assert (now.st_ino, now.st_mtime_ns, now.st_ctime_ns) == (before.st_ino, before.st_mtime_ns, before.st_ctime_ns)
    assert files.write(path, "x", mode=0o600) is True
    assert mode(path) == 0o600
    assert files.write(path, b"y") is True
    assert mode(path) == 0o600


def test_a_link_is_followed_and_stays(tmp_path):
    (tmp_path / "dotfiles").mkdir()
    target, link = tmp_path / "dotfiles" / "u.yaml", tmp_path / "usenet.yaml"
    target.write_text("a")
    link.symlink_to("dotfiles/u.yaml")
    files.write(link, "b")
    assert link.is_symlink()
    assert target.read_text() == "b"


def test_leftovers_of_the_living_and_files_of_others_stay(tmp_path):
    dead = tmp_path / ".f.usenet-999999999~"
    other = tmp_path / ".f~"
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as somebody:
        living = tmp_path / f".f.usenet-{somebody.pid}~"
        for path in (dead, living, other):
            path.write_text("")
        files.write(tmp_path / "f", "x")
        somebody.communicate(b"\n")
    assert sorted(tmp_path.iterdir()) == sorted([living, other, tmp_path / "f"])


@root_only
def test_root_leaves_a_users_files_to_the_user(tmp_path):
    os.chown(tmp_path, 1234, 2345)
    path = tmp_path / "f"
    files.write(path, "x")
    assert (path.stat().st_uid, path.stat().st_gid) == (1234, 2345)
    os.chown(path, 7, 8)
    files.write(path, "y")
    assert (path.stat().st_uid, path.stat().st_gid) == (7, 8)
    files.write(path, "y", owner=(0, 0))
    assert path.stat().st_uid == 0


def ask_python(program: str, *before: str, **options) -> subprocess.CompletedProcess[str]:
    command = [*before, sys.executable, "-c", textwrap.dedent(program)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, **options)


@root_only
def test_a_full_disk_leaves_every_old_file_and_says_what_is_missing(tmp_path):
    program = f"""
        import subprocess
        from pathlib import Path
        from usenet.adapters import files
        from usenet.domain.errors import SystemFailure
        home = Path({str(tmp_path)!r})
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "none", home], check=True)
        files.write_all({{home / "a": "old", home / "b": "old"}})
        try:
            files.write_all({{home / "a": "new", home / "b": "x" * 100_000}})
        except SystemFailure as failure:
            print(failure, failure.hint, failure.code, sep="|")
        print(sorted(p.name + p.read_text() for p in home.iterdir()))
    """
    done = ask_python(program, "unshare", "-m")
    if "mount" in done.stderr or "unshare" in done.stderr:
        pytest.skip(f"no mounts here: {done.stderr}")
    said, held = done.stdout.splitlines()
    assert f"no space left to write {tmp_path}/b: 100000 bytes are needed, " in said
    assert said.endswith(f"make room, then run the same again: df -h {tmp_path}|5")
    assert held == "['aold', 'bold']"


def test_a_limit_on_file_size_is_a_sentence_too(tmp_path):
    program = f"""
        import resource
        from pathlib import Path
        from usenet.adapters import files
        path = Path({str(tmp_path)!r}, "f")
        files.write(path, "old")
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
        try:
            files.write(path, "x" * 5000)
        except files.SystemFailure as failure:
            print(failure)
        print(path.read_text(), len(list(path.parent.iterdir())))
    """
    assert ask_python(program).stdout == f"{tmp_path}/f can't be written: File too large\nold 1\n"


def test_a_directory_or_a_file_in_the_way_is_named(tmp_path):
    (tmp_path / "d").mkdir()
    (tmp_path / "f").write_text("")
    with pytest.raises(SystemFailure, match="d is not a file"):
        files.write(tmp_path / "d", "x")
    with pytest.raises(SystemFailure, match=r"can't be written: (Not a directory|File exists)"):
        files.write(tmp_path / "f" / "g", "x")
    with pytest.raises(SystemFailure, match="f is in the way"):
        files.make_directory(tmp_path / "f", 0, 0)


def test_directories_that_exist_are_left_alone(tmp_path):
    tmp_path.chmod(0o711)
    assert files.make_directory(tmp_path, 5, 5, 0o700) is False
    assert mode(tmp_path) == 0o711


HOLDER = """
    import sys, time
    from pathlib import Path
    from usenet.adapters import files
    with files.lock(Path({home!r}), "services up"):
        print("held", flush=True)
        sys.stdin.read()
"""


def test_a_held_lock_says_who_since_when_and_for_what_and_dies_with_its_holder(tmp_path):
    files.require_free(tmp_path)
    assert not list(tmp_path.iterdir())
    command = [sys.executable, "-c", textwrap.dedent(HOLDER.format(home=str(tmp_path)))]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(UsenetError) as failure, files.lock(tmp_path, "config set"):
            pytest.fail("two held one lock")
        with pytest.raises(UsenetError, match=f"process {holder.pid}"):
            files.require_free(tmp_path)
        holder.kill()
    signed = json.loads((tmp_path / ".usenet" / "lock").read_text())
    assert failure.value.code == 1
    assert str(failure.value).endswith(
        f"{signed['user']} (process {holder.pid}) has been changing this stack since {signed['since']}: services up"
    )
    files.require_free(tmp_path)
    with files.lock(tmp_path, "config set"):
        assert json.loads((tmp_path / ".usenet" / "lock").read_text())["verb"] == "config set"
    assert (tmp_path / ".usenet" / "lock").read_text() == ""


def test_a_link_put_in_the_place_of_a_new_directory_is_not_given_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    victim = tmp_path / "victim"
    victim.mkdir(mode=0o700)
    monkeypatch.setattr(Path, "mkdir", lambda self, **_: self.symlink_to(victim))
    with pytest.raises(SystemFailure):
        files.make_directory(tmp_path / "new", os.geteuid(), os.getegid(), 0o777)
    assert victim.stat().st_mode & 0o777 == 0o700
    assert not (tmp_path / "new").exists()
