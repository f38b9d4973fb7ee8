"""Drives of the stack: what is there, what is wanted, and the steps between."""

from usenet.actions.storage.adding import Wish, add
from usenet.actions.storage.change import Changed, apply
from usenet.actions.storage.removing import remove
from usenet.actions.storage.shelf import Row, Shelf, listed

__all__ = ["Changed", "Row", "Shelf", "Wish", "add", "apply", "listed", "remove"]
