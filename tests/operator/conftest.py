"""Where tests begin: simulated worlds, API servers that know the CRD, running operators."""

import uuid
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest

from api_server import ApiServer, eventually
from helm import CHART, helm
from operator_process import OperatorProcess
from simulated_world import World
from testcluster import binaries


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


CRD = Path(__file__).parents[2] / "crds" / "modelfleet.dev_modeldeployments.yaml"

CRD_NAME = "modeldeployments.modelfleet.dev"


@pytest.fixture(scope="session")
def install_crd():
    def install(plane) -> ApiServer:
        api = ApiServer(binaries.location("kubectl"), plane.kubeconfig)
        api.run("apply", "--server-side", "-f", str(CRD))
        eventually(lambda: CRD_NAME in api.run("api-resources", "-o", "name"))
        return api

    return install


@pytest.fixture(scope="session")
def modelfleet_api(control_plane, install_crd) -> ApiServer:
    """An API server that knows ModelDeployments."""
    return install_crd(control_plane)


@pytest.fixture
def start_operator(tmp_path):
    """Starts operators, each ended with the test at the latest."""
    with ExitStack() as started:

        def start(kubeconfig: Path, **environment: str) -> OperatorProcess:
            log = tmp_path / f"operator-{uuid.uuid4().hex[:4]}.log"
            process = OperatorProcess(kubeconfig, log, **environment)
            started.callback(process.stop)
            return process

        yield start


@pytest.fixture
def new_namespace(modelfleet_api) -> Callable[[], ApiServer]:
    def make() -> ApiServer:
        name = f"test-{uuid.uuid4().hex[:8]}"
        modelfleet_api.run("create", "namespace", name)
        return ApiServer(modelfleet_api.kubectl, modelfleet_api.kubeconfig, name)

    return make


@pytest.fixture
def api_server(new_namespace) -> ApiServer:
    """The API server, in a namespace that no other test uses."""
    return new_namespace()


@pytest.fixture(scope="module")
def operator(modelfleet_api, tmp_path_factory):
    """An operator beside the API server, for all tests of a file."""
    log = tmp_path_factory.mktemp("operator") / "operator.log"
    process = OperatorProcess(modelfleet_api.kubeconfig, log)
    process.port()
    yield process
    assert process.stop() == 0, log.read_text()


@pytest.fixture
def installed(modelfleet_api, new_namespace):
    """The chart, installed as users do, with the operator's pod left to the test."""
    home, release = new_namespace(), f"r{uuid.uuid4().hex[:6]}"
    place = ["--kubeconfig", str(modelfleet_api.kubeconfig), "--namespace", home.namespace]

    def install(*values):
        settings = [word for value in values for word in ("--set", value)]
        helm("upgrade", "--install", release, str(CHART), *place, *settings)
        return home, f"{release}-modelfleet-operator"

    yield install
    helm("uninstall", release, *place)
