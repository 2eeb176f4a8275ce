"""The examples of the OpenAPI document are what a mesh answers to their requests.

`MIEN_CAPTURE=1 .venv/bin/python -m pytest tests/mesh/test_openapi.py` writes the answers anew.
"""

import json
import os
import re
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from classifier import openapi
from classifier.openapi.examples import FIRST, ORIGIN
from tests.mesh.conftest import Mesh
from tests.mesh.scene import Scene, made_up, set_scene

EXAMPLES = Path(openapi.__file__).with_name("examples.json")
TOLERANCE = 0.02  # of a number, and of 1 if it is smaller: processors differ in the last digits
UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


@pytest.fixture
def scene(mesh: Mesh, tmp_path: Path) -> Scene:
    return set_scene(mesh, tmp_path)


def test_the_document_and_the_page_are_served(mesh: Mesh) -> None:
    answer = httpx.get(f"{mesh.url}/api/v1/openapi.json")
    assert answer.headers["content-type"] == "application/json"
    assert answer.content == openapi.document()
    page = httpx.get(f"{mesh.url}/api/v1/docs")
    assert page.headers["content-type"].startswith("text/html")
    assert page.content == openapi.page()


@pytest.mark.parametrize("rpc", json.loads(EXAMPLES.read_text()))
def test_an_example_is_what_the_mesh_answers(mesh: Mesh, scene: Scene, rpc: str) -> None:
    examples = json.loads(EXAMPLES.read_text())
    now = asked(mesh, scene, rpc, examples[rpc]["request"])
    if os.environ.get("MIEN_CAPTURE"):
        examples[rpc] = now
        EXAMPLES.write_text(json.dumps(examples, indent=2, ensure_ascii=False) + "\n")
    assert list(differences(examples[rpc], now)) == []


def asked(mesh: Mesh, scene: Scene, rpc: str, request: str) -> dict[str, Any]:
    """The example that a curl line makes now."""
    line = request.replace(ORIGIN, mesh.url)
    for false, true in scene.ids.items():
        line = line.replace(false, true)
    line = line.replace("curl ", "curl -s -w '%{stderr}%{http_code} %{content_type}' ", 1)
    env = {"KEY": scene.key_for(rpc), "PATH": "/usr/bin:/bin"}
    done = subprocess.run(["bash", "-ec", line], env=env, cwd=scene.folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    status, _, media_type = done.stderr.partition(" ")
    whole: dict[str, Any] = {"request": request}
    if (sent := body(request, scene.folder)) is not None:
        whole["sent"] = sent
    whole |= {"status": int(status), "type": media_type.partition(";")[0]}
    if done.stdout and whole["type"] == "application/json":
        whole["answer"] = json.loads(masked(done.stdout, scene))
    example: dict[str, Any] = shortened(whole)
    return example | ({"shortened": True} if example != whole else {})


def body(request: str, folder: Path) -> Any:
    """The JSON that a curl line sends, if any."""
    words = shlex.split(request)
    if "-d" not in words:
        return None
    data = words[words.index("-d") + 1]
    return json.loads((folder / data[1:]).read_text() if data.startswith("@") else data)


def masked(text: str, scene: Scene) -> str:
    """The text with made-up ids."""
    false = {true: false for false, true in scene.ids.items()}
    return UUID.sub(lambda found: false.get(found[0], made_up(len(false) + 1)), text)


def shortened(value: Any) -> Any:
    """The value with the first of the numbers of each list of numbers."""
    if isinstance(value, dict):
        return {name: shortened(each) for name, each in value.items()}
    if isinstance(value, list):
        some = value[:FIRST] if all(isinstance(each, int | float) for each in value) else value
        return [shortened(each) for each in some]
    return value


def differences(told: Any, now: Any, place: str = "") -> Iterator[str]:
    """Where an answer is another than the example tells: in structure, order, or value."""
    if place.endswith(".available_plugins"):  # a map, which has no order
        told, now = sorted(told.items()), sorted(now.items())
    if isinstance(told, dict) and isinstance(now, dict) and list(told) == list(now):
        for name in told:
            yield from differences(told[name], now[name], f"{place}.{name}")
    elif isinstance(told, list) and isinstance(now, list) and len(told) == len(now):
        for index, pair in enumerate(zip(told, now, strict=True)):
            yield from differences(*pair, f"{place}[{index}]")
    elif type(told) in (int, float) and type(now) in (int, float):
        takes_time = ".execution_time." in place
        if not takes_time and abs(told - now) > TOLERANCE * max(1, abs(told)):
            yield f"{place}: {told} was {now}"
    elif json.dumps(told) != json.dumps(now) and not place.endswith(".build_version"):
        yield f"{place}: {told} was {now}"


def test_a_difference_is_seen() -> None:
    told = {"similarity": 0.5, "box": {"x": 100}, "execution_time": {"age": 1.0}, "subjects": ["A"]}
    assert list(differences(told, {**told, "similarity": 0.51, "execution_time": {"age": 9}})) == []
    for other in (
        {**told, "similarity": 0.6},
        {**told, "box": {"x": 104}},
        {**told, "execution_time": {"gender": 1.0}},
        {**told, "subjects": ["A", "B"]},
        dict(reversed(told.items())),
    ):
        assert len(list(differences(told, other))) == 1
