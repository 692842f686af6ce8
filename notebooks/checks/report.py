"""What a check says, and which tasks are done."""

import functools
from collections.abc import Callable
from dataclasses import dataclass

_PASSED: set[str] = set()
_TO_DO = "not written yet, or it calls a task that is not; after writing that one, run this cell again"


@dataclass(frozen=True)
class Report:
    """The result of a check; a notebook shows it as one line.

    Attributes:
        task: Its name.
        done: Whether the task is right.
        words: What agrees, or what is wrong and what to look at.
    """

    task: str
    done: bool
    words: str

    def __repr__(self) -> str:
        return f"{'✓' if self.done else '✗'} {self.task}: {self.words}"


class Wrong(Exception):
    """A check's finding, with a hint."""


def check(body: Callable[..., str]) -> Callable[..., Report]:
    """Make a check of a function that returns what agrees, or raises `Wrong`.

    Whatever else the student's code raises becomes a report as well: the notebook goes on.
    """
    task = body.__name__

    @functools.wraps(body)
    def checked(*args: object) -> Report:
        try:
            report = Report(task, True, body(*args))
        except NotImplementedError:
            report = Report(task, False, _TO_DO)
        except Wrong as finding:
            report = Report(task, False, str(finding))
        except Exception as error:
            report = Report(task, False, f"it raised {type(error).__name__}: {' '.join(str(error).split())[:300]}")
        (_PASSED.add if report.done else _PASSED.discard)(task)
        return report

    return checked


def passed(*tasks: str) -> bool:
    """Tell whether the latest check of each of these tasks was passed."""
    return _PASSED.issuperset(tasks)


def after(line: str, cell: str) -> None:
    """The cell magic `%%after kl sample`: run the cell if the checks of these tasks were passed, else say so."""
    from IPython import get_ipython

    missing = [task for task in line.split() if not passed(task)]
    if missing:
        print(f"This cell waits for: {', '.join(missing)}")
        return
    get_ipython().run_cell(cell).raise_error()


def _register() -> None:
    try:
        from IPython import get_ipython
    except ImportError:
        return
    if shell := get_ipython():
        shell.register_magic_function(after, "cell")


_register()
