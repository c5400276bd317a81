"""Neurons that draw something at random, and the choice of a network's neurons."""
