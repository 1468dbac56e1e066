"""Gallery of a finished run: queries beside the first images of their rankings, and its files."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from jaxtyping import UInt8
from numpy.typing import NDArray
from torch import Tensor

from cdd.data.embedded import EMBEDDED
from cdd.data.records import Dataset, RetrievalProtocol, evaluated
from cdd.data.registry import load
from cdd.errors import DataMissingError
from cdd.evaluation.retrieval import embed_all, query_gallery
from cdd.models.deployed import Embedder
from cdd.training.environment import Machine
from reproduce.errors import UsageError
from reproduce.figures.image_grid import draw_grid
from reproduce.figures.output import with_caption
from reproduce.gallery.caption import Scene, notes, title
from reproduce.gallery.rows import Choice, block, gallery_rows, numbers, tiles
from reproduce.planning.preflight import usable_device
from reproduce.storage.provenance import code_version
from reproduce.storage.results_folder import ResultsFolder
from reproduce.tables.rendered_table import RenderedTable
from reproduce.tracking.finished_runs import FinishedRun, FinishedRuns

Report = Callable[[int, int], None]
"""Is told how many images of how many are read."""


@dataclass(frozen=True, kw_only=True)
class GalleryRequest:
    """What the command line asked for.

    Attributes:
        run: a run id, or as much of its beginning as only one run has.
        protocol: None for the data set's first.
    """

    run: str
    choice: Choice = Choice()
    protocol: str | None = None
    results: Path = Path("results")
    machine: Machine = Machine()


def draw_gallery(
    request: GalleryRequest, report: Report = lambda done, total: None
) -> tuple[RenderedTable, list[Path]]:
    """The gallery's sheet and its files, which are written beside the figures of the run's scale.

    Raises:
        UsageError: for a run, protocol, device or data root that cannot be used.
        RunError: for data or a network that cannot be read, or a store that does not answer.
    """
    workspace = ResultsFolder(request.results.resolve())
    runs = FinishedRuns(workspace, code_version())
    run, device = runs.find(request.run), usable_device(request.machine.device)
    dataset = _dataset(run, request.machine.data_root)
    protocol = _protocol(run, dataset, request.protocol)
    network = runs.network(run)
    workspace.check_writable()
    embeddings = _embedded(network, dataset, run, device, report)
    meet = query_gallery(embeddings, dataset, run.recipe.data.use, protocol)
    metrics = meet.metrics(protocol.ranks)
    scene = Scene(
        run=run, dataset=dataset, protocol=protocol, meet=meet, metrics=metrics, choice=request.choice
    )
    rows = gallery_rows(meet, metrics, request.choice)
    sheet = RenderedTable(
        _name(scene),
        title(run),
        (block(rows, dataset, request.choice.top),),
        tuple(notes(scene)),
        numbers(rows, dataset),
    )
    headings = ["query", *(str(rank) for rank in range(1, request.choice.top + 1))]
    picture = with_caption(sheet, draw_grid(tiles(rows, dataset), headings))
    return sheet, picture.write(run.published / "figures")


def _name(scene: Scene) -> str:
    """Of the files; a choice that is not the usual one does not overwrite it."""
    usual = scene.protocol == scene.dataset.protocols[0]
    parts = [
        "gallery",
        scene.run.run_id,
        *([] if usual else [scene.protocol.name]),
        *(["worst"] if scene.choice.worst else []),
    ]
    return "-".join(parts)


def _dataset(run: FinishedRun, data_root: Path | None) -> Dataset:
    data = run.recipe.data
    if data.name not in EMBEDDED and data_root is None:
        raise UsageError(
            f"run {run.run_id} was evaluated on {data.name}, which does not ship with this package: say "
            "where it is with --data-root DIR"
        )
    try:
        return load(data, data_root)
    except DataMissingError as error:
        raise UsageError(f"--data-root {data_root}: {error}") from error


def _protocol(run: FinishedRun, dataset: Dataset, name: str | None) -> RetrievalProtocol:
    known = {protocol.name: protocol for protocol in dataset.protocols}
    if not known:
        raise UsageError(
            f"run {run.run_id} classifies the images of {dataset.name}, which has no queries: choose a "
            "run of retrieval, for example one of table1"
        )
    if name is not None and name not in known:
        raise UsageError(
            f"--protocol {name}: {dataset.name}, the data set of run {run.run_id}, has the protocols "
            f"{', '.join(known)}; give one of them, or none for the first"
        )
    return known[name] if name is not None else dataset.protocols[0]


def _embedded(
    network: Embedder, dataset: Dataset, run: FinishedRun, device: torch.device, report: Report
) -> Tensor:
    """Embeddings of all records that the run is evaluated on, computed as its evaluation did."""
    chosen = evaluated(dataset, run.recipe.data.use)
    done = 0

    def pixels(indices: Sequence[int] | NDArray[np.int64]) -> UInt8[Tensor, "batch 3 height width"]:
        nonlocal done
        done += len(indices)
        report(done, len(chosen))
        return dataset.pixels(indices)

    with torch.backends.cudnn.flags(allow_tf32=False):
        return embed_all(network.to(device), replace(dataset, pixels=pixels), chosen, device)
