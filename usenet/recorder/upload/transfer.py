"""One segment to one storage, a step at a time. A step sends one thing at most, and can be the last at any point.

While a segment is recorded, its whole parts from the second on are sent. When it is finished its bytes are read, and
what differs from what was sent is sent again, the first part last; the storage makes the object, and its own size and
checksum, asked anew, are compared with those of the local bytes. Then, and only then, `verified`. A name that anything
else has over there is never overwritten.
"""

from __future__ import annotations

import logging
from enum import Enum
from pathlib import Path

from ..io import IO
from .journal import Journal, Stamp, State
from .layout import LIVE, head_of, journal_of
from .reading import Parts, bytes_at
from .storage import Found, Gone, Part, Storage, Sums, Taken, Wrong, sums

log = logging.getLogger("usenet.recorder.upload")


class Outcome(Enum):
    """What a step came to."""

    MORE = "there is more to do at once"
    WAIT = "nothing can be sent before more is recorded"
    DONE = "the storage has it, checked"
    CLEARED = "the segment is gone, and so is what was begun of its upload"


class Transfer:
    """`path` is X.mp4, there or still X.mp4.part. What it remembers between steps can all be had again."""

    def __init__(self, io: IO, storage: Storage, path: Path, key: str, part_size: int) -> None:
        self.sent_bytes = self.sent_parts = 0
        self._io, self._storage, self._path, self._key = io, storage, path, key
        self._part_size = max(part_size, storage.smallest)
        self._parts = Parts(io, path, crc=storage.crc)
        self._there: tuple[str, set[tuple[int, int, str]]] | None = None  # an upload, and what the storage lists of it
        self._next = 0  # a live segment of fewer bytes than this has nothing to send

    def step(self) -> Outcome:
        """One step further. What it raises leaves everything as it was: the same step can be tried again."""
        finished = self._path.exists()
        live = self._path.with_name(self._path.name + LIVE)
        if not finished and live.stat().st_size < self._next:
            return Outcome.WAIT
        with Journal(journal_of(self._path, self._storage.name), self._io) as journal:
            return self._finish(journal) if finished else self._follow(journal, live)

    # While it is recorded.

    def _follow(self, journal: Journal, live: Path) -> Outcome:
        head = head_of(self._io, str(live))
        if head is None:
            return Outcome.WAIT
        state = journal.state
        size = state.part_size if state.upload else self._fitting(head, parts=1)
        number = next(n for n in range(2, self._storage.most + 2) if n not in state.sent)
        self._next = number * size
        if live.stat().st_size < self._next or number > self._storage.most:
            return Outcome.WAIT
        if not state.upload:
            if self._storage.stat(self._key):
                raise self._taken(self._key)
            return self._begin(journal, size)
        data = bytes_at(self._io, str(live), (number - 1) * size, size)
        if len(data) == size:
            self._send(journal, number, data, sums(data, crc=self._storage.crc))
        return Outcome.MORE

    # When it is finished.

    def _finish(self, journal: Journal) -> Outcome:
        state = journal.state
        if state.verified:
            return self._still(state.verified)
        length = self._path.stat().st_size
        if not length:
            return Outcome.WAIT
        size = state.part_size if state.upload else self._fitting(length, parts=self._storage.most)
        count = self._parts.open(size)
        if count > self._storage.most:
            return self._drop(journal, "it grew beyond what parts of this size can hold")
        return self._upload(journal, size, count)

    def _upload(self, journal: Journal, size: int, count: int) -> Outcome:
        state = journal.state
        if state.asked or not state.upload:
            if found := self._storage.stat(self._key_of(state)):
                return self._compare(journal, found, count)
            if not state.upload:
                return self._begin(journal, size)
        try:
            return self._send_missing(journal, count) or self._complete(journal, count)
        except Gone as gone:
            return self._drop(journal, gone.message, abort=False)

    def _send_missing(self, journal: Journal, count: int) -> Outcome | None:
        """Send the next part that is not there as the local bytes are now; None if all are."""
        for number in [*range(2, count + 1), 1]:
            data = b"" if number in self._parts.told else self._parts.read(number)
            if self._part(journal.state, number) is None:
                self._send(journal, number, data or self._parts.read(number), self._parts.told[number])
                return Outcome.MORE
        return None

    def _part(self, state: State, number: int) -> Part | None:
        """The part if it was sent, was what the local bytes are, and the storage still lists it as that."""
        told, sent = self._parts.told[number], state.sent.get(number)
        if sent is None or sent.sha256 != told.sha256.hex():
            return None
        if (number, sent.size, sent.token) not in self._listed(state):
            return None
        return Part(number, told, sent.token)

    def _listed(self, state: State) -> set[tuple[int, int, str]]:
        if self._there is None or self._there[0] != state.upload:
            self._there = (state.upload, self._storage.parts(self._key_of(state), state.upload))
        return self._there[1]

    def _complete(self, journal: Journal, count: int) -> Outcome:
        state = journal.state
        key = self._key_of(state)
        parts = [part for n in range(1, count + 1) if (part := self._part(state, n))]
        if not state.asked:
            if found := self._storage.stat(key):
                return self._compare(journal, found, count)
            self._parts.unchanged()
            journal.append({"do": "complete"})
        self._there = None  # whatever comes of it, ask again what is there
        self._storage.complete(key, state.upload, parts)
        return Outcome.MORE

    def _compare(self, journal: Journal, found: Found, count: int) -> Outcome:
        """Verified, if what the storage has now under this name is what lies here now."""
        if not self._parts.read_on(count):
            return Outcome.MORE
        key = self._key_of(journal.state)
        if not self._storage.agrees(found, [self._parts.told[n] for n in range(1, count + 1)]):
            raise self._other(key) if journal.state.asked else self._taken(key)
        if journal.state.upload and not journal.state.asked:  # it was there already: nobody will complete this one
            self._storage.abort(key, journal.state.upload)
        journal.append({"do": "verified", **self._parts.unchanged()._asdict()})
        log.info("%s: uploaded to %s and checked there", self._path.name, self._storage.name)
        return Outcome.DONE

    def _still(self, verified: Stamp) -> Outcome:
        if verified == Stamp.of(self._path):
            return Outcome.DONE
        what = "changed after it was uploaded; the copy there is left as it is"
        raise Taken(f"{self._path}: {what}", hint="see which of the two is whole: usenet recorder verify")

    # Both.

    def _key_of(self, state: State) -> str:
        return state.key or self._key

    def _fitting(self, length: int, parts: int) -> int:
        """The size of parts for which `length` bytes lie in so many parts: as wanted, or a multiple of it."""
        return self._part_size * max(1, -(-length // (parts * self._part_size)))

    def _begin(self, journal: Journal, size: int) -> Outcome:
        upload = self._storage.begin(self._key)
        journal.append({"do": "begin", "key": self._key, "upload": upload, "part_size": size})
        self._there = (upload, set())
        return Outcome.MORE

    def _send(self, journal: Journal, number: int, data: bytes, told: Sums) -> None:
        state = journal.state
        token = self._storage.part(self._key_of(state), state.upload, number, data, told)
        sha256 = told.sha256.hex()
        journal.append({"do": "part", "number": number, "size": told.size, "sha256": sha256, "token": token})
        if self._there is not None:
            self._there[1].add((number, told.size, token))
        self.sent_bytes += told.size
        self.sent_parts += 1

    def _drop(self, journal: Journal, why: str, *, abort: bool = True) -> Outcome:
        log.warning("%s: the upload to %s begins again: %s", self._path.name, self._storage.name, why)
        if abort:
            self._storage.abort(self._key_of(journal.state), journal.state.upload)
        journal.append({"do": "drop"})
        return Outcome.MORE

    def _taken(self, key: str) -> Taken:
        hint = "give each recorder a prefix of its own, or move the other object away"
        return Taken(f"{self._storage.name}: {key}: something else has this name there", hint=hint)

    def _other(self, key: str) -> Wrong:
        return Wrong(f"{self._storage.name}: {key}: size or checksum there are not those of {self._path}")


class Clearing:
    """A segment is gone: what was begun of its upload, known by its journal alone, is given up, then the journal."""

    sent_bytes = sent_parts = 0

    def __init__(self, io: IO, storage: Storage, path: Path) -> None:
        self._io, self._storage, self._path = io, storage, path

    def step(self) -> Outcome:
        """All of it at once; nothing if the segment is there after all."""
        written = journal_of(self._path, self._storage.name)
        # In this order: a segment that is just being finished is always seen under one of its names.
        there = self._io.exists(f"{self._path}{LIVE}") or self._io.exists(str(self._path))
        if there or not self._io.exists(str(written)):
            return Outcome.CLEARED
        with Journal(written, self._io) as journal:
            state = journal.state
            if state.upload and not state.verified:
                self._storage.abort(state.key, state.upload)
            self._io.unlink(str(written))
        return Outcome.CLEARED
