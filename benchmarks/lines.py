"""A plot of lines as SVG, without a library: a point for each load, a line for each way."""

from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path

_COLOURS = ("#888888", "#d95f02", "#1b9e77", "#7570b3", "#e7298a")
_WIDTH, _HEIGHT, _LEFT, _RIGHT, _TOP, _BOTTOM = 640, 360, 60, 210, 40, 50


def plot(
    file: Path, title: str, loads: Sequence[int], lines: Mapping[str, Sequence[float]], unit: str
) -> None:
    """Writes a plot; each line has a value for each load, which lie equally far apart."""
    most = max(max(values) for values in lines.values()) * 1.1
    width, height = _WIDTH - _LEFT - _RIGHT, _HEIGHT - _TOP - _BOTTOM

    def x(number: int) -> float:
        return _LEFT + width * number / max(len(loads) - 1, 1)

    def y(value: float) -> float:
        return _TOP + height * (1 - value / most)

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}"'
        ' font-family="sans-serif" font-size="12">',
        f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="white"/>',
        f'<text x="{_LEFT}" y="22" font-size="15">{escape(title)}</text>',
    ]
    for fifth in range(6):
        value = most * fifth / 5
        parts.append(
            f'<path d="M{_LEFT} {y(value):.1f}h{width}" stroke="#dddddd"/>'
            f'<text x="{_LEFT - 6}" y="{y(value) + 4:.1f}" text-anchor="end">{value:.3g}</text>'
        )
    for number, load in enumerate(loads):
        parts.append(
            f'<text x="{x(number):.1f}" y="{_HEIGHT - _BOTTOM + 18}" text-anchor="middle">'
            f"{load}</text>"
        )
    parts.append(
        f'<text x="{_LEFT + width / 2}" y="{_HEIGHT - 12}" text-anchor="middle">clients that ask'
        f' at once</text><text x="14" y="{_TOP - 6}">{escape(unit)}</text>'
    )
    for place, (name, values) in enumerate(lines.items()):
        colour = _COLOURS[place % len(_COLOURS)]
        points = " ".join(f"{x(n):.1f},{y(value):.1f}" for n, value in enumerate(values))
        row = _TOP + 14 + 20 * place
        parts.append(
            f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2.5"/>'
            f'<path d="M{_WIDTH - _RIGHT + 16} {row - 4}h18" stroke="{colour}" stroke-width="3"/>'
            f'<text x="{_WIDTH - _RIGHT + 40}" y="{row}">{escape(name)}</text>'
        )
    file.write_text("\n".join([*parts, "</svg>", ""]))
