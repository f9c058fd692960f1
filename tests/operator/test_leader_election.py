"""Two operators of one installation: one works, the other takes over when it is gone."""

import signal

import pytest

from api_server import eventually
from simulated_world import manifest

pytestmark = pytest.mark.api


@pytest.fixture
def start(api_server, start_operator):
    """Starts operators of one installation, for one namespace."""
    namespace = api_server.namespace
    return lambda: start_operator(
        api_server.kubeconfig,
        MODELFLEET_NAMESPACES=namespace,
        MODELFLEET_LEASE=f"{namespace}/modelfleet",
    )


@pytest.fixture
def leader(start):
    process = start()
    eventually(lambda: leads(process))
    return process


@pytest.fixture
def standby(leader, start):
    process = start()
    process.port()
    return process


def leads(process):
    return process.samples("modelfleet_leader") == {"": 1.0}


def holder(api):
    return api.get("lease", "modelfleet")["spec"].get("holderIdentity")


def apply(api):
    api.apply(manifest())


def test_only_the_leader_works_and_both_are_ready(leader, standby, api_server):
    apply(api_server)

    eventually(lambda: api_server.names("deployments"))
    assert not leads(standby)
    assert standby.passes() == 0
    assert [item.get("/readyz") for item in (leader, standby)] == ["ok\n", "ok\n"]


def test_the_standby_takes_over_when_the_leader_is_killed(leader, standby, api_server):
    leader.process.kill()
    apply(api_server)

    eventually(lambda: leads(standby))
    eventually(lambda: api_server.names("deployments"))


def test_the_lease_is_given_back_when_the_leader_ends(leader, standby, api_server):
    before = holder(api_server)

    assert leader.stop() == 0
    eventually(lambda: leads(standby), 10)

    assert holder(api_server) != before
    assert standby.stop() == 0
    assert holder(api_server) is None


def test_a_standby_that_is_told_to_end_ends(leader, standby):
    assert standby.stop() == 0
    assert leads(leader)


def test_a_leader_whose_lease_was_taken_ends(leader, api_server):
    api_server.patch("lease", "modelfleet", {"spec": {"holderIdentity": "another"}})

    assert leader.process.wait(180) == 1
    assert "the lease was lost" in leader.log.read_text()


def test_a_leader_that_was_halted_ends_when_another_leads(leader, standby, api_server):
    leader.process.send_signal(signal.SIGSTOP)
    eventually(lambda: leads(standby))

    leader.process.send_signal(signal.SIGCONT)

    assert leader.process.wait(180) == 1
    assert leads(standby)
