"""Which stack directory this command line means."""

from __future__ import annotations

from usenet.actions.places import Home, find
from usenet.cli.flags import FLAGS


def home() -> Home:
    """The stack directory by --home, $USENET_HOME, the working directory or the default; it need not exist."""
    return find(FLAGS.home)
