"""What the contract says of each RPC: the type of service whose key opens it, and the scope the key needs."""

from collections.abc import Mapping
from functools import cache
from typing import NamedTuple

from google.protobuf import descriptor_pool

from mien.v1 import access_pb2
from store.keys import Scope
from store.services import ServiceType

# The service type whose key opens an RPC, as the contract says of it; None: no key is needed.
TYPES: Mapping[int, ServiceType | None] = {
    access_pb2.ACCESS_ANYBODY: None,
    access_pb2.ACCESS_RECOGNITION: "recognition",
    access_pb2.ACCESS_DETECTION: "detection",
    access_pb2.ACCESS_VERIFICATION: "verification",
}
SCOPES: Mapping[int, Scope] = {
    access_pb2.SCOPE_RECOGNISE: "recognise",
    access_pb2.SCOPE_ENROL: "enrol",
    access_pb2.SCOPE_MANAGE: "manage",
}


class Rule(NamedTuple):
    """The key that opens an RPC."""

    type: ServiceType
    scope: Scope


@cache
def rule_for(method: str) -> Rule | None:
    """The rule of a path such as "/mien.v1.GalleryService/AddFace"; None: it is open to anybody.

    An RPC without one stays shut: raises KeyError.
    """
    options = descriptor_pool.Default().FindMethodByName(method.strip("/").replace("/", ".")).GetOptions()
    kind = TYPES[options.Extensions[access_pb2.access]]
    return Rule(kind, SCOPES[options.Extensions[access_pb2.scope]]) if kind else None
