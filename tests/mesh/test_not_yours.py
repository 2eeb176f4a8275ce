"""What another service has is answered as what is not there."""

import re
from typing import Any
from uuid import uuid4

import grpc
import httpx
import pytest
from google.protobuf.json_format import MessageToJson, ParseDict
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from google.rpc import error_details_pb2  # noqa: F401 (is written as JSON)
from grpc_status import rpc_status

from classifier.openapi.contract import Call, calls
from mien.v1 import access_pb2, gallery_pb2, recognition_pb2
from tests.mesh.conftest import Mesh
from tests.mesh.scene import Scene, made_up, set_scene
from tests.mesh.test_openapi_refusals import request
from tests.plain import NO_TLS

EMBEDDING = [0.1] * 128
NAMED = {"subject", "face_id", "face_ids"}  # fields that name what a gallery has

# Those that enrol make what they name.
METHODS = [
    method
    for file in (gallery_pb2.DESCRIPTOR, recognition_pb2.DESCRIPTOR)
    for service in file.services_by_name.values()
    for method in service.methods
    if NAMED & {*method.input_type.fields_by_name}
    and method.GetOptions().Extensions[access_pb2.scope] != access_pb2.SCOPE_ENROL
]
CALLS = [
    call
    for call in calls()
    if re.search(r"\{(image_id|subject)\}", call.path) or call.name in ("DeleteFaces", "DeleteFacesById")
]


@pytest.fixture(scope="module")
def theirs(mesh: Mesh, tmp_path_factory: pytest.TempPathFactory) -> Scene:
    return set_scene(mesh, tmp_path_factory.mktemp("theirs"))


@pytest.fixture(scope="module")
def mine(mesh: Mesh) -> str:
    """The key of another service, whose gallery is empty."""
    return mesh.key(f"mine {uuid4()}")


def all_of(mesh: Mesh, scene: Scene) -> Any:
    headers = {"x-api-key": scene.keys["recognition"]}
    return httpx.get(f"{mesh.url}/api/v1/recognition/faces", headers=headers, verify=NO_TLS).json()


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.name)
def test_by_grpc(mesh: Mesh, theirs: Scene, mine: str, method: Any) -> None:
    before = all_of(mesh, theirs)
    image = (theirs.folder / "adam.jpg").read_bytes()
    answers = []
    for face, name in ((theirs.ids[made_up(1)], "Adam"), (str(uuid4()), "Eve")):
        values = {"face_id": face, "face_ids": [face], "subject": name, "new_subject": "Zoe"}
        values |= {"embeddings": [{"values": EMBEDDING}]}
        fields = method.input_type.fields_by_name
        message: Message = ParseDict(
            {field: value for field, value in values.items() if field in fields},
            GetMessageClass(method.input_type)(),
        )
        if "image" in fields:
            message.image = image  # type: ignore[attr-defined]
        with grpc.insecure_channel(mesh.address) as channel:
            call = channel.unary_unary(
                f"/{method.containing_service.full_name}/{method.name}",
                request_serializer=lambda each: each.SerializeToString(),
                response_deserializer=GetMessageClass(method.output_type).FromString,
            )
            try:
                answer = MessageToJson(call(message, metadata=[("x-api-key", mine)]))
            except grpc.RpcError as refused:
                answer = MessageToJson(rpc_status.from_call(refused))
        answers.append(answer.replace(face, "FACE").replace(name, "NAME"))
    assert answers[0] == answers[1]
    assert all_of(mesh, theirs) == before


@pytest.mark.parametrize("call", CALLS, ids=lambda call: call.name)
def test_by_rest(mesh: Mesh, theirs: Scene, mine: str, call: Call) -> None:
    before = all_of(mesh, theirs)
    answers = []
    for face, name in ((theirs.ids[made_up(1)], "Adam"), (str(uuid4()), "Eve")):
        other: dict[str, Any] = {"in_path": name if "{subject}" in call.path else face}
        if call.name == "DeleteFacesById":
            other["json"] = [face]
        if call.name == "DeleteFaces":
            other["params"] = {"subject": name}
        answer = httpx.request(**request(mesh, theirs, call, key=mine, **other), timeout=30, verify=NO_TLS)
        text = answer.text.replace(face, "FACE").replace(name, "NAME")
        headers = {*answer.headers} - {"content-length"}
        answers.append((answer.status_code, text, headers))
    assert answers[0] == answers[1]
    assert all_of(mesh, theirs) == before
