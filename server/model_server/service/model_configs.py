"""Which models a ModelServerConfig asks for, and whether it may.

Source: TensorFlow Serving ``model_servers/server_core.cc``, whose messages these are.
"""

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from model_server.core.errors import Code, ServingError
from model_server.core.version_policy import All, Latest, Specific, VersionPolicy
from model_server.request_logs.logging_config import LoggingConfig, logging_of

_TENSORFLOW = "tensorflow"
# ModelConfig.model_type, deprecated: TENSORFLOW is 1.
_TYPES = {1: _TENSORFLOW, 2: "other"}
_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
_PASSWORD = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://[^/@]*:[^/@]*@")


@dataclass(frozen=True)
class ModelConfig:
    """One model to serve."""

    name: str
    base_path: str
    platform: str
    policy: VersionPolicy
    labels: Mapping[str, int] = field(default_factory=dict)
    logging: LoggingConfig | None = None

    @property
    def named_versions(self) -> frozenset[int]:
        """The versions that the policy names; none if it takes what is there."""
        return self.policy.versions if isinstance(self.policy, Specific) else frozenset()


def models_of(
    config: Any, platforms: Collection[str], off: Collection[str] = ()
) -> dict[str, ModelConfig]:
    """The models of a ModelServerConfig message, by name. Raises ServingError, INVALID_ARGUMENT.

    ``off`` are platforms that are there, but which only a flag can turn on.
    """
    models: dict[str, ModelConfig] = {}
    for message in config.model_config_list.config:
        if message.name in models:
            raise _invalid(f"Illegal to list model {message.name} multiple times in config list")
        platform = _platform(message)
        if platform in off:
            raise _invalid(
                f"Model {message.name} requests platform {platform}, which is off because it runs"
                " code from the model's folder; to allow that, start the server with"
                f" --servable_platforms={platform}"
            )
        models[message.name] = _model(message, platform, platforms)
    return models


def check_change(old: Mapping[str, ModelConfig], new: Mapping[str, ModelConfig]) -> None:
    """Raises ServingError for a change that a running server cannot make."""
    for name in old.keys() & new.keys():
        before, after = old[name].platform, new[name].platform
        if before != after:
            raise _invalid(
                f"Illegal to change a model's platform. For model {name} platform was {before}"
                f" and new platform requested is {after}"
            )


def labels_of(models: Iterable[ModelConfig]) -> dict[str, Mapping[str, int]]:
    """The version labels of all models that have any."""
    return {model.name: model.labels for model in models if model.labels}


def loggings_of(models: Iterable[ModelConfig]) -> dict[str, LoggingConfig]:
    """How the requests of all models are logged of which any are."""
    return {model.name: model.logging for model in models if model.logging is not None}


def _model(message: Any, platform: str, platforms: Collection[str]) -> ModelConfig:
    name, path = message.name, message.base_path
    if platform not in platforms:
        known = ", ".join(platforms)
        raise _invalid(
            f"Model {name} requests unsupported platform {platform}; this server has: {known}"
        )
    if not (path.startswith("/") or _URI.match(path)):
        raise _invalid(
            f"Expected model {name} to have an absolute path or URI; got base_path()={path}"
        )
    if _PASSWORD.match(path):
        raise _invalid(
            f"The base path of model {name} has a password in it, which would be seen in logs and"
            " answers; give credentials by the environment"
        )
    return ModelConfig(
        name, path, platform, _policy(message), dict(message.version_labels), logging_of(message)
    )


def _platform(message: Any) -> str:
    if message.model_type and message.model_platform:
        raise _invalid(
            "Illegal setting both ModelServerConfig::model_type (deprecated)"
            " and ModelServerConfig::model_platform."
        )
    platform: str = message.model_platform or _TYPES.get(message.model_type, "")
    if not platform:
        raise _invalid(
            "Illegal setting neither ModelServerConfig::model_type (deprecated)"
            f" nor ModelServerConfig::model_platform, model name is {message.name}"
        )
    return platform


def _policy(message: Any) -> VersionPolicy:
    policy = message.model_version_policy
    match policy.WhichOneof("policy_choice"):
        case "all":
            return All()
        case "specific":
            return Specific(frozenset(policy.specific.versions))
        case "latest":
            return Latest(policy.latest.num_versions or 1)
        case _:
            return Latest()


def _invalid(message: str) -> ServingError:
    return ServingError(Code.INVALID_ARGUMENT, message)
