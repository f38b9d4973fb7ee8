"""Drives that come and go: what may be used, what was asked for, and the steps between what is and what is wanted."""
