"""A CSE in a process of its own for the tests of the metering applications, one per module."""

from tests.apps.conftest import cse, url

__all__ = ["cse", "url"]
