"""AccountService, put together from its parts."""

from admin.oidc import Oidc
from admin.resetting import Resetting
from admin.signing_in import SigningIn
from admin.status import Status
from admin.users import Users
from mien.v1.account_pb2_grpc import AccountServiceServicer


class AccountServicer(SigningIn, Oidc, Resetting, Users, Status, AccountServiceServicer):
    """All RPCs, by what they are about."""
