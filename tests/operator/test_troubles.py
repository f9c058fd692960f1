"""Why a replica is not ready is read from whoever knows, and the most telling reason is shown."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model_operator.domain.seen.pods import pod_of
from model_operator.domain.seen.troubles import (
    LONGEST_MESSAGE,
    Trouble,
    most_telling,
    trouble_of_answer,
    trouble_of_events,
    trouble_of_pod,
    trouble_of_workload,
)


def pod(*, phase="Pending", conditions=(), **container):
    status = {"phase": phase, "conditions": list(conditions), "containerStatuses": [container]}
    return {"metadata": {"name": "p", "labels": {}}, "status": status}


UNSCHEDULABLE = {"type": "PodScheduled", "status": "False", "message": "0/1 nodes are available"}


@pytest.mark.parametrize(
    ("seen", "reason", "word"),
    [
        pytest.param(pod(conditions=[UNSCHEDULABLE]), "Unschedulable", "0/1 nodes", id="no node"),
        pytest.param(
            pod(state={"waiting": {"reason": "ImagePullBackOff", "message": "not found"}}),
            "ImagePullFailed",
            "not found",
            id="no image",
        ),
        pytest.param(
            pod(state={"waiting": {"reason": "CreateContainerConfigError", "message": "secret"}}),
            "ContainerConfigError",
            "secret",
            id="no secret",
        ),
        pytest.param(
            pod(
                state={"waiting": {"reason": "CrashLoopBackOff"}},
                lastState={"terminated": {"exitCode": 1, "message": "bad flag --x"}},
                restartCount=3,
            ),
            "Crashing",
            "exit code 1, restarted 3 times: bad flag --x",
            id="a crash with its last words",
        ),
        pytest.param(
            pod(state={"terminated": {"exitCode": 137, "reason": "OOMKilled"}}),
            "OutOfMemory",
            "memory limit",
            id="too little memory",
        ),
        pytest.param(pod(phase="Failed"), "Evicted", "failed", id="a failed pod"),
        pytest.param(
            pod(conditions=[UNSCHEDULABLE | {"message": 'persistentvolumeclaim "m" not found'}]),
            "ClaimNotFound",
            '"m"',
            id="no claim",
        ),
        pytest.param(
            pod(
                conditions=[
                    UNSCHEDULABLE | {"message": "pod has unbound immediate PersistentVolumeClaims."}
                ]
            ),
            "ClaimNotBound",
            "unbound",
            id="a claim without a volume",
        ),
        pytest.param(
            pod(
                state={
                    "waiting": {
                        "reason": "CreateContainerConfigError",
                        "message": 'secret "s3" not found',
                    }
                }
            ),
            "SecretNotFound",
            '"s3"',
            id="no such secret",
        ),
    ],
)
def test_what_the_cluster_holds_against_a_pod(seen, reason, word):
    trouble = trouble_of_pod(seen)

    assert trouble is not None
    assert trouble.reason == reason
    assert word in trouble.message


@pytest.mark.parametrize(
    "seen",
    [
        pytest.param({"metadata": {"name": "p"}}, id="a pod without a status"),
        pytest.param(pod(state={"waiting": {"reason": "ContainerCreating"}}), id="being created"),
        pytest.param(
            pod(
                state={"running": {}},
                ready=True,
                lastState={"terminated": {"exitCode": 1}},
            ),
            id="recovered after a crash",
        ),
    ],
)
def test_a_pod_without_trouble(seen):
    assert trouble_of_pod(seen) is None


def test_the_words_about_an_image_do_not_change_with_each_try():
    cause = "rpc error: code = NotFound desc = no such image"
    tries = [
        {"reason": "ErrImagePull", "message": cause},
        {
            "reason": "ImagePullBackOff",
            "message": f'Back-off pulling image "x": ErrImagePull: {cause}',
        },
    ]

    troubles = {trouble_of_pod(pod(state={"waiting": waiting})) for waiting in tries}

    assert troubles == {Trouble("ImagePullFailed", cause)}


def test_a_crash_that_goes_on_and_on_is_told_in_the_same_words():
    ended = {"terminated": {"exitCode": 1}}
    told = {
        trouble_of_pod(pod(state={"waiting": {}}, lastState=ended, restartCount=count)).message
        for count in range(5, 50)
    }

    assert told == {"the container ended with exit code 1, restarted many times"}


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        pytest.param(
            'error looking up service account shop/x: serviceaccount "x" not found',
            "ServiceAccountNotFound",
            id="no account",
        ),
        pytest.param("admission webhook said no", "FailedCreate", id="anything else"),
    ],
)
def test_what_keeps_pods_from_being_made_is_told_by_the_workload(message, reason):
    failure = {"type": "ReplicaFailure", "status": "True", "message": message}

    assert trouble_of_workload({"status": {"conditions": [failure]}}) == Trouble(reason, message)


def test_why_containers_are_not_made_is_told_by_events():
    mount = {"reason": "FailedMount", "message": "hostPath type check failed: /srv is no directory"}
    other = {"reason": "Unhealthy", "message": "Readiness probe failed"}

    assert trouble_of_events([other, mount]) == Trouble("MountFailed", mount["message"])
    assert trouble_of_events([other]) is None


def test_a_pod_on_its_way_out_is_waited_for_until_it_is_overdue():
    seen = pod(state={"running": {}})
    seen["metadata"]["deletionTimestamp"] = "2026-01-01T12:00:00Z"
    noon = datetime(2026, 1, 1, 12, tzinfo=UTC)

    assert pod_of(seen).is_leaving(noon + timedelta(seconds=59))
    assert not pod_of(seen).is_leaving(noon + timedelta(seconds=60))
    assert not pod_of(pod(state={"running": {}})).is_leaving(noon)


def test_a_pod_is_stuck_when_its_containers_are_not_made_for_some_time():
    seen = pod(state={"waiting": {"reason": "ContainerCreating"}})
    seen["status"]["startTime"] = "2026-01-01T12:00:00Z"
    noon = datetime(2026, 1, 1, 12, tzinfo=UTC)

    assert not pod_of(seen).is_stuck(noon + timedelta(seconds=19))
    assert pod_of(seen).is_stuck(noon + timedelta(seconds=20))
    assert not pod_of(pod(state={"running": {}})).is_stuck(noon + timedelta(hours=1))


def test_a_spent_quota_is_told_by_the_workload():
    failure = {"type": "ReplicaFailure", "status": "True", "message": "exceeded quota: small"}

    trouble = trouble_of_workload({"status": {"conditions": [failure]}})

    assert trouble == Trouble("QuotaExceeded", "exceeded quota: small")


def test_the_servers_own_words_are_taken():
    model = {"name": "m", "ready": False, "reason": "VersionNotFound", "message": "no version 3"}

    trouble = trouble_of_answer({"ready": False, "models": [model]})

    assert trouble == Trouble("VersionNotFound", "no version 3")


def test_a_ready_server_has_no_trouble():
    assert trouble_of_answer({"ready": True, "models": [{"name": "m", "ready": True}]}) is None


KEYS = st.sampled_from(["models", "ready", "reason"])


@given(
    st.recursive(
        st.none() | st.booleans() | st.text(max_size=5),
        lambda child: st.lists(child) | st.dictionaries(KEYS, child),
        max_leaves=8,
    )
)
def test_an_answer_of_any_shape_is_borne(answer):
    trouble = trouble_of_answer(answer)

    assert trouble is None or trouble.reason


def test_the_most_telling_reason_comes_first_in_whatever_order():
    waiting = Trouble("Loading", "b")
    broken = Trouble("VersionNotFound", "a")
    unknown = Trouble("SomethingNew", "c")

    assert most_telling([waiting, unknown, broken]) == broken
    assert most_telling([unknown, waiting]) == unknown
    assert most_telling([]) is None


def test_of_a_crash_the_last_words_are_told():
    log = "\n".join(
        ["usage:", *(f"  --flag{number}" for number in range(90)), "", "bad flag --x\n"]
    )
    seen = pod(state={"terminated": {"exitCode": 1, "message": log}})

    message = trouble_of_pod(seen).message

    assert message.endswith("--flag88 | --flag89 | bad flag --x")
    assert "usage" not in message


def test_a_long_message_keeps_both_its_ends():
    seen = pod(state={"terminated": {"exitCode": 1, "message": "x" * 5000 + "the end"}})

    trouble = trouble_of_pod(seen)

    assert len(trouble.message) <= LONGEST_MESSAGE + 3
    assert trouble.message.endswith("the end")


def test_a_pod_that_runs_and_is_not_ready_is_told_apart():
    seen = pod_of(pod(state={"running": {}}, phase="Running"))

    assert seen.is_running
    assert not seen.is_ready
