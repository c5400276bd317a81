"""What the chip is: its arithmetic, its randomness, its limits. Nothing here knows of networks."""
