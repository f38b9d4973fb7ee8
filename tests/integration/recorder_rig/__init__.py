"""Where the recorder is cut off for real: drives that lose power or fail, processes that are killed, disks that fill.

`python -m tests.integration.recorder_rig --full` runs all of it at length and prints tables.
"""
