"""usenet.yaml: reading it with a place for every problem, and editing it without touching what was not asked for."""

from usenet.adapters.settings.change import (
    Change,
    disable,
    enable,
    get,
    set,  # noqa: A004 - the verb's name
    together,
    unset,
)
from usenet.adapters.settings.edit import Value
from usenet.adapters.settings.explain import Problem, refuse
from usenet.adapters.settings.load import content, load, parse, place, plain_secrets, problems, problems_in

__all__ = [
    "Change",
    "Problem",
    "Value",
    "content",
    "disable",
    "enable",
    "get",
    "load",
    "parse",
    "place",
    "plain_secrets",
    "problems",
    "problems_in",
    "refuse",
    "set",
    "together",
    "unset",
]
