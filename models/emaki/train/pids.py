"""The file of process ids, for whoever wants to pause a training."""


def note(path: str | None, pids: list[int]) -> None:
    """Appends `pids`, one a line, where a path was given."""
    if path:
        with open(path, "a") as f:
            f.writelines(f"{pid}\n" for pid in pids)
