"""Whatever is sent, the answer is one that the OpenAPI document describes, and no server error."""

import base64
from pathlib import Path
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.schemas import BaseSchema
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from classifier.openapi.contract import Call, calls
from tests.mesh.conftest import Mesh

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
EMBEDDING = [0.1] * 128


@pytest.fixture(scope="module")
def document(mesh: Mesh) -> BaseSchema:
    return schemathesis.openapi.from_url(f"{mesh.url}/api/v1/openapi.json")


@pytest.fixture
def known(rest: httpx.Client, key: str, pictures: Path) -> dict[str, Any]:
    """What cannot be invented, by the names of fields: a photograph, an embedding, and what a gallery has."""
    photograph = (pictures / "obama.jpg").read_bytes()
    face = rest.post("/faces?subject=Ada", files={"file": ("ada.jpg", photograph)}).json()["image_id"]
    photographs = dict.fromkeys(("file", "source_image", "target_image"), photograph)
    embeddings = {"embeddings": [EMBEDDING], "source": EMBEDDING, "targets": [EMBEDDING]}
    return {"image_id": face, "subject": "Ada", "api_key": key} | photographs | embeddings


@pytest.mark.parametrize("call", list(calls()), ids=lambda call: call.name)
def test_every_answer_is_described(
    call: Call, document: BaseSchema, mesh: Mesh, key: str, known: dict[str, Any]
) -> None:
    operation = document.find_operation_by_id(call.name)
    for kind in ("detection", "verification"):
        if f"/{kind}/" in call.path:
            key = mesh.key(call.name, kind)
    valid, other = (operation.as_strategy(mode) for mode in GenerationMode)

    # The same requests each time; what is slow is the machine's affair.
    @settings(max_examples=25, derandomize=True, deadline=None, suppress_health_check=list(HealthCheck))
    @given(case=valid | other, invented=st.booleans())
    def answers_conform(case: schemathesis.Case, invented: bool) -> None:
        if not invented:
            _make_known(case, known)
        case.call_and_validate(base_url=mesh.url, headers={"x-api-key": key}, checks=CHECKS)

    answers_conform()


def _make_known(case: schemathesis.Case, known: dict[str, Any]) -> None:
    """Puts what is known in place of what was invented."""
    for fields in (case.path_parameters, case.query, case.body):
        if isinstance(fields, dict):
            fields.update({name: value for name, value in known.items() if name in fields})
    if case.media_type == "application/json" and isinstance(case.body, dict):
        for name, value in case.body.items():
            if isinstance(value, bytes):
                case.body[name] = base64.b64encode(value).decode()
