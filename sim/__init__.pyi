from .backends import run as run
from .inputs import InOrder as InOrder
from .record import Record as Record
