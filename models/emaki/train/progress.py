"""Progress lines: one JSON object per line, to the console and a log file."""

import json
import time
from pathlib import Path


class Progress:
    """Averages figures between lines. Steps and samples are the clock."""

    def __init__(self, log: Path) -> None:
        log.parent.mkdir(parents=True, exist_ok=True)
        self._log = log
        self._sums: dict[str, float] = {}
        self._count = 0
        self._cpu = time.process_time()

    def add(self, **figures: float) -> None:
        for name, value in figures.items():
            self._sums[name] = self._sums.get(name, 0.0) + value
        self._count += 1

    def line(self, **facts: float) -> None:
        """Prints `facts` and the means since the last line."""
        means = {k: v / self._count for k, v in self._sums.items()}
        cpu, self._cpu = time.process_time() - self._cpu, time.process_time()
        row = {**facts, **means, "cpu_s_per_step": cpu / max(self._count, 1)}
        row = {k: round(float(v), 5) for k, v in row.items()}
        row["at"] = time.strftime("%H:%M:%S")
        print(json.dumps(row), flush=True)
        with self._log.open("a") as f:
            f.write(json.dumps(row) + "\n")
        self._sums, self._count = {}, 0
