"""Whether the server is unbreakable: short forms for every change, long ones by ``python -m tests.reliability NAME``; docs/reliability.md has the figures."""
