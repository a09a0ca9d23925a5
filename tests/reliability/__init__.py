"""Whether the server is unbreakable: against a model, under concurrent clients, garbage and attacks. Long forms: ``python -m tests.reliability``."""
