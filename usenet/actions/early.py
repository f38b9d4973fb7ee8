"""What takes longest is asked before the rest of the program is loaded. Small: it delays that by what it imports."""

from __future__ import annotations

from usenet.adapters.compose import Asked as Compose

__all__ = ["Compose"]
