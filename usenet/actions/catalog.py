"""The catalog of one stack: what is shipped, what plugins bring, and the person's own service files."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from usenet.adapters import catalog as files
from usenet.adapters import service as heads
from usenet.compose import catalog
from usenet.compose.catalog import Catalog, Entry
from usenet.compose.render import Templates
from usenet.domain.catalog import ServiceFile
from usenet.domain.errors import ConfigError


def load(home: Path | None = None) -> tuple[Catalog, tuple[str, ...]]:
    """The catalog of the stack directory `home` (None: of what is installed), and a sentence for all that was left out.

    ConfigError: one of the stack's own files is wrong. ValidationError: one name in two files. A plugin that fails is
    left out whole, with a warning.
    """
    entries = [_entry(file) for file in files.shipped()]
    warnings: list[str] = []
    for plugin in files.plugins():
        found, problem = _of_plugin(plugin)
        entries += found
        if problem:
            warnings.append(f"the plugin {plugin.name} is left out: {problem}")
    entries += [_entry(file) for file in (files.own(home) if home else ())]
    return catalog.build(entries), tuple(warnings)


def templates(known: Catalog, names: Iterable[str]) -> Templates:
    """What the renderer needs for these services. ConfigError for a service whose own template is missing."""
    entries = [known[name] for name in names]
    return Templates(
        base=files.base(),
        bodies={entry.name: entry.body for entry in entries},
        files={
            f"files/{entry.name}/{file}": files.template(entry.directory, entry.name, file, entry.source)
            for entry in entries
            for file in entry.service.files
        },
        sources={entry.name: entry.source for entry in entries},
    )


def _of_plugin(plugin: files.Plugin) -> tuple[list[Entry], str]:
    try:
        return [_entry(file) for file in plugin.files], plugin.problem
    except ConfigError as failure:
        return [], str(failure)


def _entry(file: ServiceFile) -> Entry:
    text, body = catalog.split(file)
    head = heads.read(text, file.place)
    for wrong in catalog.contradictions(file.name, head.service):
        raise ConfigError(wrong.message, where=head.place(wrong.location), hint=wrong.hint)
    return Entry(name=file.name, service=head.service, body=body, source=file.place, directory=file.directory)
