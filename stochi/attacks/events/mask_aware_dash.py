"""The dash attack that a mask filter does not see."""

from dataclasses import dataclass, field

from stochi.attacks.events.dash import DashAttack


@dataclass(frozen=True)
class MaskAwareDashAttack(DashAttack):
    """Insert moving dashes that keep every pixel's activity below a mask filter's limit.

    After the mask-filter-aware dash of DVS-Attacks (Marchisio et al., IJCNN 2021), which bounds the
    number of hits of a pixel. No pixel that gets an event has more than ``most`` afterwards, so
    ``stochi.data.MaskFilter(most)`` lets all new events pass.

    Attributes:
        most: largest number of events, over all time steps and both polarities, of a pixel that
            gets new ones, at least 1.
    """

    most: int = field(default=2, kw_only=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        self.check_counts("most")

    @property
    def title(self) -> str:
        """Name in reports, without the budget."""
        return f"mask-aware dash (EOT {self.draws}){self.kinds_title}"

    @property
    def activity(self) -> int:
        """Largest number of events of a pixel that gets new ones."""
        return self.most
