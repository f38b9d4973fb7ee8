"""usenet recorder: each module of this folder has some of its verbs."""

from usenet.cli.noun import Noun

app = Noun(help="Record cameras into plain MP4 files that survive a power cut; list, check, finish and cut them.")


from usenet.cli.recorder import (  # noqa: E402
    bench,  # noqa: F401 - it adds its verbs to the app
    cut,  # noqa: F401
    files,  # noqa: F401
    live,  # noqa: F401
    status,  # noqa: F401
    verify,  # noqa: F401
)
