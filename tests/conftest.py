"""Fixtures that every test may ask for; each is defined, and explained, in tests/support."""

pytest_plugins = ["tests.support.databases"]
