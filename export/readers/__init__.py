"""One reader for each torch function that a graph can express."""
