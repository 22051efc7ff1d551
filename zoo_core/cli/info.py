"""`zoo info`: everything about a model, a component or a plugin."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from zoo_core.cli import complete, output
from zoo_core.cli.output import examples

if TYPE_CHECKING:
    from zoo_core.listing import Row

app = typer.Typer(add_completion=False)


@app.command("info", epilog=examples("zoo info glow", "zoo info glow:fashion-mnist", "zoo info glow/ActNorm --json"))
def info(
    name: Annotated[
        str,
        typer.Argument(
            metavar="NAME", help="A model, a preset, a component or a plugin.", autocompletion=complete.models
        ),
    ],
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Show all that is known about a model.

    Its class, paper and recipe, and its trained weights with their files, hashes and measured metrics.
    """
    from zoo_core import listing

    described = listing.info(name)
    if as_json:
        output.show_json(described)
        return
    output.show_facts(_facts(described))
    if presets := described.get("presets"):
        print()
        headings = ("weights", "size", "parameters", "license", "pulled", "metrics")
        output.show_table(headings, [_preset_cells(preset) for preset in presets])
    if files := described.get("files"):
        print(f"\nFiles of {described['name']}:{described['variant']}")
        output.show_table(
            ("file", "size", "sha256"), [[file["name"], str(file["size"]), file["sha256"]] for file in files]
        )


def _facts(described: Row) -> dict[str, str]:
    """What an `info` document says in one line each."""
    source = described["source"] or {}
    return {
        "name": described.get("name", described["plugin"]),
        "kind": described.get("kind", ""),
        "summary": described["summary"],
        "task": described.get("task", ""),
        "status": output.status(described) if "installed" in described else "",
        "reason": described.get("broken") or "",
        "class": described.get("class", ""),
        "paper": described.get("paper", ""),
        "recipe": described.get("recipe", ""),
        "models": ", ".join(model["name"] for model in described.get("models", ())),
        **_components(described.get("components", ())),
        "commands": ", ".join(f"zoo {described['plugin']} {command}" for command in described["commands"]),
        "plugin": " ".join((described["plugin"], f"({described['distribution']} {described['version']})")),
        "source": f"{source['kind']} {source['value']}" if source else "",
        "registry": described["registry"] or "",
    }


def _components(rows: list[Row]) -> dict[str, str]:
    """The plugin's components, a line for each kind."""
    return {row["kind"]: ", ".join(each["name"] for each in rows if each["kind"] == row["kind"]) for row in rows}


def _preset_cells(preset: Row) -> list[str]:
    from zoo_core.text import human_size

    pulled = "yes" if preset["pulled"] else "no"
    size = human_size(preset["size"])
    return [
        preset["variant"],
        size,
        f"{preset['parameters']:,}",
        preset["license"],
        pulled,
        _measured(preset["metrics"]),
    ]


def _measured(metrics: dict[str, float]) -> str:
    """Metrics in a few words, each with its standard error where it has one: "bits_per_dim 2.964 ± 0.009"."""
    measurements = output.measurements(metrics)
    return ", ".join(
        f"{name} {value:.4g}" + (f" ± {error:.1g}" if error is not None else "") for name, value, error in measurements
    )
