"""Sample application entities: each a script of at most 40 lines to start your own from."""
