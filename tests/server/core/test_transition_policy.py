"""The order of loads and unloads, case by case."""

import pytest

from model_server.core.transition_policy import (
    Action,
    AvailabilityPreserving,
    Phase,
    ResourcePreserving,
    Snapshot,
    Verb,
)


def aspired(version: int, phase: Phase) -> Snapshot:
    return Snapshot(version, phase, aspired=True)


def unaspired(version: int, phase: Phase) -> Snapshot:
    return Snapshot(version, phase, aspired=False)


def load(version: int) -> Action:
    return Action(Verb.LOAD, version)


def unload(version: int) -> Action:
    return Action(Verb.UNLOAD, version)


@pytest.mark.parametrize(
    ("seen", "action"),
    [
        pytest.param([], None, id="a stream without versions needs nothing"),
        pytest.param(
            [
                unaspired(1, Phase.UNLOADING),
                unaspired(2, Phase.FAILED),
                aspired(3, Phase.READY),
                aspired(4, Phase.NEW),
                aspired(5, Phase.NEW),
            ],
            load(5),
            id="of several new versions the highest is loaded first",
        ),
        pytest.param(
            [
                unaspired(1, Phase.UNLOADING),
                unaspired(2, Phase.FAILED),
                unaspired(3, Phase.READY),
                aspired(4, Phase.READY),
                aspired(5, Phase.NEW),
            ],
            unload(3),
            id="an unload that costs no availability comes before a load",
        ),
        pytest.param(
            [
                unaspired(1, Phase.DISABLED),
                unaspired(2, Phase.READY),
                unaspired(3, Phase.FAILED),
            ],
            unload(2),
            id="with nothing aspired the last ready version is unloaded",
        ),
        pytest.param(
            [
                aspired(1, Phase.READY),
                aspired(2, Phase.FAILED),
                aspired(3, Phase.LOADING),
                unaspired(4, Phase.UNLOADING),
                unaspired(5, Phase.DISABLED),
            ],
            None,
            id="with nothing new and nothing to unload nothing happens",
        ),
        pytest.param(
            [unaspired(1, Phase.READY), aspired(2, Phase.LOADING)],
            None,
            id="the old version stays while the new one loads",
        ),
        pytest.param(
            [unaspired(1, Phase.READY), aspired(2, Phase.NEW)],
            load(2),
            id="the new version is loaded while the old one serves",
        ),
        pytest.param(
            [unaspired(1, Phase.READY), aspired(2, Phase.FAILED)],
            None,
            id="the old version stays when the new one failed",
        ),
        pytest.param(
            [unaspired(1, Phase.READY), aspired(2, Phase.LOADING), aspired(3, Phase.READY)],
            unload(1),
            id="one ready aspired version is enough, though another still loads",
        ),
        pytest.param(
            [unaspired(1, Phase.READY), aspired(2, Phase.FAILED), aspired(3, Phase.READY)],
            unload(1),
            id="one ready aspired version is enough, though another failed",
        ),
        pytest.param(
            [
                unaspired(2, Phase.READY),
                unaspired(1, Phase.READY),
                aspired(3, Phase.FAILED),
                aspired(4, Phase.LOADING),
            ],
            unload(1),
            id="of two old versions the lower goes, the other keeps serving",
        ),
        pytest.param(
            [unaspired(9, Phase.READY), aspired(2, Phase.NEW)],
            load(2),
            id="going back to a lower version loads it first too",
        ),
    ],
)
def test_availability_preserving(seen: list[Snapshot], action: Action | None) -> None:
    assert AvailabilityPreserving().next_action(seen) == action


@pytest.mark.parametrize(
    ("seen", "action"),
    [
        pytest.param([], None, id="a stream without versions needs nothing"),
        pytest.param(
            [
                unaspired(1, Phase.UNLOADING),
                aspired(2, Phase.READY),
                unaspired(3, Phase.READY),
                aspired(4, Phase.NEW),
                unaspired(5, Phase.READY),
            ],
            unload(3),
            id="the first old version is unloaded before anything is loaded",
        ),
        pytest.param(
            [
                aspired(1, Phase.READY),
                aspired(2, Phase.LOADING),
                aspired(3, Phase.NEW),
                unaspired(4, Phase.DISABLED),
                aspired(5, Phase.NEW),
            ],
            load(5),
            id="with nothing to unload the highest new version is loaded",
        ),
        pytest.param(
            [
                aspired(1, Phase.READY),
                aspired(2, Phase.FAILED),
                aspired(3, Phase.LOADING),
                unaspired(4, Phase.UNLOADING),
                unaspired(5, Phase.DISABLED),
            ],
            None,
            id="with nothing new and nothing to unload nothing happens",
        ),
        pytest.param(
            [unaspired(1, Phase.QUIESCING), aspired(2, Phase.NEW)],
            None,
            id="nothing is loaded while an old version waits for its handles",
        ),
        pytest.param(
            [unaspired(1, Phase.READY), aspired(2, Phase.NEW)],
            unload(1),
            id="the only ready version is given up for the new one",
        ),
        pytest.param(
            [unaspired(1, Phase.FAILED), aspired(2, Phase.NEW)],
            load(2),
            id="an old version that failed does not stand in the way",
        ),
        pytest.param(
            [
                unaspired(1, Phase.FAILED),
                unaspired(2, Phase.QUIESCING),
                aspired(3, Phase.NEW),
            ],
            None,
            id="one that is still unloading does, beside one that failed",
        ),
        pytest.param(
            [
                unaspired(1, Phase.FAILED),
                unaspired(2, Phase.DISABLED),
                aspired(3, Phase.NEW),
            ],
            load(3),
            id="failed and unloaded versions do not stand in the way",
        ),
    ],
)
def test_resource_preserving(seen: list[Snapshot], action: Action | None) -> None:
    assert ResourcePreserving().next_action(seen) == action
