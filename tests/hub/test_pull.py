"""Fetching a preset: what is downloaded, what is left alone, what is told, and what stays when it is cut short."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from dataclasses import asdict

import pytest

from tests.hub.client import OWNER
from tests.hub.remote import FETCH, FILES, REPO, WEIGHTS, contents
from zoo_core import hub
from zoo_core.errors import IntegrityError, OfflineError
from zoo_core.hub.progress import Meter, Progress
from zoo_core.presets import PresetFolder


def test_a_preset_is_downloaded_checked_and_then_left_alone(remote):
    folder = remote.fetch()
    assert folder == hub.snapshot_folder(remote.preset())
    assert contents(folder) == FILES
    asked = len(remote.server.log())
    assert remote.fetch() == hub.fetch(remote.preset()) == hub.fetch_verified(remote.preset(), offline=True) == folder
    assert len(remote.server.log()) == asked


def test_each_file_costs_two_requests_and_the_hub_none_besides(remote):
    remote.fetch()
    assert sorted(line.partition(" ")[0] for line in remote.server.requests()) == ["GET"] * 3 + ["HEAD"] * 3


def test_only_the_files_of_the_manifest_are_downloaded(remote):
    revision = remote.server.add(REPO, {**FILES, "evil.py": "print('hello')"})
    assert sorted(os.listdir(remote.fetch(remote.preset(revision=revision)))) == sorted(FILES)


def test_several_files_come_at_once(remote):
    remote.server.fault("^GET ", "stall", seconds=1, times=3)
    begin = time.monotonic()
    remote.fetch()
    assert 1 <= time.monotonic() - begin < 2.5


@pytest.mark.parametrize("damage", [bytes(len(FILES[WEIGHTS])), b"short", None], ids=["content", "size", "missing"])
def test_a_file_that_was_damaged_on_the_disk_is_fetched_again_and_no_other(remote, damage):
    folder = remote.fetch()
    blob = (folder / WEIGHTS).resolve()
    blob.unlink() if damage is None else blob.write_bytes(damage)
    remote.server.reset(keep_repositories=True)
    assert contents(remote.fetch()) == FILES
    assert [path.partition("/lfs-store/")[0] for path in remote.downloads()] == [""]
    assert remote.notes == ([f"{WEIGHTS}: damaged on this disk, fetching it again"] if damage else [])


def test_damage_is_found_offline_too(remote):
    folder = remote.fetch()
    (folder / WEIGHTS).resolve().write_bytes(bytes(len(FILES[WEIGHTS])))
    with pytest.raises(IntegrityError, match=r"safetensors: expected sha256 [0-9a-f]{64}, found another, and the net"):
        hub.fetch_verified(remote.preset(), offline=True)


def test_offline_an_incomplete_cache_is_refused_without_a_request(remote, monkeypatch):
    with pytest.raises(OfflineError, match=f"toys/net at {remote.revision[:12]}: not wholly in .*, and the network is"):
        hub.fetch(remote.preset(), offline=True)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(OfflineError, match="unset HF_HUB_OFFLINE"):
        hub.fetch(remote.preset())
    monkeypatch.delenv("HF_HUB_OFFLINE")
    monkeypatch.setenv("TRANSFORMERS_OFFLINE", "1")
    with pytest.raises(OfflineError, match="unset TRANSFORMERS_OFFLINE"):
        hub.fetch(remote.preset())
    assert remote.server.log() == []
    monkeypatch.delenv("TRANSFORMERS_OFFLINE")
    (remote.fetch() / "run.json").unlink()
    asked = len(remote.server.log())
    for fetch in (hub.fetch, hub.fetch_verified):
        with pytest.raises(OfflineError, match="not wholly in"):
            fetch(remote.preset(), offline=True)
    assert len(remote.server.log()) == asked


def test_the_clients_variables_mean_what_they_mean_everywhere(remote):
    preset, home = json.dumps(asdict(remote.preset())), str(remote.environment.home / "elsewhere")
    variables = {"HF_HOME": home, "HF_HUB_CACHE": f"{home}/hub"}
    offline = remote.environment.run("-c", FETCH, preset, **variables, HF_HUB_OFFLINE="1")
    assert (offline.returncode, remote.server.log()) == (1, [])
    assert offline.stderr.startswith("OfflineError: toys/net")
    online = remote.environment.run("-c", FETCH, preset, **variables)
    assert (online.returncode, online.stderr) == (0, "")
    assert online.stdout.startswith(f"{home}/hub")
    assert remote.environment.run("-c", FETCH, preset, **variables, HF_HUB_OFFLINE="1").stdout == online.stdout


def test_a_token_is_sent_to_those_whom_the_user_trusts_alone(remote):
    preset = json.dumps(asdict(remote.preset()))
    assert remote.environment.run("-c", FETCH, preset, HF_TOKEN=OWNER).returncode == 0
    assert {entry["authorization"] for entry in remote.server.log()} == {None}
    remote.configure(trusted_endpoints=(remote.server.address,))
    remote.server.reset(keep_repositories=True)
    other = str(remote.environment.home / "other")
    assert remote.environment.run("-c", FETCH, preset, HF_TOKEN=OWNER, HF_HUB_CACHE=other).returncode == 0
    seen = {(entry["path"].partition("/")[2][:4], entry["authorization"]) for entry in remote.server.log()}
    assert seen == {("toys", f"Bearer {OWNER}"), ("lfs-", None)}


def test_progress_is_told_up_to_the_last_byte(remote):
    remote.server.fault("^GET /lfs-store", "slow", rate=500_000)
    remote.fetch()
    total = sum(map(len, FILES.values()))
    received = [progress.received for progress in remote.told]
    assert {progress.total for progress in remote.told} == {total}
    assert received == sorted(received)
    assert received[-1] == total
    assert len(set(received)) >= 3
    assert any(progress.rate > 0 and progress.seconds_left > 0 for progress in remote.told)


def test_rate_and_time_left_follow_the_last_seconds(monkeypatch):
    now, told = [100.0], []
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    meter = Meter("net:far", 10_000, told.append)
    for _ in range(10):
        now[0] += 1
        meter.add(100)
        meter.tick()
    assert (told[0].rate, told[0].seconds_left) == (0, None)
    assert (told[-1].received, told[-1].rate, told[-1].seconds_left) == (1000, 100, 90)
    for _ in range(10):
        now[0] += 1
        meter.tick()
    assert (told[-1].rate, told[-1].seconds_left) == (0, None)


def test_a_note_is_told_once_and_before_the_progress():
    told = []
    meter = Meter("net:far", 10, told.append)
    for note in ("one", "two", "one"):
        meter.note(note)
    meter.tick()
    assert told == [*(Progress("net:far", 0, 10, note=note) for note in ("one", "two")), Progress("net:far", 0, 10)]


def test_the_client_is_given_back_as_it_was(remote):
    from huggingface_hub import constants
    from huggingface_hub.utils import _http

    before = _http._GLOBAL_CLIENT_FACTORY, constants.HF_HUB_DISABLE_XET
    remote.fetch()
    assert before == (_http._GLOBAL_CLIENT_FACTORY, constants.HF_HUB_DISABLE_XET)
    remote.server.fault("^HEAD", "status", code=403, times=None)
    (hub.snapshot_folder(remote.preset()) / WEIGHTS).unlink()
    with pytest.raises(Exception, match="403"):
        remote.fetch()
    assert before == (_http._GLOBAL_CLIENT_FACTORY, constants.HF_HUB_DISABLE_XET)


def test_other_users_of_the_client_are_left_in_peace(remote, tmp_path):
    """A thread that uses it meanwhile gets the client's own errors, and no bound of a preset."""
    import huggingface_hub
    from huggingface_hub.errors import RemoteEntryNotFoundError

    remote.server.fault("^GET /lfs-store", "slow", rate=500_000)
    fetching = threading.Thread(target=remote.fetch)
    fetching.start()
    while not remote.downloads():
        time.sleep(0.01)
    options = {"cache_dir": tmp_path, "endpoint": remote.server.address, "token": False}
    with pytest.raises(RemoteEntryNotFoundError):
        huggingface_hub.hf_hub_download(REPO, "absent.json", **options)
    assert fetching.is_alive()
    fetching.join()
    assert contents(hub.snapshot_folder(remote.preset())) == FILES


def start(remote, script=FETCH):
    """Another process that fetches the preset."""
    command = [sys.executable, "-c", script, json.dumps(asdict(remote.preset()))]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen(command, env=remote.environment.variables, cwd=remote.environment.home, **pipes)


def until(condition, seconds=30):
    """Wait for something to happen."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_two_processes_that_fetch_the_same_both_have_it(remote):
    remote.server.fault("^GET /lfs-store", "slow", rate=2_000_000)
    processes = [start(remote) for _ in range(2)]
    ends = [process.communicate(timeout=60) for process in processes]
    assert [process.returncode for process in processes] == [0, 0], ends
    assert ends[0][0] == ends[1][0]
    assert contents(hub.snapshot_folder(remote.preset())) == FILES
    assert len([path for path in remote.downloads() if "lfs-store" in path]) == 1


def test_a_wait_for_another_process_is_told(remote, monkeypatch):
    from huggingface_hub.utils import WeakFileLock

    from zoo_core.hub import traffic

    monkeypatch.setattr(traffic, "_LOCKED_SECONDS", 0.2)
    lock = remote.environment.cache / ".locks" / "models--toys--net" / f"{remote.preset().files[1].sha256}.lock"
    lock.parent.mkdir(parents=True)
    fetching = threading.Thread(target=remote.fetch)
    with WeakFileLock(lock):
        fetching.start()
        until(lambda: remote.notes)
    fetching.join()
    assert remote.notes == [f"{WEIGHTS}: waiting for another process that downloads it"]
    assert done(remote) == 3


def test_two_processes_that_mend_the_same_both_have_it(remote):
    (remote.fetch() / WEIGHTS).resolve().write_bytes(bytes(len(FILES[WEIGHTS])))
    remote.server.fault("^GET /lfs-store", "slow", rate=2_000_000, times=2)
    processes = [start(remote) for _ in range(2)]
    ends = [process.communicate(timeout=60) for process in processes]
    assert [process.returncode for process in processes] == [0, 0], ends
    assert contents(hub.snapshot_folder(remote.preset())) == FILES


def inside_a_file(remote):
    remote.server.fault("^GET /lfs-store", "slow", rate=200_000)
    process = start(remote)
    until(lambda: any("lfs-store" in path for path in remote.downloads()) and done(remote) == 2)
    process.kill()
    return process


def between_two_files(remote):
    remote.server.fault("^HEAD .*safetensors", "stall", seconds=20)
    process = start(remote)
    until(lambda: done(remote) == 2)
    process.kill()
    return process


DYING = f"""
import os
from huggingface_hub import file_download
move = file_download._chmod_and_move
def die(source, target):
    if os.path.getsize(source) > 10_000:
        import time
        time.sleep(1)  # the other files are done by then
        os.kill(os.getpid(), 9)
    move(source, target)
file_download._chmod_and_move = die
{FETCH}
"""


def before_the_last_rename(remote):
    return start(remote, DYING)


def done(remote):
    """How many of the files are there, whole."""
    folder = hub.snapshot_folder(remote.preset())
    return sum(PresetFolder(folder).is_complete([file]) for file in remote.preset().files)


@pytest.mark.parametrize("killed", [inside_a_file, between_two_files, before_the_last_rename])
def test_what_was_killed_is_not_whole_and_is_gone_on_with(remote, killed):
    process = killed(remote)
    process.communicate(timeout=30)
    assert process.returncode == -9
    assert done(remote) == 2
    for fetch in (hub.fetch, hub.fetch_verified):
        with pytest.raises(OfflineError, match="not wholly in"):
            fetch(remote.preset(), offline=True)
    remote.server.reset(keep_repositories=True)
    assert contents(remote.fetch()) == FILES
    assert {line.rpartition("/")[2].partition("?")[0] for line in remote.server.requests()} == {
        WEIGHTS,
        remote.preset().files[1].sha256,
    }


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({}, "{home}/.cache/huggingface/hub"),
        ({"XDG_CACHE_HOME": "/x"}, "/x/huggingface/hub"),
        ({"HF_HOME": "~/hf", "XDG_CACHE_HOME": "/x"}, "{home}/hf/hub"),
        ({"HUGGINGFACE_HUB_CACHE": "/old", "HF_HOME": "/hf"}, "/old"),
        ({"HF_HUB_CACHE": "$HOME/new", "HUGGINGFACE_HUB_CACHE": "/old"}, "{home}/new"),
    ],
)
def test_the_cache_is_found_as_the_client_finds_it(monkeypatch, tmp_path, variables, expected):
    for name in ("HF_HOME", "HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in {"HOME": str(tmp_path), **variables}.items():
        monkeypatch.setenv(name, value)
    found = subprocess.run(
        [sys.executable, "-c", "from huggingface_hub import constants; print(constants.HF_HUB_CACHE)"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert str(hub.cache_folder()) == expected.format(home=tmp_path) == found.stdout.strip()
