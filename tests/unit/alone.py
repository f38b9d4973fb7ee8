"""What must be asked of a process of its own: each scenario kills itself at every step, or gives up its rights.

Run by tests as a program: a fork of pytest's threads could wait for a lock that nobody holds any more.
"""

import os
import signal
import stat
import sys
import traceback
from pathlib import Path

from usenet.adapters import engine, files, home, secrets, settings
from usenet.adapters.home import Home
from usenet.adapters.leftovers import remove as remove_leftovers
from usenet.domain.errors import UsenetError

OLD, NEW = "old\n" * 2000, "new text\n" * 3000
CALLS = "open write fsync close fchown fchmod rename replace unlink mkdir rmdir chmod chown scandir ftruncate pwrite"


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def leftovers(directory: Path) -> list[str]:
    return [p.name for p in directory.rglob("*~")]


def killed_at(step: int, when: str, action) -> bool:
    """Run `action` in a child that kills itself at its step-th call to the system; False if it ended before that."""
    child = os.fork()
    if child == 0:
        try:
            _arm(step, when)
            action()
            os._exit(0)
        except BaseException:
            traceback.print_exc()
            os._exit(1)
    status = os.waitpid(child, 0)[1]
    assert status in (0, signal.SIGKILL)
    return status == signal.SIGKILL


def _arm(step: int, when: str) -> None:
    count = 0

    def armed(name, real):
        def call(*arguments, **named):
            nonlocal count
            count += 1
            if count == step and when == "half" and name in ("write", "pwrite"):
                real(arguments[0], arguments[1][: len(arguments[1]) // 2], *arguments[2:])
            if count == step and when != "after":
                os.kill(os.getpid(), signal.SIGKILL)
            last = count == step
            try:
                return real(*arguments, **named)
            finally:
                if last:
                    os.kill(os.getpid(), signal.SIGKILL)

        return call

    for name in CALLS.split():
        setattr(os, name, armed(name, getattr(os, name)))


def every_kill(action, prepare, check, least):
    """Kill `action` at every step before, after and halfway; `check` after each, on a state made by `prepare`."""
    for when in ("before", "after", "half"):
        step = 1
        prepare()
        while killed_at(step, when, action):
            check()
            action()
            check(done=True)
            prepare()
            step += 1
        assert step > least


def write(tmp_path, there):
    path = tmp_path / "some" / "file"

    def prepare():
        path.unlink(missing_ok=True)
        if there:
            files.write(path, OLD, mode=0o640)

    def check(done=False):
        if there or done or path.exists():
            assert path.read_text() == NEW or (there and not done and path.read_text() == OLD)
            assert mode(path) == (0o640 if there else 0o644)
        if done:
            assert leftovers(tmp_path) == []

    every_kill(lambda: files.write(path, NEW), prepare, check, least=6)


def write_all(tmp_path):
    paths = [tmp_path / name for name in "abc"]

    def prepare():
        for path in paths:
            path.write_text(OLD)

    def check(done=False):
        assert {path.read_text() for path in paths} <= ({NEW} if done else {OLD, NEW})
        assert not done or leftovers(tmp_path) == []

    every_kill(lambda: files.write_all(dict.fromkeys(paths, NEW)), prepare, check, least=15)


def config_set(tmp_path):
    home = Home(tmp_path)
    old, new = "# c\nservices:\n  sonarr: {port: 1}\n", "# c\nservices:\n  sonarr: {port: 2}\n"

    def prepare():
        home.settings.write_text(old)
        home.settings.chmod(0o600)

    def check(done=False):
        assert home.settings.read_text() in ([new] if done else [old, new])
        assert mode(home.settings) == 0o600
        assert not done or leftovers(tmp_path) == []

    every_kill(lambda: settings.set(home, "services.sonarr.port", 2), prepare, check, least=6)


def ensure_secrets(tmp_path):
    home = Home(tmp_path)

    def prepare():
        home.env.write_text("A=1\n")
        home.env.chmod(0o644)

    def check(done=False):
        assert home.env.read_text().startswith("A=1\n")
        assert all(mode(p) == 0o600 for p in tmp_path.iterdir() if p != home.env or done)
        assert len(secrets.read(home)["B"].reveal()) == 32 if done else True
        assert not done or leftovers(tmp_path) == []

    every_kill(lambda: secrets.ensure(home, {"B": "hex32"}), prepare, check, least=6)


def make_directory(tmp_path):
    path = tmp_path / "a" / "b"

    def prepare():
        for made in (path, path.parent):
            if made.exists():
                made.rmdir()

    def check(done=False):
        assert all(mode(p) == 0o750 for p in (path, path.parent) if p.exists())
        assert path.is_dir() or not done
        remove_leftovers(tmp_path)
        remove_leftovers(path.parent)
        assert leftovers(tmp_path) == []

    every_kill(lambda: files.make_directory(path, os.getuid(), os.getgid(), 0o750), prepare, check, least=4)


def as_nobody(action) -> str:
    """What `action` returned, or the error it raised, in a child without rights."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        # Whatever happens, the child ends here: else it would go on as a second test run.
        try:
            os.setgroups([])
            os.setgid(65534)
            os.setuid(65534)
            said = str(action())
        except UsenetError as failure:
            said = f"{failure.code}: {failure} | {failure.hint}"
        except BaseException:
            said = traceback.format_exc()
        finally:
            os.write(writing, said.encode())
            os._exit(0)
    os.close(writing)
    os.waitpid(child, 0)
    return os.read(reading, 65536).decode()


def without_rights(tmp_path):
    for parent in (tmp_path, *tmp_path.parents[:3]):  # one more with pytest-xdist than without
        parent.chmod(mode(parent) | 0o011)
    mine = tmp_path / "mine"
    mine.mkdir()
    os.chown(mine, 65534, 65534)
    assert as_nobody(lambda: files.write(tmp_path / "f", "x")).startswith(
        f"5: user nobody may not write {tmp_path}/f | run it with sudo"
    )
    assert as_nobody(lambda: files.make_directory(mine / "d", 1000, 1000, 0o750)).endswith(
        f" | run: sudo install -d -o 1000 -g 1000 -m 0750 {mine}/d"
    )
    assert as_nobody(lambda: files.make_directory(tmp_path / "e", 65534, 65534)).startswith("5: user nobody may not")
    assert as_nobody(lambda: files.make_directory(mine / "ok", 65534, 65534)) == "True"
    assert sorted(p.name for p in tmp_path.rglob("*")) == ["mine", "ok"]


def foreign_group(tmp_path):
    def locked():
        with files.lock(tmp_path, "init"):
            return (tmp_path / ".usenet" / "lock").exists()

    for parent in tmp_path.parents[:3]:
        parent.chmod(mode(parent) | 0o011)
    os.chown(tmp_path, 65534, 0)  # as after: sudo mkdir, sudo chown nobody
    assert as_nobody(locked) == "True"


def closed_home(tmp_path):
    for parent in (tmp_path, *tmp_path.parents[:3]):
        parent.chmod(mode(parent) | 0o011)
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    told = f"5: {closed}/usenet.yaml can't be looked at: Permission denied | run it with sudo, or look at: ls -ld "
    assert as_nobody(lambda: Home(closed).exists) == f"{told}{closed}"
    assert as_nobody(lambda: home.find(str(closed / "in"))).startswith(f"5: {closed}/in can't be looked at: ")
    assert as_nobody(lambda: Home(tmp_path).exists) == "False"


def closed_engine(directory):
    os.chdir(directory)  # which nobody else may enter
    os.environ["DOCKER_HOST"] = "unix://s"
    said = as_nobody(engine.ping)
    assert said.startswith("5: this user may not talk to the container engine"), said
    assert "usermod" in said


SCENARIOS = {
    "a file that is there": lambda where: write(where, True),
    "a new file": lambda where: write(where, False),
    "a set of files": write_all,
    "config set": config_set,
    "secrets": ensure_secrets,
    "a directory": make_directory,
    "no rights": without_rights,
    "a closed stack directory": closed_home,
    "a directory of another group": foreign_group,
    "a closed engine": closed_engine,
}

if __name__ == "__main__":
    SCENARIOS[sys.argv[1]](Path(sys.argv[2]))
