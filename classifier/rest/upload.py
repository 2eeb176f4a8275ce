"""The body of a request: image files and form fields, as multipart or as base64 in JSON."""

import base64
import binascii
import json
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from io import BytesIO
from typing import NamedTuple

from google.api import httpbody_pb2
from multipart import MultipartError, MultipartParser, parse_options_header

from classifier.rest.errors import SOMETHING_WENT_WRONG, Refused, too_large, wrong_type
from serving.faults import ImageTooLarge

FORM, JSON = "multipart/form-data", "application/json"

EXTENSIONS = {"bmp", "gif", "ico", "jpeg", "jpg", "png", "tif", "tiff", "webp"}

# What an upload holds: the parts of a form, or members of JSON, and what CompreFace calls them where it
# complains that one is empty.
ONE_IMAGE = {"file": "content"}
TWO_IMAGES = {"source_image": "sourceImageBase64", "target_image": "targetImageBase64"}

# White space and the URL-safe letters count as base64, a `data:` prefix does not.
_BASE64 = re.compile(rb"[A-Za-z0-9+/=_\-\s]*")


class Limits(NamedTuple):
    """In bytes."""

    file: int  # of one image
    request: int


class Upload(NamedTuple):
    """Image files, not yet looked into, and the fields of the form they came with."""

    images: list[bytes]  # in the order they were asked for
    form: Mapping[str, Sequence[str]]


def read_upload(body: httpbody_pb2.HttpBody, wanted: Mapping[str, str], limits: Limits) -> Upload:
    """The images that `wanted` names. Takes milliseconds: not for a loop.

    Raises Refused, ImageTooLarge.
    """
    kind, options = parse_options_header(body.content_type)
    if kind not in (FORM, JSON):
        raise wrong_type(kind, FORM, JSON)
    if len(body.data) > limits.request:
        raise too_large(limits.request)
    if kind == FORM:
        upload = _from_multipart(body.data, options.get("boundary", ""), wanted)
    else:
        upload = Upload(_from_json(body.data, wanted), {})
    for image in upload.images:
        if len(image) > limits.file:
            raise ImageTooLarge(f"the image is {len(image)} bytes; send at most {limits.file}")
    return upload


def read_json(body: httpbody_pb2.HttpBody, limits: Limits) -> object:
    """What a body of JSON says. Raises Refused."""
    kind, _ = parse_options_header(body.content_type)
    if kind != JSON:
        raise wrong_type(kind, JSON)
    if len(body.data) > limits.request:
        raise too_large(limits.request)
    return _parsed(body.data)


def _from_multipart(data: bytes, boundary: str, wanted: Mapping[str, str]) -> Upload:
    images: dict[str, bytes] = {}
    form: defaultdict[str, list[str]] = defaultdict(list)
    try:
        # In memory from first to last: a photograph must not be spooled to a disk.
        parser = MultipartParser(
            BytesIO(data), boundary, spool_limit=len(data), memory_limit=len(data), disk_limit=0
        )
        for part in parser:
            if part.filename is None:
                form[part.name].append(part.value)
            elif part.name in wanted and part.name not in images:
                _check_extension(part.filename)
                images[part.name] = part.raw
    except (MultipartError, UnicodeDecodeError, ValueError) as error:
        raise Refused(0, SOMETHING_WENT_WRONG) from error
    for name in wanted:
        if name not in images:
            raise Refused(34, f"Required part {name} is missing")
    return Upload([images[name] for name in wanted], form)


def _check_extension(filename: str) -> None:
    if filename.rpartition(".")[2].lower() not in EXTENSIONS:
        raise Refused(21, f"File [{filename}] has an unavailable extension")


def _from_json(data: bytes, wanted: Mapping[str, str]) -> list[bytes]:
    told = _parsed(data)
    members = told if isinstance(told, dict) else {}
    return [_decoded(members.get(name), called) for name, called in wanted.items()]


def _parsed(data: bytes) -> object:
    try:
        return json.loads(data)
    except (ValueError, RecursionError) as error:
        raise Refused(0, SOMETHING_WENT_WRONG) from error


def _decoded(content: object, called: str) -> bytes:
    if not content or not isinstance(content, str):
        raise Refused(5, f"Field {called} cannot be empty")
    text = content.encode(errors="replace")
    if not _BASE64.fullmatch(text):
        raise Refused(21, "Provided value is not Base64")
    try:
        letters = re.sub(rb"[\s=]+", b"", text)
        return base64.urlsafe_b64decode(letters.translate(bytes.maketrans(b"+/", b"-_")) + b"==")
    except binascii.Error as error:
        raise Refused(21, "Provided value is not Base64") from error
