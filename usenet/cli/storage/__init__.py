"""usenet storage: each module of this folder has some of its verbs."""

from usenet.cli.noun import Noun

app = Noun(help="List, add, remove and check the drives of the stack.")

from usenet.cli.storage import (  # noqa: E402
    drives,  # noqa: F401 - it adds its verbs to the app
    health,  # noqa: F401
    pool,  # noqa: F401
    sync,  # noqa: F401
    watch,  # noqa: F401
)
