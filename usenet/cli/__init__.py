"""Words in, one action, one view out: the command line."""
