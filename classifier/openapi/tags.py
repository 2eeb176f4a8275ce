"""The groups that calls are shown in."""

# By the beginning of a path, the longer before the shorter.
_PLACES = {
    "/api/v1/recognition/faces": "Faces",
    "/api/v1/recognition/embeddings/faces": "Faces",
    "/api/v1/static": "Faces",
    "/api/v1/recognition/subjects": "Subjects",
    "/api/v1/recognition": "Recognition",
    "/api/v1/detection": "Detection",
    "/api/v1/verification": "Verification",
    "/": "Server",
}

# In the order they are shown.
TAGS = [
    {"name": "Recognition", "description": "Who is in a photograph."},
    {"name": "Faces", "description": "The faces that a gallery knows, and their photographs."},
    {"name": "Subjects", "description": "Whose faces they are."},
    {"name": "Detection", "description": "Where the faces of a photograph are, and how they look."},
    {"name": "Verification", "description": "Whether two faces are one person's. Nothing is kept."},
    {"name": "Server", "description": "What runs here, and how it is."},
]


def tag(path: str) -> str:
    return next(name for beginning, name in _PLACES.items() if path.startswith(beginning))
