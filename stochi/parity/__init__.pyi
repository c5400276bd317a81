from .ablation.comparison import ablate as ablate
from .check import check_parity as check_parity
from .distribution.results import Margins as Margins
from .distribution.verdicts import combine_seeds as combine_seeds
from .report.figure import draw_report as draw_report
from .report.report import ParityReport as ParityReport
from .report.robustness_figure import draw_robustness as draw_robustness
from .results import Ablation as Ablation
