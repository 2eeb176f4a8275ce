"""What requests carry: photographs as forms or as base64 in JSON, embeddings, names and ids."""

from enum import Enum, auto

from classifier.openapi.contract import Call
from classifier.openapi.schemas import EMBEDDING, UUID, Schema

JSON = "application/json"
FORM = "multipart/form-data"


class Kind(Enum):
    """How a body is read."""

    IMAGES = auto()
    JSON = auto()
    MESSAGE = auto()  # as JSON too, by Envoy


def kind_of(call: Call) -> Kind | None:
    """None if it carries nothing."""
    if call.name not in BODIES:
        return None
    if FORM in BODIES[call.name]["content"]:
        return Kind.IMAGES
    return Kind.MESSAGE if call.body == "*" else Kind.JSON


def _object(**members: Schema) -> Schema:
    return {"type": "object", "required": list(members), "properties": members}


def _json(schema: Schema) -> Schema:
    return {"required": True, "content": {JSON: {"schema": schema}}}


def _images(**shown: str) -> Schema:
    """Images by the names of their parts, with what each shows."""
    file: Schema = {"type": "string", "format": "binary", "contentMediaType": "application/octet-stream"}
    text: Schema = {"type": "string", "contentEncoding": "base64"}
    files = {name: {**file, "description": f"{shows}, as a file."} for name, shows in shown.items()}
    texts = {name: {**text, "description": f"{shows}, in base64."} for name, shows in shown.items()}
    return {
        "required": True,
        "description": "JPEG, PNG, WebP, BMP, GIF, TIFF or ICO; the file's name has to end so, too. "
        "In a form, the parameters of the query may be fields instead.",
        "content": {FORM: {"schema": _object(**files)}, JSON: {"schema": _object(**texts)}},
    }


_PHOTOGRAPH = _images(file="The photograph")
_EMBEDDINGS: Schema = {
    "type": "array",
    "items": EMBEDDING,
    "minItems": 1,
    "maxItems": 1000,
    "description": "1 to 1000, as the plugin `calculator` answers them; they need not be normalised.",
}
_NEW_NAME: Schema = {
    "type": "string",
    "minLength": 1,
    "maxLength": 50,
    "pattern": r"^[^;/\\]+$",
    "description": "The new name: 1 to 50 characters, none of `;` `/` `\\`.",
}

BODIES: dict[str, Schema] = {
    "Detect": _PHOTOGRAPH,
    "Verify": _images(
        source_image="A photograph of one face", target_image="The photograph to compare it with"
    ),
    "VerifyEmbeddings": _json(
        _object(
            source={**EMBEDDING, "description": "The embedding that the others are compared with."},
            targets=_EMBEDDINGS,
        )
    ),
    "Recognize": _PHOTOGRAPH,
    "RecognizeEmbeddings": _json(_object(embeddings=_EMBEDDINGS)),
    "AddFace": _images(file="A photograph of one face"),
    "DeleteFacesById": _json({"type": "array", "items": UUID}),
    "VerifyFace": _PHOTOGRAPH,
    "VerifyFaceEmbeddings": _json(_object(embeddings=_EMBEDDINGS)),
    "AddSubject": _json(_object(subject=_NEW_NAME)),
    "RenameSubject": _json(_object(subject=_NEW_NAME)),
}
