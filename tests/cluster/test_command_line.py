"""The command line refuses what makes no sense, before it does anything."""

import pytest

from cluster_command import run


@pytest.mark.parametrize(
    ("words", "said"),
    [
        pytest.param(["up", "--kwok-nodes", "3"], "go with --control-plane", id="kwok's alone"),
        pytest.param(
            ["up", "--control-plane", "--nodes", "2"], "do not go with", id="nodes that are not"
        ),
        pytest.param(["up", "--accelerators", "gpu"], "RESOURCE=N", id="no accelerator"),
        pytest.param(["up", "--name", "../x"], "cannot name a cluster", id="no name"),
        pytest.param(["build", "dockerd"], "no such program: dockerd", id="another program"),
        pytest.param(["kubectl", "--name", "absent", "get"], "no cluster absent", id="no cluster"),
        pytest.param(["kubeconfig", "--name", "absent"], "no cluster absent", id="no kubeconfig"),
        pytest.param(["load", "--name", "absent", "x"], "no cluster absent", id="no nodes"),
    ],
)
def test_what_makes_no_sense_is_refused(words: list[str], said: str) -> None:
    refused = run(*words)

    assert refused.returncode == 1
    assert said in refused.stderr
    assert "Traceback" not in refused.stderr
