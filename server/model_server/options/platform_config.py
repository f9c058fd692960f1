"""What a PlatformConfigMap says of each platform, by the adapters of TensorFlow Serving."""

from dataclasses import dataclass
from typing import Any

from google.protobuf.message import DecodeError
from tensorflow_serving.config.platform_config_pb2 import PlatformConfigMap

from model_server.options import session_messages
from model_server.options.command_line import InvalidOptions
from model_server.options.text_files import read_text_file

# What changes answers cannot be left out with a warning.
_REFUSED = {
    "session_target": "this server runs models in its own process",
    "experimental_fixed_input_tensors": "this server adds no inputs to those of a request",
}
_UNUSED = (
    "session_run_load_threadpool_index",
    "experimental_transient_ram_bytes_during_load",
    "enable_session_metadata",
    "resource_estimation_uses_validation_result",
    "enable_saved_model_config",
)


@dataclass(frozen=True)
class SavedModelAdapter:
    """A platform of SavedModels; ``bundle`` is a SessionBundleConfig that can be followed.

    ``where`` names the file and the platform; ``unused`` are fields that mean nothing here.
    """

    where: str
    bundle: Any
    unused: tuple[str, ...] = ()


@dataclass(frozen=True)
class HashmapAdapter:
    """A platform of comma-separated values."""


Adapter = SavedModelAdapter | HashmapAdapter


def adapters_of(path: str) -> dict[str, Adapter]:
    """The adapter of each platform in the file at ``path``. Raises InvalidOptions."""
    message = PlatformConfigMap()
    read_text_file(path, message, session_messages.POOL)
    return {
        name: _adapter(platform.source_adapter_config, f"{path}: platform {name}")
        for name, platform in sorted(message.platform_configs.items())
    }


def _adapter(config: Any, where: str) -> Adapter:
    kinds: dict[str, Any] = {
        kind.DESCRIPTOR.full_name: kind
        for kind in (
            session_messages.SavedModelBundleSourceAdapterConfig,
            session_messages.SessionBundleSourceAdapterConfig,
            session_messages.SessionBundleConfig,
            session_messages.HashmapSourceAdapterConfig,
        )
    }
    name = config.TypeName()
    if name not in kinds:
        known = ", ".join(sorted(kinds))
        found = f"of an unknown type, {name}" if name else "missing"
        raise InvalidOptions(f"{where}: source_adapter_config is {found}; known are {known}")
    message = kinds[name]()
    try:
        message.ParseFromString(config.value)
    except DecodeError as error:
        raise InvalidOptions(f"{where}: source_adapter_config is no {name}") from error
    match message.DESCRIPTOR.name:
        case "SavedModelBundleSourceAdapterConfig":
            return _saved_models(message.legacy_config, where)
        case "SessionBundleSourceAdapterConfig":
            return _saved_models(message.config, where)
        case "SessionBundleConfig":
            return _saved_models(message, where)
        case _:
            return HashmapAdapter()


def _saved_models(bundle: Any, where: str) -> SavedModelAdapter:
    said = {field.name for field, _ in bundle.ListFields()}
    for field, reason in _REFUSED.items():
        if field in said:
            raise InvalidOptions(f"{where}: {field} must not be set: {reason}")
    return SavedModelAdapter(where, bundle, tuple(field for field in _UNUSED if field in said))
