"""Messages of ``tensorflow.ProfilerService``, which no Python package of TensorFlow's has.

Defined here with the full names and field numbers of ``tsl/profiler/protobuf`` in TensorFlow 2.21,
``profiler_service.proto``. Importing this imports TensorFlow's protos.
"""

from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from tensorflow.tsl.profiler.protobuf import profiler_options_pb2, xplane_pb2

_Field = descriptor_pb2.FieldDescriptorProto
_PACKAGE = "tensorflow"
_TYPES = {
    "uint64": _Field.TYPE_UINT64,
    "int32": _Field.TYPE_INT32,
    "bool": _Field.TYPE_BOOL,
    "string": _Field.TYPE_STRING,
    "bytes": _Field.TYPE_BYTES,
}
_USED = (profiler_options_pb2, xplane_pb2)

# Message, then its fields: name, number, type; a list of them if the type ends in "[]".
_MESSAGES: dict[str, tuple[tuple[str, int, str], ...]] = {
    "ProfileRequest": (
        ("duration_ms", 1, "uint64"),
        ("max_events", 2, "uint64"),
        ("tools", 3, "string[]"),
        ("opts", 4, ".tensorflow.ProfileOptions"),
        ("repository_root", 5, "string"),
        ("session_id", 6, "string"),
        ("host_name", 7, "string"),
        ("emit_xspace", 9, "bool"),
    ),
    "ProfileToolData": (("name", 1, "string"), ("data", 2, "bytes")),
    "ProfileResponse": (
        ("tool_data", 6, ".tensorflow.ProfileToolData[]"),
        ("empty_trace", 7, "bool"),
        ("xspace", 8, ".tensorflow.profiler.XSpace"),
    ),
    "TerminateRequest": (("session_id", 1, "string"),),
    "TerminateResponse": (),
    "MonitorRequest": (
        ("duration_ms", 1, "uint64"),
        ("monitoring_level", 2, "int32"),
        ("timestamp", 3, "bool"),
    ),
    "MonitorResponse": (("data", 1, "string"),),
}


def _define() -> dict[str, Any]:
    file = descriptor_pb2.FileDescriptorProto(
        name="modelfleet/profiler_service.proto",
        package=_PACKAGE,
        syntax="proto3",
        dependency=[used.DESCRIPTOR.name for used in _USED],
    )
    for name, fields in _MESSAGES.items():
        message = file.message_type.add(name=name)
        for field_name, number, kind in fields:
            message.field.append(_field(field_name, number, kind))
    # A pool of our own: whoever brings the real file must be able to add it to the default one.
    pool = descriptor_pool.DescriptorPool()
    for used in _USED:
        pool.AddSerializedFile(used.DESCRIPTOR.serialized_pb)
    pool.Add(file)
    return {
        name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{_PACKAGE}.{name}"))
        for name in _MESSAGES
    }


def _field(name: str, number: int, kind: str) -> descriptor_pb2.FieldDescriptorProto:
    one = kind.removesuffix("[]")
    field = _Field(name=name, number=number)
    field.label = _Field.LABEL_OPTIONAL if one == kind else _Field.LABEL_REPEATED
    if one in _TYPES:
        field.type = _TYPES[one]
    else:
        field.type = _Field.TYPE_MESSAGE
        field.type_name = one
    return field


_CLASSES = _define()
ProfileRequest: Any = _CLASSES["ProfileRequest"]
ProfileResponse: Any = _CLASSES["ProfileResponse"]
TerminateRequest: Any = _CLASSES["TerminateRequest"]
TerminateResponse: Any = _CLASSES["TerminateResponse"]
MonitorRequest: Any = _CLASSES["MonitorRequest"]
MonitorResponse: Any = _CLASSES["MonitorResponse"]
