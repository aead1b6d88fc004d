"""Celery's end of C{bench.jobs}: its tasks, with Redis as broker and for results (BENCH_REDIS)."""

from __future__ import annotations

import os
from typing import Any

from celery import Celery

from bench import jobs_done

WHERE = f"redis://127.0.0.1:{os.environ['BENCH_REDIS']}/0"
app = Celery("bench", broker=WHERE, backend=WHERE)
TASKS: dict[str, Any] = {
    "nothing": app.task(name="nothing")(jobs_done.nothing),
    "nap": app.task(name="nap")(jobs_done.nap),
}
