"""Requests, and what a mesh answered to them: tests/mesh/test_openapi.py captures it."""

import json
from functools import cache
from importlib import resources
from typing import Any, NotRequired, TypedDict

FIRST = 4  # numbers that are kept of an embedding
ORIGIN = "http://127.0.0.1:8000"  # in the requests


class Example(TypedDict):
    request: str  # a curl line; $KEY is a key of the type the call needs
    shortened: NotRequired[bool]  # whether embeddings have their first numbers alone
    sent: NotRequired[Any]  # the request's JSON
    status: int
    type: str  # media type of the answer
    answer: NotRequired[Any]  # the answer's JSON


@cache
def examples() -> dict[str, Example]:
    """One for each RPC, by its name."""
    file = resources.files("classifier.openapi") / "examples.json"
    return json.loads(file.read_text("utf-8"))  # type: ignore[no-any-return]
