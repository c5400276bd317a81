"""The neuron that draws its time constant at random."""
