from .equivalence import Equivalence as Equivalence
from .equivalence import two_one_sided_tests as two_one_sided_tests
from .intervals import Estimate as Estimate
from .intervals import estimate_accuracy as estimate_accuracy
from .intervals import estimate_difference as estimate_difference
from .intervals import estimate_mean as estimate_mean
from .intervals import estimate_over_trainings as estimate_over_trainings
