"""The OpenAPI document and its page: whole, true to the contract, and nothing in them but what is ours."""

import base64
import copy
import hashlib
import json
import re
import shlex
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from jsonschema import Draft202012Validator
from openapi_spec_validator import validate

from classifier import openapi
from classifier.openapi.bodies import BODIES
from classifier.openapi.contract import calls
from classifier.openapi.examples import ORIGIN, Example, examples
from classifier.openapi.parameters import TYPES, parameters
from classifier.openapi.tags import TAGS
from mien.rest.v1 import compreface_pb2

DOCUMENT = json.loads(openapi.document())
OPERATIONS = {
    operation["operationId"]: (path, verb, operation)
    for path, verbs in DOCUMENT["paths"].items()
    for verb, operation in verbs.items()
}
NAMES = [method.name for method in compreface_pb2.DESCRIPTOR.services_by_name["CompreFaceService"].methods]
CALLS = {call.name: call for call in calls()}
ZEROS = re.compile(r"00000000-0000-0000-0000-00000000000\d")


def test_it_is_valid_openapi() -> None:
    assert DOCUMENT["openapi"].startswith("3.1.")
    validate(DOCUMENT)


def test_each_rpc_is_in_it_once() -> None:
    assert sorted(OPERATIONS) == sorted(NAMES)
    assert sum(map(len, DOCUMENT["paths"].values())) == len(NAMES)


def test_it_is_the_same_whenever_it_is_made() -> None:
    assert openapi.document() == openapi.document()
    assert openapi.page() == openapi.page()


@pytest.mark.parametrize("name", NAMES)
def test_an_operation_says_what_it_does(name: str) -> None:
    path, _, operation = OPERATIONS[name]
    assert re.fullmatch(r"[A-Z][^\n]+[^.\n]", operation["summary"])
    assert operation["description"].endswith((" service.", "no key."))
    assert set(operation["tags"]) <= {tag["name"] for tag in TAGS}
    assert len(operation["responses"]) > 1
    in_path = [each["name"] for each in operation.get("parameters", ()) if each["in"] == "path"]
    assert in_path == re.findall(r"\{(\w+)\}", path)


def test_each_parameter_has_a_type_and_each_type_a_parameter() -> None:
    used = {parameter["name"] for call in CALLS.values() for parameter in parameters(call)}
    assert used == set(TYPES)


def test_each_call_with_a_body_has_its_schema() -> None:
    assert set(BODIES) == {call.name for call in CALLS.values() if call.body}


def test_what_must_be_given_is_said() -> None:
    must = {
        (call.name, each["name"]) for call in CALLS.values() for each in parameters(call) if each["required"]
    }
    in_path = {(call.name, name) for call in CALLS.values() for name in re.findall(r"\{(\w+)\}", call.path)}
    assert must - in_path == {("AddFace", "subject"), ("DeleteFaces", "subject")}


def test_each_call_has_an_example() -> None:
    assert list(examples()) == NAMES


@pytest.mark.parametrize(("name", "example"), examples().items())
def test_an_example_fits_its_schema(name: str, example: Example) -> None:
    _, _, operation = OPERATIONS[name]
    content = operation["responses"][str(example["status"])]["content"][example["type"]]
    if "answer" in example:
        assert content["examples"]["real"]["value"] == example["answer"]
        assert list(errors(example["answer"], content["schema"])) == []
    if "sent" in example:
        content = operation["requestBody"]["content"]["application/json"]
        assert content["examples"]["real"]["value"] == example["sent"]
        assert list(errors(example["sent"], content["schema"])) == []


def errors(value: Any, schema: dict[str, Any]) -> Iterator[str]:
    """What is wrong in a value, members that the schema does not know among it."""
    whole = {**copy.deepcopy(schema), "components": copy.deepcopy(DOCUMENT["components"])}
    for each in whole["components"]["schemas"].values():
        if "properties" in each:
            each["additionalProperties"] = False
    validator = Draft202012Validator(whole, format_checker=Draft202012Validator.FORMAT_CHECKER)
    yield from (error.message for error in validator.iter_errors(value))


@pytest.mark.parametrize(("name", "example"), examples().items())
def test_an_example_asks_for_what_is_documented(name: str, example: Example) -> None:
    path, verb, operation = OPERATIONS[name]
    assert operation["x-codeSamples"] == [{"lang": "Shell", "source": example["request"]}]
    asked_verb, url = request_line(example["request"])
    assert (asked_verb, url.startswith(ORIGIN)) == (verb, True)
    parts = urlsplit(url.removeprefix(ORIGIN))
    assert re.fullmatch(re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(path)), parts.path)
    schemas = {each["name"]: each["schema"] for each in operation.get("parameters", ())}
    for parameter, text in parse_qsl(parts.query, strict_parsing=True) if parts.query else ():
        assert list(errors(read(text, schemas[parameter]), schemas[parameter])) == []
    assert ("x-api-key: $KEY" in example["request"]) == bool(operation["security"])


def request_line(request: str) -> tuple[str, str]:
    """The verb and the address of a curl line."""
    words = shlex.split(request)
    if "-X" in words:
        return words[words.index("-X") + 1].lower(), words[-1]
    return "post" if {"-d", "-F"} & set(words) else "get", words[-1]


def read(text: str, schema: dict[str, Any]) -> object:
    """A parameter by its type."""
    if schema["type"] == "array":
        return text.split(",")
    return text if schema["type"] == "string" else json.loads(text)


def test_ids_in_examples_are_made_up() -> None:
    found = re.findall(r"[0-9a-fA-F]{8}-[0-9a-fA-F-]{27}", json.dumps(examples()))
    assert found
    assert [each for each in found if not ZEROS.fullmatch(each)] == []


def test_a_call_that_needs_a_key_may_be_refused_for_it() -> None:
    for _, _, operation in OPERATIONS.values():
        codes = operation["responses"].get("400", {}).get("content", {}).get("application/json", {})
        told = codes.get("schema", {}).get("properties", {}).get("code", {}).get("enum", [])
        assert (20 in told) == bool(operation["security"]), operation["operationId"]


def test_the_page_brings_all_it_needs_and_lets_nothing_else_in() -> None:
    page = openapi.page().decode()
    assert re.findall(r'(?:src|href)="(?!#|/api/v1/openapi\.json|data:)', page) == []
    assert re.findall(r"/\*[A-Z]+\*/|@import|url\(", page) == []
    (policy,) = re.findall(r'http-equiv="content-security-policy" content="([^"]+)"', page)
    assert policy.startswith("default-src 'none'; ")
    for tag in ("style", "script"):
        (inside,) = re.findall(rf"<{tag}>(.*?)</{tag}>", page, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(inside.encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in policy


def test_the_page_puts_its_own_origin_in_the_place_of_the_examples() -> None:
    assert f'const HERE = "{ORIGIN}"' in openapi.page().decode()
