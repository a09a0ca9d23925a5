"""The CoAP binding of oneM2M (TS-0008): server, client, and the pure mapping between them and primitives."""
