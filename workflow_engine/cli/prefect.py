"""`prefect status|stop`: the local Prefect server of this data directory."""

from workflow_engine.cli.commands import App
from workflow_engine.cli.common import emit, settings

app = App(help="The local Prefect server.")


@app.command()
def status() -> None:
    """Say which Prefect server runs report to, and whether it answers."""
    from workflow_engine.executor import prefect_api, prefect_server

    chosen = settings()
    if api_url := prefect_api.configured_url(chosen.prefect.api_url):
        prefect_api.require_answer(api_url)
        emit(f"configured server, answers: {prefect_api.ui_url(api_url)}")
        return
    server = prefect_server.running_server(chosen.data_dir)
    if server is None:
        emit("no local server; the next run starts one")
    else:
        emit(f"local server, pid {server.pid}: {prefect_api.ui_url(server.api_url)}")


@app.command()
def stop() -> None:
    """Stop the local Prefect server; its database stays."""
    from workflow_engine.executor import prefect_server

    server = prefect_server.stop_server(settings().data_dir)
    emit(f"stopped the server with pid {server.pid}" if server else "no local server runs")
