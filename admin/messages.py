"""Rows as the contract's messages."""

from collections.abc import Iterable

from google.protobuf.wrappers_pb2 import StringValue

from admin.fields import ROLES
from mien.v1 import account_pb2, application_pb2, role_pb2
from store.applications import Application
from store.members import Member
from store.users import Role, User


def user(row: User) -> account_pb2.User:
    return account_pb2.User(
        user_id=str(row.id),
        email=row.email,
        first_name=row.first_name,
        last_name=row.last_name,
        role=ROLES[row.role],
    )


def member(row: Member) -> application_pb2.Member:
    return application_pb2.Member(
        user_id=str(row.id),
        first_name=row.first_name,
        last_name=row.last_name,
        role=ROLES[row.role],
        email=row.email,
    )


def application(row: Application, seen_by: User) -> application_pb2.Application:
    return application_pb2.Application(
        id=str(row.id),
        name=row.name,
        role=ROLES[row.role or ("owner" if seen_by.administers else "user")],
        owner=application_pb2.Person(
            user_id=str(row.owner_id), first_name=row.first_name, last_name=row.last_name
        ),
    )


def role_names(roles: Iterable[Role]) -> list[StringValue]:
    return [StringValue(value=role_pb2.Role.Name(ROLES[role])) for role in roles]
