"""How parameters are read from the query and the form."""

import pytest

from classifier.rest.errors import Refused
from classifier.rest.parameters import Parameters
from mien.rest.v1 import compreface_pb2


def limit(*query: str, form: list[str] | None = None) -> int:
    asked = Parameters({"limit": form} if form else {}, limit=query)
    return asked.integer("limit", 0, least=0, too_small="Limit should be equal or greater than 0")


def test_a_value_counts_from_the_query_and_from_the_form() -> None:
    assert limit("3") == limit(form=["3"]) == 3


def test_an_absent_or_empty_integer_is_its_default() -> None:
    assert limit() == limit("") == 0


def test_of_a_number_sent_several_times_the_first_counts() -> None:
    assert limit("2", "x", form=["3"]) == 2


def test_texts_sent_several_times_are_joined() -> None:
    asked = Parameters({"face_plugins": ["pose"]}, face_plugins=["age", "gender,landmarks"])
    assert asked.text("face_plugins") == "age,gender,landmarks,pose"


def test_a_value_below_its_least_is_refused_in_the_words_clients_know() -> None:
    with pytest.raises(Refused) as refusal:
        limit("-1")
    assert (refusal.value.number, str(refusal.value)) == (26, "Limit should be equal or greater than 0; ")


@pytest.mark.parametrize("text", ["abc", "1.5", "1,2", "٣", "1_0", "9" * 50, " 1"])
def test_what_is_no_integer_is_refused(text: str) -> None:
    with pytest.raises(Refused) as refusal:
        limit(text)
    assert refusal.value.number == 0


@pytest.mark.parametrize(("text", "value"), [("0.5", 0.5), (".8", 0.8), ("1", 1.0), ("1e-3", 0.001)])
def test_decimal_numbers_are_read(text: str, value: float) -> None:
    assert Parameters({}, x=[text]).number("x") == value


@pytest.mark.parametrize("text", ["nan", "inf", "0x1", "half", "1,5"])
def test_what_is_no_decimal_number_is_refused(text: str) -> None:
    with pytest.raises(Refused):
        Parameters({}, x=[text]).number("x")


def test_a_required_parameter_may_be_empty_but_not_absent() -> None:
    assert Parameters({}, subject=[""]).required("subject") == ""
    with pytest.raises(Refused, match="Required parameter subject is missing"):
        Parameters({}, subject=[]).required("subject")


@pytest.mark.parametrize(
    ("text", "size"), [("", 20), ("x", 20), ("0", 20), ("-5", 20), ("7", 7), ("9999", 2000)]
)
def test_a_page_size_out_of_range_is_mended(text: str, size: int) -> None:
    assert Parameters({}, size=[text]).page("size", 20, least=1, most=2000) == size


@pytest.mark.parametrize(
    ("text", "value"), [("True", True), ("on", True), ("1", True), ("NO", False), ("", True)]
)
def test_a_flag_is_read_in_all_its_spellings(text: str, value: bool) -> None:
    assert Parameters({}, status=[text]).flag("status", default=True) is value


def test_what_is_no_flag_and_no_share_is_refused() -> None:
    with pytest.raises(Refused):
        Parameters({}, status=["maybe"]).flag("status", default=False)
    for text in ("1.01", "-0.1", "half"):
        with pytest.raises(Refused):
            Parameters({}, similarity_threshold=[text]).share("similarity_threshold", default=0)
    with pytest.raises(Refused):
        Parameters({}, limit=["4294967296"]).integer("limit", 0, least=0, too_small="")


def test_the_parameters_of_a_request_are_those_of_the_contract() -> None:
    request = compreface_pb2.DetectRequest(limit=["2"])
    asked = Parameters.of(request, {"status": ["on"], "nonsense": ["1"]})
    assert asked.text("limit") == "2"
    assert asked.flag("status", default=False)
    assert asked.text("nonsense") is None
