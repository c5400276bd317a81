"""Defences against adversarial attacks in training."""
