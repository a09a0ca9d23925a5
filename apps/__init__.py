"""Application entities: they talk to a CSE like any stranger."""
