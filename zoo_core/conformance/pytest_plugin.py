"""`pytest --zoo-plugin NAME`: one test for each check of each thing that a plugin provides, as `zoo check` does them.

Imported by every pytest where zoo-core is installed: nothing but pytest is imported before the option is given.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from zoo_core.conformance.runner import Task
    from zoo_core.conformance.subjects import Subject

MARKER = "zoo_check"


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--zoo-plugin`."""
    parser.getgroup("zoo").addoption(
        "--zoo-plugin",
        action="append",
        default=[],
        metavar="PLUGIN|PATH",
        help="also run the zoo's checks of this plugin, an installed one or a project's folder; those tests alone: "
        f"-m {MARKER}",
    )


def pytest_configure(config: pytest.Config) -> None:
    """The marker of these tests."""
    config.addinivalue_line("markers", f"{MARKER}: a check of a plugin of the zoo, from --zoo-plugin")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(session: pytest.Session, config: pytest.Config, items: list[pytest.Item]) -> None:
    """Add the checks, before -k and -m choose among all tests. A plugin that there is not is a wrong usage."""
    names = config.getoption("--zoo-plugin")
    if not names:
        return
    from contextlib import ExitStack

    from zoo_core.conformance import subjects
    from zoo_core.errors import ZooError

    stack = ExitStack()
    config.add_cleanup(stack.close)
    try:
        found = stack.enter_context(subjects.opened(names))
    except ZooError as error:
        raise pytest.UsageError(f"--zoo-plugin: {error}") from error
    for subject in found:
        name = f"zoo-check/{subject.plugin.name}"
        collector = PluginChecks.from_parent(session, name=name, nodeid=name, subject=subject)
        # By the hooks, so that those who count what is collected hear of it.
        report = session.ihook.pytest_make_collect_report(collector=collector)
        session.ihook.pytest_collectreport(report=report)
        items.extend(report.result)


class PluginChecks(pytest.Collector):
    """The checks of one plugin."""

    def __init__(self, *, subject: Subject, **arguments: Any) -> None:
        """`subject` is the plugin under test."""
        super().__init__(**arguments)
        self.subject = subject

    def collect(self) -> Iterator[CheckItem]:
        """One test for each check of each object; the plugin's hooks are run, and nothing they name is imported."""
        from zoo_core.conformance import runner

        for task in runner.plan(self.subject):
            yield CheckItem.from_parent(self, name=f"{task.check.name}[{task.item.name}]", task=task)


class CheckItem(pytest.Item):
    """One check of one object."""

    parent: PluginChecks

    def __init__(self, *, task: Task, **arguments: Any) -> None:
        """`task` says what to check of what."""
        super().__init__(**arguments)
        self.task = task
        self.add_marker(MARKER)

    def runtest(self) -> None:
        """Do the check; what it cannot decide is skipped, with the reason."""
        from zoo_core.conformance import runner
        from zoo_core.conformance.results import Undecided

        try:
            runner.decide(self.parent.subject, self.task)
        except Undecided as reason:
            pytest.skip(str(reason))

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """What is wrong in one line; a traceback only of what the check did not expect."""
        from zoo_core.conformance.results import CheckFailed
        from zoo_core.errors import ZooError

        if isinstance(excinfo.value, (CheckFailed, ZooError)):
            return str(excinfo.value)
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Any, int | None, str]:
        """Where the test is from, and its heading."""
        return self.config.rootpath, None, f"zoo check: {self.name}"
