"""`make recommender`: a model that kills a pod by its size, and that four pods serve."""

import json
import sys
import time
from typing import Any

from place import NAMESPACE, ROOT, DemoError, OwnCluster, Place, run

from testcluster.progress import Progress

NAME = "recommender"
EXAMPLE = ROOT / "examples" / "recommender"
SIZE = "2GB"  # for which the manifests are
KILLED = "OutOfMemory"
_WITHIN = 300.0


def tell(place: Place, progress: Progress) -> None:
    """Serve the recommender whole, which fails, and then divided; on the demo's cluster.

    Raises:
        DemoError: there is no such cluster, or a stage failed.
    """
    if not isinstance(place, OwnCluster):
        raise DemoError("This needs the demo's own cluster; docs/tutorial/shards.md tells the way.")
    with progress.stage("Find the cluster of make demo"):
        place.kubectl("get", "-n", NAMESPACE, "pvc/models")
        place.kubectl("delete", "modeldeployment", "-n", NAMESPACE, NAME, "--ignore-not-found")
    with progress.stage(f"Write a recommender of {SIZE} into its volume"):
        script = EXAMPLE / "build_recommender.py"
        run([sys.executable, script, "--out", place.models_folder(), "--size", SIZE])
    with progress.stage("Serve it from one pod that may have 1 GiB: it is killed"):
        place.kubectl("apply", "-n", NAMESPACE, "-f", str(EXAMPLE / "whole.yaml"))
        said = _killed(place)
    progress.say(f"  {said}")
    with progress.stage("Serve it from four pods that may have 1 GiB each"):
        place.kubectl("apply", "-n", NAMESPACE, "-f", str(EXAMPLE / "sharded.yaml"))
        ready = ("--for=condition=Ready", f"--timeout={_WITHIN:.0f}s")
        place.kubectl("wait", "-n", NAMESPACE, f"modeldeployment/{NAME}", *ready)
    with place.forward(NAMESPACE, NAME, (8501,)) as (rest,):
        script = EXAMPLE / "ask_recommender.py"
        url = f"http://127.0.0.1:{rest}"
        print(f"\n{run([sys.executable, script, '--rest', url, '--size', SIZE])}", flush=True)
    with progress.stage("Remove it again"):
        place.kubectl("delete", "modeldeployment", "-n", NAMESPACE, NAME)


def _killed(place: Place) -> str:
    """What the status says when the pod was killed for its memory."""
    last = time.monotonic() + _WITHIN
    while True:
        found = place.kubectl("get", "-n", NAMESPACE, "modeldeployment", NAME, "-o", "json")
        conditions: list[dict[str, Any]] = json.loads(found).get("status", {}).get("conditions", [])
        for condition in conditions:
            if condition["reason"] == KILLED:
                return f"{KILLED}: {condition['message']}"
        if time.monotonic() > last:
            raise DemoError(f"{NAME} was not killed:\n{json.dumps(conditions, indent=2)}")
        time.sleep(0.5)
