"""ApplicationService, put together from its parts."""

from admin.applications import Applications
from admin.members import Members
from admin.services import Services
from mien.v1.application_pb2_grpc import ApplicationServiceServicer


class ApplicationServicer(Applications, Members, Services, ApplicationServiceServicer):
    """All RPCs, by what they are about."""
