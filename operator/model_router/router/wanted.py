"""Which record may be programmed for a model; pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from model_router.record.endpoints import Endpoint
from model_router.record.traffic import Share, TrafficRecord

Endpoints = Mapping[str, tuple[Endpoint, ...]]


@dataclass(frozen=True)
class Choice:
    """The record to program; `held` says why it is not the newest one, or is empty."""

    record: TrafficRecord
    held: str = ""


def choose(newest: TrafficRecord, in_force: TrafficRecord | None, endpoints: Endpoints) -> Choice:
    """The newest record, unless it sends more requests to a revision that has no pods yet."""
    if in_force is None or not _answers(in_force, endpoints):
        return Choice(newest)
    before = {share.revision: share.weight for share in in_force.split}
    for share in newest.split:
        if share.weight > before.get(share.revision, 0) and not endpoints.get(share.revision):
            return Choice(
                in_force,
                f"split: {share.weight} % for {share.revision}, which has no ready pods; "
                "the split before stays",
            )
    chosen_before = {match.revision for match in in_force.matches}
    for match in newest.matches:
        if match.revision not in chosen_before and not endpoints.get(match.revision):
            return Choice(
                in_force,
                f"matches: {match.header} chooses {match.revision}, which has no ready pods; "
                "the record before stays",
            )
    return Choice(newest)


def answerable(record: TrafficRecord, endpoints: Endpoints) -> TrafficRecord:
    """The record without what nobody could answer now, until the operator has heard of it as well.

    The shares of revisions without pods go to the heaviest that has some, so that no others move;
    headers that choose such a revision choose none. Where nobody has pods all stays as it is.
    """
    able = [share for share in record.split if share.weight and endpoints.get(share.revision)]
    if not able:
        return record
    heaviest = max(able, key=lambda share: share.weight)
    lost = sum(share.weight for share in record.split if share not in able)
    weights = {share.revision: share.weight for share in able}
    weights[heaviest.revision] += lost
    return replace(
        record,
        split=tuple(Share(s.revision, weights.get(s.revision, 0)) for s in record.split),
        matches=tuple(match for match in record.matches if endpoints.get(match.revision)),
    )


def _answers(record: TrafficRecord, endpoints: Endpoints) -> bool:
    return any(endpoints.get(share.revision) for share in record.split if share.weight)


def port_conflicts(
    records: Mapping[str, TrafficRecord], in_force: Mapping[str, TrafficRecord]
) -> dict[str, str]:
    """The models whose newest record asks for another model's port, and a sentence for each.

    Who listens already keeps the port; of two that do not, the first by name gets it.
    """
    owners = {port: name for name, record in in_force.items() for port in record.ports}
    conflicts: dict[str, str] = {}
    for name, record in sorted(records.items()):
        for port in record.ports:
            owner = owners.setdefault(port, name)
            if owner != name:
                conflicts.setdefault(name, f"ports: {port} belongs to {owner}")
    return conflicts
