"""A plot of lines as SVG: a point for each load, a line for each way."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import pygal
from pygal.style import CleanStyle


def plot(
    file: Path, title: str, loads: Sequence[int], lines: Mapping[str, Sequence[float]], unit: str
) -> None:
    """Writes a plot; each line has a value for each load, which lie equally far apart."""
    chart = pygal.Line(
        title=title,
        x_title="clients that ask at once",
        y_title=unit,
        style=CleanStyle,
        js=[],
        include_x_axis=True,
    )
    chart.x_labels = [str(load) for load in loads]
    for name, values in lines.items():
        chart.add(name, list(values))
    file.write_bytes(chart.render())
