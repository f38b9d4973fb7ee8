"""Where the stack directory is."""

from __future__ import annotations

from usenet.adapters.home import Home, find

__all__ = ["Home", "find"]
