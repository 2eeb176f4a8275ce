"""What every test may stand on, and which tests run beside which: `make test` has two processes for them."""

from typing import Any

import pytest

pytest_plugins = ["tests.postgres", "tests.galleries"]

# Folders whose tests share what takes long to start: a mesh; a Postgres, with a classifier and an embedder.
TOGETHER = {"mesh": "mesh", "store": "postgres", "classifier": "postgres", "admin": "postgres"}

# What takes longest, so that it is not what one process is left with while the other has nothing to do.
FIRST = ("mesh", "test_image.py", "postgres", "launcher/test_up.py", "launcher/test_models.py")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: _turn(item.nodeid))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Keeps in one process, and in their order, what belongs together."""
    from xdist.scheduler import LoadScopeScheduling

    class ByGroup(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return _group(nodeid)

    return ByGroup(config, log)


def _group(nodeid: str) -> str:
    """A file, if its tests need nothing that those of another file start too."""
    file = nodeid.partition("::")[0].removeprefix("tests/")
    return TOGETHER.get(file.partition("/")[0], file)


def _turn(nodeid: str) -> int:
    group = _group(nodeid)
    return FIRST.index(group) if group in FIRST else len(FIRST)
