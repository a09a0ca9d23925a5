"""The HTTP binding (TS-0009)."""
