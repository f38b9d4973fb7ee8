"""Bits of a codec's header, first to last, with the number codes of ITU-T H.264 §9.1 and AV1 §4.10."""

from __future__ import annotations

from ..errors import Damaged


class Bits:
    """Reads `data` from its first bit. Damaged when it is asked for more than is there."""

    def __init__(self, data: bytes) -> None:
        self._value = int.from_bytes(data, "big")
        self.left = 8 * len(data)

    def u(self, count: int) -> int:
        """A number of `count` bits."""
        if count > self.left:
            raise Damaged("a codec's header is cut short")
        self.left -= count
        return (self._value >> self.left) & ((1 << count) - 1)

    def flag(self) -> bool:
        return bool(self.u(1))

    def skip(self, count: int) -> None:
        self.u(count)

    def _zeros(self) -> int:
        zeros = 0
        while not self.u(1):
            zeros += 1
            if zeros > 32:
                raise Damaged("a codec's header holds a number that is too long")
        return zeros

    def ue(self) -> int:
        """An Exp-Golomb number; what AV1 calls uvlc has the same bits."""
        zeros = self._zeros()
        return (1 << zeros) - 1 + self.u(zeros)

    def se(self) -> int:
        """A signed Exp-Golomb number."""
        number = self.ue()
        return (number + 1) // 2 if number % 2 else -(number // 2)
