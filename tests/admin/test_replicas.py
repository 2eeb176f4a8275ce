"""Two replicas of the admin service: what one knows, the other does too, at once."""

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import grpc
import pytest

from mien.v1 import account_pb2 as pb
from mien.v1.account_pb2_grpc import AccountServiceStub
from tests.admin.conftest import PASSWORD, Admin, Person
from tests.classifier.conftest import running
from tests.mesh.test_refusals import reason
from tests.postgres import free_port


@pytest.fixture(scope="module")
def replicas(admin: Admin) -> Iterator[list[AccountServiceStub]]:
    address = f"127.0.0.1:{free_port()}"
    with ExitStack() as stack:
        stack.enter_context(running("admin", ADMIN_LISTEN=address, DATABASE_URL=admin.database_url))
        channels = [stack.enter_context(grpc.insecure_channel(each)) for each in (admin.address, address)]
        yield [AccountServiceStub(channel) for channel in channels]


def test_a_session_that_ends_at_one_has_ended_at_all(
    replicas: list[AccountServiceStub], nobody: Person
) -> None:
    one, other = replicas
    session = one.SignIn(pb.SignInRequest(email=nobody.email, password=PASSWORD))
    bearer = [("authorization", f"Bearer {session.access_token}")]
    assert other.GetMe(pb.GetMeRequest(), metadata=bearer).user_id == nobody.id
    one.SignOutEverywhere(pb.SignOutEverywhereRequest(), metadata=bearer)
    with pytest.raises(grpc.RpcError) as refused:
        other.GetMe(pb.GetMeRequest(), metadata=bearer)
    assert reason(refused.value) == "SIGN_IN_REQUIRED"


def test_guesses_at_all_replicas_at_once_are_counted_together(
    replicas: list[AccountServiceStub], nobody: Person
) -> None:
    def guess(number: int) -> str:
        request = pb.SignInRequest(email=nobody.email, password=f"guess {number}")
        with pytest.raises(grpc.RpcError) as refused:
            replicas[number % 2].SignIn(request, timeout=60)
        return reason(refused.value)

    with ThreadPoolExecutor(24) as threads:
        told = Counter(threads.map(guess, range(24)))
    assert told == {"CREDENTIALS_WRONG": 10, "TOO_MANY_ATTEMPTS": 14}
