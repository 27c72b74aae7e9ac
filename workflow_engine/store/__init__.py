"""The store: every execution, activity, output and content key, in SQLite or PostgreSQL.

It is the truth about all runs (design, decision 1); Prefect only shows them. `executions.py` has
the `Store` that everybody uses; below it `statements.py` reads and writes rows, `rows.py` turns
records into rows and back, `schema.py` holds the tables, `database.py` runs the transactions.

    store = Store.open("sqlite:////var/lib/mediaflow/mediaflow.db")
    claim = store.add_execution(record, owner="host:4711", lease_seconds=60)
    store.save_activity(claim, running)
"""

from workflow_engine.store.database import shown_url
from workflow_engine.store.executions import Store
from workflow_engine.store.rows import Intent, StepResult
from workflow_engine.store.statements import Claim

__all__ = ["Claim", "Intent", "StepResult", "Store", "shown_url"]
