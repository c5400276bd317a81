from . import attacks as attacks
from . import data as data
from . import deploy as deploy
from . import export as export
from . import hardware as hardware
from . import parity as parity
from . import program as program
from . import sim as sim
from . import statistics as statistics
from . import study as study
from . import train as train

__version__: str
