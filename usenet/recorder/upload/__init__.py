"""Copies of segments in other people's storage: sent while recorded, called uploaded only when checked there."""
