"""The service under a real systemd: installed, sandboxed, killed, hung, stopped, started again, taken away."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path

import pytest
from appliance import SPOOL, Appliance
from machine import PYTHON, ROOT, Machine, until

pytestmark = pytest.mark.timeout(300)

MOST_RSS_KB = 60 * 1024
MOST_CPU = 0.005
IDLE_S = 20.0
STAGES = ("understand", "gather", "train")


def test_installed_service_is_ready_enabled_and_no_other_users(real: Appliance) -> None:
    until(lambda: real.machine.shown("StatusText")["StatusText"], 10, "words about what it does")
    found = real.machine.shown("ActiveState", "SubState", "StatusText", "User", "WatchdogUSec", "UnitFileState")
    assert found == {
        "ActiveState": "active", "SubState": "running", "StatusText": "idle; 0 queued", "User": "edge",
        "WatchdogUSec": "31min", "UnitFileState": "enabled",
    }  # fmt: skip


@pytest.mark.parametrize(("options", "most"), [((), 1.5), (("--gpu",), 2.5)])
def test_exposure_of_the_running_service(real: Appliance, options: tuple[str, ...], most: float) -> None:
    real.install(*options)
    real.start()
    told = real.machine.run("systemd-analyze", "security", "--no-pager", "edge.service")
    found = re.search(r"Overall exposure level for edge\.service: ([\d.]+)", told)
    assert found is not None
    print(f"exposure {options}: {found[1]}")
    assert float(found[1]) <= most
    assert real.machine.shown("ActiveState")["ActiveState"] == "active"


def test_service_has_no_network_no_rights_and_sees_no_home(real: Appliance) -> None:
    real.machine.path("/home/secret").write_text("of somebody")
    process = real.machine.main_process()
    status = real.machine.run("cat", f"/proc/{process}/status")
    assert re.search(r"^NoNewPrivs:\s1$", status, re.MULTILINE)
    assert re.search(r"^Seccomp:\s2$", status, re.MULTILINE)
    assert re.search(r"^CapBnd:\s0+$", status, re.MULTILINE)
    interfaces = real.machine.run("cat", f"/proc/{process}/net/dev").splitlines()[2:]
    assert [line.split(":")[0].strip() for line in interfaces] == ["lo"]
    seen = real.machine.run("nsenter", f"--target={process}", "--mount", "ls", "/home", "/root", "/dev")
    assert "secret" not in seen
    assert "shm" in seen
    assert not re.search(r"^(sd|vd|nvme|kmsg|mem$)", seen, re.MULTILINE)


def test_idle_service_is_small_and_still(real: Appliance) -> None:
    time.sleep(2.0)
    before = int(real.machine.shown("CPUUsageNSec")["CPUUsageNSec"])
    time.sleep(IDLE_S)
    shown = real.machine.shown("CPUUsageNSec", "MemoryCurrent")
    used = (int(shown["CPUUsageNSec"]) - before) / 1e9 / IDLE_S
    status = real.machine.run("cat", f"/proc/{real.machine.main_process()}/status")
    rss_kb = int(status.split("VmRSS:")[1].split()[0])
    print(f"idle: {rss_kb / 1024:.1f} MB, MemoryCurrent {shown['MemoryCurrent']}, {used:.3%} of a processor")
    assert rss_kb < MOST_RSS_KB
    if shown["MemoryCurrent"].isdigit():  # where the kernel's unified hierarchy counts memory
        assert int(shown["MemoryCurrent"]) < 2 * MOST_RSS_KB * 1024, "files that were read are counted with it"
    assert used < MOST_CPU


def test_renamed_and_slowly_copied_requests_of_a_group_member_are_made(fake: Appliance) -> None:
    fake.drop("renamed.txt", "quick renamed")
    fake.person(
        f"exec > {SPOOL}/incoming/slow.txt; printf 'quick '; sleep 1; printf 'and '; sleep 1; printf 'slowly copied'"
    )
    assert (fake.wait_for("renamed.txt", "done") / "package" / "manifest.json").is_file()
    assert (fake.wait_for("slow.txt", "done") / "request" / "slow.txt").read_text() == "quick and slowly copied"
    fake.person(f"cat {SPOOL}/done/*/package/manifest.json > /dev/null")


@pytest.mark.parametrize("whom", ["all", "main"])
def test_kill_at_each_stage_leaves_one_package_and_repeats_no_step(fake: Appliance, whom: str) -> None:
    for stage in STAGES:
        name = f"{stage}.txt"
        fake.drop(name, f"steady {stage}")
        fake.reaches(stage)
        before = fake.machine.main_process()
        fake.machine.run("systemctl", "kill", "--signal=KILL", f"--kill-whom={whom}", "edge")
        until(lambda before=before: fake.machine.main_process() not in (0, before), 20, "the restart")
        folder = fake.wait_for(name, "done")
        assert (folder / "package" / "model.onnx").read_text() == "a model\n"
    assert len(list(fake.machine.path(SPOOL / "done").iterdir())) == len(STAGES)
    assert all(max(steps.values()) == 1 for steps in fake.steps().values())
    assert fake.machine.shown("NRestarts")["NRestarts"] == str(len(STAGES))


def test_status_tells_stage_and_time_left(fake: Appliance) -> None:
    fake.drop("long.json", '{"text": "long", "budget": "10m"}')
    fake.reaches("train", "iteration")
    shown = fake.machine.shown("StatusText")["StatusText"]
    assert re.fullmatch(r"works on 000001-long, train; 0 queued; at most (9|10) min left", shown)


def test_journal_has_fields_to_search_by(fake: Appliance) -> None:
    fake.drop("a.txt", "steady code 4")
    fake.drop("b.txt", "quick")
    fake.wait_for("a.txt", "failed")
    fake.wait_for("b.txt", "done")
    assert {one["VERDICT"] for one in fake.journal(JOB_ID="000001-a") if "VERDICT" in one} == {"failed"}
    assert [one["JOB_ID"] for one in fake.journal(VERDICT="done")] == ["000002-b"]
    (one,) = fake.journal(STAGE="gather")
    assert (one["MESSAGE"], one["SYSLOG_IDENTIFIER"], one["PRIORITY"]) == ("gather begins", "edge", "6")


def test_hung_worker_is_ended_by_the_watcher_and_set_aside(fake: Appliance) -> None:
    fake.add("Environment=EDGE_WATCH_HANG=2s EDGE_WATCH_CRASHES=2")
    assert fake.machine.shown("WatchdogUSec")["WatchdogUSec"] == "1min 2s", "the manager waits longer than the watcher"
    fake.drop("hang.txt", "hang")
    folder = fake.wait_for("hang.txt", "failed")
    assert "the worker told nothing for 2.0 s" in (folder / "reason.txt").read_text()
    assert fake.machine.shown("NRestarts")["NRestarts"] == "0"


def test_watchdog_fires_on_a_hung_worker_that_the_watcher_would_wait_for(fake: Appliance) -> None:
    """Without $WATCHDOG_USEC the watcher leaves the unit's limit alone, which is then shorter than --hang."""
    fake.add("WatchdogSec=4s", "UnsetEnvironment=WATCHDOG_USEC", "Environment=EDGE_WATCH_CRASHES=1")
    fake.drop("hang.txt", "hang")
    fake.reaches("train")
    until(lambda: fake.machine.shown("NRestarts")["NRestarts"] != "0", 30, "the watchdog")
    said = fake.machine.run("journalctl", "--unit=edge", "--output=cat")
    assert "Watchdog timeout" in said
    assert "Failed with result 'watchdog'" in said
    fake.machine.run("sh", "-c", f"test -d {SPOOL}/work/000001-hang")


def test_watchdog_fires_on_a_watcher_that_stands_still(fake: Appliance) -> None:
    fake.add("WatchdogSec=4s", "UnsetEnvironment=WATCHDOG_USEC", "Environment=EDGE_WATCH_SCAN=1s")
    time.sleep(6.0)
    assert fake.machine.shown("NRestarts")["NRestarts"] == "0", "an idle watcher gives signs of life"
    fake.drop("a.txt", "steady")
    fake.reaches("gather")
    fake.machine.run("systemctl", "kill", "--signal=STOP", "--kill-whom=main", "edge")
    fake.wait_for("a.txt", "done")
    assert fake.machine.shown("NRestarts")["NRestarts"] == "1"
    assert max(fake.steps()["000001-a"].values()) == 1


def test_stop_lets_the_worker_end_and_start_goes_on(fake: Appliance) -> None:
    fake.drop("a.txt", "steady")
    fake.reaches("train")
    fake.machine.run("systemctl", "stop", "edge")
    assert fake.machine.shown("Result", "NRestarts") == {"Result": "success", "NRestarts": "0"}
    assert fake.machine.path(SPOOL / "status.txt").read_text() == "stopped; 1 queued\n"
    (line,) = fake.machine.path(SPOOL).glob("work/000001-a/journal.jsonl")
    assert json.loads(line.read_text().splitlines()[-1])["how"] == "stopped"
    fake.machine.run("systemctl", "start", "edge")
    fake.wait_for("a.txt", "done")
    assert set(fake.steps()["000001-a"].values()) == {1}


def test_worker_that_does_not_listen_is_killed_after_its_grace(fake: Appliance) -> None:
    fake.add("Environment=EDGE_WATCH_GRACE=5s", "TimeoutStopSec=3s")
    fake.drop("deaf.txt", "deaf")
    fake.reaches("train", "not listening")
    began = time.monotonic()
    fake.machine.run("systemctl", "stop", "edge")
    assert 4.5 < time.monotonic() - began < 20, "the unit's shorter limit was extended"
    assert fake.machine.shown("Result")["Result"] == "success"


def test_reload_reads_the_settings_again(fake: Appliance) -> None:
    before = fake.machine.main_process()
    fake.machine.path("/etc/edge/settings.toml").write_text('[watch]\nhang = "2h"\n')
    fake.machine.run("systemctl", "reload", "edge")
    until(lambda: fake.machine.shown("WatchdogUSec")["WatchdogUSec"] == "2h 1min", 10, "another limit")
    assert fake.machine.main_process() == before


def test_status_page_reaches_a_port_though_the_service_has_no_network(real: Appliance) -> None:
    for name, lines in recipes(r"# (/etc/systemd/system/edge-page\.\w+)\n(.*?)(?=\n\n|$)"):
        real.machine.path(name).write_text(lines)
    real.machine.path("/etc/edge/settings.toml").write_text('[watch]\nhttp = "unix:/run/edge/page"\n')
    real.start()
    real.machine.run("systemctl", "daemon-reload")
    real.machine.run("systemctl", "start", "edge-page.socket")
    try:
        assert page(real) == "200"
    finally:
        real.machine.run("systemctl", "stop", "edge-page.socket", "edge-page.service", check=False)


def test_drop_in_opens_the_network(real: Appliance) -> None:
    ((lines,),) = recipes(r"(\[Service\]\nPrivateNetwork=no\n.*)")
    real.machine.path("/etc/edge/settings.toml").write_text('[watch]\nhttp = "127.0.0.1:8080"\n')
    real.override(lines)
    real.start()
    assert page(real) == "200"


def recipes(pattern: str) -> list[tuple[str, ...]]:
    """What docs/APPLIANCE.md says to write down: the groups of a pattern in its blocks of code."""
    blocks = (ROOT / "docs" / "APPLIANCE.md").read_text().split("```")[1::2]
    found = [match.groups() for block in blocks for match in re.finditer(pattern, block.strip(), re.DOTALL)]
    assert found
    return found


def page(appliance: Appliance) -> str:
    get = "import urllib.request as u; print(u.urlopen('http://127.0.0.1:8080/', timeout=20).status)"
    return appliance.machine.run(PYTHON, "-c", get)


def test_settings_that_cannot_be_used_are_not_tried_again(real: Appliance) -> None:
    real.machine.path("/etc/edge/settings.toml").write_text('[watch]\nscan = "soon"\n')
    real.machine.done("systemctl", "restart", "edge")
    until(lambda: real.machine.shown("ActiveState")["ActiveState"] == "failed", 20, "the end")
    assert real.machine.shown("NRestarts", "ExecMainStatus") == {"NRestarts": "0", "ExecMainStatus": "3"}
    assert "scan is 'soon', expected a time" in real.machine.run("systemctl", "status", "edge", check=False)


def test_watcher_that_dies_again_and_again_stays_down(real: Appliance) -> None:
    real.override("[Service]", "RestartSec=100ms")

    def kill() -> bool:
        real.machine.done("systemctl", "kill", "--signal=KILL", "edge")
        return real.machine.shown("ActiveState")["ActiveState"] == "failed"

    until(kill, 60, "the limit of starts")
    time.sleep(2.0)
    assert real.machine.shown("ActiveState")["ActiveState"] == "failed"


@pytest.mark.parametrize("down", ["reboot", "cut"])
def test_machine_that_goes_down_in_training_goes_on_by_itself(fake: Appliance, down: str) -> None:
    fake.drop("a.txt", "steady")
    fake.reaches("train")
    getattr(fake.machine, down)()
    folder = fake.wait_for("a.txt", "done")
    assert (folder / "package" / "model.onnx").is_file()
    assert max(fake.steps()["000001-a"].values()) == 1
    assert fake.machine.shown("ActiveState")["ActiveState"] == "active"


def test_spool_and_data_elsewhere_are_what_the_service_may_touch(fake: Appliance) -> None:
    spool, data = Path("/srv/my spool"), Path("/home/pictures of cars")
    fake.machine.path(data).mkdir()
    fake.install("--spool", spool, "--data", data)
    fake.add(f'Environment="EDGE_WATCH_SPOOL={spool}"')
    fake.machine.run("runuser", "-u", "alice", "--", "sh", "-c", f"echo quick > '{spool}/incoming/a.txt'")
    fake.wait_for("a.txt", "done", spool=spool)
    seen = fake.machine.run("nsenter", f"--target={fake.machine.main_process()}", "--mount", "ls", "/home")
    assert seen == "pictures of cars"


def test_removal_keeps_results_and_says_so(fake: Appliance) -> None:
    fake.drop("a.txt", "quick")
    fake.wait_for("a.txt", "done")
    done = fake.edge("install-service", "--uninstall")
    assert done.returncode == 0, done.stderr
    assert "Kept: /var/lib/edge, every spool, and the user edge." in done.stderr
    assert fake.ended() == {"a.txt": "done"}
    assert fake.machine.shown("LoadState", "ActiveState")["ActiveState"] == "inactive"
    assert not fake.machine.path("/etc/systemd/system/multi-user.target.wants/edge.service").is_symlink()
    assert not fake.machine.path("/etc/sysusers.d/edge.conf").exists()


def test_user_installs_a_service_of_their_own(machine: Machine) -> None:
    person = "bob"
    machine.run("useradd", "--create-home", person)
    number = machine.run("id", "-u", person)
    for folder in Path(PYTHON.resolve()).parents:  # the Python may lie in a home that others cannot enter
        machine.run("chmod", "o+x", folder, check=False)
    machine.run("systemctl", "start", f"user@{number}.service")

    def run(*command: str | Path) -> str:
        environment = (f"XDG_RUNTIME_DIR=/run/user/{number}", f"HOME=/home/{person}")
        return machine.run("runuser", "-u", person, "--", "env", "-C", f"/home/{person}", *environment, *command)

    run(PYTHON, "-P", "-m", "edge", "install-service", "--user")
    run("systemctl", "--user", "restart", "edge")
    assert run("systemctl", "--user", "is-active", "edge") == "active"
    assert machine.path(f"/home/{person}/.local/share/edge/spool/incoming").is_dir()
    run(PYTHON, "-P", "-m", "edge", "install-service", "--user", "--uninstall")
    machine.run("systemctl", "stop", f"user@{number}.service")
