from .catalogue import load as load
from .digits import load_digits as load_digits
from .images import Images as Images
from .streams import Streams as Streams
