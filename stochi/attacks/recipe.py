"""Recipe of an attack: its name, budget and parameters as a value."""

from dataclasses import dataclass, field

Plain = bool | int | float | str | None
"""Values that a report can hold as they are."""
EPSILON = "ε"
"""Unit of a budget that is the largest change of a pixel."""


@dataclass(frozen=True)
class Recipe:
    """What an attack is and does, for reports and comparisons.

    Attributes:
        kind: name of the attack's class.
        title: name in reports without the budget, like "PGD-20 (EOT 10)".
        budget: how much the attack may change, ε or a number of events; None if the attack does
            not name its ``budget_field``.
        budget_unit: unit of the budget, "ε" or "events".
        uses_model: whether the result depends on the model that is attacked.
        uses_gradients: whether the attack needs the model's gradients.
        single_step: whether it follows the gradient in a single step, as FGSM does.
        draws: runs of a random model that one gradient or answer is averaged over.
        parameters: the attack's dataclass fields that take part in comparisons, by name. Surrogates
            are their names; other values that are not plain are represented by their ``repr``.
    """

    kind: str
    title: str
    budget: int | float | None
    budget_unit: str
    uses_model: bool
    uses_gradients: bool
    single_step: bool
    draws: int
    parameters: dict[str, Plain] = field(hash=False)

    @property
    def epsilon(self) -> float | None:
        """ε of an attack on images; None if the budget is not an ε."""
        return self.budget if self.budget_unit == EPSILON else None

    @property
    def name(self) -> str:
        """Name in reports, with the budget."""
        return self.title + self.limit

    @property
    def limit(self) -> str:
        """The budget as the end of a name, "" if it is not a number."""
        if self.budget is None:
            return ""
        if self.budget_unit == EPSILON:
            return f", {EPSILON} = {self.budget:g}"
        return f", {self.budget} {self.budget_unit}"
