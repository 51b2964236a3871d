"""The vocabulary: what is wished for, what is there, what is to be done, what has happened.

Frozen values without behaviour that touches anything; every other package speaks in these.
"""
