"""ISO/IEC 14496-12, -14 and -15: boxes as bytes, written and read without any I/O."""
