"""One progress bar for one long job, on standard error; silent where standard error is not a terminal."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


class Progress:
    """Counts named stages. `stage` names the one that starts and completes the one before it."""

    def __init__(self, title: str, stages: int, enabled: bool | None) -> None:
        from tqdm import tqdm

        # `disable=None` is tqdm's spelling of "only on a terminal".
        disable = None if enabled is None else not enabled
        self._title = title
        self._started = False
        self._bar = tqdm(
            total=stages, desc=title, disable=disable, leave=False, bar_format="{desc} {bar:24} {n}/{total} {elapsed}"
        )

    def stage(self, name: str) -> None:
        if self._started:
            self._bar.update(1)
        self._started = True
        self._bar.set_description_str(f"{self._title}: {name}")

    def close(self) -> None:
        if self._started:
            self._bar.update(1)
        self._bar.close()


@contextmanager
def progress(title: str, stages: int, enabled: bool | None = None) -> Iterator[Progress]:
    """A progress bar over `stages` stages. `enabled`: None = only on a terminal."""
    bar = Progress(title, stages, enabled)
    try:
        yield bar
    finally:
        bar.close()
