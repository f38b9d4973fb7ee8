"""The recorder: samples in, plain MP4 files out, whatever is cut off in between. It imports no other room of ours."""
