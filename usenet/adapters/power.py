"""Watts: from the processor's own counter and from a card's sensor, where this user may read them."""

from __future__ import annotations

import threading
import time
from contextlib import suppress
from pathlib import Path

from usenet.adapters import reading, shell
from usenet.domain.errors import SystemFailure

_SMI = ("nvidia-smi", "--query-gpu=power.draw", "--format=csv,noheader,nounits")
_PATIENCE = 5.0  # seconds in which NVIDIA's tool answers


class Meter:
    """What is drawn from its making on, until `watts` is asked.

    A card's sensor is read with every `tick`; NVIDIA's cards have none, so their tool is asked, once a second and
    beside the rest. `root` holds sys.
    """

    def __init__(self, pci: str = "", root: Path = Path("/")) -> None:
        counters = sorted((root / "sys/class/powercap").glob("intel-rapl:?"))  # also AMD's
        packages = [one for one in counters if reading.text(one / "name") != "psys"]  # that has the packages in it
        sensors = sorted((root / "sys/bus/pci/devices" / pci / "hwmon").glob("*/power1_*")) if pci else []
        self._sensor = next((one for one in sensors if one.name in ("power1_average", "power1_input")), None)
        self._packages = {} if pci else {one: reading.number(one / "energy_uj") for one in packages}
        self._since = time.monotonic()
        self._readings: list[int] = []
        self._over = threading.Event()
        self._asking = threading.Thread(target=self._ask, args=(pci,), daemon=True)
        if pci and not self._sensor and shell.found(_SMI[0]):
            self._asking.start()

    def _ask(self, pci: str) -> None:
        with suppress(SystemFailure, ValueError):  # no such card there, or it does not tell: nothing was read
            while not self._over.is_set():
                done = shell.run((*_SMI, f"--id={pci}"), timeout=_PATIENCE)
                self._readings.append(int(float(done.out.partition("\n")[0]) * 1e6))  # a warning may follow
                self._over.wait(1)

    def tick(self) -> None:
        if self._sensor and (now := reading.number(self._sensor)) is not None:
            self._readings.append(now)

    def watts(self) -> tuple[float | None, str]:
        """The mean, and of what; None where nothing can be read. Nothing is read from here on."""
        self._over.set()
        if self._asking.is_alive():
            self._asking.join(_PATIENCE)
        if self._readings:
            return sum(self._readings) / len(self._readings) / 1e6, "the card"
        seconds, drawn = time.monotonic() - self._since, 0
        for folder, before in self._packages.items():
            now = reading.number(folder / "energy_uj")
            if before is None or now is None or seconds <= 0:
                return None, ""
            wraps = reading.number(folder / "max_energy_range_uj") or 0
            drawn += now - before if now >= before else now - before + wraps
        return (drawn / 1e6 / seconds, "the processor") if self._packages else (None, "")
