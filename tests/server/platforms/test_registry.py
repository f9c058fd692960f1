"""Platforms come from installed packages and from flags, and are imported only when used."""

import gc
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from tensorflow_serving.config.model_server_config_pb2 import ModelServerConfig

from model_server.core.errors import Code, ServingError
from model_server.options.command_line import InvalidOptions, usage
from model_server.options.flags import Options
from model_server.options.model_config import read_model_config
from model_server.options.platforms import platforms_of
from model_server.servables.platform import Runtime
from model_server.servables.registry import Platforms, check_servable
from model_server.service.model_configs import models_of

SOUND = """
class Constant:
    def __init__(self, runtime):
        self.runtime = runtime
    def load(self, name, version, path):
        return None
    def unload(self, servable):
        return None

class WithoutUnload:
    def __init__(self, runtime):
        pass
    load = Constant.load

class Refusing:
    def __init__(self, runtime):
        raise OSError("no licence for this machine")
"""


def install(site: Path, package: str, name: str, value: str) -> None:
    """What an installer leaves of a package: its module, and metadata with an entry point."""
    module = value.partition(":")[0]
    (site / f"{module}.py").write_text(SOUND)
    metadata = site / f"{package}-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text(f"[modelfleet.servables]\n{name} = {value}\n")


@pytest.fixture
def site(tmp_path, monkeypatch) -> Path:
    """A folder that packages are installed in."""
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path


def refusal(platforms: Platforms, name: str) -> str:
    with pytest.raises(ServingError) as raised:
        platforms.platform(name)
    assert raised.value.code is Code.FAILED_PRECONDITION
    return raised.value.message


def test_the_collector_of_cycles_never_looks_at_the_modules_of_a_platform(site):
    install(site, "acme", "acme", "acme_out_of_sight:Constant")
    module = site / "acme_out_of_sight.py"
    module.write_text(f"{SOUND}\nimport gc\nWAS_ON = gc.isenabled()\n")

    Platforms(Runtime()).platform("acme")

    names = vars(sys.modules["acme_out_of_sight"])
    assert not names["WAS_ON"]
    assert gc.isenabled()
    assert not any(each is names for each in gc.get_objects())


def test_a_package_adds_a_platform_beside_those_of_the_server(site):
    install(site, "acme", "acme", "acme_by_package:Constant")

    platforms = Platforms(Runtime(intra_op_threads=3))

    assert {"acme", "tensorflow"} <= set(platforms.names)
    assert platforms.platform("acme").runtime == Runtime(intra_op_threads=3)
    assert platforms.platform("acme") is platforms.platform("acme")


def test_a_platform_is_imported_only_when_it_is_asked_for(site):
    install(site, "acme", "acme", "acme_when_used:Constant")

    platforms = Platforms(Runtime())
    before = "acme_when_used" in sys.modules
    platforms.platform("acme")

    assert (before, "acme_when_used" in sys.modules) == (False, True)


def test_listing_the_platforms_imports_no_framework():
    script = (
        "import sys; from model_server.servables.platform import Runtime;"
        "from model_server.servables.registry import Platforms; Platforms(Runtime()).names;"
        "print(sorted({'tensorflow', 'onnxruntime'} & set(sys.modules)))"
    )

    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)

    assert (done.stdout, done.stderr) == ("[]\n", "")


def test_a_package_cannot_replace_a_platform_of_the_server(site):
    install(site, "acme", "tensorflow", "acme_replacing:Constant")

    made = Platforms(Runtime()).platform("tensorflow")

    assert type(made).__module__ == "model_server.servables.tensorflow_platform"


def test_two_packages_of_one_name_are_told_apart_by_the_flag(site):
    install(site, "acme", "constant", "acme_first:Constant")
    install(site, "zeta", "constant", "acme_second:Constant")

    told = refusal(Platforms(Runtime()), "constant")
    chosen = Platforms(Runtime(), {"constant": "acme_second:Constant"}).platform("constant")

    assert told == (
        "platform constant cannot be used here: acme and zeta both provide it; remove one or"
        " choose with --servable_platforms=constant=MODULE:CLASS"
    )
    assert type(chosen).__module__ == "acme_second"


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("no_such_module:X", "ModuleNotFoundError: No module named 'no_such_module'"),
        ("acme:X", "AttributeError: module 'acme' has no attribute 'X'"),
        ("acme:Refusing", "OSError: no licence for this machine"),
        ("acme_unsound:X", "ZeroDivisionError: division by zero"),
    ],
)
def test_a_platform_that_cannot_be_made_says_why(site, value, reason):
    (site / "acme.py").write_text(SOUND)
    (site / "acme_unsound.py").write_text("1 / 0")

    told = refusal(Platforms(Runtime(), {"acme": value}), "acme")

    assert told == f"platform acme cannot be used here: {value}: {reason}"


def test_a_platform_without_its_library_says_what_to_install(monkeypatch):
    monkeypatch.delitem(sys.modules, "model_server.servables.onnx_model", raising=False)
    monkeypatch.setitem(sys.modules, "onnxruntime", None)

    assert refusal(Platforms(Runtime()), "onnx").endswith(
        "it comes with: pip install 'modelfleet[onnx]'"
    )


def test_a_class_without_the_methods_is_no_platform(site):
    (site / "acme_lacking.py").write_text(SOUND)

    told = refusal(Platforms(Runtime(), {"acme": "acme_lacking:WithoutUnload"}), "acme")

    assert told.endswith("acme_lacking:WithoutUnload has no method unload")


@pytest.mark.parametrize(
    ("members", "lacking"),
    [
        ({}, "no signatures and no method run"),
        ({"signatures": {}}, "no method run"),
        ({"signatures": [], "run": print}, "no signatures"),
        ({"signatures": {}, "run": "yes"}, "no method run"),
    ],
)
def test_what_a_platform_loads_must_be_servable(members, lacking):
    with pytest.raises(ServingError) as raised:
        check_servable("acme", SimpleNamespace(**members))

    assert (raised.value.code, raised.value.message) == (
        Code.FAILED_PRECONDITION,
        f"platform acme loaded a SimpleNamespace that has {lacking}",
    )


@pytest.mark.parametrize(
    ("flag", "platforms"),
    [
        ("", {}),
        ("a=m:C", {"a": "m:C"}),
        ("a=m.n:C, b-2=m:C.D,", {"a": "m.n:C", "b-2": "m:C.D"}),
        ("python, a=m:C", {"python": None, "a": "m:C"}),
    ],
)
def test_the_flag_lists_names_and_classes(flag, platforms):
    assert platforms_of(Options(servable_platforms=flag)) == platforms


@pytest.mark.parametrize(
    "flag", ["a b", "a=", "a=m", "=m:C", "a=:C", "a=m:", "a=m:C:D", "a=m:C;b=m:C"]
)
def test_a_flag_of_another_form_is_refused_with_the_form(flag):
    with pytest.raises(InvalidOptions) as raised:
        platforms_of(Options(servable_platforms=flag))

    assert str(raised.value) == (
        "--servable_platforms must be NAME or NAME=MODULE:CLASS, separated by commas,"
        f' but has "{flag}"'
    )


def test_the_help_tells_of_both_flags():
    assert "NAME=MODULE:CLASS" in usage("model-server")
    assert '--model_platform="tensorflow"' in usage("model-server")


def test_a_base_path_can_be_of_any_platform():
    options = Options(model_base_path="/models/m", model_platform="onnx")

    (model,) = read_model_config(options).model_config_list.config

    assert model.model_platform == "onnx"


def asked_for(platform: str) -> ModelServerConfig:
    config = ModelServerConfig()
    config.model_config_list.config.add(name="m", base_path="/models/m", model_platform=platform)
    return config


def test_code_in_a_models_folder_runs_only_if_a_flag_allows_it():
    by_default, allowed = Platforms(Runtime()), Platforms(Runtime(), {"python": None})

    with pytest.raises(ServingError) as raised:
        models_of(asked_for("python"), by_default.names, by_default.off)

    assert (raised.value.code, raised.value.message) == (
        Code.INVALID_ARGUMENT,
        "Model m requests platform python, which is off because it runs code from the model's"
        " folder; to allow that, start the server with --servable_platforms=python",
    )
    assert models_of(asked_for("python"), allowed.names, allowed.off)["m"].platform == "python"


def test_a_platform_of_that_name_from_a_flag_is_on():
    platforms = Platforms(Runtime(), {"python": "acme:Constant"})

    assert ("python" in platforms.names, platforms.off) == (True, frozenset())


def test_a_flag_cannot_turn_on_what_is_not_installed():
    with pytest.raises(ServingError) as raised:
        Platforms(Runtime(), {"acme": None})

    assert raised.value.code is Code.INVALID_ARGUMENT
    assert raised.value.message.startswith(
        "--servable_platforms has acme, which no installed package brings; there are: hashmap, "
    )
