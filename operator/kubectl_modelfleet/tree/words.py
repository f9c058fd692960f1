"""Durations, percents and counts as people read them."""

from datetime import datetime, timedelta


def age(since: datetime | None, now: datetime) -> str:
    """As kubectl writes it: `45s`, `12m5s`, `3h20m`, `4d`; empty for an unknown time."""
    if since is None:
        return ""
    return span(max(now - since, timedelta()))


def span(duration: timedelta) -> str:
    seconds = int(duration.total_seconds())
    if seconds < 100:
        return f"{seconds}s"
    minutes, hours, days = seconds // 60, seconds // 3600, seconds // 86400
    if minutes < 60:
        return f"{minutes}m{seconds % 60}s"
    if hours < 48:
        return f"{hours}h{minutes % 60}m"
    return f"{days}d"


def percent(value: float | None) -> str:
    return "?" if value is None else f"{value:g} %"


def counted(value: float | None) -> str:
    return "?" if value is None else f"{value:g}"
