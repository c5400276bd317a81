"""Text from files, shown and never obeyed.

Names of layers, classes and files come from others. A terminal obeys control characters, and marks
of direction turn what stands beside them round. So all that is not printable is shown escaped, by
the same rule as Python's ``repr``.
"""

LONGEST = 3_000
"""Characters of a message; of a longer one the beginning and the end are shown."""
_END = 800
SHOWN = 60
"""The most characters of a value in a message."""


class Lines(str):
    """Text on several lines, whose line breaks come from no file."""

    @classmethod
    def of(cls, *lines: str) -> "Lines":
        """Return lines, each escaped."""
        return cls("\n".join(map(escape_text, lines)))


def escape_text(text: str) -> str:
    r"""Return text on one line, with ``\x1b``, ``\n`` or ``\u202e`` for what is not printable."""
    return text if text.isprintable() else "".join(map(_shown, text))


def escape_lines(text: str) -> str:
    """Return text with its lines kept apart, each as :func:`escape_text` returns it."""
    return "\n".join(map(escape_text, text.split("\n")))


def escape_message(text: str) -> str:
    """Return text on one line, spaces for line breaks, without the middle if it is very long."""
    shown = text if text.isprintable() else escape_text(" ".join(text.split()))
    if len(shown) <= LONGEST:
        return shown
    return f"{shown[: LONGEST - _END]} … {shown[-_END:]}"


def escape_surrogates(text: str) -> str:
    r"""Return text that UTF-8 can hold, ``\udcff`` for a byte of a file's name that it cannot."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def escape_label(text: str) -> str:
    r"""Return text that matplotlib shows as it is, which takes ``$…$`` for formulas.

    A label that begins with an underscore would be left out of legends.
    """
    shown = escape_lines(text).replace("$", r"\$")
    return f" {shown}" if shown.startswith("_") else shown


def counted(number: int, what: str, many: str | None = None) -> str:
    """Return a number with its noun: "1 trial", "2,000 trials".

    Args:
        number: the number.
        what: the noun in the singular.
        many: its plural, if that is not with an s.
    """
    return f"{number:,} {what if number == 1 else many or what + 's'}"


def amount(value: float) -> str:
    """Return a number with as many decimals as its size needs: "1,234", "12.3", "0.5"."""
    return f"{value:,.0f}" if value >= 1000 or value == int(value) else f"{value:,.3g}"


def decimal(value: float, digits: int) -> str:
    """Return a number with this number of decimals, "0.0" for what rounds to 0 from either side."""
    return minus(f"{round(value, digits) + 0.0:.{digits}f}")


def in_percent(share: float, digits: int) -> str:
    """Return a share as "12.5%", "0.0%" for what rounds to 0 from either side."""
    return f"{decimal(100 * share, digits)}%"


def interval_in_percent(value: float, low: float, high: float, digits: int = 1) -> str:
    """Return a share with its interval, "12.5% [10.0%, 15.0%]"."""
    shown, least, most = (in_percent(one, digits) for one in (value, low, high))
    return f"{shown} [{least}, {most}]"


def signed(value: float, digits: int) -> str:
    """Return a number with its sign; "+0.0" for what rounds to 0 from either side."""
    return minus(f"{round(value, digits) + 0.0:+.{digits}f}")


def minus(number: str) -> str:
    """Return a written number with a minus sign in place of the hyphen."""
    return number.replace("-", "−")


def shorten_repr(value: object) -> str:
    """Return a value's repr on one line, cut short; of what has none that can be had, its type."""
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) >= 10**SHOWN:
        return f"a number of {value.bit_length()} bits"
    try:
        text = repr(value)
    except Exception:  # a foreign class, or integers in a tuple that are too long to print
        return f"of type {type(value).__name__}"
    text = text if text.isprintable() else ascii(text)
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}…"


def text_of(value: object) -> str:
    """Return a value as ``str`` does; of what has no text that can be had, its type."""
    try:
        return str(value)
    except Exception:  # a foreign class
        return f"of type {type(value).__name__}"


def _shown(character: str) -> str:
    if character.isprintable():
        return character
    return character.encode("unicode_escape").decode("ascii")
