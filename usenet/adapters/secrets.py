"""The stack directory's .env: read as Compose reads it, added to, never changed."""

from __future__ import annotations

import json
import re
import secrets
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from usenet.adapters import files
from usenet.adapters.home import Home
from usenet.domain.errors import ConfigError, SystemFailure, ValidationError
from usenet.domain.secret import REDACTED, Secret
from usenet.domain.service import SecretKind

MODE = 0o600
_HEAD = """\
# Secrets and host variables of this stack, for Docker Compose and usenet. Keep it to yourself: mode 0600.
# usenet adds a line for what is missing. It never changes or moves a line that is here.
"""
_BARE = re.compile(r"[\w./:@%+,=-]*", re.ASCII)
_LINE = re.compile(r"[ \t]*(?:export[ \t]+)?(?P<name>[A-Za-z_][\w.-]*)[ \t]*(?:[=:][ \t]*(?P<value>[^\n]*))?$")
_SHORTEST = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Ensured:
    """What `ensure` did: names it made, names a person still has to fill in, whether the mode had to be narrowed."""

    made: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    narrowed: bool = False


def read(home: Home) -> dict[str, Secret]:
    """Every variable of .env; empty without a file. ConfigError names a line that Compose can't read."""
    return {name: Secret(value) for name, value in parse(_content(home.env)).items()}


def ensure(home: Home, wanted: Mapping[str, SecretKind], *, dry_run: bool = False) -> Ensured:
    """See to it that .env is private and has a line for each of `wanted`.

    `hex32` and `password` are made up from the system's random source; `given` gets an empty line with a comment.
    Lines that exist are neither changed nor moved; one without a value is reported as missing.
    """
    text = _content(home.env)
    known = parse(text)
    added = {name: kind for name, kind in wanted.items() if name not in known}
    missing = tuple(name for name, kind in wanted.items() if (not known[name] if name in known else kind == "given"))
    narrowed = _is_open(home.env)
    if not dry_run:
        if narrowed:
            _narrow(home.env)
        if added or not home.env.exists():
            lines = "".join(_new_line(name, kind) for name, kind in added.items())
            gap = "\n" if text and not text.endswith("\n") else ""
            files.write(home.env, (_with_head(text) + gap + lines).encode(errors="surrogateescape"), mode=MODE)
    made = tuple(name for name, kind in added.items() if kind != "given")
    return Ensured(made=made, missing=missing, narrowed=narrowed)


def parse(text: str) -> dict[str, str]:
    """The variables of a .env text by Compose's rules; `$NAME` is kept as written. ConfigError names the line."""
    found: dict[str, str] = {}
    lines = text.removeprefix("\ufeff").replace("\r\n", "\n").split("\n")
    number = 0
    while number < len(lines):
        line = lines[number]
        number += 1
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        place = f".env:{number}"
        assigned = _LINE.match(line)
        if not assigned:
            # The line itself is not shown: it may be a secret.
            raise ConfigError("expected NAME=value, found something else", hint="put # before a remark", where=place)
        if (value := assigned["value"]) is None:
            continue
        if value[:1] in ("'", '"') and value:
            while (ended := _closing(value)) is None:
                if number == len(lines):
                    raise ConfigError("expected a closing quote, found the end", hint="close the quote", where=place)
                value += "\n" + lines[number]
                number += 1
            found[assigned["name"]] = _unquoted(value[: ended + 1])
        else:
            found[assigned["name"]] = re.sub(r"(^|\s)#.*", "", value).strip()
    return found


def format_line(name: str, value: str) -> str:
    """A line that Compose reads back as `value`. ValidationError for what no line can hold."""
    if re.search(r"[\x00-\x08\x0a-\x1f]", value):
        raise ValidationError(
            "expected one line of text, found a line break or control character", where=f".env: {name}"
        )
    if _BARE.fullmatch(value):
        return f"{name}={value}\n"
    if not re.search(r"['\\]", value):
        return f"{name}='{value}'\n"
    escaped = re.sub(r'[\\"$]', r"\\\g<0>", value)
    return f'{name}="{escaped}"\n'


def redact(text: str, home: Home) -> str:
    """`text` without any value of .env, however quoted; with nothing but `[redacted]` when .env can't be read."""
    try:
        values = {value.reveal() for value in read(home).values()}
    except (ConfigError, SystemFailure):
        return REDACTED
    forms = {form for value in values if len(value) >= _SHORTEST for form in _forms(value)}
    for form in sorted(forms, key=len, reverse=True):
        text = text.replace(form, REDACTED)
    return text


def _forms(value: str) -> tuple[str, ...]:
    return (value, repr(value)[1:-1], json.dumps(value)[1:-1], json.dumps(value, ensure_ascii=False)[1:-1])


def _content(path: Path) -> str:
    try:
        return path.read_bytes().decode(errors="surrogateescape") if path.exists() else ""
    except OSError as failure:
        cure = f"run it with sudo, or as the owner: ls -l {path}"
        raise SystemFailure(f"{path} can't be read: {failure.strerror}", hint=cure) from failure


def _with_head(text: str) -> str:
    return text or _HEAD


def _new_line(name: str, kind: SecretKind) -> str:
    if kind == "given":
        return f"# {name} can't be made up: put yours behind the =\n{name}=\n"
    return format_line(name, secrets.token_hex(16) if kind == "hex32" else secrets.token_urlsafe(18))


def _is_open(path: Path) -> bool:
    return path.exists() and bool(stat.S_IMODE(path.stat().st_mode) & 0o077)


def _narrow(path: Path) -> None:
    try:
        path.chmod(MODE)
    except OSError as failure:
        raise SystemFailure(
            f"{path} can be read by others, and you may not change that", hint=f"run: sudo chmod 600 {path}"
        ) from failure


def _closing(value: str) -> int | None:
    """Where the quote that opens `value` is closed."""
    quote, position = value[0], 1
    while position < len(value):
        if value[position] == quote:
            return position
        position += 2 if value[position] == "\\" else 1
    return None


_ESCAPES = {"n": "\n", "r": "\r", "t": "\t", '"': '"', "\\": "\\", "$": "$"}


def _unquoted(value: str) -> str:
    inside = value[1:-1]
    if value[0] == "'":
        return inside.replace("\\'", "'")
    return re.sub(r"\\(.)", lambda m: _ESCAPES.get(m[1], m[0]), inside, flags=re.DOTALL)
