from .distributions import DecayDistribution as DecayDistribution
from .distributions import Empirical as Empirical
from .distributions import LogitNormal as LogitNormal
from .distributions import NormalTau as NormalTau
from .distributions import Uniform as Uniform
from .draws import Draws as Draws
