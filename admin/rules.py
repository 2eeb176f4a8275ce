"""Who may call what: the contract says it of each RPC, by `access`, and this judges by it."""

from functools import cache
from typing import NamedTuple
from uuid import UUID

from google.protobuf import descriptor_pool

from mien.v1 import access_pb2
from mien.v1.access_pb2 import Access
from serving.faults import ApplicationNotFound, RoleInsufficient
from store.sessions import Caller
from store.users import ROLES, Role

NOT_ALLOWED = "Action not allowed for current user"  # as CompreFace says it

# The least role in the application that a rule asks for.
LEAST: dict[int, Role] = {
    access_pb2.ACCESS_MEMBER: "user",
    access_pb2.ACCESS_APPLICATION_ADMINISTRATOR: "administrator",
    access_pb2.ACCESS_APPLICATION_OWNER: "owner",
    access_pb2.ACCESS_MEMBER_SELF_OR_APPLICATION_OWNER: "owner",
}
OF_THE_INSTALLATION = (access_pb2.ACCESS_ADMINISTRATOR, access_pb2.ACCESS_SELF_OR_ADMINISTRATOR)
SELF = (access_pb2.ACCESS_SELF_OR_ADMINISTRATOR, access_pb2.ACCESS_MEMBER_SELF_OR_APPLICATION_OWNER)


class Target(NamedTuple):
    """Whom and what a call is about, as far as its request says."""

    app_id: str  # as it was sent
    user_id: UUID | None


@cache
def rule_of(method: str) -> "Access.ValueType":
    """Of a path such as "/mien.v1.AccountService/SignIn". One without a rule stays shut."""
    rpc = descriptor_pool.Default().FindMethodByName(method.strip("/").replace("/", "."))
    rule: Access.ValueType = rpc.GetOptions().Extensions[access_pb2.access]
    known = {access_pb2.ACCESS_ANYBODY, access_pb2.ACCESS_SIGNED_IN, *OF_THE_INSTALLATION, *LEAST}
    if rule not in known:
        raise LookupError(f"{method} says nobody may call it")
    return rule


def judge(rule: "Access.ValueType", caller: Caller, target: Target) -> None:
    """Raises ApplicationNotFound if the application is not theirs, RoleInsufficient if they may not."""
    if rule in LEAST:
        role = role_in_application(caller)
        if role is None:
            raise not_there(target.app_id)
        allowed = ROLES.index(role) <= ROLES.index(LEAST[rule])
    else:
        allowed = caller.user.administers or rule not in OF_THE_INSTALLATION
    if not allowed and not (rule in SELF and target.user_id == caller.user.id):
        raise RoleInsufficient(NOT_ALLOWED)


def role_in_application(caller: Caller) -> Role | None:
    """What the caller may there. None if there is none, or it is not theirs, which makes no difference."""
    if not caller.app_there:
        return None
    return "owner" if caller.user.administers else caller.app_role


def not_there(app_id: str) -> ApplicationNotFound:
    return ApplicationNotFound(f"App {app_id} not found", app_id=app_id)
