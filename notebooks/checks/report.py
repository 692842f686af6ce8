"""The report of a check, and which tasks are done."""

import functools
from collections.abc import Callable
from dataclasses import dataclass

_PASSED: set[str] = set()
_TO_DO = "not written yet, or it calls a task that is not. Write that task, then run this cell again"


@dataclass(frozen=True)
class Report:
    """The result of a check, shown as one line in a notebook.

    Attributes:
        task: Name of the task.
        done: Whether the solution is correct.
        words: What agrees, or what is wrong and how to fix it.
    """

    task: str
    done: bool
    words: str

    def __repr__(self) -> str:
        return f"{'✓' if self.done else '✗'} {self.task}: {self.words}"


class Wrong(Exception):
    """A mistake found by a check, with a hint."""


def check(body: Callable[..., str]) -> Callable[..., Report]:
    """Turn a function that returns what agrees, or raises `Wrong`, into a check.

    Any other exception in the student's code becomes a report as well, so that the notebook continues.
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
    """Return whether the most recent check of each task passed."""
    return _PASSED.issuperset(tasks)


def after(line: str, cell: str) -> None:
    """Cell magic, as in `%%after kl sample`: run the cell if the checks of these tasks have passed."""
    from IPython import get_ipython

    missing = [task for task in line.split() if not passed(task)]
    if missing:
        print(f"Complete these tasks before running this cell: {', '.join(missing)}")
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
