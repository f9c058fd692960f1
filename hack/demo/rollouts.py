"""The second half of the demo: new versions earn their requests, under live traffic."""

import json
import time
from collections.abc import Callable
from typing import Any

from live import Calls, Came, calls, start_pod
from place import NAMESPACE, DemoError, Place

from testcluster.progress import Progress

NAME = "half-plus-version"
FIRST, GOOD, FAILING, SLOW = 1, 2, 4, 5
FAILURES = {"DATA_LOSS", "500"}  # what version 4 answers, over gRPC and REST
_WITHIN = 180.0
Status = dict[str, Any]


def begin_anew(place: Place) -> None:
    """Forget what an earlier demo made of the object: it would take version 1 for a new one."""
    place.kubectl("delete", "modeldeployment", "-n", NAMESPACE, NAME, "--ignore-not-found")


def tell(place: Place, progress: Progress) -> None:
    """A good version goes live by steps; one that fails and one that is slow are turned away.

    Raises:
        DemoError: a version did not come to its end, or callers lost what they must not lose.
    """
    with progress.stage("Start four callers in the cluster, over gRPC and REST"):
        start_pod(place)
    with calls(place, NAME) as live:
        with progress.stage("Wait for the first answers"):
            live.until(lambda came: came.fewest > 20)
        _promote(place, progress, live)
        for version, flaw in ((FAILING, "fails"), (SLOW, "is slow")):
            _turn_away(place, progress, live, (version, flaw))
        came = live.end()
    progress.say(f"  In all {came.requests} requests; every failure was version {FAILING}'s own.")


def _promote(place: Place, progress: Progress, live: Calls) -> None:
    before = live.came
    shown = Shown(progress, live, GOOD)
    with progress.stage(f"Version {GOOD} is good: 10 %, 50 %, promoted"):
        _ask_for(place, GOOD)
        _follow(place, shown, lambda status: _stable(status) == GOOD and "candidate" not in status)
        _answers(live, GOOD, 50)  # and what was under way
    came = live.came.since(before)
    progress.say(f"  {_counts(came, (FIRST, GOOD))}")
    if came.failures:
        raise DemoError(f"A good version must lose no request; these failed: {came.failures}")


def _turn_away(place: Place, progress: Progress, live: Calls, bad: tuple[int, str]) -> None:
    version, flaw = bad
    before = live.came
    shown = Shown(progress, live, version)
    with progress.stage(f"Version {version} {flaw}: turned away by itself"):
        _ask_for(place, version)
        said = _follow(place, shown, _stalled)
        _answers(live, GOOD, 50)  # and what was under way
        after = _answers(live, GOOD, 100)
    came = live.came.since(before)
    progress.say(f"  {said}")
    progress.say(f"  {_counts(came, (GOOD, version))}")
    allowed = FAILURES if version == FAILING else set()
    if after.failures or set(came.failures) - allowed:
        raise DemoError(
            f"Only version {FAILING} may fail, and not when it is turned away; "
            f"failed: {came.failures}, afterwards {after.failures}"
        )


def _answers(live: Calls, version: int, number: int) -> Came:
    """What came until a version gave so many more answers."""
    before = live.came
    return live.until(lambda came: came.since(before).of(version) >= number).since(before)


class Shown:
    """Says each new weight once, with what callers got since the version came."""

    def __init__(self, progress: Progress, live: Calls, version: int) -> None:
        self._progress = progress
        self._live = live
        self._version = version
        self._before = live.came
        self._weight = 0

    def show(self, status: Status) -> None:
        """Look at a status; a line if the version has another weight in it."""
        weight = status.get("candidate", {}).get("weight", 0)
        if _stable(status) == self._version:
            weight = 100
        if weight != self._weight:
            self._weight = weight
            came = self._live.came.since(self._before)
            self._progress.say(
                f"  {weight:3d} %   {came.requests} requests so far, {came.failures.total()} failed"
            )


def _follow(place: Place, shown: Shown, is_done: Callable[[Status], Any]) -> Any:
    last = time.monotonic() + _WITHIN
    while True:
        found = json.loads(
            place.kubectl("get", "-n", NAMESPACE, "modeldeployment", NAME, "-o", "json")
        )
        status = found.get("status", {})
        if status.get("observedGeneration") == found["metadata"]["generation"]:
            shown.show(status)
            if answer := is_done(status):
                return answer
        if time.monotonic() > last:
            raise DemoError(f"{NAME} got no further:\n{json.dumps(status, indent=2)}")
        time.sleep(0.2)


def _ask_for(place: Place, version: int) -> None:
    change = json.dumps({"spec": {"model": {"version": version}}})
    place.kubectl(
        *("patch", "-n", NAMESPACE, "modeldeployment", NAME, "--type=merge", "-p", change)
    )


def _stable(status: Status) -> int:
    return int(status.get("stable", {}).get("version", 0))


def _stalled(status: Status) -> str:
    """Why the version was turned away; empty while it was not."""
    for condition in status.get("conditions", []):
        if condition["type"] == "Stalled" and condition["status"] == "True":
            return f"{condition['reason']}: {condition['message']}"
    return ""


def _counts(came: Came, versions: tuple[int, int]) -> str:
    answered = ", ".join(f"{came.of(version)} by version {version}" for version in versions)
    failed = ", ".join(f"{n} {code}" for code, n in sorted(came.failures.items()))
    return f"answered: {answered}; failed: {failed or '0'}"
