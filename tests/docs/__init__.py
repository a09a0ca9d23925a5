"""The documentation: its reference is written by the code, its examples run, its links lead somewhere."""
