"""What the demo makes of what its callers say."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "hack" / "demo"))

from live import NOTHING, Came, parse


def test_a_line_of_the_callers_has_answers_by_version_and_failures_by_code() -> None:
    came = parse('{"gRPC": {"version 1": 7, "DATA_LOSS": 1}, "REST": {"version 1": 5, "500": 2}}')

    assert (came.of(1), came.of(2)) == (12, 0)
    assert came.failures == {"DATA_LOSS": 1, "500": 2}
    assert came.requests == 15
    assert came.fewest == 7


def test_what_came_in_between_is_the_difference() -> None:
    before = Came({"version 1": 7}, {"version 1": 5, "500": 2})
    after = Came({"version 1": 7, "version 2": 1}, {"version 1": 9, "500": 2})

    found = after.since(before)

    assert (found.of(1), found.of(2), found.failures) == (4, 1, {})
    assert before.since(NOTHING).requests == before.requests
