"""Messages of TensorFlow Serving's configuration that hold messages of TensorFlow.

Importing this imports TensorFlow, which takes seconds: only where a flag names such a file.
"""

from typing import Any

from google.protobuf import wrappers_pb2
from tensorflow.core.protobuf import config_pb2, named_tensor_pb2

from model_server.options.message_tables import Enums, Messages, define
from model_server.options.messages import BATCHING

_INT32 = ".google.protobuf.Int32Value"

_ENUMS: Enums = {"HashmapSourceAdapterConfig.Format": ("SIMPLE_CSV",)}
_MESSAGES: Messages = {
    **BATCHING,
    "ModelWarmupOptions": (
        ("num_request_iterations", 1, _INT32),
        ("num_model_warmup_threads", 2, _INT32),
        ("model_name", 3, "string"),
        ("model_version", 4, "int64"),
        ("enable_all_batch_sizes_warmup", 5, "bool"),
    ),
    # in_graph_batching_parameters, 7, concerns a runtime that TensorFlow's package has not.
    "SessionBundleConfig": (
        ("session_target", 1, "string"),
        ("session_config", 2, ".tensorflow.ConfigProto"),
        ("batching_parameters", 3, "BatchingParameters"),
        ("session_run_load_threadpool_index", 4, _INT32),
        ("experimental_transient_ram_bytes_during_load", 5, "uint64"),
        ("saved_model_tags", 6, "repeated string"),
        ("experimental_fixed_input_tensors", 778, "repeated .tensorflow.NamedTensorProto"),
        ("enable_model_warmup", 779, "bool"),
        ("model_warmup_options", 780, "ModelWarmupOptions"),
        ("enable_session_metadata", 781, "bool"),
        ("remove_unused_fields_from_bundle_metagraph", 782, "bool"),
        ("prefer_tflite_model", 783, "bool"),
        ("resource_estimation_uses_validation_result", 784, "bool"),
        ("num_tflite_interpreters_per_pool", 786, "int32"),
        ("num_tflite_pools", 787, "int32"),
        ("wrap_session_with_no_threading_params", 788, "bool"),
        ("enable_per_model_batching_params", 789, "bool"),
        ("enable_saved_model_config", 790, "bool"),
        ("mixed_precision", 791, "string"),
    ),
    "SavedModelBundleSourceAdapterConfig": (("legacy_config", 1000, "SessionBundleConfig"),),
    "SessionBundleSourceAdapterConfig": (("config", 1, "SessionBundleConfig"),),
    "HashmapSourceAdapterConfig": (("format", 1, "HashmapSourceAdapterConfig.Format"),),
}

_DEFINED = define(
    "modelfleet/session_config.proto",
    _MESSAGES,
    (wrappers_pb2.DESCRIPTOR, config_pb2.DESCRIPTOR, named_tensor_pb2.DESCRIPTOR),
    _ENUMS,
)
# Where the Any of a PlatformConfig is looked up.
POOL = _DEFINED.pool
ConfigProto: Any = config_pb2.ConfigProto
SessionBundleConfig: Any = _DEFINED.classes["SessionBundleConfig"]
SavedModelBundleSourceAdapterConfig: Any = _DEFINED.classes["SavedModelBundleSourceAdapterConfig"]
SessionBundleSourceAdapterConfig: Any = _DEFINED.classes["SessionBundleSourceAdapterConfig"]
HashmapSourceAdapterConfig: Any = _DEFINED.classes["HashmapSourceAdapterConfig"]
