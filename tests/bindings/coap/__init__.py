"""Tests of the CoAP binding."""
