"""The jobs that clients of the API know activities by."""

import sqlalchemy as sa
from alembic import op

revision = "6"
down_revision = "5"

_MOMENT = sa.DateTime(timezone=True)
_ORDER = ("created", "job_id")


def upgrade() -> None:
    """Add the jobs, and those of activities that had a JobId already."""
    op.add_column(
        "activities", sa.Column("further_jobs", sa.Text, nullable=False, server_default="[]")
    )
    op.create_table(
        "activity_jobs",
        sa.Column("job_id", sa.Text, primary_key=True),
        sa.Column("run_id", sa.Text, nullable=False),
        sa.Column("activity", sa.Text, nullable=False),
        sa.Column("position", sa.Integer, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("pipeline_id", sa.Text, nullable=False),
        sa.Column("outcome", sa.Text, nullable=False),
        sa.Column("created", _MOMENT, nullable=False),
        sa.ForeignKeyConstraint(["run_id", "activity"], ["activities.run_id", "activities.name"]),
    )
    for name, columns in {
        "activity": ("run_id", "activity"),
        "kind": ("kind", *_ORDER),
        "outcome": ("kind", "outcome", *_ORDER),
        "pipeline": ("kind", "pipeline_id", *_ORDER),
        "pipeline_outcome": ("kind", "pipeline_id", "outcome", *_ORDER),
    }.items():
        op.create_index(f"activity_jobs_by_{name}", "activity_jobs", list(columns))
    # skipped activities have no job, nor have the activities of jobs outside of workflows
    op.execute(
        "UPDATE activities SET job_id = '' WHERE state = 'Skipped' "
        "OR type NOT IN ('Start', 'Transcode', 'Snapshot', 'Analysis') "
        "OR run_id IN (SELECT run_id FROM executions WHERE kind <> 'workflow')"
    )
    op.execute(
        "INSERT INTO activity_jobs (job_id, run_id, activity, position, kind, pipeline_id, "
        "outcome, created) "
        "SELECT a.job_id, a.run_id, a.name, 0, "
        "CASE a.type WHEN 'Start' THEN 'media-info' ELSE lower(a.type) END, e.pipeline_id, "
        "CASE a.state WHEN 'Success' THEN 'Completed' "
        "WHEN 'Running' THEN CASE WHEN e.ended IS NULL THEN 'Running' ELSE e.outcome END "
        "ELSE CASE WHEN a.code = 'Cancelled' THEN 'Cancelled' ELSE 'Fail' END END, "
        "coalesce(a.started, e.created) "
        "FROM activities a JOIN executions e ON e.run_id = a.run_id WHERE a.job_id <> ''"
    )
