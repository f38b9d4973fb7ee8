"""The only rooms that touch processes, sockets and files."""
