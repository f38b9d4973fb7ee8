"""The recorder as a program of its own: cameras in, files out, asked and told over HTTP."""
