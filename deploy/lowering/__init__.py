"""Quantization of layers in real numbers to a chip's integers."""
