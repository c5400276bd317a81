"""From a torch model to a NIR graph, and the check that the graph computes the same."""

from stochi.export.evaluate import evaluate
from stochi.export.nir_graph import to_nir

__all__ = ["evaluate", "to_nir"]
