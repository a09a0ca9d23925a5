"""Tests of the HTTP binding."""
