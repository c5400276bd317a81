"""How many times a study repeats what it asks."""

CHOOSING = 3
"""Trials by which the worst attack is chosen, for each reported one.

With few, chance would choose among the attacks on a random network, and leave it more right.
"""
