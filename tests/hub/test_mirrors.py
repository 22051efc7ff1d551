"""Sources in order: the Hub, then the user's mirrors; the hash decides, not the host."""

from __future__ import annotations

import importlib
import sys

import pytest

from tests.hub.client import OWNER, HubServer
from tests.hub.remote import FILES, REPO, WEIGHTS, contents
from zoo_core import hub
from zoo_core.errors import ConfigError, DownloadError, IntegrityError, OfflineError
from zoo_core.user_config import Mirror

WRONG = {**FILES, WEIGHTS: bytes(len(FILES[WEIGHTS]))}


@pytest.fixture
def mirror(tmp_path):
    """Another Hub, in a process of its own."""
    with HubServer(tmp_path / "mirror") as server:
        yield server


def folder_mirror(remote, files=FILES):
    """The files on a plain web server; the mirror."""
    address = remote.server.plain(f"mirror/{REPO}/{remote.revision}", files)
    return Mirror("folder", address.removesuffix(f"/{REPO}/{remote.revision}"))


def requests_to_the_hub_fail(remote, **options):
    remote.server.fault("^(HEAD|GET) /toys/", "status", code=503, times=None, **options)


def test_where_the_hub_has_it_no_mirror_is_asked(remote, mirror):
    remote.configure(mirrors=(Mirror("hub", mirror.address), folder_mirror(remote)))
    remote.fetch()
    assert mirror.log() == []
    assert not [path for path in remote.downloads() if "/plain/" in path]


def test_a_mirror_that_speaks_like_the_hub_fills_the_same_cache_and_sees_no_token(remote, mirror, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", OWNER)
    remote.configure(mirrors=(Mirror("hub", mirror.address),), trusted_endpoints=(remote.server.address,))
    revision = mirror.add(REPO, FILES)
    assert revision == remote.revision
    requests_to_the_hub_fail(remote)
    folder = remote.fetch()
    assert folder == hub.hub_folder(remote.preset())
    assert contents(folder) == FILES
    assert {entry["authorization"] for entry in mirror.log()} == {None}
    assert {entry["authorization"] for entry in remote.server.log()} == {f"Bearer {OWNER}"}
    assert len(remote.notes) == 1
    assert "answered 503: on purpose; trying 127.0.0.1:" in remote.notes[0]


def test_a_plain_folder_fills_a_store_of_ours(remote):
    remote.configure(mirrors=(folder_mirror(remote),))
    requests_to_the_hub_fail(remote)
    folder = remote.fetch()
    assert folder == hub.store_folder(remote.preset()) == hub.snapshot_folder(remote.preset())
    assert contents(folder) == FILES
    asked = len(remote.server.log())
    assert remote.fetch() == hub.fetch(remote.preset(), offline=True) == folder
    assert len(remote.server.log()) == asked


def test_a_file_that_the_cache_has_is_not_fetched_from_a_folder(remote):
    (remote.fetch() / "config.json").unlink()
    remote.configure(mirrors=(folder_mirror(remote),))
    requests_to_the_hub_fail(remote)
    remote.server.log()
    before = len(remote.downloads())
    assert contents(remote.fetch()) == FILES
    assert [path.rpartition("/")[2] for path in remote.downloads()[before:]] == ["config.json"]


def test_damage_in_the_store_is_mended(remote):
    remote.configure(mirrors=(folder_mirror(remote),))
    requests_to_the_hub_fail(remote)
    (remote.fetch() / WEIGHTS).write_bytes(WRONG[WEIGHTS])
    with pytest.raises(IntegrityError, match="network is off"):
        hub.fetch_verified(remote.preset(), offline=True)
    assert contents(remote.fetch()) == FILES


def test_half_a_store_is_not_a_preset(remote):
    remote.configure(mirrors=(folder_mirror(remote),))
    requests_to_the_hub_fail(remote)
    (remote.fetch() / WEIGHTS).unlink()
    with pytest.raises(OfflineError, match="not wholly in"):
        hub.fetch(remote.preset(), offline=True)


def test_a_wrong_hash_leads_to_the_next_source(remote, mirror):
    mirror.add(REPO, WRONG)
    remote.configure(mirrors=(folder_mirror(remote, WRONG), folder_mirror(remote)))
    remote.server.fault("^GET /lfs-store", "flip", times=None)
    address = remote.server.plain(f"right/{REPO}/{remote.revision}", FILES).removesuffix(f"/{REPO}/{remote.revision}")
    remote.configure(mirrors=(folder_mirror(remote, WRONG), Mirror("folder", address)))
    assert contents(remote.fetch()) == FILES
    assert sum("expected sha256" in note for note in remote.notes) == 2


def test_where_no_source_has_it_each_is_quoted(remote):
    remote.configure(mirrors=(Mirror("hub", "http://127.0.0.1:9"), folder_mirror(remote, {})))
    requests_to_the_hub_fail(remote)
    with pytest.raises(DownloadError) as caught:
        remote.fetch()
    text = str(caught.value)
    assert text.startswith(f"toys/net at {remote.revision[:12]}: no source has it: 127.0.0.1:")
    for said in ("answered 503: on purpose; ", "127.0.0.1:9 cannot be reached: Connection refused; ", "(404)"):
        assert said in text
    assert "\n" not in text


def test_where_every_source_has_something_else_that_is_an_error_of_integrity(remote):
    remote.configure(mirrors=(folder_mirror(remote, WRONG),))
    remote.server.fault("^GET /lfs-store", "flip", times=None)
    with pytest.raises(IntegrityError, match=f"no source has it: {WEIGHTS}: expected .*; {WEIGHTS}: expected .*"):
        remote.fetch()
    with pytest.raises(OfflineError):
        hub.fetch(remote.preset(), offline=True)


def test_a_full_disk_leads_nowhere_else(remote, monkeypatch):
    remote.configure(mirrors=(folder_mirror(remote),))
    usage = type("usage", (), {"free": 1_000_000})
    monkeypatch.setattr("shutil.disk_usage", lambda folder: usage)
    with pytest.raises(DownloadError, match=r"are needed, 1\.0 MB are free"):
        remote.fetch()
    assert (remote.server.log(), remote.notes) == ([], [])


def test_settings_that_cannot_be_read_are_an_error_where_they_count(remote):
    (remote.environment.home / "config.toml").write_text("schema = 2\n")
    with pytest.raises(ConfigError, match="schema"):
        remote.fetch()


MODELSCOPE = """
import os, shutil
def model_file_download(model_id, file_path, revision=None, *, cache_dir=None, local_dir=None, cookies=None,
                        token=None, endpoint=None, local_files_only=False, user_agent=None):
    with open(os.environ["ASKED"], "a") as asked:
        asked.write(f"{endpoint} {model_id} {revision} {file_path}\\n")
    target = os.path.join(local_dir, file_path)
    try:
        shutil.copy(os.path.join(os.environ["HAS"], file_path), target)
    except OSError as error:
        raise RuntimeError(str(error)) from error
    return target
"""


def test_modelscope_is_asked_where_its_client_is_installed(remote, tmp_path, monkeypatch):
    """A stand-in with the signature of its client, 1.40."""
    remote.configure(mirrors=(Mirror("modelscope"), Mirror("modelscope", "https://modelscope.example")))
    requests_to_the_hub_fail(remote)
    with pytest.raises(DownloadError, match="503"):
        remote.fetch()
    assert "ModelScope is passed over: its client, modelscope, is not installed" in remote.notes
    package = tmp_path / "site" / "modelscope" / "hub"
    package.mkdir(parents=True)
    for path in (package.parent / "__init__.py", package / "__init__.py"):
        path.touch()
    (package / "file_download.py").write_text(MODELSCOPE)
    has = tmp_path / "has"
    has.mkdir()
    for name, content in FILES.items():
        (has / name).write_bytes(content)
    monkeypatch.setattr(sys, "path", [str(tmp_path / "site"), *sys.path])
    monkeypatch.setenv("HAS", str(has))
    monkeypatch.setenv("ASKED", str(tmp_path / "asked"))
    importlib.invalidate_caches()
    (has / WEIGHTS).write_bytes(WRONG[WEIGHTS])
    with pytest.raises(DownloadError, match=f"{WEIGHTS}: expected sha256"):
        remote.fetch()
    (has / WEIGHTS).unlink()
    with pytest.raises(DownloadError, match="ModelScope: .*No such file"):
        remote.fetch()
    (has / WEIGHTS).write_bytes(FILES[WEIGHTS])
    folder = remote.fetch()
    assert folder == hub.store_folder(remote.preset())
    assert contents(folder) == FILES
    # It knows no revisions: what no hash is known of is not taken from it.
    with pytest.raises(DownloadError, match="ModelScope has no such revision to ask for"):
        hub.published(REPO, "0" * 40)
    asked = set((tmp_path / "asked").read_text().splitlines())
    assert not [line for line in asked if line.endswith("run.json") and "0" * 40 in line]
    assert f"None {REPO} None {WEIGHTS}" in asked
    assert f"https://modelscope.example {REPO} None {WEIGHTS}" in asked
