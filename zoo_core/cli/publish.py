"""`zoo publish`: upload a trained model to the Hugging Face Hub."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from zoo_core.cli import complete, output
from zoo_core.cli.output import examples

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from zoo_core.hub.publishing import Outcome
    from zoo_core.publication import Publication
    from zoo_core.records import File

app = typer.Typer(add_completion=False)


@app.command(
    "publish",
    epilog=examples(
        "zoo publish glow:fashion-mnist --repo me/glow-fashion-mnist --dry-run",
        "zoo publish ./runs/glow-photos --repo me/glow-photos --private",
        "zoo publish ./zoo_mine/presets/mine-first --repo me/mine --record",
    ),
)
def publish(
    name: Annotated[
        str,
        typer.Argument(
            metavar="NAME", help="A preset, by name or by folder, or a run's folder.", autocompletion=complete.models
        ),
    ],
    repo: Annotated[str, typer.Option(metavar="OWNER/NAME", help="The repository on the Hub; made if need be.")],
    private: Annotated[bool, typer.Option("--private", help="Make the repository private.")] = False,
    message: Annotated[str, typer.Option(metavar="TEXT", help="The commit's message.")] = "",
    record: Annotated[
        bool, typer.Option("--record", help="Write the pin into the preset's folder, and its plugin's manifest.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Publish without asking.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show every file and the card, and send nothing.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Publish a trained model on the Hugging Face Hub.

    One commit with config, weights, run record, a generated card and a picture where the model makes any; read back
    and compared. Nothing is committed where nothing changed.
    """
    from zoo_core.hub import publishing
    from zoo_core.publication import check_recordable, prepare

    if not dry_run:
        publishing.check_access()  # what is missing is said before seconds are spent on loading Keras
    publication = prepare(name, repo, private=private, message=message, note=output.note)
    if record:
        check_recordable(publication)
    if dry_run:
        _show_plan(publication, as_json)
        return
    if not yes:
        _describe(publication)
        output.confirm("Publish it?")
    outcome = publishing.publish(publication, output.note)
    if as_json:
        output.show_json(_document(publication, outcome, _recorded(publication, outcome, record)))
    else:
        _show(outcome)
        for path in _recorded(publication, outcome, record):
            print(f"recorded in {path}")


def _recorded(publication: Publication, outcome: Outcome, wanted: bool) -> list[Path]:
    from zoo_core import publication as publications

    return publications.record(publication, outcome.pin, outcome.picture) if wanted else []


def _describe(publication: Publication) -> None:
    from zoo_core.hub.places import endpoint
    from zoo_core.text import human_size

    visibility = "private" if publication.private else "public if it is new"
    output.note(f"publish {publication.name} as {publication.repo} ({visibility}) at {endpoint()}:")
    for file in publication.files:
        output.note(f"  {file.name}  {human_size(file.size)}")


def _show_plan(publication: Publication, as_json: bool) -> None:
    if as_json:
        output.show_json(
            {
                "name": publication.name,
                "repo": publication.repo,
                "private": publication.private,
                "message": publication.message,
                "files": output.file_rows(publication.files),
                "card": publication.card,
            }
        )
        return
    output.note(f"{publication.name} as {publication.repo}, '{publication.message}'; nothing is sent")
    _show_files(publication.files)
    print(f"\n{publication.card}", end="")


def _show(outcome: Outcome) -> None:
    what = "is published, read back and compared" if outcome.committed else "has not changed: nothing is committed"
    output.note(f"{outcome.url}{' (private)' if outcome.private else ''} {what}")
    print(f"{outcome.pin.repo}@{outcome.pin.revision}")
    _show_files(outcome.pin.files)


def _show_files(files: Iterable[File]) -> None:
    output.show_table(("file", "bytes", "sha256"), [[file.name, str(file.size), file.sha256] for file in files])


def _document(publication: Publication, outcome: Outcome, recorded: Iterable[Path]) -> dict[str, Any]:
    return {
        "name": publication.name,
        "repo": outcome.pin.repo,
        "revision": outcome.pin.revision,
        "url": outcome.url,
        "private": outcome.private,
        "created": outcome.created,
        "committed": outcome.committed,
        "files": output.file_rows(outcome.pin.files),
        "recorded": [str(path) for path in recorded],
    }
