"""The server as a process under faults: killed, stopped, without disk, among bad clients and bad targets."""
