"""Faults over the wire and back: a service that passes one on tells its caller all that it was told."""

import pytest

from serving.faults import Fault, ImageTooLarge, Overloaded
from serving.status import from_status, to_status


@pytest.mark.parametrize("fault", [Overloaded("full", retry_after=2.5), ImageTooLarge("large", limit=7)])
def test_a_fault_comes_back_as_it_was(fault: Fault) -> None:
    back = from_status(to_status(fault))
    assert type(back) is type(fault)
    assert (str(back), vars(back)) == (str(fault), vars(fault))


def test_what_is_not_ours_is_no_fault() -> None:
    status = to_status(Overloaded("full"))
    del status.details[0]
    assert from_status(status) is None
