"""Makes every call that compreface-sdk has, and prints one JSON object: what each answered, or raised.

Run by the interpreter that the SDK is installed for, in the folder of the pictures. Its one argument is
JSON: `server`, `port`, `pictures` (the URL they are served at) and `keys`, by type of service.
"""

import json
import sys
from pathlib import Path

from compreface import CompreFace

UNKNOWN = "00000000-0000-4000-8000-000000000000"
EVERYTHING = {
    "limit": 1,
    "det_prob_threshold": 0.3,
    "face_plugins": "age,gender,landmarks,calculator",
    "status": True,
}

asked = json.loads(sys.argv[1])
server, port, pictures, keys = (asked[name] for name in ("server", "port", "pictures", "keys"))
mesh = CompreFace(server, port)
limited = CompreFace(server, port, {"limit": 1, "prediction_count": 2})
outcomes = {}


def call(name, function, *arguments):
    """Keeps the outcome by this name, and returns the id of the face that was enrolled, if one was."""
    try:
        outcomes[name] = {"answer": function(*arguments)}
    except BaseException as error:  # an error of the SDK is no Exception
        outcomes[name] = {"raised": f"{type(error).__name__}: {error}"}
    answer = outcomes[name].get("answer")
    return answer.get("image_id", "") if isinstance(answer, dict) else ""


detection = mesh.init_face_detection(keys["detection"])
call("detect", detection.detect, "obama.jpg")
call("detect with everything", detection.detect, "both.jpg", EVERYTHING)
call("detect a URL", detection.detect, f"{pictures}/obama.jpg")
call("detect bytes", detection.detect, Path("obama.jpg").read_bytes())
call("detect both", detection.detect, "both.jpg")
call("detect nobody", detection.detect, "nobody.png")
call(
    "detect with the options of the client", limited.init_face_detection(keys["detection"]).detect, "both.jpg"
)
call("detect with pose", detection.detect, "obama.jpg", {"face_plugins": "pose"})

verification = mesh.init_face_verification(keys["verification"])
call("verify", verification.verify, "obama.jpg", "obama2.jpg")
call("verify another", verification.verify, f"{pictures}/obama.jpg", Path("biden.jpg").read_bytes())
call("verify with everything", verification.verify, "obama.jpg", "both.jpg", EVERYTHING)
call("verify both in the source", verification.verify, "both.jpg", "obama.jpg")
call("verify nobody in the target", verification.verify, "obama.jpg", "nobody.png")

recognition = mesh.init_face_recognition(keys["recognition"])
subjects, faces = recognition.get_subjects(), recognition.get_face_collection()
call("recognize in an empty gallery", recognition.recognize, "obama.jpg")
call("list no subjects", subjects.list)
call("add a subject", subjects.add, "Ann Lee")
call("add it again", subjects.add, "ann lee")
call("add a subject of a bad name", subjects.add, "Ann/Lee")
call("rename", subjects.update, "Ann Lee", "Ann Maria Lee")
call("rename to the same", subjects.update, "Ann Maria Lee", "Ann Maria Lee")
call("rename nobody", subjects.update, "Nobody", "Somebody")
call("list subjects", subjects.list)
call("delete a subject", subjects.delete, "Ann Maria Lee")
call("delete nobody", subjects.delete, "Nobody")

obama = call("add", faces.add, "obama.jpg", "Barack Obama")
spare = call("add bytes", faces.add, Path("obama2.jpg").read_bytes(), "Barack Obama")
call("add a URL", faces.add, f"{pictures}/biden.jpg", "Joe Biden", {"det_prob_threshold": 0.3})
call("add by an odd name", faces.add, "biden.jpg", "A&B")
call("add both", faces.add, "both.jpg", "Two")
call("add nobody", faces.add, "nobody.png", "Nobody")
call("add a text file", faces.add, "notes.txt", "Nobody")
call("list", faces.list)
call("recognize", recognition.recognize, "obama3.jpg")
call("recognize with everything", recognition.recognize, "obama3.jpg", EVERYTHING | {"prediction_count": 3})
call("recognize both", recognition.recognize, "both.jpg")
call("recognize nobody", recognition.recognize, "nobody.png")
call("recognize for no match", recognition.recognize, "obama.jpg", {"prediction_count": 0})
call(
    "recognize with the options of the client",
    limited.init_face_recognition(keys["recognition"]).recognize,
    "both.jpg",
)
call("verify a face", faces.verify, "obama3.jpg", obama)
call("verify a face with everything", faces.verify, "both.jpg", obama, EVERYTHING)
call("verify a face of an unknown id", faces.verify, "obama.jpg", UNKNOWN)
gallery = f"{server}:{port}/api/v1/static/{keys['recognition']}/images"
call("detect in an image of the gallery", detection.detect, f"{gallery}/{obama}")
call("delete a face", faces.delete, spare)
call("delete a face of an unknown id", faces.delete, UNKNOWN)
call("merge", subjects.update, "Joe Biden", "Barack Obama")
call("list what was merged", faces.list)
call("delete the faces of a subject", faces.delete_all, "Barack Obama")
call("delete the faces of nobody", faces.delete_all, "Nobody")
call("delete the faces of an empty name", faces.delete_all, "")
call("delete all subjects", subjects.delete_all)
call("list nothing", faces.list)
call("add a subject of an umlaut", subjects.add, "Jürgen X")
call("rename a subject of an umlaut", subjects.update, "Jürgen X", "日本")
call("delete a subject of an umlaut", subjects.delete, "日本")

call("a key that is unknown", mesh.init_face_recognition(UNKNOWN).recognize, "obama.jpg")
call("a key that is none", mesh.init_face_recognition("secret").recognize, "obama.jpg")
call("a key of another type", mesh.init_face_detection(keys["recognition"]).detect, "obama.jpg")

print(json.dumps(outcomes))
