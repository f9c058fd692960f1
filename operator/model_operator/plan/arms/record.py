"""What a router is told of a ModelDeployment and its arms."""

from model_operator.domain.routing.traffic import Match, Ports, Shadow, Share, Traffic
from model_operator.plan.arms.track import Track
from model_operator.plan.arms.tracks import Tracks


def traffic_of(tracks: Tracks, ports: Ports) -> Traffic:
    """The traffic record. An arm without a ready replica is not in it."""
    requests = tracks.main.deployment.requests
    return Traffic(
        ports=ports,
        split=_split(tracks),
        timeout_seconds=requests.timeout_seconds,
        most_requests=requests.most_concurrent,
        matches=tuple(match for track in tracks.arms for match in _matches(track)),
        sticky_header=requests.sticky_header,
        shadow=next((found for track in tracks.arms if (found := _shadow(track))), None),
    )


def _split(tracks: Tracks) -> tuple[Share, ...]:
    """In an order that is kept from one record to the next, whatever weights change.

    The hash of a sticky header falls into one of the shares as they lie side by side. The main
    model lies in the middle and its revisions together, so that they move users among themselves
    alone; the first variant lies at one end and the second at the other, so that each gets its
    users from the main model and gives them back to it.
    """
    weights = tracks.weights
    arms = [track.serving for track in tracks.arms]
    main = sorted(weights.keys() - set(arms))
    ordered = (*arms[0::2], *main, *reversed(arms[1::2]))
    return tuple(Share(name, weights[name]) for name in ordered if name in weights)


def _matches(track: Track) -> list[Match]:
    if track.arm is None or not track.is_ready:
        return []
    return [
        Match(match.header, match.value, match.is_regex, track.serving)
        for match in track.arm.matches
    ]


def _shadow(track: Track) -> Shadow | None:
    if track.arm is None or not track.arm.copied_percent or not track.is_ready:
        return None
    return Shadow(track.serving, track.arm.copied_percent)
