"""What the numbers and words of a report may be: its schema has these bounds, and loading too."""

from dataclasses import dataclass
from typing import Annotated, Any, Protocol, TypeVar

from pydantic import AfterValidator, Field, GetCoreSchemaHandler
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from stochi.attacks.recipe import Recipe
from stochi.statistics.intervals import Estimate

ROUNDING = 1e-9
"""Part of a number up to which a difference is rounding."""

Count = Annotated[int, Field(ge=0)]
Positive = Annotated[int, Field(ge=1)]
Share = Annotated[float, Field(ge=0, le=1)]
Change = Annotated[float, Field(ge=-1, le=1)]
"""Difference of two shares."""
NotNegative = Annotated[float, Field(ge=0)]
Margin = Annotated[float, Field(gt=0)]


@dataclass(frozen=True)
class OneOf:
    """Annotation of a string that is one of a few words."""

    words: tuple[str, ...]

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        """Schema of the words, for pydantic."""
        return core_schema.literal_schema(list(self.words))


@dataclass(frozen=True)
class CheckedAs:
    """Annotation of a dataclass that is checked by the bounds of a subclass, and stays itself."""

    kind: type

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        """Schema of the subclass, for pydantic."""

        def as_source(checked: Any) -> Any:
            return source(**vars(checked))

        schema = handler.generate_schema(self.kind)
        return core_schema.no_info_after_validator_function(as_source, schema)


class Interval(Protocol):
    """A value and its interval."""

    @property
    def value(self) -> float:
        """The value."""

    @property
    def low(self) -> float:
        """The lower end."""

    @property
    def high(self) -> float:
        """The upper end."""


Found = TypeVar("Found", bound=Interval)


def check_interval(found: Found) -> Found:
    """Return it, if its interval holds its value.

    Raises:
        PydanticCustomError: it does not.
    """
    check_ends(found.value, found.low, found.high)
    return found


def check_ends(value: float, low: float, high: float) -> None:
    """Raise PydanticCustomError unless low ≤ value ≤ high, but for rounding."""
    room = ROUNDING * max(1.0, abs(value), abs(low), abs(high))
    if not low - room <= value <= high + room:
        shown = {"low": f"{low:g}", "high": f"{high:g}", "value": f"{value:g}"}
        raise PydanticCustomError(
            "interval", "the interval from {low} to {high} does not hold {value}", shown
        )


@dataclass(frozen=True)
class _Sampled(Estimate):
    """An estimate from a sample that is not empty."""

    images: Positive
    trials: Positive
    trial_spread: NotNegative = 0.0


@dataclass(frozen=True)
class AccuracyEstimate(_Sampled):
    """An estimate of a share."""

    value: Share
    low: Share
    high: Share


@dataclass(frozen=True)
class ChangeEstimate(_Sampled):
    """An estimate of a difference of shares."""

    value: Change
    low: Change
    high: Change


@dataclass(frozen=True)
class ErrorEstimate(_Sampled):
    """An estimate of a mean squared error; a normal interval may reach below 0."""

    value: NotNegative


@dataclass(frozen=True)
class NumberEstimate(_Sampled):
    """An estimate of any number."""


@dataclass(frozen=True)
class AttackRecipe(Recipe):
    """A recipe as a report holds it."""

    budget: Count | NotNegative | None
    draws: Count


Accuracy = Annotated[Estimate, CheckedAs(AccuracyEstimate), AfterValidator(check_interval)]
AccuracyChange = Annotated[Estimate, CheckedAs(ChangeEstimate), AfterValidator(check_interval)]
ErrorFound = Annotated[Estimate, CheckedAs(ErrorEstimate), AfterValidator(check_interval)]
NumberFound = Annotated[Estimate, CheckedAs(NumberEstimate), AfterValidator(check_interval)]
Attack = Annotated[Recipe, CheckedAs(AttackRecipe)]
