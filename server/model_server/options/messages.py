"""Messages of TensorFlow Serving's configuration that its Python package leaves out.

Defined here with the full names and field numbers of ``tensorflow_serving/config/*.proto`` and
``servables/tensorflow/*.proto``, so that files written for it parse. Those that hold messages of
TensorFlow are in ``session_messages``.
"""

from typing import Any

from google.protobuf import any_pb2, wrappers_pb2

from model_server.options.message_tables import Messages, define

_INT64 = ".google.protobuf.Int64Value"

BATCHING: Messages = {
    "BatchingParameters": (
        ("max_batch_size", 1, _INT64),
        ("batch_timeout_micros", 2, _INT64),
        ("max_enqueued_batches", 3, _INT64),
        ("num_batch_threads", 4, _INT64),
        ("thread_pool_name", 5, ".google.protobuf.StringValue"),
        ("allowed_batch_sizes", 6, "repeated int64"),
        ("pad_variable_length_inputs", 7, "bool"),
        ("enable_large_batch_splitting", 8, ".google.protobuf.BoolValue"),
        ("max_execution_batch_size", 9, _INT64),
        # TensorFlow Serving has these in the ops of graphs only, so numbers far from its own.
        ("low_priority_max_batch_size", 1001, _INT64),
        ("low_priority_batch_timeout_micros", 1002, _INT64),
        ("low_priority_max_enqueued_batches", 1003, _INT64),
        ("low_priority_allowed_batch_sizes", 1004, "repeated int64"),
        ("mixed_priority_batching_policy", 1005, ".google.protobuf.StringValue"),
    )
}
_MESSAGES: Messages = {
    **BATCHING,
    "PrometheusConfig": (("enable", 1, "bool"), ("path", 2, "string")),
    "MonitoringConfig": (("prometheus_config", 1, "PrometheusConfig"),),
    "SSLConfig": (
        ("server_key", 1, "string"),
        ("server_cert", 2, "string"),
        ("custom_ca", 3, "string"),
        ("client_verify", 4, "bool"),
    ),
    "ThreadPoolFactoryConfig": (("thread_pool_factory_config", 1, ".google.protobuf.Any"),),
}

_DEFINED = define(
    "modelfleet/serving_config.proto",
    _MESSAGES,
    (any_pb2.DESCRIPTOR, wrappers_pb2.DESCRIPTOR),
    {},
)
BatchingParameters: Any = _DEFINED.classes["BatchingParameters"]
MonitoringConfig: Any = _DEFINED.classes["MonitoringConfig"]
SSLConfig: Any = _DEFINED.classes["SSLConfig"]
ThreadPoolFactoryConfig: Any = _DEFINED.classes["ThreadPoolFactoryConfig"]
