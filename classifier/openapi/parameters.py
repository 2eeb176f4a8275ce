"""The parameters of paths and queries: what the proto calls texts, by the types they are read as."""

import re

from google.protobuf.descriptor import FieldDescriptor

from classifier.openapi.contract import Call, comment, public
from classifier.openapi.schemas import UUID, Schema

_FLAG_OFF: Schema = {"type": "boolean", "default": False}
_SHARE: Schema = {"type": "number", "minimum": 0, "maximum": 1}
_NAME: Schema = {"type": "string", "minLength": 1, "maxLength": 255}

TYPES: dict[str, Schema] = {
    # In a query.
    "det_prob_threshold": _SHARE,
    "detect_faces": {"type": "boolean", "default": True},
    "face_plugins": {
        "type": "array",
        "items": {"type": "string", "enum": ["age", "gender", "landmarks", "mask", "pose", "calculator"]},
        "default": [],
    },
    "limit": {"type": "integer", "minimum": 0, "default": 0},
    "min_face_size": {"type": "integer", "minimum": 0, "default": 0},
    "page": {"type": "integer", "minimum": 0, "default": 0},
    "prediction_count": {"type": "integer", "minimum": 1, "default": 1},
    "similarity_threshold": {**_SHARE, "default": 0},
    "size": {"type": "integer", "minimum": 1, "maximum": 2000, "default": 20},
    "status": _FLAG_OFF,
    "unique_subjects": _FLAG_OFF,
    # In a path or a query.
    "api_key": UUID,
    "image_id": UUID,
    "subject": _NAME,
}


def parameters(call: Call) -> list[Schema]:
    """Those of the path, then those of the query."""
    return [_parameter(field, "path") for field in call.in_path] + [
        _parameter(field, "query") for field in call.in_query
    ]


def _parameter(field: FieldDescriptor, place: str) -> Schema:
    name, text = public(field.name), comment(field.full_name)
    schema = TYPES[name]
    return {
        "name": name,
        "in": place,
        "description": text,
        "required": place == "path" or bool(re.search(r"\brequired\b", text)),
        "schema": schema,
        **({"style": "form", "explode": False} if schema["type"] == "array" else {}),  # a,b,c
    }
