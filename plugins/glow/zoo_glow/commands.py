"""`zoo glow sample|reconstruct|interpolate|score`: what a trained flow can do with images, on the command line."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Protocol, runtime_checkable

import typer

from zoo_core.cli import complete
from zoo_core.cli.output import examples, note, show_json
from zoo_core.errors import DataError, UsageError
from zoo_core.text import clean, plural

if TYPE_CHECKING:
    from zoo_glow.images import Pixels, Shape

TEMPERATURE = 0.7
MOST_SAMPLES = 10_000
MOST_FILES = 1_000


@runtime_checkable
class ImageFlow(Protocol):
    """What the commands ask of a model; images are uint8 (batch, height, width, channels), latents what it likes."""

    @property
    def image_shape(self) -> Shape: ...
    def sample(self, n: int, temperature: float = ..., seed: int = ...) -> Pixels: ...
    def encode(self, x: Pixels) -> Any: ...
    def decode(self, z: Any) -> Pixels: ...
    def interpolate(self, a: Pixels, b: Pixels, steps: int) -> Pixels: ...
    def bits_per_dim(self, x: Pixels, seed: int = ...) -> Sequence[float]: ...


class Order(StrEnum):
    """How `score` sorts the images."""

    LIKELY = "likely"
    UNLIKELY = "unlikely"
    GIVEN = "given"


Model = Annotated[
    str,
    typer.Option(
        "--model",
        "-m",
        metavar="MODEL",
        autocompletion=complete.models,
        help="A model, preset or run folder: glow, realnvp:fashion-mnist, ./runs/glow.",
    ),
]
Output = Annotated[
    Path, typer.Option("--output", "-o", metavar="FILE", help="The PNG sheet to write; an existing one is replaced.")
]
Columns = Annotated[int, typer.Option(metavar="N", min=1, max=1_000, help="Images in a row.")]
Seed = Annotated[int, typer.Option(metavar="N", min=0, max=2**31 - 1, help="Same seed, same result.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Files = Annotated[
    list[Path] | None,
    typer.Argument(
        metavar="IMAGES", show_default=False, help="Image files and folders, cropped and resized to the model's size."
    ),
]
Pairs = Annotated[
    list[Path] | None,
    typer.Argument(metavar="A B", show_default=False, help="Two images or more, pair by pair, or two folders."),
]
Count = Annotated[
    int, typer.Option(metavar="N", min=1, max=MOST_SAMPLES, help="How many images to draw, at each temperature.")
]
Temperatures = Annotated[
    list[float] | None,
    typer.Option(
        metavar="T",
        min=0,
        show_default=False,
        help="Scale of the noise that images are made from. 1 is the learned distribution itself, part of which a flow "
        "spends on broken images; less keeps to its dense middle: cleaner, less varied; 0 always gives the same image. "
        f"{TEMPERATURE} if left out. May be given several times, to compare: one block of rows each.",
    ),
]
Each = Annotated[
    Path | None, typer.Option(metavar="FOLDER", help="Also write every image into this folder, as a PNG of its own.")
]
Steps = Annotated[int, typer.Option(metavar="N", min=2, max=100, help="Images in a row, both ends included.")]
Sort = Annotated[Order, typer.Option(help="Most likely first, most unlikely first, or as given.")]


def register(app: typer.Typer) -> None:
    """Add the commands to the plugin's group."""
    commands: dict[Callable[..., None], str] = {
        sample: "zoo glow sample --temperature 0.5 --temperature 1 --count 16",
        reconstruct: "zoo glow reconstruct shirt.png photos/ --output reconstructed.png",
        interpolate: "zoo glow interpolate shirt.png boot.png --steps 10",
        score: "zoo glow score photos/ --sort unlikely",
    }
    for command, example in commands.items():
        app.command(epilog=examples(example))(command)


def sample(
    model: Model = "glow",
    output: Output = Path("samples.png"),
    count: Count = 64,
    columns: Columns = 8,
    temperature: Temperatures = None,
    seed: Seed = 0,
    each: Each = None,
) -> None:
    """Draw new images, as a PNG sheet."""
    from zoo_glow import images, sheets

    temperatures = _temperatures(temperature, count)
    images.check_output(output)
    if each:
        images.check_folder(each if os.path.exists(each) else each.parent)
    flow = load_flow(model)
    with _working(f"Drawing {plural(count * len(temperatures), 'image')}..."):
        drawn = {value: flow.sample(count, temperature=value, seed=seed) for value in temperatures}
    images.write_png(output, sheets.sample_sheet(drawn, columns))
    if each:
        for value, batch in drawn.items():
            images.write_pngs(each, batch, f"sample-{value:g}" if len(drawn) > 1 else "sample")
    at = ", ".join(f"{value:g}" for value in temperatures)
    drew = f"{plural(count * len(drawn), 'sample')} of {clean(model)}"
    typer.echo(f"{clean(str(output))}: {drew}, temperature {at}, seed {seed}")


def _temperatures(given: list[float] | None, count: int) -> list[float]:
    values = list(dict.fromkeys(given or [TEMPERATURE]))
    if not all(math.isfinite(value) for value in values):
        raise UsageError("--temperature: expected a finite number, 0 or more")
    if count * len(values) > MOST_SAMPLES:
        raise UsageError(
            f"{count} images at each of {len(values)} temperatures are more than {MOST_SAMPLES:,}", "lower --count"
        )
    return values


def reconstruct(
    files: Files = None,
    model: Model = "glow",
    output: Output = Path("reconstructed.png"),
    columns: Columns = 8,
    as_json: Json = False,
) -> None:
    """Encode images and decode them again: what comes back, and how far it is off."""
    from zoo_glow import images, sheets

    paths = _few(_found(files))
    _check_output(output, paths)
    flow = load_flow(model)
    originals = _read(paths, flow)
    with _working(f"Encoding and decoding {plural(len(paths), 'image')}..."):
        decoded = flow.decode(flow.encode(originals))
    images.write_png(output, sheets.comparison_sheet(originals, decoded, columns))
    errors = sheets.absolute_difference(originals, decoded).max(axis=-1)
    largest, differing = int(errors.max()), int((errors > 0).sum())
    if as_json:
        counts = {"images": len(paths), "pixels": errors.size, "differing_pixels": differing, "max_error": largest}
        show_json({"output": _encodable(output), **counts})
    else:
        error = f"largest error {plural(largest, 'grey level')} of 255, {differing:,} of {errors.size:,} pixels differ"
        typer.echo(f"{clean(str(output))}: {plural(len(paths), 'image')}, {error}")


def interpolate(
    files: Pairs = None, model: Model = "glow", output: Output = Path("interpolated.png"), steps: Steps = 8
) -> None:
    """Walk from one image to another, one row a pair."""
    from zoo_glow import images, sheets

    firsts, seconds = _pairs(files)
    _check_output(output, [*firsts, *seconds])
    flow = load_flow(model)
    pixels = _read([*firsts, *seconds], flow)
    pairs = zip(pixels[: len(firsts)], pixels[len(firsts) :], strict=True)
    with _working(f"Interpolating {plural(len(firsts), 'pair')} of images..."):
        rows = [flow.interpolate(first, second, steps) for first, second in pairs]
    images.write_png(output, sheets.draw_sheet(rows))
    typer.echo(f"{clean(str(output))}: {plural(len(firsts), 'pair')} of images, {steps} steps each")


def _pairs(given: list[Path] | None) -> tuple[Sequence[Path], Sequence[Path]]:
    from zoo_glow.images import find_images

    _found(given)
    paths = given or []
    if any(path.is_dir() for path in paths):
        if len(paths) != 2 or not all(path.is_dir() for path in paths):
            raise UsageError("expected two folders, or images alone", "zoo glow interpolate shirts/ boots/")
        firsts, seconds = find_images(paths[:1]), find_images(paths[1:])
    else:
        files = find_images(paths)
        firsts, seconds = files[::2], files[1::2]
    if len(firsts) != len(seconds):
        raise UsageError(f"images are taken pair by pair, but there are {len(firsts)} and {len(seconds)}")
    _few([*firsts, *seconds])
    return firsts, seconds


def score(
    files: Files = None, model: Model = "glow", sort: Sort = Order.LIKELY, seed: Seed = 0, as_json: Json = False
) -> None:
    """Bits per dimension of images: the lower, the likelier the model finds them."""
    paths = _found(files)
    flow = load_flow(model)
    rows = _sorted(_scores(paths, flow, seed), sort)
    if as_json:
        show_json(rows)
        return
    for row in rows:
        typer.echo(f"{row['bits_per_dim']:9.4f}  {clean(row['file'])}")
    if len(rows) > 1:
        mean = math.fsum(row["bits_per_dim"] for row in rows) / len(rows)
        note(f"{mean:.4f} bits per dimension on average, over {plural(len(rows), 'image')}")


def _scores(paths: Sequence[Path], flow: ImageFlow, seed: int) -> list[dict[str, Any]]:
    pixels = _read(paths, flow)
    with _working(f"Scoring {plural(len(paths), 'image')}..."):
        bits = [float(value) for value in flow.bits_per_dim(pixels, seed=seed)]
    for path, value in zip(paths, bits, strict=True):
        if not math.isfinite(value):
            raise DataError(f"{clean(str(path))}: the model gives this image no finite likelihood")
    nats = -math.prod(flow.image_shape) * math.log(2)
    return [
        {"file": _encodable(path), "bits_per_dim": value, "log_prob": value * nats}
        for path, value in zip(paths, bits, strict=True)
    ]


def _encodable(path: Path) -> str:
    return str(path).encode(errors="replace").decode()  # a file's name may be bytes that are no text


def _sorted(rows: list[dict[str, Any]], order: Order) -> list[dict[str, Any]]:
    if order is Order.GIVEN:
        return rows
    return sorted(rows, key=lambda row: row["bits_per_dim"], reverse=order is Order.UNLIKELY)


def load_flow(reference: str) -> ImageFlow:
    """The trained model, after the notice that importing Keras takes a moment.

    Raises UsageError for a model that is no flow on images, and whatever `zoo_core.load` raises.
    """
    import zoo_core
    from zoo_core.backend import loading_notice

    loading_notice()
    model = zoo_core.load(reference)
    if not isinstance(model, ImageFlow):
        raise UsageError(f"'{clean(reference)}' is no flow on images", "see `zoo list glow` for those that are")
    return model


def _found(given: list[Path] | None) -> tuple[Path, ...]:
    from zoo_glow.images import find_images

    if not given:
        raise UsageError(
            "no images given", "name files or folders; `zoo glow sample --each samples` draws some into samples/"
        )
    return find_images(given)


def _few(paths: Sequence[Path]) -> Sequence[Path]:
    if len(paths) > MOST_FILES:
        raise UsageError(f"{len(paths)} images, but a sheet has room for {MOST_FILES:,}", "name fewer of them")
    return paths


def _check_output(output: Path, inputs: Sequence[Path]) -> None:
    from zoo_glow.images import check_output

    check_output(output)
    if os.path.exists(output) and any(output.samefile(path) for path in inputs):
        raise UsageError(f"{clean(str(output))}: this is one of the images to read", "give another --output")


def _read(paths: Sequence[Path], flow: ImageFlow) -> Pixels:
    from zoo_glow.images import fitting_notice, read_images

    batch = read_images(paths, flow.image_shape)
    notice = fitting_notice(batch)
    if notice:
        note(notice)
    return batch.pixels


def _working(what: str) -> AbstractContextManager[object]:
    from rich.console import Console

    return Console(stderr=True).status(what)  # shows nothing where stderr is no terminal
