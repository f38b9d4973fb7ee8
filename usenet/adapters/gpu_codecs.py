"""What each GPU decodes and encodes, as its driver says: every tool is asked once, all of them at the same time."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from usenet.adapters import nvidia, v4l2, vainfo
from usenet.domain.codecs import Probed
from usenet.domain.errors import SystemFailure
from usenet.domain.host import Gpu, Unseen

_INSTALL = "usenet hardware install-drivers"
_VAAPI = frozenset({"amd", "intel"})
_LENT = "vfio-pci"  # a card that a virtual machine has is none of this machine's business
_NOUVEAU = "nouveau"  # neither NVIDIA's library nor an encoder works with it


@dataclass(frozen=True, slots=True)
class _Answer:
    """What one question brought: codecs by PCI address, NVIDIA's cards, what could not be seen."""

    probed: dict[str, Probed] = field(default_factory=dict)
    cards: dict[str, nvidia.Card] = field(default_factory=dict)
    unseen: tuple[Unseen, ...] = ()


Question = Callable[[], _Answer]


def ask(found: list[Gpu], root: Path) -> tuple[tuple[Gpu, ...], tuple[Unseen, ...]]:
    """The same GPUs with their codecs, and what could not be learnt. A card that only its driver shows is added.

    Nothing is run where no card needs it.
    """
    unseen = list(_without_driver(found))
    questions = [*_of_nvidia(found, root), *_of_nodes(found, root, unseen), *_of_boards(found, root)]
    answers = [asking.answer() for asking in [_Asking(question) for question in questions]]
    probed = {pci: told for answer in answers for pci, told in answer.probed.items()}
    cards = {pci: card for answer in answers for pci, card in answer.cards.items()}
    unseen += [one for answer in answers for one in answer.unseen]
    gpus = [_told(gpu, probed.get(gpu.pci), cards.pop(gpu.pci, None)) for gpu in found]
    alone = (
        _told(Gpu(pci=pci, vendor="nvidia", id="10de:", driver="nvidia"), None, card) for pci, card in cards.items()
    )
    return (*gpus, *alone), tuple(unseen)


class _Asking(threading.Thread):
    """One question in a thread of its own, which the end of the program does not wait for."""

    def __init__(self, question: Question) -> None:
        super().__init__(daemon=True)
        self._question = question
        self._answer: _Answer | Exception = _Answer()
        self.start()

    def run(self) -> None:
        try:
            self._answer = self._question()
        except Exception as bug:
            self._answer = bug

    def answer(self) -> _Answer:
        self.join()
        if isinstance(self._answer, Exception):
            raise self._answer
        return self._answer


def _told(gpu: Gpu, probed: Probed | None, card: nvidia.Card | None) -> Gpu:
    if probed:
        gpu = replace(gpu, decode=probed.decode, encode=probed.encode, probed_by=probed.by)
    if card:
        gpu = replace(
            gpu,
            name=card.name or gpu.name,
            uuid=card.uuid,
            memory=card.memory,
            driver_version=card.version or gpu.driver_version,
            encode=card.encode,
            probed_by=card.by,
        )
    return gpu


def _without_driver(found: list[Gpu]) -> Iterator[Unseen]:
    for gpu in found:
        if gpu.vendor in _VAAPI | {"nvidia"} and not gpu.driver:
            yield Unseen(what=f"what {gpu.pci} can do", why="no driver has taken the card", cure=_INSTALL)
        elif gpu.vendor == "nvidia" and gpu.driver == _NOUVEAU:
            yield Unseen(what=f"what {gpu.pci} can do", why="nouveau has the card, not NVIDIA's driver", cure=_INSTALL)


def _of_nvidia(found: list[Gpu], root: Path) -> Iterator[Question]:
    held = [one.pci for one in found if one.vendor == "nvidia" and one.driver not in ("", _LENT, _NOUVEAU)]
    # nvidia-smi without a card: the driver may show what PCI does not (WSL, some containers).
    if held or nvidia.is_installed():
        yield partial(_nvidia, held, root)


def _nvidia(held: list[str], root: Path) -> _Answer:
    try:
        told = nvidia.ask()
    except SystemFailure as failure:
        cure = failure.hint or "restart if the driver was updated; else see: dmesg | grep -i nvrm"
        silent = Unseen(what="what NVIDIA's driver knows", why=failure.message, cure=cure)
        return _Answer(cards=nvidia.read(root / "proc/driver/nvidia"), unseen=(silent,))
    lost = [Unseen(what="an NVIDIA card", why=one, cure="see: dmesg | grep -i nvrm") for one in told.failures]
    left_out = [pci for pci in held if pci not in told.cards]
    if len(left_out) > len(told.failures):  # one that could not be started is not even counted
        why = "NVIDIA's driver does not list it"
        lost.append(Unseen(what=f"what {', '.join(left_out)} can do", why=why, cure="see: dmesg | grep -i nvrm"))
    mute = [pci for pci, card in told.cards.items() if card.encode is None]
    if mute:
        why = "the driver does not tell, or its library can't be loaded"
        lost.append(Unseen(what=f"what {', '.join(mute)} can encode", why=why, cure="usenet hardware verify"))
    return _Answer(cards=told.cards, unseen=tuple(lost))


def _of_nodes(found: list[Gpu], root: Path, unseen: list[Unseen]) -> Iterator[Question]:
    nodes = [(gpu, gpu.render) for gpu in found if gpu.vendor in _VAAPI and gpu.render]
    if nodes and not vainfo.is_installed():
        what = f"what {', '.join(node.path for _, node in nodes)} can do"
        unseen.append(Unseen(what=what, why="vainfo is not installed", cure=_INSTALL))
        return
    for gpu, node in nodes:
        if os.access(root / node.path.lstrip("/"), os.R_OK | os.W_OK):
            yield partial(_node, gpu.pci, node.path)
        else:
            cure = f"run as root, or join the group with the number {node.gid}"
            unseen.append(Unseen(what=f"what {node.path} can do", why="this user may not open it", cure=cure))


def _node(pci: str, path: str) -> _Answer:
    try:
        return _Answer({pci: vainfo.ask(path)})
    except SystemFailure as failure:
        cure = failure.hint or _INSTALL
        return _Answer(unseen=(Unseen(what=f"what {path} can do", why=failure.message, cure=cure),))


def _of_boards(found: list[Gpu], root: Path) -> Iterator[Question]:
    for gpu in found:
        if gpu.codecs:
            yield partial(_board, gpu, root)


def _board(gpu: Gpu, root: Path) -> _Answer:
    try:
        return _Answer({gpu.pci: v4l2.ask(root / node.path.lstrip("/") for node in gpu.codecs)})
    except OSError as failure:
        group = ", ".join(sorted({str(node.gid) for node in gpu.codecs}))
        cure = f"run as root, or join the group with the number {group}"
        paths = ", ".join(node.path for node in gpu.codecs)
        why = failure.strerror or str(failure)
        return _Answer(unseen=(Unseen(what=f"what {paths} can do", why=why, cure=cure),))
