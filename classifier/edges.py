"""Reads the fields of native requests: from here on a value is of its type and in its range."""

from uuid import UUID

from serving.faults import ArgumentInvalid

LONGEST_NAME = 255  # characters
PAGE_SIZE = 100
LARGEST_PAGE = 1000


def min_score(value: float | None) -> float | None:
    if value is not None and not 0 <= value <= 1:
        raise ArgumentInvalid("min_score is a number from 0 to 1", field="min_score")
    return value


def in_range(field: str, value: int, least: int, most: int) -> int:
    if not least <= value <= most:
        raise ArgumentInvalid(f"{field} is an integer from {least} to {most}", field=field)
    return value


def subject(name: str) -> str:
    if not name.strip() or len(name) > LONGEST_NAME or "\0" in name:
        raise ArgumentInvalid(
            f"subject is a name of 1 to {LONGEST_NAME} characters, not all blank, none of them NUL",
            field="subject",
        )
    return name


def face_id(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise ArgumentInvalid("face_id is a UUID, as AddFace answered it", field="face_id") from None


def page_number(token: str) -> int:
    """What a page token of ours stands for; 0 for the first page."""
    if not token:
        return 0
    if not (token.isascii() and token.isdecimal() and len(token) < 19):
        raise _strange_token()
    return int(token)


def page_name(token: str) -> str:
    """The name that a page token of ours stands for; empty for the first page."""
    if "\0" in token:
        raise _strange_token()
    return token


def _strange_token() -> ArgumentInvalid:
    return ArgumentInvalid("page_token is the next_page_token of the page before", field="page_token")
