"""Deep networks for images, of any width, with normalization inside."""
