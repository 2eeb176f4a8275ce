"""What every test may stand on."""

pytest_plugins = ["tests.postgres", "tests.galleries"]
