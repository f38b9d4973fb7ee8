"""Mounts, guards, markers and fstab of the stack's drives, on the machine itself."""
