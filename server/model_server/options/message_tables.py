"""How tables of fields become protobuf messages, in a pool of their own."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

_Field = descriptor_pb2.FieldDescriptorProto
_PACKAGE = "tensorflow.serving"
_SCALARS = {
    "bool": _Field.TYPE_BOOL,
    "int32": _Field.TYPE_INT32,
    "int64": _Field.TYPE_INT64,
    "string": _Field.TYPE_STRING,
    "uint64": _Field.TYPE_UINT64,
}
_REPEATED = "repeated "

# A field: name, number, type. A type is a scalar, a message or an enum of the same file, or a
# full name after a dot; each maybe after "repeated ".
Field = tuple[str, int, str]
Messages = Mapping[str, tuple[Field, ...]]
Enums = Mapping[str, tuple[str, ...]]


@dataclass(frozen=True)
class Definition:
    """The classes of a table's messages, by short name, and the pool that resolves an Any."""

    pool: descriptor_pool.DescriptorPool
    classes: Mapping[str, Any]


def define(file: str, messages: Messages, imports: Iterable[Any], enums: Enums) -> Definition:
    """Messages of the package ``tensorflow.serving`` in a pool that nothing else shares.

    So that whoever brings TensorFlow Serving's own files can add them to the default pool.
    ``imports`` are the file descriptors of messages outside of the table; ``enums`` are named
    ``Message.Enum`` after the message they belong to, their values numbered from 0.
    """
    imported = {each.name: each for each in imports}
    proto = descriptor_pb2.FileDescriptorProto(
        name=file, package=_PACKAGE, syntax="proto3", dependency=imported
    )
    for name, fields in messages.items():
        message = proto.message_type.add(name=name)
        message.field.extend(_field(field, enums) for field in fields)
        for scoped, values in enums.items():
            owner, _, enum_name = scoped.partition(".")
            if owner == name:
                enum = message.enum_type.add(name=enum_name)
                for number, value in enumerate(values):
                    enum.value.add(name=value, number=number)
    pool = descriptor_pool.DescriptorPool()
    for each in imported.values():
        _copy(pool, each, set())
    pool.Add(proto)
    found = {name: pool.FindMessageTypeByName(f"{_PACKAGE}.{name}") for name in messages}
    return Definition(
        pool, {name: message_factory.GetMessageClass(each) for name, each in found.items()}
    )


def _field(field: Field, enums: Enums) -> descriptor_pb2.FieldDescriptorProto:
    name, number, kind = field
    repeated = kind.startswith(_REPEATED)
    kind = kind.removeprefix(_REPEATED)
    proto = _Field(
        name=name,
        number=number,
        label=_Field.LABEL_REPEATED if repeated else _Field.LABEL_OPTIONAL,
    )
    if kind in _SCALARS:
        proto.type = _SCALARS[kind]
        return proto
    proto.type = _Field.TYPE_ENUM if kind in enums else _Field.TYPE_MESSAGE
    proto.type_name = kind if kind.startswith(".") else f".{_PACKAGE}.{kind}"
    return proto


def _copy(pool: descriptor_pool.DescriptorPool, file: Any, copied: set[str]) -> None:
    if file.name in copied:
        return
    copied.add(file.name)
    for each in file.dependencies:
        _copy(pool, each, copied)
    pool.AddSerializedFile(file.serialized_pb)
