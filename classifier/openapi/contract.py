"""CompreFaceService as its proto describes it: each RPC with its path, who may call it, and its comments."""

import re
from collections.abc import Iterator
from functools import cache
from importlib import resources
from typing import Any, NamedTuple

from google.api import annotations_pb2
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.descriptor_pb2 import FileDescriptorProto, FileDescriptorSet

from mien.rest.v1 import compreface_pb2
from mien.v1 import access_pb2
from mien.v1.access_pb2 import Access

PROTO = compreface_pb2.DESCRIPTOR


class Call(NamedTuple):
    """One RPC, as REST."""

    name: str
    verb: str  # in lower case
    path: str
    access: "Access.ValueType"
    comment: str
    body: str  # the field that the request's body is, or "*" if its JSON has the fields of the message
    in_path: tuple[FieldDescriptor, ...]
    in_query: tuple[FieldDescriptor, ...]
    answer: Descriptor


def calls() -> Iterator[Call]:
    """All, in the order of the proto."""
    for method in PROTO.services_by_name["CompreFaceService"].methods:
        options = method.GetOptions()
        rule = options.Extensions[annotations_pb2.http]
        verb = rule.WhichOneof("pattern")
        fields = [field for field in method.input_type.fields if field.name != rule.body]
        in_path = [field for field in fields if f"{{{field.name}}}" in getattr(rule, verb)]
        yield Call(
            name=method.name,
            verb=verb,
            path=public(getattr(rule, verb)),
            access=options.Extensions[access_pb2.access],
            comment=comment(method.full_name),
            body=rule.body,
            in_path=tuple(in_path),
            in_query=() if rule.body == "*" else tuple(field for field in fields if field not in in_path),
            answer=method.output_type,
        )


def public(name: str) -> str:
    """A name, or a path with names, for readers: OpenAPI knows a path once, whatever it calls its parts."""
    return re.sub(r"\bold_", "", name)


def comment(full_name: str) -> str:
    """What the proto says of a message, a field or an RPC."""
    return _comments()[full_name]


@cache
def _comments() -> dict[str, str]:
    files = FileDescriptorSet.FromString((resources.files("mien") / "descriptor.pb").read_bytes()).file
    (proto,) = (file for file in files if file.name == PROTO.name)
    return {
        f"{proto.package}.{'.'.join(_names(proto, list(place.path)))}": _plain(place.leading_comments)
        for place in proto.source_code_info.location
        if place.leading_comments and place.path[0] in (4, 6)  # messages and services
    }


def _names(proto: FileDescriptorProto, path: list[int]) -> Iterator[str]:
    """The names on the way that pairs of a field's number and an index lead."""
    here: Any = proto
    for number, index in zip(path[::2], path[1::2], strict=True):
        here = getattr(here, type(here).DESCRIPTOR.fields_by_number[number].name)[index]
        yield here.name


def _plain(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if "buf:lint" not in line]
    return re.sub(r"(?<=.)\n(?=.)", " ", "\n".join(lines)).strip()
