"""Tests of the bindings."""
