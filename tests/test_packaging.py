"""The distribution is what it says: its programs, and nothing that shadows Python itself."""

import operator
import subprocess
import sys
import sysconfig
import tomllib
from importlib import metadata
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def test_the_operator_folder_does_not_shadow_the_standard_library() -> None:
    assert Path(operator.__file__).parent == Path(sysconfig.get_path("stdlib"))


def test_python_starts_in_the_root_of_the_repository() -> None:
    # An operator/__init__.py would break Python itself there: "cannot import name 'eq'".
    started = subprocess.run(
        [sys.executable, "-c", "import collections, operator; print(operator.__file__)"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )

    assert (started.returncode, started.stderr) == (0, "")
    assert Path(started.stdout.strip()).parent == Path(sysconfig.get_path("stdlib"))


@pytest.mark.parametrize("folder", ["operator", "server", "tests", "tests/operator"])
def test_a_source_root_is_not_a_package(folder: str) -> None:
    assert not (ROOT / folder / "__init__.py").exists()


@pytest.mark.parametrize(
    "program", ["kubectl-modelfleet", "model-operator", "model-router", "model-server"]
)
def test_each_program_is_a_console_script(program: str) -> None:
    (script,) = metadata.entry_points(group="console_scripts", name=program)

    assert callable(script.load())


def test_the_constraints_pin_every_direct_dependency_and_name_no_index() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    lines = (ROOT / "constraints.txt").read_text().splitlines()[1:]
    pinned = {line.split("==")[0].lower().replace("_", "-") for line in lines}
    asked = {
        requirement.split(">=")[0].split("<")[0].lower()
        for extra, requirements in project["optional-dependencies"].items()
        if extra != "server"  # the GPU build, which stands in the place of the pinned CPU build
        for requirement in requirements
        if not requirement.startswith("modelfleet[")
    }

    assert all("==" in line for line in lines)
    assert asked - pinned == set()
