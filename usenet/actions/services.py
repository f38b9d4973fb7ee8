"""What can be done with the services of a stack that was written."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING

from usenet.actions import ours
from usenet.adapters import compose, files, shell, stack
from usenet.adapters.home import Home
from usenet.adapters.stack import RenderedService
from usenet.domain.errors import ValidationError
from usenet.domain.reach import Publication

if TYPE_CHECKING:
    from usenet.actions.services_list import Row

EVERYWHERE = "0.0.0.0"  # noqa: S104 - compared


def command(home: Home, verb: Sequence[str], names: Sequence[str], group: str = "") -> list[str]:
    """Compose's command line for a verb on the services meant; none named for the whole stack."""
    rendered = stack.load(home)
    chosen = ours.choose(home, rendered, names, group)
    return compose.command(home.path, rendered.project, *verb, *(chosen if names or group else ()))


def change(
    home: Home, verb: Sequence[str], names: Sequence[str], group: str = "", *, say: Callable[[Sequence[str]], None]
) -> tuple[str, ...]:
    """Run a Compose verb on containers that are there, under the lock; the services it was run on, said before.

    None named: all of the stack, `down` with what is off too. ValidationError: a named one has no container, or the
    containers are another stack's. SystemFailure: the engine's words.
    """
    rendered = stack.load(home)
    wanted = ours.choose(home, rendered, names, group)
    with files.lock(home.path, f"services {verb[0]}"):
        ours.require_alone(home, rendered.project)
        there = ours.containers(home, rendered.project)
        if absent := [n for n in names if n not in there]:
            raise ValidationError(
                f"{', '.join(absent)}: there is no container",
                hint=f"make it with: usenet services up {' '.join(absent)}",
            )
        whole = verb[0] == "down"
        chosen = tuple(there) if whole else tuple(n for n in wanted if n in there)
        if chosen:
            say(chosen)
            argv = compose.command(home.path, rendered.project, *verb, *(("--remove-orphans",) if whole else chosen))
            compose.run(argv, environment=compose.without_secrets(home.path))
    return chosen


@dataclass(frozen=True, slots=True)
class Page:
    """Where to click: on this machine, and, where the page is published to all, on the others."""

    url: str
    lan: str = ""


def urls(home: Home, names: Sequence[str] = (), group: str = "") -> dict[str, Page]:
    """Service → the addresses of its page, for those that have one."""
    rendered = stack.load(home)
    chosen = [rendered.services[name] for name in ours.choose(home, rendered, names, group)]
    pages = {s.name: p for s in chosen for p in reversed(s.ports) if p.use == "page" and p.protocol == "tcp"}
    lan = ""
    if any(page.address == EVERYWHERE for page in pages.values()):
        from usenet.adapters import sockets  # psutil, 20 ms

        lan = sockets.lan_address()
    return {name: _page(rendered.services[name], page, lan) for name, page in pages.items()}


def _page(service: RenderedService, page: Publication, lan: str) -> Page:
    def link(address: str) -> str:
        return f"{service.probe.scheme}://{address}:{page.host}/"

    everywhere = page.address == EVERYWHERE
    here = "localhost" if everywhere or page.address == "127.0.0.1" else page.address
    return Page(link(here), link(lan) if everywhere and lan else "")


def execution(home: Home, service: str, words: Sequence[str], *, terminal: bool) -> list[str]:
    """The command line that runs `words` in a service's container."""
    return [*command(home, ("exec", *(() if terminal else ("-T",))), (service,)), *words]


def execute(home: Home, service: str, words: Sequence[str], *, terminal: bool) -> int:
    """Run `words` in a service's container on our own stdin and stdout; its exit code."""
    argv = execution(home, service, words, terminal=terminal)
    ours.require_alone(home, stack.load(home).project)
    return shell.hand_over(argv, compose.without_secrets(home.path))


def logs(
    home: Home, options: Sequence[str], names: Sequence[str], group: str = "", *, say: Callable[[str], None]
) -> int:
    """Say each line that Compose prints of the logs until it ends or Ctrl-C; its exit code."""
    argv = command(home, ("logs", "--no-color", *options), names, group)
    ours.require_alone(home, stack.load(home).project)
    # Compose clears the line of a progress that isn't there, on any output.
    return shell.relay(argv, lambda text: say(text.replace("\x1b[2K", "")), compose.without_secrets(home.path))


def listed(home: Home, group: str = "") -> tuple[list[Row], tuple[str, ...]]:
    """Every service that there is, or those of a group, and warnings; ValidationError: no such group."""
    from typing import get_args

    from usenet.actions import services_list
    from usenet.domain.service import Group

    if group and group not in get_args(Group):
        raise ValidationError(f"there is no group {group!r}", hint=f"there are: {', '.join(get_args(Group))}")
    rows, warnings = services_list.rows(home)
    return [row for row in rows if group in ("", row.group)], warnings


def switched(home: Home, names: Sequence[str], group: str, *, on: bool) -> tuple[str, ...]:
    """The services that are to be turned on or off: those named and those of a group, each once.

    Of a group, those to turn on are not retired, those to turn off are on. ValidationError: no such group.
    """
    rows = listed(home, group)[0] if group else []
    inside = (row.name for row in rows if (not row.retired if on else row.enabled))
    return tuple(dict.fromkeys((*names, *inside)))


def switch(home: Home, names: Sequence[str], *, on: bool, dry_run: bool) -> tuple[str, ...]:
    """Turn services on or off in usenet.yaml; the names for which that changed something. ValidationError: unknown."""
    from usenet.actions import catalog
    from usenet.adapters import settings
    from usenet.domain import asked

    known, _ = catalog.load(home.path)
    for name in names:
        asked.known(name, known)
    before = settings.load(home).enabled
    with nullcontext() if dry_run else files.lock(home.path, "services enable" if on else "services disable"):
        (settings.enable if on else settings.disable)(home, names, dry_run=dry_run)
    return tuple(name for name in names if (name in before) != on)
