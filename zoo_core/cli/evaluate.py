"""`zoo evaluate`: measure a model, and check what is recorded of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from zoo_core.cli import complete, output
from zoo_core.cli.output import examples

if TYPE_CHECKING:
    from zoo_core.evaluation import Evaluation

app = typer.Typer(add_completion=False)


@app.command(
    "evaluate",
    epilog=examples("zoo evaluate glow", "zoo evaluate glow:mnist --verify", "zoo evaluate ./runs/glow-mnist --record"),
)
def evaluate(
    name: Annotated[
        str,
        typer.Argument(metavar="NAME", help="A preset, by name or by folder.", autocompletion=complete.models),
    ],
    data: Annotated[
        str | None,
        typer.Option(
            metavar="DATA",
            help="A data set's name, a FILE.npz or a FOLDER; what it was trained on if left out.",
            autocompletion=complete.data_sets,
        ),
    ] = None,
    split: Annotated[str, typer.Option(metavar="SPLIT", help="train, validation or test.")] = "test",
    seed: Annotated[int, typer.Option(metavar="N", help="The seed of whatever is random in the measurement.")] = 0,
    limit: Annotated[int | None, typer.Option(metavar="N", min=1, help="Measure the first N examples only.")] = None,
    record: Annotated[bool, typer.Option("--record", help="Write the result into the preset's run.json.")] = False,
    verify: Annotated[
        bool, typer.Option("--verify", help="Measure as recorded, and fail where the result is another.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Measure a trained model.

    By its recipe's metrics, beside what a trivial model reaches.
    """
    from zoo_core import backend, evaluation
    from zoo_core.data import check_split
    from zoo_core.errors import UsageError
    from zoo_core.pulling import pull

    if verify and (record or limit or seed or split != "test"):
        raise UsageError("--verify measures as recorded: it takes no --record, --limit, --seed or --split")
    check_split(split)
    # What is wrong with the name or the files is to be said before seconds are spent on loading Keras.
    pull(name)
    backend.loading_notice()
    if verify:
        measured = evaluation.verify(name, data)
    else:
        measured = evaluation.evaluate(name, data, split=split, seed=seed, limit=limit, record=record)
    if as_json:
        output.show_json({"name": name, **_document(measured)})
    else:
        _show(measured)


def _document(measured: Evaluation) -> dict[str, Any]:
    from dataclasses import asdict

    return asdict(measured)


def _show(measured: Evaluation) -> None:
    from zoo_core.text import plural

    rows = [
        [name, f"{value:.4f}", "" if error is None else f"{error:.4f}"]
        for name, value, error in output.measurements(measured.metrics)
    ]
    rows += [[f"baseline: {name}", f"{value:.4f}", ""] for name, value in measured.baselines.items()]
    output.note(
        f"{measured.data['name']}, {measured.split}: {plural(measured.examples, 'example')}, seed {measured.seed}"
    )
    output.show_table(("metric", "value", "standard error"), rows)
