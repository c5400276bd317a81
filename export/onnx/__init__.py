"""A network as an ONNX model: one time step is a function that a loop or an unrolled graph calls."""
