"""The parts of the keeper's program.

It runs on its own under ``python -I -S``, single-threaded because ``unshare`` demands that, so
these modules import the standard library and each other, and nothing else.
"""
