"""Verbs: gather, decide, do, return a result. They never print and never ask."""
