"""The table of what each composition of the golden list passed."""

import re
from collections import defaultdict
from typing import Any

_COLUMNS = {
    "test_two_steps_lower_the_loss-eager": "eager",
    "test_two_steps_lower_the_loss-graph": "graph",
    "test_two_steps_lower_the_loss-xla": "xla",
    "test_mixed_bfloat16_trains_with_densities_in_float32": "bfloat16",
    "test_save_and_load_to_the_last_bit": "save",
    "test_config_round_trip": "config",
    "test_export_and_server_answer_as_the_model": "serve",
    "test_samples_are_of_the_prior_and_weights_finite": "sample",
    "test_bad_input_is_refused": "refuse",
}
_ID = re.compile(r"test_conformance\.py::(\w+)\[(?:(eager|graph|xla)-)?(.+)\]$")
_WORDS = {"passed": "ok", "failed": "FAILED", "skipped": "skipped"}


def table(outcomes: dict[str, list[str]]) -> str:
    """Return the table, of test ids by outcome, or nothing if no composition was tested."""
    found: dict[str, dict[str, str]] = defaultdict(dict)
    for outcome, nodes in outcomes.items():
        for match in filter(None, map(_ID.search, nodes)):
            test, mode, name = match.groups()
            column = _COLUMNS.get(f"{test}-{mode}" if mode else test)
            if column:
                found[name][column] = _WORDS[outcome]
    if not found:
        return ""
    width = max(map(len, found))
    columns = list(_COLUMNS.values())
    lines = [" ".join([f"{'composition':{width}}", *(f"{c:8}" for c in columns)])]
    lines += [
        " ".join([f"{name:{width}}", *(f"{row.get(c, '-'):8}" for c in columns)]) for name, row in sorted(found.items())
    ]
    return "\n".join(lines)


def outcomes(reporter: Any) -> dict[str, list[str]]:
    """Return the ids of the tests by outcome."""
    return {word: [report.nodeid for report in reporter.stats.get(word, [])] for word in _WORDS}
