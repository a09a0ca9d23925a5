"""Protocol bindings: bytes to primitives and back, and the process that serves them."""
