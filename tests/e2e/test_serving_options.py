"""What a ModelDeployment says of its servers holds in real containers."""

import json
from collections.abc import Callable

import pytest

from installed import Installed, eventually, predict

pytestmark = pytest.mark.cluster

SERVING = {
    "resources": {"limits": {"cpu": "1"}},
    "batching": {"maxBatchSize": 8, "batchTimeoutMicros": 1000},
}
CPUS = "from model_server.options.cpus import CPUS; print(CPUS)"


def test_batches_are_made_and_threads_keep_to_the_limit_of_the_container(
    installed: Installed, deployment: Callable[[str, str], None]
) -> None:
    model = {"uri": "pvc://models/half_plus_two", "version": 1, "platform": "tensorflow"}
    deployment("optioned", json.dumps({"model": model, "serving": SERVING}))

    eventually(lambda: installed.is_ready("optioned"))
    revision = installed.status("optioned")["stable"]["revision"]
    inside = ("exec", f"deployment/{revision}", "--", "python")
    with installed.rest("optioned") as url:
        answer = predict(url, [1.0, 2.0, 5.0])
        metrics = "http://127.0.0.1:8501/monitoring/prometheus/metrics"
        read = f"import urllib.request as u; print(u.urlopen('{metrics}').read().decode())"
        page = installed.kubectl(*inside, "-c", read)

    assert answer == [2.5, 3.0, 4.5]
    runs = [line for line in page.splitlines() if "wrapped_run_count" in line]
    assert runs[1:] == [":tensorflow:serving:batching_session:wrapped_run_count{} 1"]
    assert installed.kubectl(*inside, "-c", CPUS).split() == ["1"]
