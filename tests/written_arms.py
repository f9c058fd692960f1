"""Variants as users write them: one good one, with what a test would have otherwise."""

BIG = {"name": "big", "model": {"version": 9}, "weight": 20}


def variants(*overrides):
    """A spec with a variant for each of these."""
    return {"variants": [BIG | override for override in overrides]}


def matched(**match):
    """A spec with a variant that a header chooses."""
    variant = {"name": "big", "model": {"version": 9}, "match": [{"header": "x-a"} | match]}
    return {"variants": [variant]}
