"""Facts, settings and decisions: no input, no output, no clock, no randomness."""
