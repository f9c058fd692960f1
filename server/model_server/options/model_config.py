"""Which models the flags name, as a ModelServerConfig."""

from pathlib import Path

from google.protobuf import text_format
from google.protobuf.message import Message
from tensorflow_serving.config.file_system_storage_path_source_pb2 import (
    FileSystemStoragePathSourceConfig,
)
from tensorflow_serving.config.model_server_config_pb2 import ModelServerConfig

from model_server.options.command_line import InvalidOptions
from model_server.options.flags import Options


def read_model_config(options: Options) -> ModelServerConfig:
    """The models to serve: those of the config file, or the one of --model_base_path.

    Raises InvalidOptions for a file that cannot be read or a text that does not parse.
    """
    config = ModelServerConfig()
    if options.model_config_file:
        _parse(_read(options.model_config_file), config, options.model_config_file)
        return config
    model = config.model_config_list.config.add()
    model.name = options.model_name
    model.base_path = options.model_base_path
    model.model_platform = "tensorflow"
    if options.model_version_policy:
        policy = FileSystemStoragePathSourceConfig.ServableVersionPolicy()
        _parse(options.model_version_policy, policy, "--model_version_policy")
        model.model_version_policy.CopyFrom(policy)
    return config


def _read(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8")
    except OSError as error:
        raise InvalidOptions(f"{path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise InvalidOptions(f"{path}: not a text file ({error.reason})") from error


def _parse(text: str, message: Message, where: str) -> None:
    try:
        text_format.Parse(text, message)
    except text_format.ParseError as error:
        name = message.DESCRIPTOR.full_name
        raise InvalidOptions(f"{where}: Error parsing text-format {name}: {error}") from error
