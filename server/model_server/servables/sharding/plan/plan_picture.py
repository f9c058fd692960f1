"""A shard plan as a picture in SVG: a bar for each member, made up of what it holds."""

from xml.etree import ElementTree as xml

from model_server.servables.sharding.plan.plan_page import size_text
from model_server.servables.sharding.plan.shard_plan import Placed, ShardPlan, Whole

_WIDTH, _MARGIN, _LINE = 760, 16, 18
_BARS_LEFT, _BARS_WIDTH = 96, 540
# All bars together; those of large groups are thin, and their members are not all named.
_BARS_HEIGHT, _MOST_BAR_HEIGHT, _NAMED_FROM = 640, 22, 12
# Of Okabe and Ito, which people tell apart however they see colours; grey for the rest.
_COLOURS = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00")
_REST = "#999999"
_SVG = "http://www.w3.org/2000/svg"


def plan_picture(plan: ShardPlan) -> str:
    """The picture that ``model-server shard-plan --svg`` writes."""
    parts = _parts(plan)
    height = min(_MOST_BAR_HEIGHT, _BARS_HEIGHT // plan.shards) or 1
    top = _MARGIN + 2 * _LINE
    bottom = top + plan.shards * height
    svg = xml.Element("svg", xmlns=_SVG, viewBox=f"0 0 {_WIDTH} {bottom + _LINE * len(parts) + 40}")
    svg.set("font-family", "sans-serif")
    svg.set("font-size", "12")
    svg.set("style", "background: white")
    head = f"{size_text(plan.bytes)} of variables on {plan.shards} members, engine {plan.engine}"
    _text(svg, _MARGIN, _MARGIN + _LINE, head, weight="bold")
    most = max(1, *(plan.bytes_on(member) for member in range(plan.shards)))
    for member in range(plan.shards):
        _bar(svg, (parts, member), (top + member * height, height), _BARS_WIDTH / most)
        if height >= _NAMED_FROM or member in (0, plan.shards - 1):
            line = top + member * height + max(height - 6, 6)
            _text(svg, _MARGIN, line, f"member {member}")
            size = size_text(plan.bytes_on(member))
            _text(svg, _BARS_LEFT + _BARS_WIDTH + 10, line, size)
    for number, (name, colour, placed) in enumerate(parts):
        line = bottom + _LINE * (number + 1)
        _rectangle(svg, (_BARS_LEFT, line), (10, 10), colour)
        size = size_text(sum(each.variable.bytes for each in placed))
        _text(svg, _BARS_LEFT + 18, line + 10, f"{name}, {size}")
    xml.indent(svg)
    return xml.tostring(svg, encoding="unicode") + "\n"


_Part = tuple[str, str, list[Placed]]


def _parts(plan: ShardPlan) -> list[_Part]:
    """What has a colour: the largest variables, and all others together."""
    ordered = sorted(plan.placed, key=lambda each: (-each.variable.bytes, each.variable.name))
    shown, rest = ordered[: len(_COLOURS)], ordered[len(_COLOURS) :]
    parts: list[_Part] = [
        (_said(placed), colour, [placed]) for placed, colour in zip(shown, _COLOURS, strict=False)
    ]
    return [*parts, (f"{len(rest)} others", _REST, rest)] if rest else parts


def _said(placed: Placed) -> str:
    kind = type(placed).__name__.lower()
    where = f" on member {placed.member}" if isinstance(placed, Whole) else ""
    return f"{placed.variable.name}, {kind}{where}"


def _bar(
    svg: xml.Element, held: tuple[list[_Part], int], place: tuple[int, int], scale: float
) -> None:
    (parts, member), (top, height) = held, place
    left = float(_BARS_LEFT)
    for _, colour, placed in parts:
        width = scale * sum(each.bytes_on(member) for each in placed)
        # A gap between bars, where they are thick enough for one.
        _rectangle(svg, (left, top), (width, height - (height > 3)), colour)
        left += width


def _rectangle(
    svg: xml.Element, place: tuple[float, float], size: tuple[float, float], colour: str
) -> None:
    found = xml.SubElement(svg, "rect", fill=colour)
    for name, value in zip(("x", "y", "width", "height"), (*place, *size), strict=True):
        found.set(name, f"{value:.2f}".rstrip("0").rstrip("."))


def _text(svg: xml.Element, left: int, line: int, said: str, weight: str = "normal") -> None:
    found = xml.SubElement(svg, "text", x=str(left), y=str(line))
    found.set("font-weight", weight)
    found.text = said
