from .backends import run as run
from .record import Record as Record
