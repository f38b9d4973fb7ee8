"""Measures plan and render inside one fresh process; prints JSON. Run by plan.py, as a program of its own."""

from __future__ import annotations

import json
import re
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from usenet.actions import catalog as catalogs
from usenet.actions import plan as planning
from usenet.adapters import images, stack
from usenet.adapters.home import Home
from usenet.compose import catalog as parts
from usenet.compose.catalog import Catalog, Entry
from usenet.compose.render import render
from usenet.domain.plan import Observed
from usenet.domain.service import Service
from usenet.domain.settings import Settings
from usenet.domain.tuning import tune


def main(home: str, sizes: str, repetitions: str) -> None:
    place = Home(Path(home))
    loading, _ = spent(lambda: catalogs.load(None))
    known, _ = catalogs.load(None)
    place.settings.write_text("")
    seen = planning.look(place)
    first = situation(seen, place, known)
    cold = spent(lambda: planning.decide(first))
    found = {
        "services": len(known),
        "load": loading,
        "cold": cold,
        "warm": [spent(lambda: planning.decide(first)) for _ in range(int(repetitions))],
        "scale": scale(seen, known, [int(size) for size in sizes.split(",") if size], int(repetitions)),
    }
    json.dump(found, sys.stdout)


def spent(what: Callable[[], object]) -> tuple[float, float]:
    """Seconds on the clock, and seconds of the processor."""
    clock, processor = time.perf_counter(), time.process_time()
    what()
    return time.perf_counter() - clock, time.process_time() - processor


def situation(seen: planning.Situation, home: Home, known: Catalog) -> planning.Situation:
    """Every service of the catalog on, on the machine that was seen, with nothing in the way."""
    every = {"name": "usenet-bench", "images": "pull", "services": {name: {} for name in known}}
    recipes = images.buildable()
    origin = {name: re.sub(r"-\d+$", "", name) for name in known}
    observed = Observed(buildable={name: recipes[origin[name]] for name in known if origin[name] in recipes})
    return replace(seen, home=home, settings=Settings.model_validate(every), catalog=known, observed=observed)


def scale(
    seen: planning.Situation, known: Catalog, sizes: list[int], repetitions: int
) -> dict[str, dict[str, list[float]]]:
    """Size → seconds of the plan and of the render. The stack of each size is written below home/<size>/."""
    ready = {}
    for size in sizes:
        place = Home(seen.home.path / str(size))
        many = parts.build(cloned(known, size, seen.home.path / "templates"))
        ready[size] = (place, situation(seen, place, many))
        stack.write(place, planning.decide(ready[size][1]).stack.files, ())
    found: dict[str, dict[str, list[float]]] = {str(size): {"plan": [], "render": []} for size in sizes}
    for number in range(repetitions * len(sizes)):
        size = sizes[number % len(sizes)]
        place, now = ready[size]
        services, path = now.catalog.services, str(place.path)
        began = time.perf_counter()
        plan = tune(now.host, now.settings, services, now.observed, home=path)
        between = time.perf_counter()
        render(plan, catalogs.templates(now.catalog, plan.grants))
        found[str(size)]["plan"].append(between - began)
        found[str(size)]["render"].append(time.perf_counter() - between)
    return found


def cloned(known: Catalog, size: int, folder: Path) -> list[Entry]:
    """`size` services: those of the catalog, then the same again under other names and ports.

    Their templates are those of their originals, by links in `folder`.
    """
    folder.mkdir(exist_ok=True)
    originals = list(known.values())
    taken = {number for entry in originals for port in entry.service.ports for number in (port.container, port.host)}
    free = (number for number in range(10000, 65536) if number not in taken)
    made = originals[:size]
    while len(made) < size:
        for entry in originals[: size - len(made)]:
            name = f"{entry.name}-{len(made) // len(originals) + 1}"
            if entry.service.files and not (folder / name).is_symlink():
                (folder / name).symlink_to(Path(entry.directory, entry.name))
            place = str(folder)
            made.append(replace(entry, name=name, directory=place, service=elsewhere(entry.service, free.__next__)))
    return made


def elsewhere(service: Service, free: Callable[[], int]) -> Service:
    """The same service on other ports; on the host's own network it also listens elsewhere."""
    new = {port: free() for port in service.ports}
    if service.wants.network != "host":
        return service.model_copy(update={"ports": tuple(p.model_copy(update={"host": n}) for p, n in new.items())})
    ports = tuple(p.model_copy(update={"container": n, "host": n}) for p, n in new.items())
    asked = next((n for p, n in new.items() if p.container == service.health.port), 0)
    return service.model_copy(update={"ports": ports, "health": service.health.model_copy(update={"port": asked})})


if __name__ == "__main__":
    main(*sys.argv[1:])
