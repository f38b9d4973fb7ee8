"""Words in, one action, one view out: the command line."""

from usenet.cli.later import postpone

postpone()  # before any module of the command line imports them
