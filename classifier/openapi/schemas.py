"""JSON schemas of the answers, made from their messages as Envoy prints them."""

from collections.abc import Iterable, Iterator
from typing import Any

from google.protobuf.descriptor import Descriptor, FieldDescriptor

from classifier.openapi.contract import comment

Schema = dict[str, Any]

UUID: Schema = {"type": "string", "format": "uuid"}
EMBEDDING: Schema = {"type": "array", "items": {"type": "number"}}
ERROR: Schema = {
    "type": "object",
    "description": "Why a request was refused.",
    "required": ["message", "code"],
    "properties": {
        "message": {"type": "string", "description": "For people."},
        "code": {"type": "integer", "description": "For programs: CompreFace's number, or 0."},
    },
}

# Lists of a type that the proto cannot say.
_LISTS: dict[str, Schema] = {
    "embedding": EMBEDDING,
    "landmarks": {
        "type": "array",
        "items": {"type": "array", "items": {"type": "integer"}, "minItems": 2, "maxItems": 2},
    },
}
_SCALARS: dict[int, Schema] = {
    FieldDescriptor.TYPE_BOOL: {"type": "boolean"},
    FieldDescriptor.TYPE_DOUBLE: {"type": "number", "format": "double"},
    FieldDescriptor.TYPE_INT32: {"type": "integer", "format": "int32"},
    FieldDescriptor.TYPE_STRING: {"type": "string"},
}


def reference(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}


def components(messages: Iterable[Descriptor]) -> dict[str, Schema]:
    """The schemas of messages, and of those inside them, by name."""
    found = {"Error": ERROR}
    for message in messages:
        for each in _with_inner(message):
            found[each.name] = _object(each)
    return dict(sorted(found.items()))


def _with_inner(message: Descriptor) -> Iterator[Descriptor]:
    yield message
    for field in message.fields:
        if field.message_type and field.name not in _LISTS and not _is_map(field):
            yield from _with_inner(field.message_type)


def _object(message: Descriptor) -> Schema:
    # Envoy prints what has no presence always, be it zero or empty.
    required = [field.name for field in message.fields if not field.has_presence]
    return {
        "type": "object",
        "description": comment(message.full_name),
        **({"required": required} if required else {}),
        "properties": {
            field.name: {**_value(field), "description": comment(field.full_name)} for field in message.fields
        },
    }


def _value(field: FieldDescriptor) -> Schema:
    if field.message_type and field.name in _LISTS:
        return _LISTS[field.name]
    if field.message_type and _is_map(field):
        return {"type": "object", "additionalProperties": _one(field.message_type.fields_by_name["value"])}
    return {"type": "array", "items": _one(field)} if field.is_repeated else _one(field)


def _one(field: FieldDescriptor) -> Schema:
    if field.message_type:
        return reference(field.message_type.name)
    return UUID if field.name == "image_id" else _SCALARS[field.type]


def _is_map(field: FieldDescriptor) -> bool:
    return bool(field.message_type and field.message_type.GetOptions().map_entry)
