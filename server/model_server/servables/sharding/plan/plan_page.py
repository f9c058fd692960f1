"""A shard plan for people: a table of the variables and a picture of the members; or as JSON."""

from typing import Any

from model_server.servables.sharding.plan.shard_plan import (
    Copied,
    Placed,
    ShardPlan,
    Split,
    Whole,
    ranges_of,
)

_UNITS = ("B", "kB", "MB", "GB", "TB", "PB")
_WIDTH = 40
# Many small ones are told in one line.
_MOST_LINES = 50


def plan_page(plan: ShardPlan) -> str:
    """The page that ``model-server shard-plan`` prints, its lines without a break at the end."""
    return "\n".join((*_head(plan), "", *_members(plan), "", *_variables(plan)))


def plan_values(plan: ShardPlan) -> dict[str, Any]:
    """The same as plain values, with bytes as numbers and members counted from 0."""
    return {
        "hash": plan.hash,
        "shards": plan.shards,
        "engine": plan.engine.value,
        "forces": plan.forces,
        "bytes": plan.bytes,
        "bytesOnMembers": [plan.bytes_on(member) for member in range(plan.shards)],
        "variables": [_values(each) for each in plan.placed],
    }


def _values(placed: Placed) -> dict[str, Any]:
    variable = placed.variable
    found: dict[str, Any] = {
        "name": variable.name,
        "key": variable.key,
        "shape": list(variable.shape),
        "bytes": variable.bytes,
    }
    match placed:
        case Split(bounds=bounds):
            return found | {"placement": "split", "bounds": list(bounds)}
        case Whole(member=member, reason=reason):
            return found | {"placement": "whole", "member": member, "reason": reason}
        case Copied():
            return found | {"placement": "copied"}


def size_text(count: int) -> str:
    """A number of bytes as people write it: 1.2 TB."""
    size, unit = float(count), 0
    while size >= 999.5 and unit < len(_UNITS) - 1:
        size, unit = size / 1000, unit + 1
    return f"{count} B" if unit == 0 else f"{size:.3g} {_UNITS[unit]}"


def _head(plan: ShardPlan) -> list[str]:
    found = [
        f"{size_text(plan.bytes)} of variables for {plan.shards} members, plan {plan.hash}",
        f"engine: {plan.engine}" + (f", because {plan.forces}" if plan.forces else ""),
    ]
    if plan.forces:
        found.append(
            "groups refuse this model unless they may use that engine, by --shard_tf_ports"
        )
    if not any(isinstance(each, Split) for each in plan.placed):
        found.append("nothing of this model can be split by rows; more members will not help it")
    if plan.shards > 1 and plan.futility:
        found.append(f"such a group does not serve it: {plan.futility}")
    return found


def _members(plan: ShardPlan) -> list[str]:
    loads = [plan.bytes_on(member) for member in range(plan.shards)]
    most = max(*loads, 1)
    return [
        f"member {member:>3}  {'█' * round(_WIDTH * load / most):<{_WIDTH}}  {size_text(load)}"
        for member, load in enumerate(loads)
    ]


def _variables(plan: ShardPlan) -> list[str]:
    ordered = sorted(plan.placed, key=lambda each: (-each.variable.bytes, each.variable.name))
    shown, rest = ordered[:_MOST_LINES], ordered[_MOST_LINES:]
    rows = [("variable", "size", "where"), *(_row(each) for each in shown)]
    widths = [max(len(row[column]) for row in rows) for column in (0, 1)]
    lines = [f"{name:<{widths[0]}}  {size:>{widths[1]}}  {where}" for name, size, where in rows]
    if rest:
        size = size_text(sum(each.variable.bytes for each in rest))
        lines.append(f"and {len(rest)} more, {size}")
    return lines


def _row(placed: Placed) -> tuple[str, str, str]:
    return placed.variable.name, size_text(placed.variable.bytes), _where(placed)


def _where(placed: Placed) -> str:
    match placed:
        case Split():
            counts = sorted({len(rows) for rows in ranges_of(placed)})
            ends = f"{counts[0]:,}" + (f" to {counts[-1]:,}" if len(counts) > 1 else "")
            return f"split, {ends} rows on each member"
        case Whole(member=member, reason=reason):
            return f"whole on member {member}: {reason}"
        case Copied():
            return "a copy on every member"
