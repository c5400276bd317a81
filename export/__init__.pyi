from .nir_graph import to_nir as to_nir
