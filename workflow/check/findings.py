"""What a check found, beside what is needed, as one line."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    """One line of the check. `todo` says what to do about it; None where nothing is wrong."""

    what: str
    found: str
    needed: str
    todo: str | None = None

    @property
    def is_fine(self) -> bool:
        """Whether the experiment can go on."""
        return self.todo is None

    def __str__(self) -> str:
        mark = "ok     " if self.is_fine else "MISSING"
        return f"{mark}  {self.what}: {self.found} (needed: {self.needed})"


def conclusion(findings: list[Finding]) -> str:
    """The last lines: OK, or what is missing and what to do about it."""
    wrong = [finding for finding in findings if not finding.is_fine]
    if not wrong:
        return "OK"
    return "\n".join(["Not yet:", *(f"  {finding.what}: {finding.todo}" for finding in wrong)])


def gib(size: float) -> str:
    """Bytes in words."""
    return f"{size / 2**30:.1f} GiB"
