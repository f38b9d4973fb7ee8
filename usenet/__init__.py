"""A home media server, planned from the machine it runs on."""

__version__ = "0.1.0"
