"""Ids of faces and names of subjects, as CompreFace takes them."""

import re
from uuid import UUID

from classifier.rest.errors import SOMETHING_WENT_WRONG, Refused

LONGEST_NAME = 255  # characters; 50 where a name is made or changed by itself


def uuid(text: object) -> UUID:
    """Raises Refused."""
    try:
        return UUID(text if isinstance(text, str) else "")
    except ValueError:
        raise Refused(0, SOMETHING_WENT_WRONG) from None


def subject(name: str) -> str:
    """The name of somebody whose faces are meant. Raises Refused."""
    if not name.strip():
        raise Refused(26, "Subject name is empty; ")
    if "\0" in name or len(name) > LONGEST_NAME:
        raise Refused(
            26, "Subject name is too long; " if len(name) > LONGEST_NAME else "Subject name has a NUL; "
        )
    return name


def new_subject(name: str) -> str:
    """A name to give. Raises Refused."""
    if not name.strip():
        raise Refused(26, "Subject name cannot be empty")
    if len(name) > 50:
        raise Refused(26, "Subject name size must be between 1 and 50")
    if re.search(r"[;/\\\0]", name):
        raise Refused(36, "The name cannot contain the following special characters: ';', '/', '\\'")
    return name
