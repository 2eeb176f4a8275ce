"""CompreFace's SDKs for Python and JavaScript, unmodified, against the mesh: every call they have."""

from pathlib import Path
from typing import Any

import pytest

from tests.mesh.conftest import Mesh
from tests.mesh.shapes import check
from tests.sdks.driving import Outcomes, drive_javascript, drive_python
from tests.sdks.shapes import DETECTED, MATCHED, RECOGNISED, VERIFIED, enrolled, face, page, versions

UNKNOWN = "00000000-0000-4000-8000-000000000000"  # the drivers' id and key of nothing
NO_FACE = (400, 28, "No face is found in the given image")
SEVERAL_FACES = (400, 31, "More than one face in the source image")
UNREADABLE = {"message": "Something went wrong, please try again", "code": 0}


@pytest.fixture(scope="module")
def python(mesh: Mesh, pictures: Path) -> Outcomes:
    return drive_python(mesh, pictures)


@pytest.fixture(scope="module")
def javascript(mesh: Mesh, pictures: Path) -> Outcomes:
    return drive_javascript(mesh, pictures)


@pytest.fixture(params=["python", "javascript"])
def sdk(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def outcomes(sdk: str, request: pytest.FixtureRequest) -> Outcomes:
    return request.getfixturevalue(sdk)  # type: ignore[no-any-return]


@pytest.fixture
def plugins(sdk: str) -> str:
    """What the drivers ask for where they ask for everything."""
    return "age,gender,landmarks,calculator" if sdk == "python" else "age,gender,pose,landmarks,calculator"


@pytest.fixture
def odd_name(sdk: str) -> str:
    """What CompreFace reads of a name that the SDK does not escape, or of an option that it glues on."""
    return "A" if sdk == "python" else "X?det_prob_threshold=0.5"


@pytest.mark.parametrize("call", ["detect", "detect a URL"])
def test_detect(outcomes: Outcomes, call: str) -> None:
    answer = outcomes.answer(call)
    check(answer, {"result": [face(DETECTED)]})
    (found,) = answer["result"]
    assert found["box"]["probability"] != round(found["box"]["probability"], 5)


def test_detect_with_everything(outcomes: Outcomes, plugins: str) -> None:
    answer = outcomes.answer("detect with everything")
    found = face(DETECTED, plugins, status=True)
    check(answer, {"result": [found], "plugins_versions": versions(plugins)})
    assert len(answer["result"]) == 1


def test_the_largest_face_comes_first(outcomes: Outcomes) -> None:
    first, second = (found["box"] for found in outcomes.answer("detect both")["result"])
    assert _area(first) >= _area(second)
    (alone,) = outcomes.answer("detect with the options of the client")["result"]
    assert alone["box"] == first


def test_verify(outcomes: Outcomes) -> None:
    answer = outcomes.answer("verify")
    check(answer, {"result": [{"source_image_face": face(DETECTED), "face_matches": [face(MATCHED)]}]})
    assert _similarity(answer) >= 0.5


def test_verify_another(outcomes: Outcomes) -> None:
    assert _similarity(outcomes.answer("verify another")) < 0.5


def test_verify_with_everything(outcomes: Outcomes, plugins: str) -> None:
    answer = outcomes.answer("verify with everything")
    verification = {
        "source_image_face": face(DETECTED, plugins, status=True),
        "face_matches": [face(MATCHED, plugins, status=True)],
        "plugins_versions": versions(plugins),
    }
    check(answer, {"result": [verification]})
    assert len(answer["result"][0]["face_matches"]) == 1


def test_recognize_in_an_empty_gallery(outcomes: Outcomes) -> None:
    answer = outcomes.answer("recognize in an empty gallery")
    check(answer, {"result": [face(RECOGNISED) | {"subjects": []}]})
    assert len(answer["result"]) == 1


def test_recognize(outcomes: Outcomes) -> None:
    answer = outcomes.answer("recognize")
    check(answer, {"result": [face(RECOGNISED)]})
    ((match,),) = (found["subjects"] for found in answer["result"])
    assert match["subject"] == "Barack Obama"
    assert match["similarity"] >= 0.5


def test_recognize_with_everything(outcomes: Outcomes, plugins: str) -> None:
    answer = outcomes.answer("recognize with everything")
    found = face(RECOGNISED, plugins, status=True)
    check(answer, {"result": [found], "plugins_versions": versions(plugins)})
    ((first, second, third),) = (found["subjects"] for found in answer["result"])
    assert first["subject"] == second["subject"] == "Barack Obama"  # of faces, not of subjects
    assert first["similarity"] >= second["similarity"] >= 0.5 > third["similarity"]


def test_recognize_both(outcomes: Outcomes, odd_name: str) -> None:
    result = outcomes.answer("recognize both")["result"]
    matches = {match["subject"]: match["similarity"] for found in result for match in found["subjects"]}
    # Joe Biden's photograph was enrolled by two names.
    assert set(matches) in ({"Barack Obama", "Joe Biden"}, {"Barack Obama", odd_name})
    assert all(similarity >= 0.5 for similarity in matches.values())
    (alone,) = outcomes.answer("recognize with the options of the client")["result"]
    assert alone["box"] == result[0]["box"]
    assert len(alone["subjects"]) == 2


def test_verify_a_face(outcomes: Outcomes) -> None:
    answer = outcomes.answer("verify a face")
    check(answer, {"result": [face(VERIFIED) | {"subject": "Barack Obama"}]})
    (found,) = answer["result"]
    assert found["similarity"] >= 0.5


def test_verify_a_face_with_everything(outcomes: Outcomes, plugins: str) -> None:
    answer = outcomes.answer("verify a face with everything")
    found = face(VERIFIED, plugins, status=True)
    check(answer, {"result": [found], "plugins_versions": versions(plugins)})
    assert len(answer["result"]) == 1


@pytest.mark.parametrize(
    ("call", "subject"),
    [("add", "Barack Obama"), ("add a URL", "Joe Biden"), ("delete a face", "Barack Obama")],
)
def test_faces_are_enrolled_and_erased(outcomes: Outcomes, call: str, subject: str) -> None:
    check(outcomes.answer(call), enrolled(subject))


def test_a_name_that_the_sdk_spoils_is_read_as_it_comes(outcomes: Outcomes, odd_name: str) -> None:
    check(outcomes.answer("add by an odd name"), enrolled(odd_name))


@pytest.mark.parametrize(
    ("call", "subjects"),
    [
        ("list", ["Barack Obama", "Barack Obama", "Joe Biden"]),
        ("list what was merged", ["Barack Obama", "Barack Obama"]),
    ],
)
def test_faces_are_listed(outcomes: Outcomes, odd_name: str, call: str, subjects: list[str]) -> None:
    listed = outcomes.answer(call)
    check(listed, page(len(subjects) + 1))
    assert sorted(each["subject"] for each in listed["faces"]) == sorted([*subjects, odd_name])
    assert outcomes.answer("list nothing") == page(0) | {"faces": []}


@pytest.mark.parametrize(
    ("call", "answer"),
    [
        ("list no subjects", {"subjects": []}),
        ("add a subject", {"subject": "Ann Lee"}),
        ("rename", {"updated": True}),
        ("rename to the same", {"updated": False}),
        ("list subjects", {"subjects": ["Ann Maria Lee"]}),
        ("delete a subject", {"subject": "Ann Maria Lee"}),
        ("merge", {"updated": True}),
        ("delete the faces of a subject", {"deleted": 2}),
        ("delete the faces of nobody", {"deleted": 0}),
        ("delete all subjects", {"deleted": 1}),
        ("add a subject of an umlaut", {"subject": "Jürgen X"}),
    ],
)
def test_subjects_are_made_renamed_and_erased(outcomes: Outcomes, call: str, answer: dict[str, Any]) -> None:
    assert outcomes.answer(call) == answer


@pytest.mark.parametrize(
    ("call", "status", "code", "message"),
    [
        ("detect nobody", *NO_FACE),
        ("verify both in the source", *SEVERAL_FACES),
        ("verify nobody in the target", *NO_FACE),
        ("add it again", 400, 43, "Subject already exists"),
        (
            *("add a subject of a bad name", 400, 36),
            "The name cannot contain the following special characters: ';', '/', '\\'",
        ),
        ("rename nobody", 404, 42, "Subject Nobody not found"),
        ("delete nobody", 404, 42, "Subject Nobody not found"),
        ("add both", *SEVERAL_FACES),
        ("add nobody", *NO_FACE),
        ("add a text file", 400, 21, "File [notes.txt] has an unavailable extension"),
        ("recognize nobody", *NO_FACE),
        ("recognize for no match", 400, 26, "prediction_count should be equal or greater than 1; "),
        ("verify a face of an unknown id", 404, 44, "Image Id is incorrect"),
        ("delete a face of an unknown id", 404, 44, f"Image {UNKNOWN} not found"),
        ("delete the faces of an empty name", 400, 26, "Subject name is empty; "),
        ("a key that is unknown", 404, 10, f"Recognition service with API Key {UNKNOWN} not found"),
        ("a key that is none", 400, 26, "Service API key should be UUID"),
    ],
)
def test_refusals_are_those_of_compreface(
    outcomes: Outcomes, call: str, status: int, code: int, message: str
) -> None:
    told, refusal = outcomes.refusal(call)
    assert told in (None, status)
    assert refusal == {"message": message, "code": code}
    assert list(refusal) == ["message", "code"]


def test_a_key_is_of_one_type(outcomes: Outcomes) -> None:
    told, refusal = outcomes.refusal("a key of another type")
    assert told in (None, 404)
    key = outcomes.keys["recognition"]
    assert refusal == {"message": f"Detection service with API Key {key} not found", "code": 10}


def test_python_sends_bytes_and_urls_of_the_gallery(python: Outcomes) -> None:
    expected = python.answer("detect")
    assert python.answer("detect bytes") == expected
    assert python.answer("detect in an image of the gallery") == expected
    check(python.answer("add bytes"), enrolled("Barack Obama"))


def test_python_renames_and_erases_names_of_any_letters(python: Outcomes) -> None:
    assert python.answer("rename a subject of an umlaut") == {"updated": True}
    assert python.answer("delete a subject of an umlaut") == {"subject": "日本"}


def test_python_itself_refuses_the_plugin_pose(python: Outcomes) -> None:
    """It sends nothing: neither to us nor to CompreFace."""
    assert python.raised("detect with pose").startswith("IncorrectFieldException")


def test_javascript_sends_base64_and_urls(javascript: Outcomes) -> None:
    assert javascript.answer("detect base64") == javascript.answer("detect")
    for call in ("recognize base64", "recognize a URL"):
        assert javascript.answer(call) == javascript.answer("recognize")
    for call in ("verify URLs", "verify a URL with a path", "verify a path with a URL"):
        assert javascript.answer(call) == javascript.answer("verify")
    assert javascript.answer("verify a face with base64") == javascript.answer("verify a face")
    check(javascript.answer("add base64"), enrolled("Barack Obama"))


def test_javascript_erases_several_faces_by_their_ids(javascript: Outcomes) -> None:
    (erased,) = javascript.answer("delete several faces")
    assert erased == javascript.answer("add by an odd name")
    assert list(erased) == ["image_id", "subject"]


def test_javascript_cannot_erase_all_faces(javascript: Outcomes) -> None:
    """CompreFace's documents promise it; its code, like ours, wants a subject."""
    message = "Subject name is empty; "
    assert javascript.refusal("delete all faces") == (400, {"message": message, "code": 26})


@pytest.mark.parametrize("call", ["detect bytes", "verify bytes", "add bytes"])
def test_javascript_cannot_send_bytes(javascript: Outcomes, call: str) -> None:
    """Outside of browsers it sends a form without its boundary, which nobody can read."""
    assert javascript.refusal(call) == (400, UNREADABLE)


def test_javascript_spoils_options_without_a_limit(javascript: Outcomes) -> None:
    """It sends ?det_prob_threshold=0.8?status=true: no number, to CompreFace neither."""
    assert javascript.refusal("detect with options but no limit") == (400, UNREADABLE)


def test_javascript_spoils_the_second_path_of_a_collection(javascript: Outcomes) -> None:
    """It sends /faces/ID/verify/ID/verify, where CompreFace has nothing either."""
    status, _ = javascript.refusal("verify twice by one collection")
    assert status == 404


def test_javascript_spoils_paths_of_other_than_ascii_letters(javascript: Outcomes) -> None:
    """It sends an umlaut as a byte of Latin-1, which is no letter to CompreFace either."""
    status, _ = javascript.refusal("delete a subject of an umlaut")
    assert status == 400
    assert "unescaped characters" in javascript.raised("delete a subject of other letters")


@pytest.mark.parametrize("call", ["recognize without options", "verify a path with base64"])
def test_javascript_itself_fails_before_it_sends(javascript: Outcomes, call: str) -> None:
    assert javascript.raised(call).startswith("TypeError")


def _similarity(answer: dict[str, Any]) -> float:
    """Of the only face of the target."""
    ((match,),) = (verification["face_matches"] for verification in answer["result"])
    return float(match["similarity"])


def _area(box: dict[str, Any]) -> int:
    return int((box["x_max"] - box["x_min"]) * (box["y_max"] - box["y_min"]))
