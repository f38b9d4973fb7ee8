"""The figures as Prometheus reads them: its text form, version 0.0.4."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

FORM = "text/plain; version=0.0.4; charset=utf-8"
PREFIX = "usenet_recorder_"


@dataclass(frozen=True, slots=True)
class Figure:
    """One value. All of one name stand together; a counter's name ends with _total."""

    name: str
    about: str
    value: float
    labels: Mapping[str, str]
    kind: Literal["gauge", "counter"] = "gauge"


def text(figures: Iterable[Figure]) -> str:
    """Every figure, those of one name together behind what they mean."""
    named: dict[str, list[Figure]] = {}
    for figure in figures:
        named.setdefault(PREFIX + figure.name, []).append(figure)
    lines = []
    for name, group in named.items():
        lines += [f"# HELP {name} {_escaped(group[0].about, quotes=False)}", f"# TYPE {name} {group[0].kind}"]
        lines += [f"{name}{_labels(one.labels)} {_number(one.value)}" for one in group]
    return "".join(line + "\n" for line in lines)


def _labels(labels: Mapping[str, str]) -> str:
    inside = ",".join(f'{key}="{_escaped(value)}"' for key, value in labels.items())
    return f"{{{inside}}}" if inside else ""


def _escaped(value: str, *, quotes: bool = True) -> str:
    plain = value.replace("\\", "\\\\").replace("\n", "\\n")
    return plain.replace('"', '\\"') if quotes else plain


def _number(value: float) -> str:
    if not math.isfinite(value):
        return "NaN" if math.isnan(value) else f"{'+' if value > 0 else '-'}Inf"
    return str(int(value)) if value == int(value) else f"{value:.6f}"
