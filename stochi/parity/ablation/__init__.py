"""The chip's properties, each switched on alone in the float model."""
