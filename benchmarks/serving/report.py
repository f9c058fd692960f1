"""Results as JSON, as tables in markdown and as plots in SVG."""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pygal
from pygal.style import CleanStyle

Row = Mapping[str, Any]

_CELLS = "Requests a second (median/99th percentile of latency in milliseconds); `!`: some failed."


def read(file: Path) -> list[Row]:
    """The rows of a result file; none if there is no such file."""
    return json.loads(file.read_text())["rows"] if file.exists() else []


def write(rows: Sequence[Row], about: Mapping[str, str], file: Path) -> None:
    """Writes a result file; ``about`` says where and when."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps({"about": dict(about), "rows": list(rows)}, indent=1) + "\n")


def merged(old: Iterable[Row], new: Sequence[Row]) -> list[Row]:
    """All new rows, and the old ones of points that were not measured anew."""
    measured = {_key(row) for row in new}
    return [row for row in old if _key(row) not in measured] + list(new)


def _key(row: Row) -> tuple[str, str, str]:
    return row["model"], row["server"], row.get("load", "")


def tables(rows: Sequence[Row]) -> str:
    """A page: a table for each model and API, one for start and memory, and what was skipped."""
    parts = ["# Performance of the server: all figures", _CELLS]
    points = [row for row in rows if row["kind"] == "point"]
    for model in _in_order(row["model"] for row in points):
        for api in ("gRPC", "REST"):
            of_api = [r for r in points if r["model"] == model and r["load"].startswith(api)]
            if of_api:
                parts.append(f"## {model}, {api}\n\n{_table(of_api)}")
    standing = [row for row in rows if row["kind"] == "standing"]
    if standing:
        parts.append(f"## Start and memory\n\n{_standing(standing)}")
    skipped = [row for row in rows if row["kind"] == "skipped"]
    parts += [f"{row['server']} was not measured with {row['model']}." for row in skipped]
    return "\n\n".join(parts) + "\n"


def _table(points: Sequence[Row]) -> str:
    loads = _in_order(row["load"] for row in points)
    lines = [_line(["server", *(load.partition(", ")[2] for load in loads), "µs CPU, c=8"])]
    lines.append("|" + "---|" * (len(loads) + 2))
    for server in _in_order(row["server"] for row in points):
        of_server = {row["load"]: row for row in points if row["server"] == server}
        cells = [_cell(of_server.get(load)) for load in loads]
        eight = next((r for load, r in of_server.items() if load.endswith("c=8")), None)
        cpu = f"{eight['cpu_micros']:,.0f}" if eight else "-"
        lines.append(_line([server, *cells, cpu]))
    return "\n".join(lines)


def _cell(point: Row | None) -> str:
    if point is None:
        return "-"
    failed = "!" if point["failed"] else ""
    return f"{point['rate']:,.0f}{failed} ({point['p50']:.2f}/{point['p99']:.1f})"


def _standing(rows: Sequence[Row]) -> str:
    titles = ["server", "model", "first right answer, s", "memory, MiB"]
    lines = [_line(titles), "|---|---|---|---|"]
    lines += [
        _line([r["server"], r["model"], f"{r['start_seconds']:.1f}", f"{r['memory_mib']:,.0f}"])
        for r in rows
    ]
    return "\n".join(lines)


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def plots(rows: Sequence[Row], folder: Path) -> list[Path]:
    """Requests a second of all servers by load, a plot for each model and API."""
    written = []
    points = [row for row in rows if row["kind"] == "point"]
    for model in _in_order(row["model"] for row in points):
        for api in ("gRPC", "REST"):
            of_api = [
                row
                for row in points
                if row["model"] == model and re.fullmatch(rf"{api}, c=\d+", row["load"])
            ]
            if of_api:
                written.append(_plot(f"{model}, {api}", of_api, folder))
    return written


def _plot(title: str, points: Sequence[Row], folder: Path) -> Path:
    loads = _in_order(row["load"] for row in points)
    chart = pygal.Bar(
        title=f"{title}: requests a second",
        x_labels=[load.partition(", ")[2] for load in loads],
        style=CleanStyle(font_family="sans-serif"),
        legend_at_bottom=True,
        legend_at_bottom_columns=2,
        js=[],
        disable_xml_declaration=True,
        width=900,
        height=480,
        value_formatter=lambda value: f"{value:,.0f}",
    )
    for server in _in_order(row["server"] for row in points):
        rates = {row["load"]: row["rate"] for row in points if row["server"] == server}
        chart.add(server, [rates.get(load) for load in loads])
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{re.sub(r'[^a-z0-9]+', '-', title.lower())}.svg"
    # Without what differs from run to run.
    drawn = chart.render(is_unicode=True)
    file.write_text(re.sub(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "chart", drawn))
    return file


def _in_order(values: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(values))
