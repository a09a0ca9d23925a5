"""The demo: a street of meters plays against a CSE of its own process, through real sockets."""

from apps.demo.main import run

__all__ = ["run"]
