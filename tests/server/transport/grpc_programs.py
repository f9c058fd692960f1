"""Clients of gRPC in other languages, built where they are not yet, and what they tell."""

import hashlib
import json
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

import grpc
import pytest

from testcluster import binaries
from testcluster.folders import cache_folder
from testcluster.progress import Progress

_JAVA = Path(__file__).parent / "grpc_java"
_CODES = {code.value[0]: code for code in grpc.StatusCode}


@dataclass(frozen=True)
class Told:
    """What a client was told: the message in hex, or what of it matters."""

    asked: str
    code: grpc.StatusCode
    details: str
    answer: str


def told(command: list[str], *arguments: str) -> list[Told]:
    """What a client prints, line by line. Raises CalledProcessError if it fails."""
    ended = subprocess.run([*command, *arguments], capture_output=True, timeout=300, check=True)
    lines = [json.loads(line) for line in ended.stdout.splitlines()]
    return [
        Told(line["asked"], _CODES[line["code"]], line["details"], line["answer"]) for line in lines
    ]


def grpc_go() -> list[str]:
    """The command of the client of grpc-go."""
    return [str(program("grpcclient"))]


def program(name: str) -> Path:
    """A command of the module ``wire``."""
    binaries.provide([name], Progress(quiet=True))
    return binaries.location(name)


def grpc_java() -> list[str]:
    """The command of the client of grpc-java; the test is skipped without a JDK and Maven."""
    if not all(shutil.which(needed) for needed in ("java", "javac", "mvn")):
        pytest.skip("a JDK of 17 or later and Maven are not installed")
    sources = [_JAVA / "pom.xml", _JAVA / "Client.java"]
    digest = hashlib.sha256(b"".join(source.read_bytes() for source in sources)).hexdigest()
    folder = cache_folder() / "binaries" / f"grpc-java-{digest[:16]}"
    if not folder.exists():
        _build_java(folder)
    return ["java", "-XX:TieredStopAtLevel=1", "-cp", f"{folder}/*:{folder}", "Client"]


def _build_java(folder: Path) -> None:
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as room:
        unfinished = f"{room}/whole"
        copy = ["dependency:copy-dependencies", "-DincludeScope=runtime"]
        where = ["-f", str(_JAVA / "pom.xml"), f"-DoutputDirectory={unfinished}"]
        subprocess.run(["mvn", "-q", "-B", *copy, *where], capture_output=True, check=True)
        compile_ = ["javac", "-cp", f"{unfinished}/*", "-d", unfinished]
        subprocess.run([*compile_, str(_JAVA / "Client.java")], capture_output=True, check=True)
        Path(unfinished).rename(folder)
