from .layers import (
    Convolution as Convolution,
)
from .layers import (
    Decay as Decay,
)
from .layers import (
    Dense as Dense,
)
from .layers import (
    Flatten as Flatten,
)
from .layers import (
    Generator as Generator,
)
from .layers import (
    Layer as Layer,
)
from .layers import (
    OneToOne as OneToOne,
)
from .layers import (
    Projection as Projection,
)
from .layers import (
    SumPool as SumPool,
)
from .program import Program as Program
from .target import Target as Target
