"""usenet.yaml: reading it with a place for every problem, and editing it without touching what was not asked for."""

from usenet.adapters.settings.change import Change, disable, enable, get, set, unset  # noqa: A004 - the verb's name
from usenet.adapters.settings.explain import Problem, refuse
from usenet.adapters.settings.load import content, load, parse, place, plain_secrets, problems, problems_in

__all__ = [
    "Change",
    "Problem",
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
    "unset",
]
