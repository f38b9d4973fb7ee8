"""What a person sees of a plan: grants, reasons, and differences."""

from __future__ import annotations

from typing import TYPE_CHECKING

from usenet.cli import console

if TYPE_CHECKING:
    from usenet.actions.difference import Difference
    from usenet.actions.places import Home
    from usenet.domain.plan import Grant, Plan


def show(home: Home, *, host_file: str = "", available: bool = False) -> None:
    """Print the plan, its reasons and what differs; changes nothing."""
    from usenet.actions import difference
    from usenet.actions import plan as planning

    situation = planning.look(home, host_file=host_file)
    decision = planning.decide(situation, available=available)
    found = None if host_file else difference.find(home, decision)
    for text in situation.warnings:
        console.warn(text)
    document = {"plan": decision.plan, "digest": decision.stack.digest, "difference": found}
    console.show(document, lambda: _human(decision.plan, found))


def _human(plan: Plan, found: Difference | None) -> None:
    from usenet.domain.plan import NOTHING_ON, by_reason

    where = ("page",) if console.narrow() else ("image", "address")
    columns = ("service", *where, "memory", "cpus", "starts after")
    console.table(columns, (_row(g, plan) for g in plan.grants.values()), title=f"Stack {plan.project} in {plan.home}")
    console.line()
    console.table(("choice", "value", "because"), ((c.about, c.value, c.because) for c in plan.choices))
    if not (plan.grants or plan.left_out):
        console.line(NOTHING_ON)
    for text in by_reason(plan.left_out):
        console.line(f"left out: {text}")
    console.line()
    if found is not None:
        _difference(found)


def _row(grant: Grant, plan: Plan) -> tuple[object, ...]:
    ports = " ".join(f"{p.address}:{p.host}" + ("/udp" if p.protocol == "udp" else "") for p in grant.ports)
    order = ", ".join(n for n in (*grant.needs, *grant.after) if n in plan.grants)
    page = next((p.host for p in grant.ports if p.use == "page"), "")
    where = (page,) if console.narrow() else (grant.image, ports)
    return grant.service, *where, console.human_bytes(grant.limits.memory), grant.limits.cpus or "", order


def _difference(found: Difference) -> None:
    if found.same:
        console.line("Nothing differs: the disk and what runs are as planned.")
    for text in found.text:
        console.line(text)
    for what, names in (
        ("not running yet", found.missing),
        ("would be made anew", found.changed),
        ("would be removed", found.extra),
    ):
        if names:
            console.line(f"{what}: {', '.join(names)}")
    if found.unknown:
        console.line(f"what runs is not known: {found.unknown}")
