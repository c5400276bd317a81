"""The twin: a model that computes in the chip's integers, with straight-through gradients."""
