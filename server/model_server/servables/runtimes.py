"""How the servables of each platform run, as flags and the files they name say."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from model_server.options.batching import (
    Batching,
    batching_of,
    batching_of_file,
    batching_of_text,
)
from model_server.options.cpus import CPUS
from model_server.options.flags import Options
from model_server.options.session_config import written_of
from model_server.options.shards import shards_of
from model_server.servables.platform import Runtime

if TYPE_CHECKING:
    from model_server.options.platform_config import SavedModelAdapter

_log = logging.getLogger(__name__)

_SAVED_MODELS = "model_server.servables.tensorflow_platform:TensorFlow"
_HASHMAPS = "model_server.servables.hashmap:HashmapPlatform"
_SERVE = "serve"
_BFLOAT16 = "bfloat16"
# What a SessionBundleConfig says instead, for the platforms of a platform config file.
_NOT_WITH_A_PLATFORM_FILE = (
    "enable_batching",
    "batching_parameters_file",
    "batching_parameters",
    "enable_per_model_batching_parameters",
    "tensorflow_session_parallelism",
    "tensorflow_intra_op_parallelism",
    "tensorflow_inter_op_parallelism",
    "tensorflow_session_config_file",
    "per_process_gpu_memory_fraction",
    "saved_model_tags",
    "enable_model_warmup",
    "num_request_iterations_for_warmup",
    "mixed_precision",
    "prefer_tflite_model",
    "num_tflite_pools",
    "num_tflite_interpreters_per_pool",
)


@dataclass(frozen=True)
class Runtimes:
    """The runtime of platforms that a file names, with the class of each, and of all others."""

    common: Runtime
    named: Mapping[str, Runtime] = field(default_factory=dict)
    classes: Mapping[str, str] = field(default_factory=dict)

    def of(self, platform: str) -> Runtime:
        """How servables of this platform run."""
        return self.named.get(platform, self.common)

    @property
    def batch(self) -> bool:
        """Whether requests of some platform are batched."""
        return any(each.batching is not None for each in (self.common, *self.named.values()))


def runtimes_of(options: Options) -> Runtimes:
    """What the flags and their files say.

    Imports TensorFlow if they name a file with messages of it. Raises InvalidOptions.
    """
    if not options.platform_config_file:
        return Runtimes(_runtime_of(options))
    for name in _NOT_WITH_A_PLATFORM_FILE:
        if getattr(options, name) != getattr(Options(), name):
            _log.warning("--%s is not for platforms of --platform_config_file", name)
    return _of_file(options)


def _runtime_of(options: Options) -> Runtime:
    intra, inter = _threads(options)
    return Runtime(
        tags=frozenset(options.saved_model_tags.split(",")),
        intra_op_threads=max(intra, 0),
        inter_op_threads=inter,
        gpu_memory_fraction=options.per_process_gpu_memory_fraction,
        mixed_precision=_precision(options.mixed_precision, "--mixed_precision"),
        session_config=_session_config(options.tensorflow_session_config_file),
        batching=_batching(options),
        batching_of_versions=options.enable_per_model_batching_parameters,
        prefer_tflite=options.prefer_tflite_model,
        tflite_pools=options.num_tflite_pools,
        tflite_interpreters_per_pool=options.num_tflite_interpreters_per_pool,
        warm_ups=max(options.num_request_iterations_for_warmup, 1)
        if options.enable_model_warmup
        else 0,
        shards=shards_of(options),
        share_tables=options.share_tables,
    )


def _threads(options: Options) -> tuple[int, int]:
    intra = options.tensorflow_intra_op_parallelism
    inter = options.tensorflow_inter_op_parallelism
    if intra or inter:
        return intra, inter
    both = options.tensorflow_session_parallelism
    return both, both


def _batching(options: Options) -> Batching | None:
    if not options.enable_batching:
        return None
    if options.batching_parameters:
        return batching_of_text(options.batching_parameters, "--batching_parameters")
    return batching_of_file(options.batching_parameters_file)


def _session_config(path: str) -> bytes:
    if not path:
        return b""
    # Imports TensorFlow.
    from model_server.options.session_messages import ConfigProto
    from model_server.options.text_files import read_text_file

    config = ConfigProto()
    read_text_file(path, config)
    return written_of(config, path)


def _precision(name: str, where: str) -> str:
    if name not in ("", _BFLOAT16):
        _log.warning('%s is without effect, because "%s" is not "%s"', where, name, _BFLOAT16)
        return ""
    return name


def _of_file(options: Options) -> Runtimes:
    # Imports TensorFlow.
    from model_server.options.platform_config import SavedModelAdapter, adapters_of

    common = _runtime_of(options)
    named: dict[str, Runtime] = {}
    classes: dict[str, str] = {}
    for name, adapter in adapters_of(options.platform_config_file).items():
        if isinstance(adapter, SavedModelAdapter):
            named[name] = replace(_of_adapter(adapter), shards=common.shards)
            classes[name] = _SAVED_MODELS
            for each in adapter.unused:
                _log.warning("%s: %s is accepted, but has no effect", adapter.where, each)
        else:
            named[name], classes[name] = Runtime(), _HASHMAPS
    return Runtimes(common, named, classes)


def _of_adapter(adapter: "SavedModelAdapter") -> Runtime:
    bundle, where = adapter.bundle, adapter.where
    batching = None
    if bundle.HasField("batching_parameters") and not bundle.wrap_session_with_no_threading_params:
        batching = batching_of(bundle.batching_parameters, f"{where}: batching_parameters")
    warm_ups = bundle.model_warmup_options.num_request_iterations.value
    return Runtime(
        tags=frozenset(bundle.saved_model_tags or [_SERVE]),
        mixed_precision=_precision(bundle.mixed_precision, f"{where}: mixed_precision"),
        session_config=written_of(bundle.session_config, f"{where}: session_config"),
        batching=batching,
        batching_of_versions=bundle.enable_per_model_batching_params,
        prefer_tflite=bundle.prefer_tflite_model,
        tflite_pools=bundle.num_tflite_pools or CPUS,
        tflite_interpreters_per_pool=bundle.num_tflite_interpreters_per_pool or 1,
        warm_ups=max(warm_ups, 1) if bundle.enable_model_warmup else 0,
    )
