"""A new stack directory: usenet.yaml with its comments, and .env."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from usenet.actions import catalog
from usenet.adapters import files, identity, secrets, settings
from usenet.adapters.home import Home
from usenet.adapters.settings import edit
from usenet.domain import asked
from usenet.domain.errors import ValidationError
from usenet.domain.settings import DEFAULT_SERVICES

_TEXT = """\
# What this media server should be. All keys: usenet config schema
# After a change: usenet services plan shows what it means, usenet services up makes it so.

version: 1

# The name of the stack; its containers and networks carry it.
name: usenet

# How much of the machine the services may use:
# auto, dedicated, high_performance, balanced, light, development, or custom with share: 0.5
profile: auto

# Where films, shows, music and downloads are; without a leading / below this directory.
# On one filesystem, a finished download is linked into the library and not copied.
data: data

# Who owns the data, and which rights new files do not get.
user:
  uid: 1000
  gid: 1000
  umask: '002'

timezone: Etc/UTC

# Who reaches the pages: 127.0.0.1 is this machine only, lan is everyone who can reach it; or one of its addresses.
publish: 127.0.0.1

# Where images come from: auto pulls what a registry has and builds the rest; pull; build.
images: auto

# What runs. What is set for one service goes below its name, such as   port: 8990
# Switch with: usenet services enable NAME, usenet services disable NAME. All there is: usenet services list
services:
"""


@dataclass(frozen=True, slots=True)
class Begun:
    """What `begin` did. `new` is False where a usenet.yaml was there and stayed; `missing`: secrets to fill in."""

    settings: str
    env: str
    new: bool
    text: str
    missing: tuple[str, ...] = ()


def proposed() -> dict[str, Any]:
    """What a new usenet.yaml says unless a person says otherwise, by path."""
    uid, gid = identity.user()
    return {
        "name": "usenet",
        "profile": "auto",
        "data": "data",
        "user.uid": uid,
        "user.gid": gid,
        "timezone": identity.timezone(),
        "publish": "127.0.0.1",
        "services": DEFAULT_SERVICES,
    }


def services_of(home: Home, *, names: str = "", group: str = "") -> tuple[str, ...] | None:
    """The services meant by `a,b` or by a group (without its retired ones); None where neither is given.

    ValidationError names an unknown one and what is near.
    """
    if not names and not group:
        return None
    known, _ = catalog.load(home.path)
    chosen = tuple(dict.fromkeys(name.strip() for name in names.split(",") if name.strip()))
    for name in chosen:
        asked.known(name, known)
    if not group:
        return chosen
    members = [n for n, service in known.services.items() if service.group == group and not service.retired]
    if not members:
        groups = ", ".join(sorted({service.group for service in known.services.values()}))
        raise ValidationError(f'expected a group, found "{group}"', hint=f"there are: {groups}")
    return tuple(dict.fromkeys((*chosen, *members)))


def begin(home: Home, wishes: Mapping[str, Any], *, dry_run: bool = False) -> Begun:
    """Write usenet.yaml and .env for `wishes` (path → value; the others as proposed). Never writes over one.

    A usenet.yaml that says the same stays. ValidationError where it says something else, or for a bad wish.
    """
    if "data" in wishes:
        wishes = {**wishes, "data": identity.written_out(wishes["data"])}
    if home.exists:
        return _there(home, wishes)
    text = _text({**proposed(), **wishes})
    wanted = _secrets(home, text)
    if dry_run:
        missing = secrets.ensure(home, wanted, dry_run=True).missing
        return Begun(str(home.settings), str(home.env), True, text, missing)
    _make_home(home)
    with files.lock(home.path, "init"):
        if home.exists:  # somebody else was faster
            return _there(home, wishes)
        missing = secrets.ensure(home, wanted).missing
        files.write(home.settings, text)
    return Begun(str(home.settings), str(home.env), True, text, missing)


def _make_home(home: Home) -> None:
    above = next(p for p in home.path.parents if p.exists()).stat()
    owner = (above.st_uid, above.st_gid) if os.geteuid() == 0 else (os.geteuid(), os.getegid())
    files.make_directory(home.path, *owner)


def _text(wishes: Mapping[str, Any]) -> str:
    text = _TEXT
    for path, value in wishes.items():
        if path != "services":
            text = edit.with_value(text, path, value)
    text = edit.enabled(text, wishes["services"])
    for problem in settings.problems_in(text):
        raise ValidationError(problem.message, where=problem.path)
    return text


def _secrets(home: Home, text: str) -> dict[str, Any]:
    """The variables of .env that the services of `text` need, with those that they can't do without."""
    known, _ = catalog.load(home.path)
    names, _ = asked.services(settings.parse(text), known.services)
    return {name: kind for service in names for name, kind in known.services[service].secrets.items()}


def _there(home: Home, wishes: Mapping[str, Any]) -> Begun:
    _agree(home, wishes)
    return Begun(str(home.settings), str(home.env), False, settings.content(home.settings))


def _agree(home: Home, wishes: Mapping[str, Any]) -> None:
    own = settings.load(home)
    for path, wish in wishes.items():
        now = own.enabled if path == "services" else settings.get(home, path)
        if path == "services" and set(now) != set(wish):
            cure = "usenet services enable NAME, usenet services disable NAME"
        elif path != "services" and str(now) != str(wish):
            cure = f"usenet config set {path} {wish}"
        else:
            continue
        said = ", ".join(now) if isinstance(now, tuple) else now
        raise ValidationError(
            f"{home.settings} is there already, and says: {path} {said}", hint=f"change it with: {cure}"
        )
