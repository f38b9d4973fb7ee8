"""Service files and a plan in, the text of the stack out. Pure."""
