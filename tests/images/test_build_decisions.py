"""When an image is built again, with which command, and by which configuration of pip."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import build
import pytest
import transport_wheel
from requirements import requirements

ORDER = build.Order(build.PROGRAMS["server"], "buildah", "dev", "base:dev", None)
SOURCE = "server/model_server/server.py"
RUST = "server/transport/src/lib.rs"


def test_the_same_files_give_the_same_fingerprint_wherever_they_lie(repository, tmp_path_factory):
    elsewhere = tmp_path_factory.mktemp("elsewhere") / "copy"
    repository.rename(elsewhere)
    there = build.fingerprint(elsewhere, ORDER, "id")
    elsewhere.rename(repository)

    assert build.fingerprint(repository, ORDER, "id") == there


@pytest.mark.parametrize(
    "name",
    ["images/server.Dockerfile", "constraints.txt", "pyproject.toml", "LICENSE", SOURCE, RUST],
)
def test_a_change_of_any_input_changes_the_fingerprint(repository, name):
    before = build.fingerprint(repository, ORDER, "id")

    (repository / name).write_text("changed")

    assert build.fingerprint(repository, ORDER, "id") != before


def test_a_new_file_and_a_renamed_file_change_the_fingerprint(repository):
    package = repository / "server" / "model_server"
    before = build.fingerprint(repository, ORDER, "id")
    (package / "new.py").write_text("")
    added = build.fingerprint(repository, ORDER, "id")
    (package / "new.py").rename(package / "newer.py")
    renamed = build.fingerprint(repository, ORDER, "id")

    assert len({before, added, renamed}) == 3


@pytest.mark.parametrize(
    "name",
    [
        pytest.param("server/model_server/__pycache__/server.cpython-311.pyc", id="bytecode"),
        pytest.param("server/transport/target/release/made.so", id="what Cargo made"),
        pytest.param("operator/model_operator/plan.py", id="another program's source"),
        pytest.param("README.md", id="a page for people"),
    ],
)
def test_what_is_not_in_the_image_leaves_the_fingerprint_alone(repository, name):
    before = build.fingerprint(repository, ORDER, "id")

    (repository / name).parent.mkdir(parents=True, exist_ok=True)
    (repository / name).write_text("changed")

    assert build.fingerprint(repository, ORDER, "id") == before


def test_another_base_or_other_dependencies_change_the_fingerprint(repository):
    accelerated = build.Order(ORDER.program, "buildah", "dev", "base:dev", "server")

    fingerprints = {
        build.fingerprint(repository, ORDER, "id"),
        build.fingerprint(repository, ORDER, "another id"),
        build.fingerprint(repository, accelerated, "id"),
    }

    assert len(fingerprints) == 3


def test_an_image_with_the_native_transport_is_another(repository):
    native = replace(ORDER, rust="/usr/bin")

    assert build.fingerprint(repository, native, "") != build.fingerprint(repository, ORDER, "")


@pytest.mark.parametrize(("rust", "wheels"), [(None, []), ("/usr/bin", ["transport.whl"])])
def test_a_wheel_is_built_into_the_folder_where_there_is_rust(
    repository, monkeypatch, rust, wheels
):
    def build_wheel(source, folder, path):
        assert (source, path) == (repository / "server/transport", rust)
        (folder / "transport.whl").write_text("")

    monkeypatch.setattr(build, "build_wheel", build_wheel)

    with build.build_folder(repository, replace(ORDER, rust=rust)) as (context, _):
        assert [wheel.name for wheel in context.glob("images/wheels/*.whl")] == wheels


@pytest.mark.parametrize(
    ("told", "is_enough"),
    [
        ("rustc 1.85.0 (4d91de4e4 2025-02-17)", True),
        ("rustc 1.100.1 (hash date)", True),
        ("rustc 2.0.0", True),
        ("rustc 1.63.0", False),
        ("rustc 1.beta", False),
        ("", False),
    ],
)
def test_only_a_rust_that_is_new_enough_is_used(told, is_enough):
    assert transport_wheel.is_new_enough(told) is is_enough


def test_a_missing_input_is_named(repository):
    (repository / "constraints.txt").unlink()

    with pytest.raises(build.BuildError, match=r"constraints.txt is missing; .* server needs it"):
        build.fingerprint(repository, ORDER, "id")


def test_the_context_holds_exactly_the_inputs_at_a_fixed_time(repository):
    (repository / "README.md").write_text("not an input")

    with build.build_folder(repository, ORDER) as (context, _):
        found = {p.relative_to(context).as_posix(): p for p in context.rglob("*") if p.is_file()}
        times = {p.stat().st_mtime for p in found.values()}

    assert sorted(found) == [
        "LICENSE",
        "constraints.txt",
        "images/requirements.py",
        "images/server.Dockerfile",
        "images/wheels/README.md",
        "pyproject.toml",
        SOURCE,
        RUST,
    ]
    assert times == {build.FIXED_TIME}


@pytest.mark.parametrize(
    ("engine", "only_there"),
    [
        ("buildah", {"--layers", "--network=host"}),
        ("podman", set()),
        ("docker", set()),
    ],
)
def test_every_engine_gets_the_same_arguments_but_for_its_own(engine, only_there):
    order = build.Order(ORDER.program, engine, "t1", "python:3.11-slim", "server")

    command = build.build_command(order, Path("/c"), {"pip.conf": Path("/s/pip.conf")}, "abc")

    common = [word for word in command if word not in only_there]
    assert set(command) - set(common) == only_there
    assert common == [
        engine,
        "build",
        *("--file", "/c/images/server.Dockerfile"),
        *("--tag", "localhost/modelfleet/server:t1"),
        *("--label", "dev.modelfleet.inputs=abc"),
        *("--build-arg", "BASE=python:3.11-slim"),
        *("--build-arg", "EXTRA=server"),
        *("--secret", "id=pip.conf,src=/s/pip.conf"),
        "/c",
    ]


@pytest.mark.parametrize(
    ("listed", "environment", "conf", "certificates"),
    [
        pytest.param("", {}, "", None, id="a machine with nothing set"),
        pytest.param(
            "global.cert='/etc/cas.pem'\n:env:.timeout='180'\n",
            {},
            "[global]\ntimeout = 180\ncert = /run/secrets/certificates\n",
            Path("/etc/cas.pem"),
            id="pip trusts extra authorities",
        ),
        pytest.param(
            "",
            {"SSL_CERT_FILE": "/etc/cas.pem"},
            "[global]\ncert = /run/secrets/certificates\n",
            Path("/etc/cas.pem"),
            id="the whole machine trusts extra authorities",
        ),
        pytest.param(
            "global.index-url='https://one.invalid/simple'\n"
            ":env:.index-url='https://two.invalid/simple'\n"
            "global.find-links='/wheels'\n",
            {},
            "[global]\nindex-url = https://two.invalid/simple\n",
            None,
            id="an index of one's own, the environment before the file",
        ),
    ],
)
def test_pip_in_the_build_is_configured_as_on_this_machine(listed, environment, conf, certificates):
    assert build.pip_configuration(listed, environment) == (conf, certificates)


def test_the_requirements_of_an_extra_include_those_of_the_extras_it_names():
    extras = {"all": ["modelfleet[net]", "tensorflow>=2"], "net": ["aiohttp>=3"], "other": ["x"]}

    assert requirements(extras, "all") == ["aiohttp>=3", "tensorflow>=2"]


def test_an_engine_that_is_not_installed_is_named_with_a_way_to_get_one(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(SystemExit, match=r"docker is not installed; install one of buildah"):
        build.main(["server", "--engine", "docker"])


def test_other_dependencies_are_for_the_server_only(capsys):
    with pytest.raises(SystemExit):
        build.main(["all", "--extra", "server"])

    assert "--extra is for the server only" in capsys.readouterr().err
