"""The service layer of a oneM2M common service entity: a core without sockets, threads or clocks."""

__version__ = "0.1.0"
