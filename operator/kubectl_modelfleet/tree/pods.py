"""The pods of a revision in its tree: one by one, or by the groups that hold a model together."""

from collections.abc import Sequence
from datetime import datetime

from kubectl_modelfleet.seen.pods import Pod
from kubectl_modelfleet.tree.lines import Line, Tone
from kubectl_modelfleet.tree.words import age

# A tree of hundreds of pods shows nothing; those that are not ready are shown first.
_MOST = 12


def pods_of(pods: Sequence[Pod], now: datetime) -> list[Line]:
    """A line for each of a revision's pods, below that of its group if it is of one."""
    groups = sorted({pod.group for pod in pods} - {""})
    alone = [pod for pod in pods if not pod.group]
    return [*_groups(groups, pods, now), *_some(alone, "pods", now)]


def _groups(groups: Sequence[str], pods: Sequence[Pod], now: datetime) -> list[Line]:
    """Those that are not whole first. The members of whole ones tell nothing more."""
    found = []
    for group in groups:
        members = [pod for pod in pods if pod.group == group]
        is_whole = all(pod.is_ready for pod in members)
        ready = sum(pod.is_ready for pod in members)
        told = f"group {group.rpartition('-')[2]} · {ready}/{len(members)} members ready"
        below = _some(members, "members", now) if not is_whole or len(pods) <= _MOST else []
        tone = Tone.GOOD if is_whole else Tone.WAITING
        found.append((is_whole, Line(told, tone, tuple(below))))
    found.sort(key=lambda item: item[0])
    left = len(found) - _MOST
    more = [Line(f"… and {left} more groups", Tone.FAINT)] if left > 0 else []
    return [*(line for _, line in found[:_MOST]), *more]


def _some(pods: Sequence[Pod], what: str, now: datetime) -> list[Line]:
    shown = sorted(pods, key=lambda pod: (pod.is_ready, pod.member, pod.name))[:_MOST]
    found = [_pod(pod, now) for pod in shown]
    left = len(pods) - len(shown)
    return [*found, Line(f"… and {left} more {what}", Tone.FAINT)] if left else found


def _pod(pod: Pod, now: datetime) -> Line:
    told = [f"member {pod.member}" if pod.group else f"pod {pod.name}", pod.state]
    if pod.restarts:
        told.append(f"{pod.restarts} restart{'' if pod.restarts == 1 else 's'}")
    told += filter(None, (pod.node, age(pod.since, now)))
    return Line(" · ".join(told), Tone.GOOD if pod.is_ready else Tone.WAITING)
