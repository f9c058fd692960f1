"""A line and the lines below it, without saying how a screen shows them."""

from dataclasses import dataclass
from enum import Enum


class Tone(Enum):
    """What a line is to its reader; where there are no colours it is lost, so words say it too."""

    PLAIN = "plain"
    GOOD = "good"
    BAD = "bad"
    WAITING = "waiting"
    FAINT = "faint"


@dataclass(frozen=True)
class Line:
    text: str
    tone: Tone = Tone.PLAIN
    below: tuple["Line", ...] = ()
