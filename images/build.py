#!/usr/bin/env python3
"""Build the images of the three programs, only when what goes into them has changed.

    images/build.py all                       localhost/modelfleet/{server,operator,router}:dev
    images/build.py server --engine docker    with docker, from python:3.11-slim
    images/build.py router --base IMAGE --tag NAME

With buildah the base is made here by debootstrap, so that no registry is needed; docker and
podman pull python:3.11-slim. pip inside the build uses the index, proxy and certificate
authorities that pip uses on this machine; none of that stays in an image.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from transport_wheel import build_wheel, rust_path

ROOT = Path(__file__).resolve().parents[1]
REPOSITORY = "localhost/modelfleet"
LOCAL_BASE = f"{REPOSITORY}/base:dev"
PULLED_BASE = "python:3.11-slim"
LABEL = "dev.modelfleet.inputs"
ENGINES = ("buildah", "podman", "docker")  # in the order they are looked for
# buildah's cache compares times as well as content: the same content always gets this one.
FIXED_TIME = 1_577_836_800  # 2020-01-01
# Folders of what was made from sources.
_MADE = {"__pycache__", "target"}
# Of pip's configuration, what makes sense inside a build.
PIP_SETTINGS = ("index-url", "extra-index-url", "proxy", "timeout", "trusted-host")


@dataclass(frozen=True)
class Program:
    """One image: its name, and the folder of source that only it contains."""

    name: str
    package: str
    # Further inputs, and a package in Rust that is built before where there is Rust.
    more: tuple[str, ...] = ()
    transport: str = ""

    @property
    def inputs(self) -> tuple[str, ...]:
        """The files and folders, relative to the repository, that the Dockerfile copies."""
        return (
            f"images/{self.name}.Dockerfile",
            "images/requirements.py",
            "constraints.txt",
            "pyproject.toml",
            "LICENSE",
            self.package,
            *self.more,
        )


PROGRAMS = {
    "server": Program(
        "server",
        "server/model_server",
        more=("images/wheels/README.md", "server/transport"),
        transport="server/transport",
    ),
    "operator": Program("operator", "operator/model_operator"),
    "router": Program("router", "operator/model_router"),
}


class BuildError(Exception):
    """Something a person has to put right; the message says what."""


@dataclass(frozen=True)
class Order:
    """What to build and how: the same order with the same files gives the same image."""

    program: Program
    engine: str
    tag: str
    base: str
    extra: str | None
    rust: str | None = None  # the PATH on which it is, for a program with a transport

    @property
    def image(self) -> str:
        """The full name, for example localhost/modelfleet/server:dev."""
        return f"{REPOSITORY}/{self.program.name}:{self.tag}"

    @property
    def arguments(self) -> dict[str, str]:
        """The ARGs of the Dockerfile that this order sets."""
        return {"BASE": self.base} | ({"EXTRA": self.extra} if self.extra else {})


def input_files(root: Path, program: Program) -> list[Path]:
    """Every file that goes into the image, sorted, without what Python and Cargo leave beside.

    Raises BuildError when an input is missing.
    """
    found: list[Path] = []
    for name in program.inputs:
        path = root / name
        if not path.exists():
            raise BuildError(f"{path} is missing; the image of the {program.name} needs it")
        found += [path] if path.is_file() else [p for p in path.rglob("*") if p.is_file()]
    return sorted(p for p in found if not _MADE & set(p.parts) and p.suffix != ".pyc")


def fingerprint(root: Path, order: Order, base_id: str) -> str:
    """A hash of all that decides what is in the image: files, their names, ARGs, the base's id."""
    digest = hashlib.sha256()
    facts = [base_id, *(f"{key}={value}" for key, value in sorted(order.arguments.items()))]
    if order.rust:
        facts.append("with Rust")
    for fact in facts:
        digest.update(fact.encode() + b"\0")
    for path in input_files(root, order.program):
        content = path.read_bytes()
        digest.update(f"{path.relative_to(root)}\0{len(content)}\0".encode() + content)
    return digest.hexdigest()


def build_command(order: Order, context: Path, secrets: dict[str, Path], inputs: str) -> list[str]:
    """The engine's command line; `inputs` becomes the label that a later run compares."""
    command = [order.engine, "build", "--file", str(context / order.program.inputs[0])]
    command += ["--tag", order.image, "--label", f"{LABEL}={inputs}"]
    if order.engine == "buildah":
        command += ["--layers", "--network=host"]
    for key, value in order.arguments.items():
        command += ["--build-arg", f"{key}={value}"]
    for key, path in secrets.items():
        command += ["--secret", f"id={key},src={path}"]
    return [*command, str(context)]


def pip_configuration(listed: str, environment: dict[str, str]) -> tuple[str, Path | None]:
    """pip.conf for inside the build, and the file of certificate authorities it names, if any.

    `listed` is what "pip config list" prints: lines like global.index-url='https://…'; of two
    for the same setting the later wins, as in pip.
    """
    settings: dict[str, str] = {}
    for line in listed.splitlines():
        key, _, value = line.partition("=")
        settings[key.rpartition(".")[2]] = value.strip("'\"")
    certificates = (
        settings.get("cert")
        or environment.get("REQUESTS_CA_BUNDLE")
        or environment.get("SSL_CERT_FILE")
    )
    lines = [f"{key} = {settings[key]}" for key in PIP_SETTINGS if settings.get(key)]
    if certificates:
        lines.append("cert = /run/secrets/certificates")
    conf = "\n".join(["[global]", *lines, ""]) if lines else ""
    return conf, Path(certificates) if certificates else None


@contextmanager
def build_folder(root: Path, order: Order) -> Iterator[tuple[Path, dict[str, Path]]]:
    """A context of exactly the inputs, and beside it the secrets, in a folder only we can read."""
    with tempfile.TemporaryDirectory(prefix="modelfleet-image-") as name:
        folder = Path(name)
        context = folder / "context"
        for source in input_files(root, order.program):
            target = context / source.relative_to(root)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, target)
            target.chmod(0o644)
        if order.rust:
            wheels = context / "images" / "wheels"
            build_wheel(root / order.program.transport, wheels, order.rust)
        for path in [context, *context.rglob("*")]:
            os.utime(path, (FIXED_TIME, FIXED_TIME))
        yield context, _secrets(folder)


def _secrets(folder: Path) -> dict[str, Path]:
    listed = subprocess.run(
        [sys.executable, "-m", "pip", "config", "list"], capture_output=True, text=True
    )
    conf, certificates = pip_configuration(listed.stdout, dict(os.environ))
    secrets: dict[str, Path] = {}
    if conf:
        secrets["pip.conf"] = folder / "pip.conf"
        secrets["pip.conf"].write_text(conf)
    if certificates:
        if not certificates.is_file():
            raise BuildError(f"pip's certificate file {certificates} is missing")
        secrets["certificates"] = certificates
    return secrets


def _engine_environment(engine: str) -> dict[str, str]:
    environment = dict(os.environ)
    environment.setdefault("DOCKER_BUILDKIT", "1")  # without it docker knows no secrets
    if engine == "buildah":
        # No container engine has to be set up for this one.
        environment.setdefault("BUILDAH_ISOLATION", "chroot")
        if not Path("/etc/containers/storage.conf").exists():
            environment.setdefault("STORAGE_DRIVER", "overlay")
    return environment


def _inspect(engine: str, image: str, template: str) -> str:
    """One fact about an image, or "" if it is not there."""
    kind = ["inspect", "--type", "image"] if engine == "buildah" else ["image", "inspect"]
    done = subprocess.run(
        [engine, *kind, "--format", template, image],
        capture_output=True,
        text=True,
        env=_engine_environment(engine),
    )
    return done.stdout.strip() if done.returncode == 0 else ""


def _label(engine: str, image: str) -> str:
    config = ".OCIv1.Config" if engine == "buildah" else ".Config"
    return _inspect(engine, image, f'{{{{index {config}.Labels "{LABEL}"}}}}')


def _image_id(engine: str, image: str) -> str:
    return _inspect(engine, image, "{{.FromImageID}}" if engine == "buildah" else "{{.Id}}")


def make_local_base(engine: str) -> None:
    """Make the base image by debootstrap unless it is there already."""
    script = ROOT / "images" / "base.sh"
    if _label(engine, LOCAL_BASE) == hashlib.sha256(script.read_bytes()).hexdigest():
        return
    if os.geteuid() != 0 or shutil.which("debootstrap") is None:
        raise BuildError(
            "the base image needs root and debootstrap (apt-get install debootstrap); "
            f"or name one that can be pulled: --base {PULLED_BASE}"
        )
    _say(f"{LOCAL_BASE}: by debootstrap, about a minute")
    _run([str(script), LOCAL_BASE, engine], engine)


def build(order: Order) -> None:
    """Build the image of `order`, unless the one that is there came from the same inputs."""
    began = time.monotonic()
    # An image that is not here yet has no id; pulled later, it counts as another base.
    inputs = fingerprint(ROOT, order, _image_id(order.engine, order.base) or order.base)
    if _label(order.engine, order.image) == inputs:
        _say(f"{order.image}: unchanged")
        return
    _say(f"{order.image}: building with {order.engine}")
    if order.program.transport and not order.rust:
        _say(
            f"{order.image}: without its native transport, which needs Rust 1.85 or later"
            " (https://rustup.rs); it serves over grpcio and aiohttp"
        )
    with build_folder(ROOT, order) as (context, secrets):
        _run(build_command(order, context, secrets, inputs), order.engine)
    _say(f"{order.image}: built in {time.monotonic() - began:.0f} s")


def _run(command: list[str], engine: str) -> None:
    done = subprocess.run(command, env=_engine_environment(engine), stdout=sys.stderr)
    if done.returncode != 0:
        raise BuildError(f"{command[0]} failed with exit code {done.returncode}; see above")


def _say(line: str) -> None:
    print(line, flush=True)


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Build the images that have changed.")
    parser.add_argument("program", nargs="?", default="all", choices=[*PROGRAMS, "all"])
    parser.add_argument("--engine", choices=ENGINES, help="default: the first that is installed")
    parser.add_argument("--tag", default="dev")
    parser.add_argument("--base", help=f"default: made here with buildah, else {PULLED_BASE}")
    parser.add_argument("--extra", help='dependencies of the server: "server" for accelerators')
    options = parser.parse_args(arguments)
    if options.extra and options.program != "server":
        parser.error("--extra is for the server only")
    return options


def _chosen_engine(wanted: str | None) -> str:
    for engine in [wanted] if wanted else ENGINES:
        if shutil.which(engine):
            return engine
    raise BuildError(
        f"{wanted or 'a container engine'} is not installed; "
        "install one of buildah, podman, docker, for example: apt-get install buildah"
    )


def main(arguments: list[str] | None = None) -> None:
    """Build what the command line asks for, one image after another."""
    options = _options(arguments)
    try:
        engine = _chosen_engine(options.engine)
        base = options.base or (LOCAL_BASE if engine == "buildah" else PULLED_BASE)
        if base == LOCAL_BASE:
            make_local_base(engine)
        for name, program in PROGRAMS.items():
            if options.program in (name, "all"):
                rust = rust_path(dict(os.environ)) if program.transport else None
                build(Order(program, engine, options.tag, base, options.extra, rust))
    except (BuildError, subprocess.CalledProcessError) as error:
        sys.exit(f"images/build.py: {error}")


if __name__ == "__main__":
    main()
