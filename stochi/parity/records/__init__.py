"""What a float model, its twin and the chip do in a run, as records that can be compared."""
