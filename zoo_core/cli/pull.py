"""`zoo pull`: make a model ready to use."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from zoo_core.cli import complete, output
from zoo_core.cli.output import examples

if TYPE_CHECKING:
    from zoo_core.installer import Plan as Installation
    from zoo_core.lock import Plan as Restoration
    from zoo_core.pulling import Plan, Pulled
    from zoo_core.records import Preset

app = typer.Typer(add_completion=False)


@app.command(
    "pull",
    epilog=examples(
        "zoo pull glow",
        "zoo pull realnvp:fashion-mnist --dry-run",
        "zoo pull glow --yes --json",
        "zoo pull hf://OWNER/NAME@REVISION",
        "zoo pull --from zoo.lock",
    ),
)
def pull(
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="NAME",
            help="A model or a preset; hf://OWNER/NAME@REVISION; or the path of a preset's folder.",
            autocompletion=complete.models,
        ),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Install the plugin without asking.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the plan and change nothing.")] = False,
    offline: Annotated[bool, typer.Option("--offline", help="Only check what is here; use no network.")] = False,
    unpinned: Annotated[
        bool, typer.Option("--unpinned", help="Allow a branch as the revision, whose files may change.")
    ] = False,
    lock_file: Annotated[
        Path | None, typer.Option("--from", metavar="FILE", help="Bring here what this lock file lists (zoo freeze).")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Get a model, ready to use.

    Installs its plugin if need be, downloads its weights if need be, and checks size and sha256 of every file.
    """
    from zoo_core.errors import UsageError
    from zoo_core.names import is_path
    from zoo_core.pulling import plan

    if (name is None) == (lock_file is None):
        raise UsageError("name either what to pull, or a lock file with --from", "zoo pull --help")
    if lock_file is not None:
        _restore(lock_file, yes, dry_run, offline, as_json)
    elif name is not None and dry_run and not is_path(name):
        _show_plan(plan(name, unpinned=unpinned, offline=offline), as_json)
    elif name is not None:
        _pull(name, yes, offline, unpinned, as_json)


def _pull(name: str, yes: bool, offline: bool, unpinned: bool, as_json: bool) -> None:
    from zoo_core.hub.display import shown
    from zoo_core.pulling import pull as pull_model

    with shown(quiet=as_json) as report:
        pulled = pull_model(name, offline=offline, confirm=partial(_confirm, yes), unpinned=unpinned, progress=report)
    if as_json:
        output.show_json(_document(pulled))
    else:
        _show(pulled)


def _confirm(yes: bool, plan: Plan) -> bool:
    if plan.install:
        output.describe(plan.install)
        if not yes:
            output.confirm("Install it?")
    return True


def _show_plan(plan: Plan, as_json: bool) -> None:
    if as_json:
        output.show_json(_plan_document(plan))
        return
    from zoo_core.pulling import warning

    if plan.install:
        output.describe(plan.install)
    if plan.preset:
        if warned := warning(plan):
            output.note(warned)
        print(_whereabouts(plan, plan.preset))
        print(f"check size and sha256 of {', '.join(file.name for file in plan.preset.files)}")
    else:
        print(f"{plan.plugin.name}/{plan.model.name} has no trained weights to get")


def _whereabouts(plan: Plan, preset: Preset) -> str:
    """Where a preset's weights are, or have to come from."""
    from zoo_core.text import human_size

    size, missing = human_size(preset.size), plan.download
    name = f"hf://{preset.repo}@{preset.revision}" if plan.recorded else preset.name
    if plan.source == "hub" and not plan.present:
        amount = f"{human_size(missing)} ({missing} bytes)"
        return f"{name}: {amount} to download from the Hub, {preset.repo} at {preset.revision}"
    if plan.source == "hub":
        return f"{name}: {size}, downloaded already"
    here = "they are here already" if plan.present else "they come with it"
    return f"{name}: {size}, bundled with the plugin '{plan.plugin.name}': {here}"


def _restore(lock_file: Path, yes: bool, dry_run: bool, offline: bool, as_json: bool) -> None:
    from zoo_core import lock
    from zoo_core.hub.display import shown

    planned = lock.plan(lock_file)
    if planned.note:
        output.note(f"{lock_file}: {planned.note}")
    if dry_run:
        _show_restoration(planned, as_json)
        return
    with shown(quiet=as_json) as report:
        confirm = partial(_confirm_all, yes)
        restored = lock.restore(lock_file, confirm=confirm, offline=offline, progress=report)
    if as_json:
        output.show_json([_document(pulled) for pulled in restored])
    for pulled in () if as_json else restored:
        _show(pulled)


def _confirm_all(yes: bool, plans: Sequence[Installation]) -> bool:
    for each in plans:
        output.describe(each)
    if not yes:
        output.confirm("Install it?" if len(plans) == 1 else "Install them?")
    return True


def _show_restoration(planned: Restoration, as_json: bool) -> None:
    presets = planned.lock.presets
    if as_json:
        commands = [list(command) for each in planned.installs for command in each.commands]
        names = [{"name": preset.name, "files": output.file_rows(preset.files)} for preset in presets]
        output.show_json({"install": commands, "presets": names})
        return
    for each in planned.installs:
        output.describe(each)
    for preset in presets:
        print(f"get {preset.name} and check size and sha256 of {', '.join(file.name for file in preset.files)}")


def _show(pulled: Pulled) -> None:
    from zoo_core.names import is_hub_reference, shown_path
    from zoo_core.text import human_size, plural

    name = f"{pulled.name}:{pulled.variant}" if pulled.variant else pulled.name
    if pulled.path is None:
        print(f"{name} is ready; it has no trained weights")
        return
    if is_hub_reference(pulled.reference):
        name = pulled.reference
    size = human_size(sum(file.size for file in pulled.files))
    print(f"{name} is ready: {plural(len(pulled.files), 'file')}, {size}, {pulled.source}, checked")
    print(shown_path(pulled.path))


def _document(pulled: Pulled) -> dict[str, Any]:
    return {
        "name": pulled.name,
        "variant": pulled.variant,
        "revision": pulled.revision,
        "source": pulled.source,
        "reference": pulled.reference,
        "path": str(pulled.path) if pulled.path else None,
        "files": output.file_rows(pulled.files),
    }


def _plan_document(plan: Plan) -> dict[str, Any]:
    preset = plan.preset
    return {
        "name": plan.model.name,
        "variant": preset.variant if preset else None,
        "revision": (preset.revision or None) if preset else None,
        "source": plan.source,
        "install": [list(command) for command in plan.install.commands] if plan.install else [],
        "download": plan.download,
        "files": output.file_rows(preset.files if preset else ()),
    }
