from .catalogue import load as load
from .catalogue import open_events as open_events
from .digits import load_digits as load_digits
from .events.binning import Binning as Binning
from .events.event_set import EventSet as EventSet
from .images import Images as Images
from .streams import Streams as Streams
