"""A NIR graph cut into layers, in real numbers."""
