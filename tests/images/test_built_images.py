"""What is in the images that buildah builds here, and that they run as pods will run them."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import build
import pytest

pytestmark = pytest.mark.cluster

GIGABYTE = 1_000_000_000
SITE = "opt/modelfleet/lib/python3.11/site-packages"


@dataclass(frozen=True)
class Image:
    """A built image: its configuration, and its file system mounted at `root`."""

    name: str
    config: dict
    root: Path

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        """Run as uid 65532 over the mounted root, made read-only, with a fresh /tmp."""
        script = (
            'mount --bind "$0" "$0" && mount -o remount,bind,ro "$0" && '
            'mount -t tmpfs tmpfs "$0/tmp" && mount -t proc proc "$0/proc" && '
            'exec chroot --userspec=65532:65532 "$0" "$@"'
        )
        environment = dict(entry.split("=", 1) for entry in self.config["Env"])
        return subprocess.run(
            ["unshare", "--mount", "--pid", "--fork", "sh", "-c", script, self.root, *command],
            env=environment | {"PATH": f"{environment['PATH']}:/usr/sbin:/sbin"},
            capture_output=True,
            text=True,
            timeout=120,
        )


def buildah(*arguments: str) -> str:
    done = subprocess.run(
        ["buildah", *arguments],
        check=True,
        capture_output=True,
        text=True,
        env=build._engine_environment("buildah"),
    )
    return done.stdout.strip()


@pytest.fixture(scope="module", params=["server", "operator", "router"])
def image(request: pytest.FixtureRequest) -> Iterator[Image]:
    build.main([request.param, "--engine", "buildah"])
    name = f"localhost/modelfleet/{request.param}:dev"
    container = buildah("from", "--pull-never", name)
    try:
        config = json.loads(buildah("inspect", "--type", "image", name))["OCIv1"]["config"]
        yield Image(request.param, config, Path(buildah("mount", container)))
    finally:
        buildah("rm", container)


# Each command loads all that its program needs; the operator has none that needs no cluster.
STARTS = {
    "server": ["python", "-c", "import tensorflow, model_server.__main__; print('loaded')"],
    "operator": ["python", "-c", "import kopf, model_operator.__main__; print('loaded')"],
    "router": [
        "python",
        "-c",
        "import model_router.__main__, model_router.cluster.source; print('loaded')",
    ],
}


def test_the_program_loads_as_an_ordinary_user_on_a_read_only_root(image):
    done = image.run(*STARTS[image.name])

    assert (done.returncode, done.stdout) == (0, "loaded\n"), done.stderr


def test_nothing_can_be_written_but_below_tmp(image):
    inside = image.run("python", "-c", "open('/tmp/x', 'w')")
    outside = image.run("python", "-c", "open('/opt/x', 'w')")

    assert inside.returncode == 0
    assert "Read-only file system: '/opt/x'" in outside.stderr


# What each command says without a cluster, a model or a folder to work on.
SAYS = {
    "server": (["--help"], 0, "usage: model-server"),
    "operator": ([], 2, "MODELFLEET_SERVER_IMAGE"),
    "router": (["--help"], 0, "usage: model-router"),
}


def test_the_command_of_the_image_starts(image):
    arguments, code, says = SAYS[image.name]

    done = image.run(*image.config["Entrypoint"], *arguments)

    assert done.returncode == code
    assert says in done.stdout + done.stderr


def test_the_router_brings_an_envoy_that_runs(image):
    if image.name != "router":
        pytest.skip("the router only")

    assert "/1.40." in image.run("envoy", "--version").stdout


def test_the_user_and_the_command_are_set(image):
    assert image.config["User"] == "65532:65532"
    assert image.config["Entrypoint"] == [f"model-{image.name}"]
    assert image.config["Labels"]["org.opencontainers.image.licenses"] == "Apache-2.0"


def test_nothing_of_the_build_is_left(image):
    leftovers = ["root/.cache", "tmp/pip", "src", "tools", "run/secrets/*", f"{SITE}/pip"]
    machine_certificates = Path("/usr/local/share/ca-certificates").glob("*.crt")

    found = [str(path) for pattern in leftovers for path in image.root.glob(pattern)]
    compilers = [name for name in ("gcc", "cc", "make") if (image.root / "usr/bin" / name).exists()]
    bundle = (image.root / "etc/ssl/certs/ca-certificates.crt").read_text()

    assert found == []
    assert compilers == []
    assert [c.name for c in machine_certificates if c.read_text().strip() in bundle] == []


def test_it_holds_one_program_only(image):
    programs = {path.name for path in (image.root / SITE).glob("model_*")}
    commands = {path.name for path in (image.root / "opt/modelfleet/bin").glob("model-*")}

    assert programs == {f"model_{image.name}"}
    assert commands == {f"model-{image.name}"}


def test_bytecode_is_there_so_that_a_start_compiles_nothing(image):
    package = image.root / SITE / f"model_{image.name}"

    compiled = {path.name.split(".")[0] for path in package.rglob("__pycache__/*.pyc")}

    assert {path.stem for path in package.rglob("*.py")} == compiled


def test_it_is_no_bigger_than_it_may_be(image):
    most = {"server": 1.8 * GIGABYTE, "operator": 0.4 * GIGABYTE, "router": 0.4 * GIGABYTE}

    size = sum(
        os.lstat(Path(folder) / file).st_size
        for folder, _, files in os.walk(image.root)
        for file in files
    )

    assert size <= most[image.name]


def test_a_second_build_with_nothing_changed_does_nothing(image, capsys):
    build.main([image.name, "--engine", "buildah"])

    assert capsys.readouterr().out == f"localhost/modelfleet/{image.name}:dev: unchanged\n"
