"""The executor without Prefect: a thread per ready activity."""

from collections.abc import Iterable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait

from workflow_engine.errors import Interruption
from workflow_engine.run.outcomes import Outcome
from workflow_engine.run.runner import Runner

#: activities in work at once; those that start a media process queue for its slot
MAX_THREADS = 16


class InlineExecutor:
    """Runs activities on threads of this process."""

    abandoned = False

    def execute(self, runner: Runner) -> None:
        """Run what has not ended yet, in the order of the graph, branches side by side."""
        graph = runner.graph
        left = {name: set(graph.predecessors(name)) for name in graph.order}
        running: dict[Future[Outcome], str] = {}
        with ThreadPoolExecutor(MAX_THREADS, thread_name_prefix="activity") as pool:

            def submit(names: Iterable[str]) -> None:
                for name in list(names):
                    del left[name]
                    running[pool.submit(runner.run_activity, name)] = name

            try:
                submit(name for name in graph.order if not left[name])
                while running:
                    done, _ = wait(running, return_when=FIRST_COMPLETED)
                    for future in done:
                        ended = running.pop(future)
                        future.result()
                        behind = [n for n in graph.dag.successors(ended) if n in left]
                        for name in behind:
                            left[name].discard(ended)
                        submit(name for name in behind if not left[name])
            except BaseException:
                runner.stop(Interruption.USER)
                raise
