"""The store: every execution and all that is registered, in SQLite or PostgreSQL.

It is the truth about all runs (decision 1); Prefect only shows them. `store.py` has the `Store`
that everybody uses; its attributes are its parts, one module each: `queue.py`, `executions.py` and
`steps.py` for the runs, beside them the tables of the catalog, the intake and the outbox. Below,
`new_executions.py` and `next_execution.py` say what comes into the queue and out of it, `pages.py`
lists executions, `summaries.py` and `published.py` read what answers tell of them, `glances.py`
and `landings.py` what pages show; `mapping.py`
turns records into rows and back, `schema.py`, `catalog_schema.py` and `landing_schema.py` hold the
tables, `types.py` what stands in their columns; `database.py` runs the transactions, and
`fast_queries.py` the queries that are asked all the time.

>>> store = Store.open("sqlite:///mediaflow.db")
>>> store.executions.get("0" * 32) is None
True
>>> store.close()
"""

from workflow_engine.store.bucket_sets import MOST_COUNTED, Waiting, buckets_text, lacking
from workflow_engine.store.claims import Claim
from workflow_engine.store.connections import shown_url
from workflow_engine.store.glances import ActivityGlance, Glance
from workflow_engine.store.mapping import Intended, Intent
from workflow_engine.store.pages import ExecutionFilter, Page
from workflow_engine.store.published import Published, PublishedOutput
from workflow_engine.store.retention import Window
from workflow_engine.store.store import Store
from workflow_engine.store.summaries import ActivitySummary, ExecutionLine, ExecutionSummary
from workflow_engine.store.upkeep import Checked

__all__ = [
    "MOST_COUNTED",
    "ActivityGlance",
    "ActivitySummary",
    "Checked",
    "Claim",
    "ExecutionFilter",
    "ExecutionLine",
    "ExecutionSummary",
    "Glance",
    "Intended",
    "Intent",
    "Page",
    "Published",
    "PublishedOutput",
    "Store",
    "Waiting",
    "Window",
    "buckets_text",
    "lacking",
    "shown_url",
]
