from .dependence import ReadValuesWarning as ReadValuesWarning
from .model.building import from_nir as from_nir
from .model.model import GraphModel as GraphModel
from .nir_graph import to_nir as to_nir
from .onnx.model_file import draws_for_onnx as draws_for_onnx
from .onnx.model_file import to_onnx as to_onnx
from .verification import QuietLayerWarning as QuietLayerWarning
