"""Messages the Python package leaves out have upstream's names, numbers and types."""

import pytest
from google.protobuf import descriptor_pool

from model_server.options import messages, session_messages

INT64, INT32 = "google.protobuf.Int64Value", "google.protobuf.Int32Value"

# Full name, then number, name and message of each field (none for scalars), as in upstream's files.
MESSAGES = {
    messages.BatchingParameters: (
        "tensorflow.serving.BatchingParameters",
        [
            (1, "max_batch_size", INT64),
            (2, "batch_timeout_micros", INT64),
            (3, "max_enqueued_batches", INT64),
            (4, "num_batch_threads", INT64),
            (5, "thread_pool_name", "google.protobuf.StringValue"),
            (6, "allowed_batch_sizes", None),
            (7, "pad_variable_length_inputs", None),
            (8, "enable_large_batch_splitting", "google.protobuf.BoolValue"),
            (9, "max_execution_batch_size", INT64),
            # Ours, of the attributes of TensorFlow's BatchFunction.
            (1001, "low_priority_max_batch_size", INT64),
            (1002, "low_priority_batch_timeout_micros", INT64),
            (1003, "low_priority_max_enqueued_batches", INT64),
            (1004, "low_priority_allowed_batch_sizes", None),
            (1005, "mixed_priority_batching_policy", "google.protobuf.StringValue"),
        ],
    ),
    messages.MonitoringConfig: (
        "tensorflow.serving.MonitoringConfig",
        [(1, "prometheus_config", "tensorflow.serving.PrometheusConfig")],
    ),
    messages.SSLConfig: (
        "tensorflow.serving.SSLConfig",
        [
            (1, "server_key", None),
            (2, "server_cert", None),
            (3, "custom_ca", None),
            (4, "client_verify", None),
        ],
    ),
    messages.ThreadPoolFactoryConfig: (
        "tensorflow.serving.ThreadPoolFactoryConfig",
        [(1, "thread_pool_factory_config", "google.protobuf.Any")],
    ),
    session_messages.HashmapSourceAdapterConfig: (
        "tensorflow.serving.HashmapSourceAdapterConfig",
        [(1, "format", None)],
    ),
    session_messages.SavedModelBundleSourceAdapterConfig: (
        "tensorflow.serving.SavedModelBundleSourceAdapterConfig",
        [(1000, "legacy_config", "tensorflow.serving.SessionBundleConfig")],
    ),
    session_messages.SessionBundleSourceAdapterConfig: (
        "tensorflow.serving.SessionBundleSourceAdapterConfig",
        [(1, "config", "tensorflow.serving.SessionBundleConfig")],
    ),
    session_messages.SessionBundleConfig: (
        "tensorflow.serving.SessionBundleConfig",
        [
            (1, "session_target", None),
            (2, "session_config", "tensorflow.ConfigProto"),
            (3, "batching_parameters", "tensorflow.serving.BatchingParameters"),
            (4, "session_run_load_threadpool_index", INT32),
            (5, "experimental_transient_ram_bytes_during_load", None),
            (6, "saved_model_tags", None),
            (778, "experimental_fixed_input_tensors", "tensorflow.NamedTensorProto"),
            (779, "enable_model_warmup", None),
            (780, "model_warmup_options", "tensorflow.serving.ModelWarmupOptions"),
            (781, "enable_session_metadata", None),
            (782, "remove_unused_fields_from_bundle_metagraph", None),
            (783, "prefer_tflite_model", None),
            (784, "resource_estimation_uses_validation_result", None),
            (786, "num_tflite_interpreters_per_pool", None),
            (787, "num_tflite_pools", None),
            (788, "wrap_session_with_no_threading_params", None),
            (789, "enable_per_model_batching_params", None),
            (790, "enable_saved_model_config", None),
            (791, "mixed_precision", None),
        ],
    ),
}


def fields_of(descriptor) -> list[tuple[int, str, str | None]]:
    return [
        (field.number, field.name, field.message_type and field.message_type.full_name)
        for field in descriptor.fields
    ]


@pytest.mark.parametrize("message", MESSAGES, ids=lambda message: message.DESCRIPTOR.name)
def test_a_message_is_that_of_upstream(message):
    name, fields = MESSAGES[message]

    assert message.DESCRIPTOR.full_name == name
    assert fields_of(message.DESCRIPTOR) == fields


def test_messages_and_enums_inside_others_are_those_of_upstream():
    bundle = session_messages.SessionBundleConfig.DESCRIPTOR
    warm_up = bundle.fields_by_name["model_warmup_options"].message_type
    monitoring = messages.MonitoringConfig.DESCRIPTOR
    prometheus = monitoring.fields_by_name["prometheus_config"].message_type
    hashmap = session_messages.HashmapSourceAdapterConfig.DESCRIPTOR

    assert fields_of(warm_up) == [
        (1, "num_request_iterations", INT32),
        (2, "num_model_warmup_threads", INT32),
        (3, "model_name", None),
        (4, "model_version", None),
        (5, "enable_all_batch_sizes_warmup", None),
    ]
    assert fields_of(prometheus) == [(1, "enable", None), (2, "path", None)]
    assert hashmap.fields_by_name["format"].enum_type.full_name == (
        "tensorflow.serving.HashmapSourceAdapterConfig.Format"
    )
    assert dict(hashmap.enum_values_by_name.items())["SIMPLE_CSV"].number == 0


def test_the_default_pool_is_left_to_who_brings_the_real_files():
    with pytest.raises(KeyError):
        descriptor_pool.Default().FindMessageTypeByName("tensorflow.serving.SSLConfig")
