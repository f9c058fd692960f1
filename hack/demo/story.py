"""The demo as a newcomer sees it: from a cluster to predictions, a stage at a time."""

import sys
import tempfile
from pathlib import Path
from string import Template

import rollouts
from place import NAMESPACE, ROOT, SYSTEM_NAMESPACE, DemoError, Place, run

from testcluster.progress import Progress

RELEASE = "modelfleet"
HERE = Path(__file__).parent
EXAMPLES = ROOT / "examples"
MODELS = {
    "half-plus-two": "half_plus_two",
    "digits": "digits",
    "half-plus-version": "half_plus_version",
}
ASKED = ("half-plus-two", "digits")
IMAGES = {"serverImage": "server", "image": "operator", "router.image": "router"}


def tell(place: Place, progress: Progress) -> None:
    """Bring everything up, ask the models, and say what to try next.

    Raises:
        DemoError: a stage failed; its message says which command and what it printed.
    """
    place.up(progress)
    for program in IMAGES.values():
        with progress.stage(f"Build the image of model-{program}"):
            place.build(program)
        with progress.stage(f"Load the image of model-{program} into the cluster"):
            place.load(program)
    with tempfile.TemporaryDirectory() as folder:
        with progress.stage("Make the models: y = x / 2 + 2 and others, a digit classifier"):
            run([sys.executable, EXAMPLES / "make_models.py", "--out", folder])
        with progress.stage("Copy the models into a PersistentVolumeClaim"):
            _copy_models(place, Path(folder))
    with progress.stage("Install the operator with Helm"):
        _install(place)
    rollouts.begin_anew(place)
    for name in MODELS:
        with progress.stage(f"Apply ModelDeployment {name} and wait until it is Ready"):
            _serve(place, name)
    for name in ASKED:
        with place.forward(NAMESPACE, name, (8500, 8501)) as (grpc, rest):
            print(f"\n{_ask(name, grpc, rest)}", flush=True)
    rollouts.tell(place, progress)
    print(_next_steps(place))


def undo(place: Place, progress: Progress) -> None:
    """Remove what the demo made; on a cluster of its own, the cluster too."""
    with progress.stage(f"Remove the demo from {place.title}"):
        place.down()


def _copy_models(place: Place, models: Path) -> None:
    manifests = Template((HERE / "manifests.yaml").read_text())
    if (volume := place.volume()) is not None:
        place.kubectl("apply", "-f", "-", stdin=volume)
    place.kubectl("delete", "pod", "-n", NAMESPACE, "model-loader", "--ignore-not-found")
    place.kubectl(
        "apply", "-f", "-", stdin=manifests.substitute(SERVER_IMAGE=place.image("server"))
    )
    loader = ("-n", NAMESPACE, "pod/model-loader")
    place.kubectl("wait", *loader, "--for=condition=Ready", "--timeout=180s")
    for folder in MODELS.values():
        source = models / folder
        # A copy into a folder that exists would land one level too deep.
        place.kubectl("exec", *loader, "--", "rm", "-rf", f"/models/{folder}")
        place.kubectl("cp", str(source), f"{NAMESPACE}/model-loader:/models/{folder}")
    place.kubectl("delete", *loader, "--wait=false")


def _install(place: Place) -> None:
    chart = str(ROOT / "charts" / "modelfleet")
    values = ["router.replicas=1"]
    for value, program in IMAGES.items():
        repository, tag = place.image(program).rsplit(":", 1)
        values += [f"{value}.repository={repository}", f"{value}.tag={tag}"]
    # Helm installs CRDs but never upgrades them.
    place.kubectl("apply", "--server-side", "--force-conflicts", "-f", str(ROOT / "crds"))
    place.helm(
        *("upgrade", "--install", RELEASE, chart, "-n", SYSTEM_NAMESPACE, "--create-namespace"),
        *("--set", ",".join(values), "--wait", "--timeout", "180s"),
    )
    # The tag of a development image stays while its content changes.
    place.kubectl("rollout", "restart", "-n", SYSTEM_NAMESPACE, "deployment")
    place.kubectl("rollout", "status", "-n", SYSTEM_NAMESPACE, "deployment", "--timeout=180s")


def _serve(place: Place, name: str) -> None:
    place.kubectl("apply", "-n", NAMESPACE, "-f", str(EXAMPLES / f"{name}.yaml"))
    deployment = f"modeldeployment/{name}"
    try:
        place.kubectl(
            *("wait", "-n", NAMESPACE, deployment, "--for=condition=Ready", "--timeout=180s")
        )
    except DemoError as error:
        status = place.kubectl("get", "-n", NAMESPACE, deployment, "-o", "yaml")
        raise DemoError(f"{error}\nIts status:\n{status}") from error


def _ask(name: str, grpc: int, rest: int) -> str:
    return run(
        [
            *(sys.executable, EXAMPLES / "predict.py", name),
            *("--grpc", f"127.0.0.1:{grpc}", "--rest", f"http://127.0.0.1:{rest}"),
        ]
    )


def _next_steps(place: Place) -> str:
    kubectl = " ".join(place.kubectl_command).replace(f"{ROOT}/", "")
    change = '{"spec":{"model":{"version":2}}}'
    watch = f"{kubectl} get modeldeployments -n {NAMESPACE} -o wide"
    promote = f"{kubectl} patch modeldeployment half-plus-two -n {NAMESPACE} --type=merge"
    forward = f"{kubectl} port-forward -n {NAMESPACE} service/half-plus-two 8501"
    return f"""
All models serve. Try next:
  {watch}
  {promote} -p '{change}'
  {forward}
`make down` undoes all of it."""
