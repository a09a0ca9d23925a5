"""Benchmarks: how fast the server is, beside what its foundations can do on the same machine; no test, nothing here asserts a time."""
