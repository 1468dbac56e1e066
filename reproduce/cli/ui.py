"""The verb `ui`: MLflow's pages."""

import subprocess
import sys
from typing import Annotated

import typer

from reproduce.cli.group import FAILURE
from reproduce.cli.options import RESULTS, Results
from reproduce.errors import UsageError
from reproduce.storage.provenance import CodeVersion
from reproduce.storage.results_folder import ResultsFolder
from reproduce.tracking import connection, pages
from reproduce.tracking.store import existing_store


def ui(
    port: Annotated[int, typer.Option(min=1, max=65535)] = 5000,
    results: Results = RESULTS,
) -> None:
    """MLflow's own pages on the same store, on this machine only.

    python -m reproduce ui --port 5001
    """
    uri = connection.tracking_uri(results)
    is_server = uri.startswith("http")
    base = connection.redacted(uri).rstrip("/") if is_server else f"http://{pages.HOST}:{port}"
    if is_server:
        typer.echo(f"The store is a server: open {base}")
    else:
        pages.check_port(port)
    store = existing_store(
        ResultsFolder(results.resolve()), CodeVersion("unknown", dirty=True)
    )  # writes nothing
    if store is None:
        raise UsageError(
            f"there is no store yet at {connection.redacted(uri)}: train something first, or give "
            "the --results of what was trained"
        )
    for name, address in pages.experiments(store, base):
        typer.echo(f"{name}: {address}")
    if not connection.is_database(uri):
        return
    location = connection.artifact_location(uri, results) or ""
    typer.echo(f"{base} shows {connection.redacted(uri)}; Ctrl-C ends it.")
    command = [sys.executable, "-m", "mlflow", "ui", "--host", pages.HOST, "--port", str(port)]
    command += ["--backend-store-uri", uri, "--default-artifact-root", location]
    try:
        code = subprocess.run(command, check=False).returncode
    except KeyboardInterrupt:
        return
    raise typer.Exit(FAILURE if code else 0)
