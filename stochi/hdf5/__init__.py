"""Files of HDF5, which only a process of their own opens."""
