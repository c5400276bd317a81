"""Surrogate gradients that an attacker puts in place of a spiking network's own."""
