"""How clients of CompreFace's /admin are told what went wrong; all others are told natively."""

from collections.abc import Callable
from typing import NamedTuple

from google.rpc import status_pb2
from grpc import StatusCode

from admin.cookies import is_rest
from admin.fields import Unfit
from admin.status import NoDemo
from serving import faults
from serving.faults import Fault
from serving.guard import Context
from serving.refusals import Told, natively

SOMETHING_WENT_WRONG = "Something went wrong, please try again"

_BAD, _DENIED, _NOT_FOUND = StatusCode.INVALID_ARGUMENT, StatusCode.PERMISSION_DENIED, StatusCode.NOT_FOUND
_BUSY, _AWAY, _UNKNOWN = StatusCode.RESOURCE_EXHAUSTED, StatusCode.UNAVAILABLE, StatusCode.UNAUTHENTICATED


class _Told(NamedTuple):
    code: StatusCode  # Envoy makes the HTTP status of it
    number: int  # the `code` of the body
    message: str | Callable[[Fault], str] = str


def tell(exception: Exception, context: Context) -> Told:
    """CompreFace's codes and messages for a REST request, reasons for a call of gRPC."""
    if not is_rest(context):
        return natively(exception, context)
    if isinstance(exception, Unfit):
        return _status(_BAD, exception.number, str(exception))
    told = _TOLD.get(type(exception), _Told(_BAD, 0, SOMETHING_WENT_WRONG))
    message = (
        told.message(exception) if isinstance(exception, Fault) and callable(told.message) else told.message
    )
    return _status(told.code, told.number, str(message))


def _status(code: StatusCode, number: int, message: str) -> Told:
    return Told(code, status_pb2.Status(code=number, message=message))


_TOLD: dict[type[Exception], _Told] = {
    faults.ArgumentInvalid: _Told(_BAD, 0),
    faults.SignInRequired: _Told(_UNKNOWN, 0),
    faults.CredentialsWrong: _Told(_UNKNOWN, 0),
    faults.TooManyAttempts: _Told(_BUSY, 0),
    faults.RoleInsufficient: _Told(_BAD, 9),
    faults.ApplicationNotFound: _Told(_NOT_FOUND, 2, lambda fault: f"App {fault.facts['app_id']} not found"),
    faults.ServiceNotFound: _Told(_NOT_FOUND, 10, lambda fault: f"Model {fault.facts['model_id']} not found"),
    NoDemo: _Told(_NOT_FOUND, 404),
    faults.UserNotFound: _Told(_NOT_FOUND, 16, lambda fault: f"User {fault.facts['user']} does not exist"),
    faults.NameTaken: _Told(_BAD, 17, lambda fault: f"Name {fault.facts['name']} is not unique"),
    faults.EmailTaken: _Told(_BAD, 4, "This email already registered"),
    faults.MemberExists: _Told(_BAD, 19, "User already has access to the application"),
    faults.OwnRole: _Told(_BAD, 14, "User can't change their role"),
    faults.ResetTokenInvalid: _Told(_BAD, 30),
    faults.MailOff: _Told(StatusCode.INTERNAL, 29),
    faults.PasswordWrong: _Told(_BAD, 18, "Incorrect user password"),
    faults.OtherSite: _Told(_DENIED, 1),
    faults.SignUpClosed: _Told(_DENIED, 1),
    faults.ProviderRefused: _Told(_UNKNOWN, 0),
    faults.ProviderUnavailable: _Told(_AWAY, 0),
    faults.ProviderOff: _Told(_NOT_FOUND, 0),
    faults.Overloaded: _Told(_BUSY, 0),
    faults.StoreUnavailable: _Told(_AWAY, 0),
}
