"""`make demo`, `make recommender` and `make down`: hack/demo up | too-big | down."""

import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "cluster"))

from place import DemoError, choose
from story import tell, undo
from too_big import tell as tell_too_big

from testcluster.progress import Progress

ACTS = {"up": tell, "too-big": tell_too_big, "down": undo}


def main(words: list[str]) -> int:
    """Run one act; 1 when a stage failed, 2 when the words are not understood."""
    if len(words) != 1 or words[0] not in ACTS:
        print(f"usage: hack/demo {' | '.join(ACTS)}", file=sys.stderr)
        return 2
    try:
        name = os.environ.get("CLUSTER_NAME", "modelfleet")
        ACTS[words[0]](choose(os.environ.get("CLUSTER", "own"), name), Progress())
    except DemoError as error:
        print(f"\n{error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
