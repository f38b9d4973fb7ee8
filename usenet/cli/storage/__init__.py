"""usenet storage: each module of this folder has some of its verbs."""

from usenet.cli.noun import Noun

app = Noun(help="List, add, remove and check the drives of the stack.")

from usenet.cli.storage import drives  # noqa: E402, F401 - it adds its verbs to the app
