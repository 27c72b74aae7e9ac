"""The store: every execution and all that is registered, in SQLite or PostgreSQL.

It is the truth about all runs (decision 1); Prefect only shows them. `executions.py` has
the `Store` that everybody uses. Its methods about claims and lists do what `queue.py` and
`pages.py` say; its attributes are the tables of the catalog and the outbox, one module each.
Below, `statements.py` reads and writes rows, `rows.py` and `catalog_rows.py` turn records into
rows and back, `summaries.py` and `published.py` read what answers tell of executions,
`schema.py` and `catalog_schema.py` hold the tables, `database.py` runs the transactions, and
`prepared.py` the queries that are asked all the time.

    store = Store.open("sqlite:////var/lib/mediaflow/mediaflow.db")
    claim = store.add_execution(record, owner="host:4711", lease_seconds=60)
    store.save_activity(claim, running)
"""

from workflow_engine.store.bucket_sets import MOST_COUNTED, Waiting, buckets_text, lacking
from workflow_engine.store.connections import shown_url
from workflow_engine.store.executions import Store
from workflow_engine.store.pages import ExecutionFilter, Page
from workflow_engine.store.published import Published, PublishedOutput
from workflow_engine.store.retention import Window
from workflow_engine.store.rows import Intended, Intent
from workflow_engine.store.statements import Claim
from workflow_engine.store.summaries import ActivitySummary, ExecutionLine, ExecutionSummary
from workflow_engine.store.upkeep import Checked

__all__ = [
    "MOST_COUNTED",
    "ActivitySummary",
    "Checked",
    "Claim",
    "ExecutionFilter",
    "ExecutionLine",
    "ExecutionSummary",
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
