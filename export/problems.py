"""The problems of a model that is exported, collected so that all of them are reported at once."""

from dataclasses import dataclass, field

from stochi.errors import ExportError

RETRAIN = " (needs retraining)"


@dataclass
class Problems:
    """A list of problems, each one line: the layer, what is wrong, and the way out.

    Attributes:
        found: the problems, without repetitions, in the order in which they were found.
    """

    found: list[str] = field(default_factory=list)

    def add(self, problem: str) -> None:
        """Add a problem unless it is known already."""
        if problem not in self.found:
            self.found.append(problem)

    def raise_if_any(self) -> None:
        """Raise one ExportError with all problems, if there are any."""
        if len(self.found) == 1:
            raise ExportError(self.found[0])
        if self.found:
            lines = "".join(f"\n- {problem}" for problem in self.found)
            raise ExportError(f"the model has {len(self.found)} problems:{lines}")
