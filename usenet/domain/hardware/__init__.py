"""Decisions about processors, memory and GPUs, beyond what each service is granted."""
