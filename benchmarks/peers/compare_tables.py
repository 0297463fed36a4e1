"""reladiff at work, run by the interpreter that it is installed for: how many rows differ, in how long.

    python compare_tables.py URL URL '{"accounts": [["id"], ["email", "version"]]}'

Tables by name with their keys and the other columns to compare. Importing and connecting is not timed.
"""

import importlib
import json
import logging
import sys
import time
from typing import Any

THREADS = 4


def main() -> None:
    """One table after the other, as reladiff compares them."""
    one, other, tables = sys.argv[1], sys.argv[2], json.loads(sys.argv[3])
    reladiff: Any = importlib.import_module("reladiff")
    # It warns of types that databases of two vendors might spell differently. These are two of one.
    logging.disable(logging.WARNING)
    databases = [reladiff.connect(url, thread_count=THREADS) for url in (one, other)]
    differing = 0
    began = time.perf_counter()
    for name, (keys, columns) in tables.items():
        segments = [
            reladiff.TableSegment(
                each, (name,), tuple(keys), extra_columns=tuple(columns), case_sensitive=False
            ).with_schema()
            for each in databases
        ]
        differing += sum(1 for _ in reladiff.diff_tables(*segments, max_threadpool_size=2 * THREADS))
    seconds = time.perf_counter() - began
    for each in databases:
        each.close()
    print(json.dumps({"seconds": seconds, "differing": differing}))


if __name__ == "__main__":
    main()
