from pathlib import Path
from typing import Annotated

import typer


def count(
    data: Annotated[Path, typer.Argument(help="A FILE.npz or a FOLDER.")],
    model: Annotated[str, typer.Option(help="A preset, or the folder of a run.")] = "pond",
) -> None:
    """Count the large ponds among test images."""
    import zoo_core
    from zoo_core.backend import loading_notice
    from zoo_core.data import load_data
    from zoo_core.errors import DataError

    loading_notice()
    images, labels = load_data(data).part("test")
    if labels is None:
        raise DataError(f"{data} has no labels")
    answers = zoo_core.load(model).predict(images, verbose=0).argmax(axis=-1)
    typer.echo(f"{answers.sum()} of {len(answers)} are large")
