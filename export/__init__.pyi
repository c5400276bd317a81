from .dependence import ReadValuesWarning as ReadValuesWarning
from .model.building import from_nir as from_nir
from .model.model import GraphModel as GraphModel
from .nir_graph import to_nir as to_nir
from .verification import QuietLayerWarning as QuietLayerWarning
