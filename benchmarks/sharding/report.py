"""The figures of groups as JSON, as a page of tables, and as plots in SVG."""

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pygal
from pygal.style import CleanStyle

Results = Mapping[str, Any]

_MB = 1e6

_PAGE = """\
# Groups of shards: all figures

By `python -m benchmarks.sharding` on {date}: a model of {size}, {processors} processors that all
members share, {requests} requests for each line.

## Requests

{asked}

Ratios are to a single server, which was asked in turns with the group. CPU is that of all members.
A row looks up one user and two items of 64 floats. Wrong is an answer that was not the single
server's, bit by bit.

![Median latency of groups, as ratios to a single server](latency.svg)

## Memory and time to load

{groups}

The base is the most memory of a server with a model of 1 MB: {base}, nearly all of it TensorFlow.
The last two columns are seconds from the new start of a member that was killed until it has its
rows, and from then until all members are ready.

![Most memory of a member](memory.svg)

## Two groups behind a router, one of which loses a member

{right} answers were right and {wrong} wrong. {failed} requests failed, beside {cut_off} that the
killed member itself was answering: a prediction is never run twice.
"""


def write(results: Results, folder: Path) -> str:
    """Write everything into a folder; returns the page."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "results.json").write_text(json.dumps(results, indent=1) + "\n")
    found = page(results)
    (folder / "tables.md").write_text(found)
    asked = results["asked"]
    rows = list(dict.fromkeys(each["rows"] for each in asked))
    _plot(
        ("Median latency, one server = 1", f"rows of a request, model of {_size(results)}"),
        ([str(each) for each in rows], _by_shards(asked, "p50")),
        folder / "latency.svg",
    )
    groups = results["groups"]
    peaks = [each["peakBytes"] / _MB for each in groups]
    allowed = [each["allowedBytes"] / _MB for each in groups]
    _plot(
        ("Most memory of a member, MB", f"members, model of {_size(results)}"),
        (
            [str(each["shards"]) for each in groups],
            {"measured": peaks, "1.1 x share + base": allowed},
        ),
        folder / "memory.svg",
    )
    return found


def page(results: Results) -> str:
    """The tables in markdown."""
    lost, about = results["lost"], results["about"]
    return _PAGE.format(
        date=about["date"],
        processors=about["processors"],
        requests=about["requests"],
        size=_size(results),
        asked=_requests(results["asked"]),
        groups=_groups(results["groups"]),
        base=f"{results['baseBytes'] / _MB:.0f} MB",
        right=f"{lost['right']:,}",
        wrong=lost["wrong"],
        cut_off=lost["cut_off"],
        failed=sum(lost["failed"].values()),
    )


def _requests(asked: Sequence[Results]) -> str:
    lines = [
        "| members | rows | p50, ms | p99, ms | CPU, ms | p50 ratio | p99 ratio | CPU ratio "
        "| wrong |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for each in asked:
        group, single = each["group"], each["single"]
        figures = [f"{1e3 * group[name]:.2f}" for name in ("p50", "p99", "cpu")]
        ratios = [f"{group[name] / single[name]:.2f}" for name in ("p50", "p99", "cpu")]
        cells = [each["shards"], each["rows"], *figures, *ratios, each["wrong"]]
        lines.append(f"| {' | '.join(map(str, cells))} |")
    return "\n".join(lines)


def _groups(groups: Sequence[Results]) -> str:
    lines = [
        "| members | share, MB | most memory of a member, MB | 1.1 x share + base, MB "
        "| loaded in, s | killed member has its rows after, s | group is ready after that, s |",
        "|---|---|---|---|---|---|---|",
    ]
    for each in groups:
        sizes = [f"{each[n] / _MB:,.0f}" for n in ("shareBytes", "peakBytes", "allowedBytes")]
        back = [f"{each[name]:.2f}" if name in each else "-" for name in ("restore", "after")]
        cells = [str(each["shards"]), *sizes, f"{each['secondsToLoad']:.1f}", *back]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _by_shards(asked: Sequence[Results], figure: str) -> dict[str, list[float]]:
    found: dict[str, list[float]] = {}
    for each in asked:
        ratio = each["group"][figure] / each["single"][figure]
        found.setdefault(f"{each['shards']} members", []).append(ratio)
    return found


def _size(results: Results) -> str:
    return f"{results['bytes'] / 1e9:g} GB"


def _plot(
    titles: tuple[str, str], bars: tuple[list[str], Mapping[str, Sequence[float]]], file: Path
) -> None:
    chart = pygal.Bar(
        title=titles[0],
        x_title=titles[1],
        x_labels=bars[0],
        style=CleanStyle(font_family="sans-serif"),
        legend_at_bottom=True,
        js=[],
        disable_xml_declaration=True,
        width=700,
        height=420,
        range=(0, max(max(values) for values in bars[1].values())),
        value_formatter=lambda value: f"{value:,.3g}",
    )
    for name, values in bars[1].items():
        chart.add(name, list(values))
    # Without what differs from run to run.
    drawn = chart.render(is_unicode=True)
    file.write_text(re.sub(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "chart", drawn))
