"""One execution, from what it reads to what it leaves.

`submission.py` makes executions, `inputs.py` finds what they read, `service.py` runs what was
claimed, under a `lease.py`. `runner.py` brings one execution to its end, activity by activity;
`journal.py` keeps its record, `publisher.py` makes its outputs visible, and `completion.py` says
what the end of an activity means for the media library and for the receivers of messages.
"""
