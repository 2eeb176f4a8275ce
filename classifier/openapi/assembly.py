"""The OpenAPI document as a whole."""

import json
from importlib import metadata
from typing import Any

from classifier.openapi.contract import calls
from classifier.openapi.examples import examples
from classifier.openapi.operations import answers, operation
from classifier.openapi.schemas import components
from classifier.openapi.tags import TAGS

_ABOUT = """\
This is CompreFace 1.2's REST API, path by path, so that its clients work as they are.

A **service** has a key and, if it recognises, a gallery of its own. `mien services create NAME
--type recognition` prints the key; send it as the header `x-api-key`.

A **parameter** may be given in the query or, beside an image, as a field of the form. Of a number that is
given twice the first counts, texts are joined with commas, an empty number counts as absent, and unknown
parameters are ignored.

An **error** is `{"message": ..., "code": ...}`: branch on the code, never on the message. A path or a method
that is not there is status 404, code 0. After 429, 503 or 504 try again, a little later each time.

The **examples** are real requests and their answers.
"""


def document() -> bytes:
    """The document as JSON. Takes some milliseconds; it is the same as long as the process runs."""
    return json.dumps(_document(), indent=2, ensure_ascii=False).encode() + b"\n"


def _document() -> dict[str, Any]:
    every, shown = list(calls()), examples()
    paths: dict[str, Any] = {}
    for call in every:
        paths.setdefault(call.path, {})[call.verb] = operation(call, shown.get(call.name))
    return {
        "openapi": "3.1.1",
        "info": {
            "title": "mien",
            "summary": "Self-hosted face recognition.",
            "description": _ABOUT,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
            "version": metadata.version("mien"),
        },
        "servers": [{"url": "/"}],
        "tags": TAGS,
        "paths": paths,
        "components": {
            "schemas": components(message for call in every if (message := answers(call))),
            "securitySchemes": {
                "key": {
                    "type": "apiKey",
                    "in": "header",
                    "name": "x-api-key",
                    "description": "The key of a service, as it was printed when the service was made.",
                }
            },
        },
    }
