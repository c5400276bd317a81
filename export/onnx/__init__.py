"""A network as an ONNX model: a time step as a function, called in a loop or T times."""
