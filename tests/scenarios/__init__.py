"""Whole stories, through real sockets, over every binding and store."""
