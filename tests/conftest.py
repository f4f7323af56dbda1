"""Fixtures that every test may ask for, and a summary; each is defined, and explained, in tests/support."""

pytest_plugins = ["tests.support.databases", "tests.support.cases"]
