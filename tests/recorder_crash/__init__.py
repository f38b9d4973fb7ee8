"""A drive that may lose power between any two calls, and what must be true of every file that it may leave."""
