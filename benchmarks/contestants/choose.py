"""Choose a contestant's best setting, and repeat short pieces of work long enough to time them."""

import time
from collections.abc import Callable, Sequence

from contestants.worker import Measure


def fastest(estimate: Callable[[int], float], choices: Sequence[int]) -> Measure:
    """Run `estimate` twice with each choice, and measure with the one whose second run was fastest."""

    def seconds(choice: int) -> float:
        estimate(choice)
        start = time.perf_counter()
        estimate(choice)
        return time.perf_counter() - start

    chosen = min(choices, key=seconds)
    return lambda: {"log_likelihood": estimate(chosen), "chosen": chosen}


def repeatedly(step: Callable[[], object], seconds: float = 2.0) -> Measure:
    """Repeat a step for some seconds and return the number of repeats."""

    def measure() -> dict[str, int]:
        repeats, until = 0, time.perf_counter() + seconds
        while time.perf_counter() < until:
            step()
            repeats += 1
        return {"repeats": repeats}

    return measure
