"""Jobs outside of workflows: one transcode, snapshot, analysis or probe of one object.

A job is an execution of a small topology under its own kind; its RunId is the JobId. `jobs.py`
has `Jobs`, which everybody uses; below it `transcoding` makes the jobs of SubmitJobs, `new_job`
says what a job is before it is queued, `topologies` writes their topologies, `given` has the
parameters that they share, `boost` the rules of Boost pipelines, `echo` what answers repeat of a
request, and `states` filters by the words for states. `messages/job_objects.py` makes the job
objects of the API out of executions.
Specification: api, 4, 5 and 9; analysis; mediainfo, 1; snapshot, 1.
"""

from workflow_engine.jobs.echo import output_echo
from workflow_engine.jobs.given import JobInput
from workflow_engine.jobs.jobs import Jobs
from workflow_engine.jobs.topologies import Target

__all__ = [
    "JobInput",
    "Jobs",
    "Target",
    "output_echo",
]
