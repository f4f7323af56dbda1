"""Fixtures that every test may ask for, and a summary; each is defined, and explained, in tests/support."""

from hypothesis import settings

pytest_plugins = ["tests.support.databases", "tests.support.cases"]

# No test asserts a time: a busy machine is not a failure.
settings.register_profile("medfed", deadline=None)
settings.load_profile("medfed")
