"""A parsed ModelDeployment, and worlds at the points where tests begin."""

from typing import Any

import pytest

from model_operator.domain.spec import identify, parse
from simulated_world import World, model_deployment


@pytest.fixture
def body() -> dict[str, Any]:
    return model_deployment()


@pytest.fixture
def deployment(body):
    return parse(body)


@pytest.fixture
def identity(body):
    return identify(body)


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def serving() -> World:
    """A world in which version 1 serves and nothing is left to do."""
    world = World()
    world.settle()
    world.make_ready(world.candidate(), 1)
    world.settle()
    return world
