"""Listeners that notice what lands in buckets, and the component of `serve` that runs them.

`service.py` is that component; `listener.py` says what a listener is. `watch.py` listens to local
folders (`inotify.py` and `observed.py` hear, `folder.py` knows the root, `notice_buffer.py` hands
over), `sqs.py` to queues, `webhook.py` to HTTP, `polling.py` only lists; `events.py` reads the
shapes of events. `reconciler.py` lists a bucket when it must be. Everything behind a notice is
`Intake`, in the engine. How to add one: docs/triggers.md.
"""
