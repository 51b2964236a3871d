"""Decides: wish and world go in, a plan comes out.

Pure; ``down`` is the same function with an empty wish.
"""
