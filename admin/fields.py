"""The fields of requests, read once: what is out of its range goes no further."""

import re
from uuid import UUID

from admin.passwords import LONGEST
from mien.v1 import role_pb2
from serving.faults import ApplicationNotFound, ArgumentInvalid, ServiceNotFound, UserNotFound
from store.users import Role

LONGEST_EMAIL = 254
SHORTEST_PASSWORD = 8
LONGEST_NAME = 50

_EMAIL = re.compile(r"[\w+-]+(\.[\w+-]+)*@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*\.[A-Za-z]{2,}", re.ASCII)
_ROLES: dict[int, Role] = {
    role_pb2.OWNER: "owner",
    role_pb2.ADMINISTRATOR: "administrator",
    role_pb2.USER: "user",
}
ROLES: dict[Role, "role_pb2.Role.ValueType"] = {
    "owner": role_pb2.OWNER,
    "administrator": role_pb2.ADMINISTRATOR,
    "user": role_pb2.USER,
}


class Unfit(ArgumentInvalid):
    """A field that CompreFace refuses with a number of its own."""

    def __init__(self, number: int, message: str, field: str) -> None:
        super().__init__(message, field=field)
        self.number = number


def email(text: str, field: str = "email") -> str:
    if len(text) > LONGEST_EMAIL or not _EMAIL.fullmatch(text):
        raise Unfit(22, "Email format is incorrect", field)
    return text


def password(text: str, field: str = "password") -> str:
    if not SHORTEST_PASSWORD <= len(text) <= LONGEST:
        raise Unfit(26, f"{field} size must be between {SHORTEST_PASSWORD} and {LONGEST}", field)
    return text


def person(text: str, field: str) -> str:
    """A name of somebody."""
    if not text.strip() or len(text) > LONGEST_NAME or "\0" in text:
        raise Unfit(26, f"{field} size must be between 1 and {LONGEST_NAME}", field)
    return text


def name(text: str, what: str) -> str:
    """Of an application or a service."""
    if not text.strip() or len(text) > LONGEST_NAME or "\0" in text:
        raise Unfit(26, f"{what} name size must be between 1 and {LONGEST_NAME}", "name")
    if set(text) & set(";/\\"):
        raise Unfit(36, "The name cannot contain the following special characters: ';', '/', '\\'", "name")
    return text


def role(value: "role_pb2.Role.ValueType") -> Role:
    if value not in _ROLES:
        raise Unfit(26, "role is OWNER, ADMINISTRATOR or USER", "role")
    return _ROLES[value]


def user_id(text: str) -> UUID:
    """What is no UUID is nobody's."""
    try:
        return UUID(text)
    except ValueError:
        raise UserNotFound(f"there is no user {text}", user=text) from None


def app_id(text: str) -> UUID:
    """What is no UUID is no application's."""
    try:
        return UUID(text)
    except ValueError:
        raise ApplicationNotFound(f"there is no application {text}", app_id=text) from None


def service_id(text: str) -> UUID:
    """What is no UUID is no service's."""
    try:
        return UUID(text)
    except ValueError:
        raise ServiceNotFound(f"the application has no service {text}", model_id=text) from None
