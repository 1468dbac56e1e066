"""Caption of a gallery: run, data, protocol, choice of queries, meaning of the frames."""

from dataclasses import dataclass

from cdd.data.records import Dataset, RetrievalProtocol, Selection
from cdd.evaluation.metrics import RetrievalMetrics
from cdd.evaluation.retrieval import QueryGallery
from cdd.values import Use
from reproduce.gallery.rows import SIGNS, Choice
from reproduce.tables.caption import DIGEST_LENGTH, made_with, scale_text
from reproduce.tracking.finished_runs import FinishedRun

USES: dict[Use, str] = {
    "standard": "test identities",
    "tuning": "validation identities",
    "pretraining": "validation identities",
    "classification": "held-out images of the trained classes",
    "classification-tuning": "training images set aside for tuning",
}


@dataclass(frozen=True, kw_only=True)
class Scene:
    """Who was asked, by which rules, and how well it answered."""

    run: FinishedRun
    dataset: Dataset
    protocol: RetrievalProtocol
    meet: QueryGallery
    metrics: RetrievalMetrics
    choice: Choice


def title(run: FinishedRun) -> str:
    """The method, the run and its data."""
    data = run.recipe.data
    scale = f"{run.scale} scale, " if run.scale else ""
    where = f"{scale}{data.name} at {data.height}x{data.width}"
    return f"Retrieval results of {run.label}, run {run.run_id}: {where}"


def notes(scene: Scene) -> list[str]:
    """The sentences of the caption, one group each."""
    return [
        _run(scene.run),
        _data(scene),
        _protocol(scene),
        _queries(scene),
        _accuracy(scene),
        _reading(scene.choice.top),
        made_with([scene.run.environment]),
    ]


def _run(run: FinishedRun) -> str:
    scale = f" Scale {run.scale}: {scale_text(run.scale, [run.recipe.data.name])}." if run.scale else ""
    method = type(run.recipe.method).__name__
    return f"Run {run.run_id}: {run.label} (method {method}), seed {run.recipe.seed}.{scale}"


def _data(scene: Scene) -> str:
    data, digest = scene.run.recipe.data, scene.dataset.digest
    what = f"{data.name} at {data.height}x{data.width}, {USES[data.use]}"
    text = f"Data: {what} (digest {digest[:DIGEST_LENGTH]})."
    evaluated = str(scene.run.environment.get("data_digest", digest))
    if evaluated == digest:
        return text
    return f"{text} The run was evaluated on other data (digest {evaluated[:DIGEST_LENGTH]})."


def _protocol(scene: Scene) -> str:
    protocol, meet = scene.protocol, scene.meet
    left_out = (
        "images of the query's identity from its own camera, the query itself among them, are left out"
        if protocol.excludes_same_camera
        else "nothing is left out"
    )
    return (
        f"Protocol {protocol.name}: {len(meet.query_records)} queries{_cameras(protocol.query)} against "
        f"{len(meet.gallery_records)} gallery images{_cameras(protocol.gallery)}; {left_out}."
    )


def _cameras(selection: Selection) -> str:
    if selection.cameras is None:
        return ""
    words = "camera" if len(selection.cameras) == 1 else "cameras"
    return f" of {words} {', '.join(map(str, sorted(selection.cameras)))}"


def _queries(scene: Scene) -> str:
    choice, valid = scene.choice, scene.metrics.valid_queries
    count = min(choice.queries, valid)
    how = (
        "those of lowest average precision, the lowest first; equal ones in the order of the data set"
        if choice.worst
        else f"sampled evenly at random with seed {choice.seed}, in the order of the data set"
    )
    return f"Queries: {count} of the {valid} that have a match in the gallery, {how}."


def _accuracy(scene: Scene) -> str:
    recorded = scene.run.metrics.get(f"{scene.protocol.name}/mAP")
    again = (
        f"{100 * scene.metrics.mean_average_precision:.2f} % computed again from the embeddings shown here"
    )
    before = "not recorded" if recorded is None else f"{100 * recorded:.2f} % as recorded"
    return f"mAP of the run under this protocol, over all queries: {before}, {again}."


def _reading(top: int) -> str:
    right, wrong = SIGNS["right"], SIGNS["wrong"]
    return (
        f"Left of the gap the query, right of it the first {top} gallery images by cosine similarity of the "
        "deployed network's embeddings, equal ones in the order of the data set. Solid green frame and "
        f"{right}: the query's identity; dashed orange frame and {wrong}: another one. AP: average precision "
        "of the query's whole ranking. Pixels are the data set's at the size that the network sees."
    )
