from .backends import run as run
from .inputs import InOrder as InOrder
from .nir_data import to_nir_data as to_nir_data
from .nir_data import write_nir_data as write_nir_data
from .record import Record as Record
