"""usenet hardware: each module of this folder has some of its verbs."""

from usenet.cli.noun import Noun

app = Noun(help="Show what this machine has, and share it out among the services.")


from usenet.cli.hardware import (  # noqa: E402
    benchmark,  # noqa: F401
    drivers,  # noqa: F401 - it adds its verbs to the app
    facts,  # noqa: F401
    optimize,  # noqa: F401
    status,  # noqa: F401
    verify,  # noqa: F401
)
