"""`doctor`: what works on this machine, and what to do about the rest."""

import typer

from workflow_engine.cli.common import EXIT_BROKEN, emit, print_json, settings


def doctor(
    as_json: bool = typer.Option(False, "--json", help="Print one JSON object to stdout."),
) -> None:
    """Check ffmpeg, encoders, filters, the store, buckets and Prefect."""
    from workflow_engine.service.doctor import examine

    findings = examine(settings())
    if as_json:
        print_json(
            {
                "Checks": [
                    {"Name": f.name, "Works": f.works, "Detail": f.detail, "Remedy": f.remedy}
                    for f in findings
                ]
            }
        )
    else:
        width = max(len(finding.name) for finding in findings)
        for finding in findings:
            mark = "ok  " if finding.works else "FAIL"
            emit(f"{mark} {finding.name:<{width}}  {finding.detail}")
            if finding.remedy:
                emit(f"     {'':<{width}}  {finding.remedy}")
    if not all(finding.works for finding in findings):
        raise typer.Exit(EXIT_BROKEN)
