"""How all requests are shared between the main model and the variants; pure arithmetic."""

from collections.abc import Mapping


def shares_of(
    main: Mapping[str, int], is_main_ready: bool, variants: Mapping[str, int]
) -> dict[str, int]:
    """The percentage of all requests for each revision; 100 together.

    Each variant has its own percentage, and the main model the rest: a candidate of its rollout
    has its weight of that rest, and no less than 1 %. While the main model has nothing ready the
    variants share all requests among them.

    Args:
        main: the percentages of the main model's requests, 100 together.
        is_main_ready: whether it can answer.
        variants: the percentages of all requests, below 100 together, of variants that are ready.
    """
    taken = sum(variants.values())
    if taken and not is_main_ready:
        return dict.fromkeys(main, 0) | _parts(variants, 100)
    return _parts(main, 100 - taken) | dict(variants)


def _parts(weights: Mapping[str, int], total: int) -> dict[str, int]:
    """Whole parts of `total` by weight, each less than 1 from exact or raised to 1."""
    whole = sum(weights.values())
    parts = {name: max(weight * total // whole, min(weight, 1)) for name, weight in weights.items()}
    by_rest = sorted(weights, key=lambda name: (-(weights[name] * total % whole), -weights[name]))
    for name in by_rest[: max(0, total - sum(parts.values()))]:
        parts[name] += 1
    while sum(parts.values()) > total:
        parts[max(parts, key=lambda name: (parts[name], -weights[name]))] -= 1
    return parts
