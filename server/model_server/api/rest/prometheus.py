"""Metrics as Prometheus reads them, in TensorFlow Serving's spelling.

Source: TensorFlow Serving ``util/prometheus_exporter.cc``: slashes of names become colons, there is
no HELP, and braces stand even where there are no labels.
"""

import re
from collections.abc import Iterable

from model_server.service.metrics.kinds import Distribution, Family, Labels

_NOT_IN_NAME = re.compile(r"[^a-zA-Z0-9_]")


def page(families: Iterable[Family]) -> str:
    """The whole page; metrics without a point are left out."""
    lines: list[str] = []
    for family in families:
        if family.points:
            name = metric_name(family.name)
            lines.append(f"# TYPE {name} {family.kind}")
            for values, point in family.points.items():
                lines.extend(_point(name, family.label_names, values, point))
    return "".join(f"{line}\n" for line in lines)


def metric_name(name: str) -> str:
    """A TensorFlow metric's name as Prometheus allows it."""
    clean = _NOT_IN_NAME.sub(":", name)
    return f"_{clean}" if clean[:1].isdigit() else clean


def _point(name: str, names: Labels, values: Labels, point: float | Distribution) -> Iterable[str]:
    labels = ",".join(
        f'{_NOT_IN_NAME.sub("_", label)}="{_escaped(value)}"'
        for label, value in zip(names, values, strict=True)
    )
    if not isinstance(point, Distribution):
        return [f"{name}{{{labels}}} {_number(point)}"]
    lines = []
    below = 0
    bounds = [*map(_number, point.bounds), "+Inf"]
    comma = "," if labels else ""
    for bound, count in zip(bounds, point.counts, strict=True):
        below += count
        lines.append(f'{name}_bucket{{{labels}{comma}le="{bound}"}} {below}')
    lines.append(f"{name}_sum{{{labels}}} {_number(point.total)}")
    lines.append(f"{name}_count{{{labels}}} {below}")
    return lines


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _number(value: float) -> str:
    short = f"{value:g}"
    return short if float(short) == value else repr(value)
