"""Watts: from the processor's own counter and from a card's sensor, where this user may read them."""

from __future__ import annotations

import time
from pathlib import Path


class Meter:
    """What is drawn from its making on. A card's sensor is read with every `tick`; `root` holds sys."""

    def __init__(self, pci: str = "", root: Path = Path("/")) -> None:
        packages = sorted((root / "sys/class/powercap").glob("intel-rapl:?"))  # also AMD's
        sensors = sorted((root / "sys/bus/pci/devices" / pci / "hwmon").glob("*/power1_*")) if pci else []
        self._sensor = next((one for one in sensors if one.name in ("power1_average", "power1_input")), None)
        self._packages = {} if pci else {one: _number(one / "energy_uj") for one in packages}
        self._since = time.monotonic()
        self._readings: list[int] = []

    def tick(self) -> None:
        if self._sensor and (now := _number(self._sensor)) is not None:
            self._readings.append(now)

    def watts(self) -> tuple[float | None, str]:
        """The mean so far, and of what; None where nothing can be read."""
        if self._readings:
            return sum(self._readings) / len(self._readings) / 1e6, "the card"
        seconds, drawn = time.monotonic() - self._since, 0
        for folder, before in self._packages.items():
            now = _number(folder / "energy_uj")
            if before is None or now is None or seconds <= 0:
                return None, ""
            wraps = _number(folder / "max_energy_range_uj") or 0
            drawn += now - before if now >= before else now - before + wraps
        return (drawn / 1e6 / seconds, "the processor") if self._packages else (None, "")


def _number(file: Path) -> int | None:
    try:
        return int(file.read_text())
    except (OSError, ValueError):
        return None
