"""CompreFace's flow as a user has it, over REST alone: from nobody to a face that is recognised."""

import re
import subprocess
import time
from pathlib import Path

import httpx
import psycopg

from tests.mesh.conftest import Mesh
from tests.photographs import photograph
from tests.plain import NO_TLS

ROOT = Path(__file__).parents[2]
ADA = {"email": "flow@example.org", "firstName": "Ada", "lastName": "Byron", "password": "correct horse"}


def test_from_nobody_to_a_face_that_is_recognised(mesh: Mesh, obama: bytes) -> None:
    with httpx.Client(base_url=mesh.url, verify=NO_TLS, timeout=30) as browser:  # it keeps cookies
        assert browser.post("/admin/user/register", json=ADA).status_code == 201
        form = {"username": ADA["email"], "password": ADA["password"], "grant_type": "password"}
        signed_in = browser.post("/admin/oauth/token", data=form, auth=("CommonClientId", "password"))
        assert signed_in.status_code == 200
        assert browser.get("/admin/user/me").json()["email"] == ADA["email"]
        with psycopg.connect(mesh.state["database_url"], autocommit=True) as connection:
            # Whichever test comes first has the owner; who makes applications is an administrator.
            promotion = "UPDATE users SET role = 'administrator' WHERE email = %s AND role = 'user'"
            connection.execute(promotion, (ADA["email"],))
        app = browser.post("/admin/app", json={"name": "flow"}).json()["id"]
        service = browser.post(f"/admin/app/{app}/model", json={"name": "f", "type": "RECOGNITION"}).json()
        model = f"/admin/app/{app}/model/{service['id']}"

        def recognised(key: str) -> list[str]:
            file = {"file": ("a.jpg", obama)}
            sent = {"x-api-key": key}
            answer = browser.post("/api/v1/recognition/recognize", files=file, headers=sent)
            assert answer.status_code == 200, answer.text
            return [each["subject"] for face in answer.json()["result"] for each in face["subjects"]]

        enrolled = browser.post(
            "/api/v1/recognition/faces?subject=Ada",
            files={"file": ("a.jpg", obama)},
            headers={"x-api-key": service["apiKey"]},
        )
        assert enrolled.status_code == 201, enrolled.text
        assert recognised(service["apiKey"]) == ["Ada"]
        told = browser.get(model).json()
        assert (told["subjectCount"], told["imageCount"]) == (1, 1)
        copy = browser.post(model, json={"name": "copy"}).json()
        assert recognised(copy["apiKey"]) == ["Ada"]
        deadline = time.monotonic() + 20
        while not (days := browser.get(f"{model}/statistics").json()):
            assert time.monotonic() < deadline
            time.sleep(0.2)
        assert days[0]["requestCount"] == 1
        assert browser.delete(f"/admin/app/{app}").status_code == 200
        assert browser.delete("/admin/oauth/token").status_code == 200
        assert browser.get("/admin/user/me").status_code == 401


def test_the_commands_of_the_readme_do_what_they_say(mesh: Mesh, tmp_path: Path) -> None:
    (tmp_path / "ada.jpg").write_bytes(photograph("obama").read_bytes())
    (tmp_path / "party.jpg").write_bytes(photograph("obama2").read_bytes())
    blocks = re.findall(r"^```\n(.*?)^```$", (ROOT / "README.md").read_text(), re.MULTILINE | re.DOTALL)
    (script,) = (block for block in blocks if "/admin/user/register" in block)
    assert sum("curl " in line for line in script.splitlines()) == 6
    with psycopg.connect(mesh.state["database_url"], autocommit=True) as connection:
        connection.execute("DELETE FROM applications")
        connection.execute("DELETE FROM users")  # a mesh that nobody has signed up to
    said = subprocess.run(
        ["bash", "-euc", script.replace("http://127.0.0.1:8000", mesh.url)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert said.returncode == 0, said.stderr
    assert '"role": "OWNER"' in said.stdout
    assert '"subject" : "Ada"' in said.stdout.replace('"subject": "Ada"', '"subject" : "Ada"')
    assert "similarity" in said.stdout
