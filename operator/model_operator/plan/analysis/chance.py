"""Whether what was counted may be chance."""

import math

# One verdict in a hundred, at most, turns a version away that is just as good as its limit.
_ODDS = 100


def is_beyond_chance(bad: int, total: int, percent: float) -> bool:
    """Whether so many of all would hardly be bad if `percent` of them were in the long run.

    By Chernoff's bound on the tail of a binomial distribution: exp(-n D(bad rate || usual rate)).
    """
    rate, usual = bad / total if total else 0.0, percent / 100
    if rate <= usual:
        return False
    if usual == 0:
        return True
    rest = (1 - rate) * math.log((1 - rate) / (1 - usual)) if rate < 1 else 0.0
    return total * (rate * math.log(rate / usual) + rest) > math.log(_ODDS)
