"""The commands, with a flow that needs no Keras: what they write, what they print, what they refuse."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import typer
from PIL import Image
from typer.testing import CliRunner, Result

from zoo_core.errors import DataError, UsageError
from zoo_glow import commands, images, sheets

SHAPE = (8, 8, 1)
TILE = 96 + 12  # 8 x 8 images are enlarged twelve times; the gutter is as wide


class LinearFlow:
    """A flow in NumPy: latents are the pixels, halved and flat; the darker an image, the likelier."""

    image_shape = SHAPE

    def sample(self, n: int, temperature: float = 1.0, seed: int = 0) -> np.ndarray:
        noise = np.random.Generator(np.random.Philox(seed)).standard_normal((n, 64))
        return self.decode(64 + 20 * temperature * noise)

    def encode(self, x: np.ndarray) -> np.ndarray:
        assert x.dtype == np.uint8
        return x.reshape(len(x), -1) / 2

    def decode(self, z: np.ndarray) -> np.ndarray:
        return np.clip(np.rint(2 * z), 0, 255).astype(np.uint8).reshape(-1, *SHAPE)

    def interpolate(self, a: np.ndarray, b: np.ndarray, steps: int) -> np.ndarray:
        first, last = self.encode(np.stack([a, b]))
        weights = np.linspace(0, 1, steps)[:, None]
        return self.decode(first * (1 - weights) + last * weights)

    def log_prob(self, x: np.ndarray, seed: int = 0) -> np.ndarray:
        return -self.bits_per_dim(x, seed) * 64 * math.log(2)

    def bits_per_dim(self, x: np.ndarray, seed: int = 0) -> np.ndarray:
        return x.reshape(len(x), -1).mean(axis=1) / 32 + seed


class LossyFlow(LinearFlow):
    """Brings one pixel back three grey levels too bright."""

    def decode(self, z: np.ndarray) -> np.ndarray:
        pixels = super().decode(z)
        pixels[0, 0, 0] += 3
        return pixels


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory, empty; every model is the linear flow."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(commands, "load_flow", lambda reference: LinearFlow())
    return tmp_path


def zoo_glow(*arguments: object) -> Result:
    app = typer.Typer()
    commands.register(app)
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def succeed(*arguments: object) -> Result:
    result = zoo_glow(*arguments)
    assert result.exit_code == 0, (result.output, result.exception)
    return result


def refuse(kind: type[Exception], message: str, *arguments: object) -> None:
    result = zoo_glow(*arguments)
    assert isinstance(result.exception, kind), (result.output, result.exception)
    assert message in str(result.exception)


def flat(path: Path, level: int) -> Path:
    images.write_png(path, np.full(SHAPE, level, np.uint8))
    return path


def pixels(path: Path) -> np.ndarray:
    with Image.open(path) as picture:
        return np.array(picture)


def test_sample_writes_a_sheet_of_what_the_model_draws(folder: Path) -> None:
    result = succeed("sample", "--count", 6, "--columns", 3, "--seed", 5)
    assert result.stdout == "samples.png: 6 samples of glow, temperature 0.7, seed 5\n"
    drawn = LinearFlow().sample(6, temperature=0.7, seed=5)
    np.testing.assert_array_equal(pixels(folder / "samples.png"), sheets.sheet(drawn, 3)[..., 0])


def test_sample_is_the_same_twice_and_different_with_another_seed(folder: Path) -> None:
    for name, seed in {"a": 1, "b": 1, "c": 2}.items():
        succeed("sample", "--output", f"{name}.png", "--seed", seed)
    a, b, c = ((folder / f"{name}.png").read_bytes() for name in "abc")
    assert a == b != c


def test_sample_hands_the_model_on(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def load_flow(reference: str) -> LinearFlow:
        asked.append(reference)
        return LinearFlow()

    monkeypatch.setattr(commands, "load_flow", load_flow)
    succeed("sample", "--model", "realnvp:fashion-mnist", "--count", 1)
    succeed("sample", "-m", "./runs/glow", "--count", 1)
    assert asked == ["realnvp:fashion-mnist", "./runs/glow"]


def test_several_temperatures_are_one_block_of_rows_each(folder: Path) -> None:
    result = succeed("sample", "--temperature", 0, "--temperature", 1, "--count", 3, "--columns", 2)
    assert "6 samples of glow, temperature 0, 1, seed 0" in result.stdout
    drawn = {value: LinearFlow().sample(3, temperature=value, seed=0) for value in (0.0, 1.0)}
    np.testing.assert_array_equal(pixels(folder / "samples.png"), sheets.sample_sheet(drawn, 2)[..., 0])


def test_each_sample_becomes_a_file_that_can_be_read_again(folder: Path) -> None:
    succeed("sample", "--each", "drawn", "--count", 2)
    files = images.find_images([folder / "drawn"])
    assert [file.name for file in files] == ["sample-0001.png", "sample-0002.png"]
    drawn = LinearFlow().sample(2, temperature=0.7, seed=0)
    np.testing.assert_array_equal(images.read_images(files, SHAPE).pixels, drawn)
    assert "largest error 0 grey levels" in succeed("reconstruct", "drawn").stdout


def test_each_file_of_several_temperatures_says_which(folder: Path) -> None:
    succeed("sample", "--each", "drawn", "--count", 1, "--temperature", 0.5, "--temperature", 1)
    names = [file.name for file in images.find_images([folder / "drawn"])]
    assert names == ["sample-0.5-0001.png", "sample-1-0001.png"]


@pytest.mark.parametrize(
    "arguments",
    [
        ("--count", 0),
        ("--count", 10_001),
        ("--columns", 0),
        ("--temperature", -0.1),
        ("--temperature", "nan"),
        ("--seed", -1),
        ("--count", "many"),
    ],
)
def test_numbers_out_of_range_are_wrong_usage(folder: Path, arguments: tuple[object, ...]) -> None:
    result = zoo_glow("sample", *arguments)
    assert result.exit_code == 2
    assert arguments[0] in result.stderr
    assert not list(folder.iterdir())


def test_temperatures_must_be_finite_and_together_not_too_many(folder: Path) -> None:
    refuse(UsageError, "finite number", "sample", "--temperature", "inf")
    many = [argument for value in range(3) for argument in ("--temperature", value)]
    refuse(UsageError, "more than 10,000 (lower --count)", "sample", "--count", 5_000, *many)


def test_output_is_checked_before_the_model_is_loaded(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def load_flow(reference: str) -> Any:
        raise AssertionError("loaded")

    monkeypatch.setattr(commands, "load_flow", load_flow)
    flat(folder / "a.png", 0)
    refuse(UsageError, "no such folder (mkdir -p gone)", "sample", "--output", "gone/samples.png")
    refuse(UsageError, "written as PNG", "sample", "--output", "samples.jpg")
    refuse(UsageError, "not a folder", "sample", "--each", "a.png")
    refuse(UsageError, "no such folder", "sample", "--each", "gone/drawn")
    refuse(UsageError, "written as PNG", "reconstruct", "a.png", "--output", "b.gif")
    refuse(UsageError, "one of the images to read", "reconstruct", ".", "--output", "a.png")
    refuse(UsageError, "no such folder", "interpolate", "a.png", "a.png", "--output", "gone/a.png")


@pytest.mark.parametrize("command", ["reconstruct", "interpolate", "score"])
def test_without_images_the_error_says_where_to_get_some(folder: Path, command: str) -> None:
    refuse(UsageError, "zoo glow sample --each", command)
    refuse(DataError, "gone.png: no such file", command, "gone.png")
    (folder / "empty").mkdir()
    refuse(DataError, "no images in this folder", command, "empty")


def test_reconstruct_draws_three_rows_and_measures_the_error(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commands, "load_flow", lambda reference: LossyFlow())
    result = succeed("reconstruct", flat(folder / "a.png", 10), flat(folder / "b.png", 20))
    assert result.stdout == "reconstructed.png: 2 images, largest error 3 grey levels of 255, 1 of 128 pixels differ\n"
    sheet = pixels(folder / "reconstructed.png")
    assert sheet.shape[0] == 12 + 3 * TILE
    column = sheet[12::TILE, -2 * TILE]
    assert column.tolist() == [10, 13, 192]


def test_reconstruct_reports_as_json(folder: Path) -> None:
    result = succeed("reconstruct", flat(folder / "a.png", 10), "--json")
    assert json.loads(result.stdout) == {
        "output": "reconstructed.png",
        "images": 1,
        "pixels": 64,
        "differing_pixels": 0,
        "max_error": 0,
    }


def test_images_of_another_size_are_announced_on_stderr(folder: Path) -> None:
    Image.new("RGB", (20, 10), "white").save("large.png")
    result = succeed("score", "large.png", "--json")
    assert result.stderr == "1 image of 1 was cropped, resized or converted to 8 x 8 grey\n"
    assert json.loads(result.stdout)[0]["bits_per_dim"] == 255 / 32


def test_interpolate_walks_from_one_image_to_the_other(folder: Path) -> None:
    flat(folder / "a.png", 0), flat(folder / "b.png", 40)
    result = succeed("interpolate", "a.png", "b.png", "--steps", 5)
    assert result.stdout == "interpolated.png: 1 pair of images, 5 steps each\n"
    sheet = pixels(folder / "interpolated.png")
    assert sheet[50, 50::TILE].tolist() == [0, 10, 20, 30, 40]


def test_interpolate_takes_images_pair_by_pair(folder: Path) -> None:
    files = [flat(folder / f"{level}.png", level) for level in (0, 10, 20, 30)]
    succeed("interpolate", *files, "--steps", 2)
    sheet = pixels(folder / "interpolated.png")
    assert sheet[50::TILE, 50::TILE].tolist() == [[0, 10], [20, 30]]


def test_interpolate_pairs_two_folders_by_order(folder: Path) -> None:
    for name, levels in {"first": (0, 10), "second": (20, 30)}.items():
        (folder / name).mkdir()
        for level in levels:
            flat(folder / name / f"{level}.png", level)
    succeed("interpolate", "first", "second", "--steps", 2)
    sheet = pixels(folder / "interpolated.png")
    assert sheet[50::TILE, 50::TILE].tolist() == [[0, 20], [10, 30]]


def test_images_that_make_no_pairs_are_refused(folder: Path) -> None:
    (folder / "two").mkdir()
    a, b = flat(folder / "two" / "a.png", 0), flat(folder / "two" / "b.png", 0)
    (folder / "one").mkdir()
    flat(folder / "one" / "a.png", 0)
    refuse(UsageError, "there are 2 and 1", "interpolate", "two", "one")
    refuse(UsageError, "there are 2 and 1", "interpolate", a, b, a)
    refuse(UsageError, "two folders, or images alone", "interpolate", "two", a)
    refuse(UsageError, "two folders, or images alone", "interpolate", "two")
    assert zoo_glow("interpolate", a, b, "--steps", 1).exit_code == 2


def test_score_prints_the_most_unlikely_last(folder: Path) -> None:
    for level in (64, 0, 32):
        flat(folder / f"{level}.png", level)
    result = succeed("score", ".")
    assert result.stdout.split() == ["0.0000", "0.png", "1.0000", "32.png", "2.0000", "64.png"]
    assert result.stderr == "1.0000 bits per dimension on average, over 3 images\n"


@pytest.mark.parametrize(
    ("order", "levels"), [("likely", [0, 32, 64]), ("unlikely", [64, 32, 0]), ("given", [64, 0, 32])]
)
def test_score_sorts_as_asked(folder: Path, order: str, levels: list[int]) -> None:
    files = [flat(folder / f"{level}.png", level) for level in (64, 0, 32)]
    rows = json.loads(succeed("score", *files, "--sort", order, "--json").stdout)
    assert [Path(row["file"]).name for row in rows] == [f"{level}.png" for level in levels]


def test_score_as_json_has_bits_and_nats(folder: Path) -> None:
    file = flat(folder / "a.png", 64)
    rows = json.loads(succeed("score", file, "--json", "--seed", 1).stdout)
    assert rows == [{"file": str(file), "bits_per_dim": 3.0, "log_prob": pytest.approx(-3 * 64 * math.log(2))}]


def test_image_without_finite_likelihood_is_an_error(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(LinearFlow, "bits_per_dim", lambda self, x, seed: np.array([np.inf]))
    refuse(DataError, "a.png: the model gives this image no finite likelihood", "score", flat(folder / "a.png", 0))


def test_names_that_would_steer_the_terminal_are_cleaned(folder: Path) -> None:
    for name in ("a\x1b[2Jb.png", "c.png"):
        flat(folder / name, 0)
    assert "\x1b" not in succeed("score", ".").output
    name = Path("\udcff.png")
    flat(folder / name, 0)
    assert json.loads(succeed("score", name, "--json").stdout)[0]["file"] == "?.png"


def test_too_many_images_for_a_sheet_are_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commands, "MOST_FILES", 2)
    for level in range(4):
        flat(folder / f"{level}.png", level)
    refuse(UsageError, "4 images, but a sheet has room for 2", "reconstruct", ".")
    refuse(UsageError, "4 images, but a sheet has room for 2", "interpolate", *sorted(folder.iterdir()))
    succeed("score", ".")


def test_loading_announces_itself_and_refuses_what_is_no_flow(monkeypatch: pytest.MonkeyPatch) -> None:
    import zoo_core
    from zoo_core import backend

    notices: list[str] = []
    monkeypatch.setattr(backend, "loading_notice", lambda: notices.append("loading"))
    monkeypatch.setattr(zoo_core, "load", lambda reference: LinearFlow(), raising=False)
    assert isinstance(commands.load_flow("glow"), LinearFlow)
    monkeypatch.setattr(zoo_core, "load", lambda reference: object(), raising=False)
    with pytest.raises(UsageError, match="'poems' is no flow on images"):
        commands.load_flow("poems")
    assert notices == ["loading", "loading"]


@pytest.mark.parametrize("command", ["sample", "reconstruct", "interpolate", "score"])
def test_help_shows_an_example(command: str) -> None:
    result = succeed(command, "--help")
    assert f"zoo glow {command} " in result.stdout
    assert "--model" in result.stdout
    options = result.stdout.partition("Options:")[2]
    assert "range>" not in options
    assert "list[" not in options


def test_help_imports_nothing_heavy() -> None:
    program = """
import sys, typer
from typer.testing import CliRunner
from zoo_glow import commands
app = typer.Typer()
commands.register(app)
for name in ("sample", "reconstruct", "interpolate", "score"):
    assert CliRunner().invoke(app, [name, "--help"]).exit_code == 0
heavy = {"keras", "tensorflow", "jax", "torch", "numpy", "PIL", "huggingface_hub", "pluggy"} & set(sys.modules)
assert not heavy, heavy
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.backend
def test_every_command_works_with_a_real_flow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import zoo_core
    from zoo_glow.models.glow import Glow

    model = Glow(image_shape=(8, 8, 3), levels=1, steps=1, filters=4)
    model.initialise(np.random.default_rng(0).integers(0, 256, (3, 8, 8, 3), dtype=np.uint8))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(zoo_core, "load", lambda reference: model, raising=False)
    succeed("sample", "--count", 3, "--each", "drawn", "--temperature", 0.5)
    drawn = images.read_images(images.find_images([tmp_path / "drawn"]), (8, 8, 3)).pixels
    np.testing.assert_array_equal(drawn, model.sample(3, temperature=0.5, seed=0))
    assert json.loads(succeed("reconstruct", "drawn", "--json").stdout)["max_error"] == 0
    succeed("interpolate", "drawn", "drawn", "--steps", 3)
    assert pixels(tmp_path / "interpolated.png").shape == (12 + 3 * TILE, 12 + 3 * TILE, 3)
    rows = json.loads(succeed("score", "drawn", "--sort", "given", "--seed", 2, "--json").stdout)
    np.testing.assert_allclose([row["bits_per_dim"] for row in rows], model.bits_per_dim(drawn, seed=2), rtol=1e-6)
    np.testing.assert_allclose([row["log_prob"] for row in rows], model.log_prob(drawn, seed=2), rtol=1e-5)
