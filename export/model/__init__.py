"""A NIR graph as a torch module in real numbers."""
