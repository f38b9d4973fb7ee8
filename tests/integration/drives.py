"""Real drives of a test: loop devices that can be pulled, and stacks whose mounts all go at the end."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Callable, Collection, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import uuid4

import pytest

from tests.integration.conftest import Stack, docker, free_port
from tests.waiting import wait
from usenet.adapters.home import Home
from usenet.adapters.storage import fstab, guards, look

HIDDEN = Path("/run/usenet/mounts")
# Type → how it is made: the program, how it is told the label, and the least that it can be made on.
MAKERS = {
    "ext4": ("mkfs.ext4 -q -L", 64),
    "xfs": ("mkfs.xfs -q -L", 320),
    "btrfs": ("mkfs.btrfs -q -L", 128),
    "exfat": ("mkfs.exfat -L", 64),
    "ntfs": ("mkfs.ntfs -q -F -L", 64),
}


def call(*words: str, check: bool = True) -> str:
    done = subprocess.run(words, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0 or not check, f"{' '.join(words)}: {done.stdout}{done.stderr}"
    return done.stdout.strip()


def unmount(target: Path) -> None:
    """Unmount as a person does, who tries again while somebody looks into it."""

    def gone() -> bool:
        done = subprocess.run(["umount", str(target)], capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == 0 or "busy" in done.stderr, done.stderr
        return done.returncode == 0

    wait(gone, lambda: f"{target} stays busy")


def mounted() -> dict[str, str]:
    """Mountpoint → source, the uppermost of each."""
    rows = (line.split(" ")[:2] for line in Path("/proc/self/mounts").read_text().splitlines())
    return {target.replace("\\040", " "): source for source, target in rows}


@dataclass
class Loop:
    """One drive: an image, and the loop device it is plugged into."""

    image: Path
    device: str = ""

    def plug(self, *how: str) -> str:
        self.device = call("losetup", *how, "--find", "--show", str(self.image))
        return self.device

    def unplug(self) -> None:
        """What is mounted of it, and who looks at it just now, keep the device until they let go of it."""
        if self.device:
            call("losetup", "--detach", self.device, check=False)
            self.device = ""

    def take_away(self) -> None:
        """Unplug it, and wait until it is gone; its name may be another drive's at once."""
        self.unplug()
        wait(lambda: self.image.name not in call("losetup", "--list", "--noheadings", "--output", "BACK-FILE"))

    @property
    def uuid(self) -> str:
        return call("blkid", "-p", "-s", "UUID", "-o", "value", self.device)


def serving(real: Path, place: Path) -> subprocess.Popen[bytes]:
    """A process that shows what is in `real` at `place` too, once it does."""
    process = subprocess.Popen(["mergerfs", "-f", "-o", "allow_other,cache.files=off", str(real), str(place)])
    wait(lambda: os.path.ismount(place) or process.poll() is not None)
    assert process.poll() is None
    return process


@dataclass
class Cable:
    """A directory whose files die all at once: images on it are drives that can be pulled."""

    root: Path
    process: subprocess.Popen[bytes] | None = None

    @property
    def end(self) -> Path:
        return self.root / "end"

    def connect(self) -> None:
        (self.root / "real").mkdir(parents=True, exist_ok=True)
        self.end.mkdir(exist_ok=True)
        self.process = serving(self.root / "real", self.end)

    @contextmanager
    def silent(self) -> Iterator[None]:
        """Nothing at its end answers meanwhile."""
        assert self.process
        self.process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self.process.send_signal(signal.SIGCONT)

    def pull(self) -> None:
        """Kill the process that serves the images, as if all at its end had been pulled."""
        if self.process:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()
            self.process = None
            call("umount", "--lazy", str(self.end), check=False)


@dataclass
class Bench:
    """Where a test plugs drives in. Everything is taken away at its end."""

    folder: Path
    loops: list[Loop] = field(default_factory=list)
    stacks: list[Stack] = field(default_factory=list)
    cables: list[Cable] = field(default_factory=list)

    def drive(
        self, kind: str = "ext4", label: str = "", *, cable: Cable | None = None, read_only: bool = False
    ) -> Loop:
        """A new drive of this type, plugged in; its label is one that no other test has, unless given."""
        command, size = MAKERS[kind]
        image = self.folder / f"{uuid4().hex[:8]}.img"
        with image.open("wb") as made:
            made.truncate(size * 2**20)
        call(*command.split(), label or f"ut{uuid4().hex[:6]}", str(image))
        if cable:
            shutil.move(image, cable.root / "real" / image.name)
            image = cable.end / image.name
        loop = Loop(image)
        self.loops.append(loop)
        loop.plug(*(["--read-only"] if read_only else []))
        return loop

    def twin(self, other: Loop) -> Loop:
        """A copy of a drive, plugged in beside it."""
        image = self.folder / f"{uuid4().hex[:8]}.img"
        call("cp", "--sparse=always", str(other.image), str(image))
        loop = Loop(image)
        self.loops.append(loop)
        loop.plug()
        return loop

    def cable(self) -> Cable:
        made = Cable(self.folder / f"cable{len(self.cables)}")
        self.cables.append(made)
        made.connect()
        return made

    def keep(self, stack: Stack) -> Stack:
        """A stack whose mounts go at the end too."""
        self.stacks.append(stack)
        return stack

    def clear(self) -> None:
        """Take away stacks, then cables, then drives: each, whatever fails before it."""
        with ExitStack() as last:
            for loop in self.loops:
                last.callback(_take, loop)
            for cable in self.cables:
                last.callback(cable.pull)
            for stack in self.stacks:
                last.callback(clear, stack)


def _take(loop: Loop) -> None:
    for target in [t for t, source in mounted().items() if loop.device and source == loop.device]:
        call("umount", "--lazy", target, check=False)
    loop.unplug()


def clear(stack: Stack) -> None:
    """Take away the containers, mounts, guards and lines of fstab of a stack: each, whatever fails before it."""
    with ExitStack() as last:
        last.callback(_forget, stack)
        last.callback(_release, stack)
        last.callback(_unmount_below, stack.home)
        if shutil.which("docker") and (ids := [one for one, _ in stack.containers().values()]):
            docker("rm", "-f", *ids)


def _unmount_below(home: Path) -> None:
    for _ in range(20):  # the data root may be bound to itself, more than once
        below = sorted((target for target in mounted() if target.startswith(f"{home}/")), reverse=True)
        for target in below:
            call("umount", "--lazy", target, check=False)
        if not below:
            return
    raise AssertionError(f"still mounted: {below}")


def _release(stack: Stack) -> None:
    for place in (stack.home / "data" / "drives").glob("*"):
        guards.release(place)


def _forget(stack: Stack) -> None:
    if known := look.stack_id(Home(stack.home)):
        fstab.write(known, ())


@contextmanager
def bench(folder: Path) -> Iterator[Bench]:
    if os.geteuid() != 0:
        pytest.skip("only root may mount")
    if not Path("/dev/loop-control").exists() or not Path("/dev/fuse").exists():
        pytest.skip("this machine has no loop devices or no FUSE")
    folder.mkdir()
    made = Bench(folder)
    try:
        yield made
    finally:
        made.clear()


def share(stack: Stack) -> Path:
    """Make the data root of a stack shared, as `storage add` does the first time."""
    data = stack.home / "data"
    data.mkdir(exist_ok=True)
    call("mount", "--bind", str(data), str(data))
    call("mount", "--make-rshared", str(data))
    return data


def shared_stack(bench: Bench, make_stack: Callable[..., Stack]) -> Stack:
    """A stack whose data root is shared, without services."""
    stack = bench.keep(make_stack())
    share(stack)
    stack.settings({})
    return stack


def running(stack: Stack, name: str = "player", **wants: str) -> str:
    """A running service that wants media and downloads; its container."""
    stack.service(name, wants={"memory": "16M", **(wants or {"data": "write"})})
    stack.settings({name: {"port": free_port()}})
    stack.run("services", "up")
    return stack.containers()[name][0]


def until_ended(container: str, program: str) -> None:
    """End a program inside the container; when this returns, it has no file open any more."""
    assert inside(container, f"kill $(pidof {program})")[0] == 0
    wait(lambda: inside(container, f"pidof {program}")[0] != 0, lambda: f"{program} goes on")


def inside(container: str, script: str) -> tuple[int, str]:
    """What a shell inside the container does."""
    done = subprocess.run(
        ["docker", "exec", container, "sh", "-c", script], capture_output=True, text=True, timeout=60, check=False
    )
    return done.returncode, (done.stdout + done.stderr).strip()


@contextmanager
def by_hand(drive: Loop, kind: str = "ext4") -> Iterator[Path]:
    """A drive mounted somewhere else for a while."""
    with TemporaryDirectory() as place:
        call("mount", "-t", {"exfat": "exfat-fuse", "ntfs": "ntfs-3g"}.get(kind, kind), drive.device, place)
        try:
            yield Path(place)
        finally:
            call("umount", place)


def put(drive: Loop, name: str, text: str, kind: str = "ext4") -> None:
    """Write a file onto a drive that is not mounted, and give the drive to user 1000."""
    with by_hand(drive, kind) as place:
        (place / name).write_text(text)
        if kind not in ("exfat", "ntfs"):
            os.chown(place, 1000, 1000)


def holding(path: Path) -> subprocess.Popen[bytes]:
    """A process that has a file open."""
    with path.open() as file:
        return subprocess.Popen(["sleep", "300"], stdin=file)


def back(drive: Loop, cable: Cable) -> None:
    """The same drive, as another device: the old one is busy until the kernel has let go of the dead filesystem."""
    drive.take_away()
    cable.connect()
    drive.plug()


def hidden(devices: Collection[str]) -> list[str]:
    """Where these are mounted out of sight."""
    return [target for target, source in mounted().items() if target.startswith(f"{HIDDEN}/") and source in devices]


def belongings(stack: Stack, drive: Loop) -> tuple[dict[str, str], str, list[str]]:
    """What the machine holds of a stack and a drive, whatever other tests do: mounts, usenet.yaml, lines of fstab."""
    home = str(stack.home)
    own = {target: source for target, source in mounted().items() if home in target or source == drive.device}
    lines = [line for line in fstab.PATH.read_text().splitlines() if home in line]
    return own, (stack.home / "usenet.yaml").read_text(), lines
