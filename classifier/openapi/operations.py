"""One call as an operation of OpenAPI: what it does, takes and answers."""

import copy
from typing import Any

from google.protobuf.descriptor import Descriptor

from classifier.openapi.bodies import BODIES, JSON
from classifier.openapi.contract import Call, comment
from classifier.openapi.examples import FIRST, Example
from classifier.openapi.parameters import parameters
from classifier.openapi.refusals import refusals
from classifier.openapi.schemas import Schema, reference
from classifier.openapi.tags import tag
from mien.v1 import access_pb2

# Answers whose type the proto leaves open.
_IMAGE: Schema = {"application/octet-stream": {}}
_OPEN: dict[str, Schema] = {
    "DeleteFacesById": {JSON: {"schema": {"type": "array", "items": reference("DeleteFaceResponse")}}},
    "GetDocumentation": {"text/html": {}},
    "GetFaceImage": _IMAGE,
    "GetOpenApi": {JSON: {"schema": {"type": "object"}}},
    "GetStaticImage": _IMAGE,
}
_CREATED = "HTTP status 201."
_NEVER = "Never sent."


def operation(call: Call, example: Example | None) -> Schema:
    """The operation; `example` is what was once asked and answered."""
    summary, description = _told(call)
    answer: Schema = {
        "operationId": call.name,
        "tags": [tag(call.path)],
        "summary": summary,
        "description": description,
        "security": [] if call.access == access_pb2.ACCESS_ANYBODY else [{"key": []}],
        "parameters": parameters(call),
        "requestBody": copy.deepcopy(BODIES.get(call.name)),
        "responses": {**_success(call), **_refused(call)},
    }
    if example:
        _illustrate(answer, example)
    return {name: value for name, value in answer.items() if value not in ([], None) or name == "security"}


def answers(call: Call) -> Descriptor | None:
    """The message whose JSON is answered, unless the proto leaves it open or it is never sent."""
    never = call.name not in _OPEN and comment(call.answer.full_name) == _NEVER
    return None if call.name in _OPEN or never else call.answer


def _told(call: Call) -> tuple[str, str]:
    """Its comment in two parts, without the name of the RPC that it begins with."""
    text = call.comment.removeprefix(f"{call.name} ").replace(_CREATED, "").strip()
    summary, _, rest = (text[0].upper() + text[1:]).partition(". ")
    kind = access_pb2.Access.Name(call.access).removeprefix("ACCESS_").lower()
    needs = "Needs no key." if kind == "anybody" else f"Needs the key of a {kind} service."
    return summary.rstrip("."), f"{rest} {needs}".strip()


def _success(call: Call) -> dict[str, Schema]:
    message = answers(call)
    if message:
        content: Any = {JSON: {"schema": reference(message.name)}}
        description = comment(message.full_name)
    elif call.name in _OPEN:
        content, description = copy.deepcopy(_OPEN[call.name]), "Done."
    else:
        return {}
    created = _CREATED in call.comment
    return {"201" if created else "200": {"description": description, "content": content}}


def _refused(call: Call) -> dict[str, Schema]:
    known = refusals(call)
    answer: dict[str, Schema] = {}
    for status in dict.fromkeys(refusal.status for refusal in known):
        own = [refusal for refusal in known if refusal.status == status]
        codes = sorted({refusal.code for refusal in own})
        answer[str(status)] = {
            "description": "\n".join(f"* `{code}` {_legible(message)}" for _, code, message in own),
            "content": {JSON: {"schema": {**reference("Error"), "properties": {"code": {"enum": codes}}}}},
        }
    return answer


def _legible(message: str) -> str:
    return message.rstrip("; ") if message != "…" else "(says what)"


def _illustrate(operation: Schema, example: Example) -> None:
    operation["x-codeSamples"] = [{"lang": "Shell", "source": example["request"]}]
    note = {"summary": f"embeddings cut to {FIRST} numbers"} if example.get("shortened") else {}
    if "sent" in example:
        operation["requestBody"]["content"][JSON]["examples"] = {"real": {**note, "value": example["sent"]}}
    if "answer" in example:
        response = operation["responses"][str(example["status"])]
        response["content"][example["type"]]["examples"] = {"real": {**note, "value": example["answer"]}}
