"""Medians over the rounds, and ratios taken within a round."""

from dataclasses import dataclass
from statistics import median

from workloads import Row, Workload


@dataclass(frozen=True)
class Results:
    """All rows of one command."""

    rows: list[Row]

    def by_round(self, workload: Workload, peer: str, n: int) -> dict[int, float]:
        """The figure of each round that has one."""
        return {row["round"]: workload.figure(row) for row in self._of(workload, peer, n) if "skipped" not in row}

    def median(self, workload: Workload, peer: str, n: int) -> float | None:
        """The figure over all rounds; none where no round gave one."""
        figures = self.by_round(workload, peer, n)
        return median(figures.values()) if figures else None

    def ratio(self, workload: Workload, peer: str, n: int, *, to: str, to_n: int | None = None) -> float | None:
        """The median of the ratios within each round, to another peer or (with ``to_n``) to another size."""
        own, others = self.by_round(workload, peer, n), self.by_round(workload, to, to_n or n)
        ratios = [own[number] / others[number] for number in own.keys() & others.keys()]
        return median(ratios) if ratios else None

    def rounds(self, workload: Workload, n: int) -> int:
        """How many rounds measured this size."""
        return len({row["round"] for row in self.rows if (row["workload"], row["n"]) == (workload.name, n)})

    def why_skipped(self, workload: Workload, peer: str, n: int) -> str:
        """The first reason told, or nothing."""
        return next((row["skipped"] for row in self._of(workload, peer, n) if "skipped" in row), "")

    def sizes(self, workload: Workload) -> list[int]:
        """The sizes that were measured or skipped."""
        return sorted({row["n"] for row in self.rows if row["workload"] == workload.name})

    def peers(self, workload: Workload) -> list[str]:
        """The workload's peers that took part."""
        present = {row["peer"] for row in self.rows if row["workload"] == workload.name}
        return [name for name in workload.peers if name in present]

    def _of(self, workload: Workload, peer: str, n: int) -> list[Row]:
        wanted = (workload.name, peer, n)
        return [row for row in self.rows if (row["workload"], row["peer"], row["n"]) == wanted]
