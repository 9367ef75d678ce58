"""One machine for all tests here; they run only where `make test-system` asks for them, because they take minutes."""

from __future__ import annotations

import os
from collections.abc import Iterator

import machine as machines
import pytest
from appliance import Appliance


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    why = machines.missing() if "EDGE_TEST_SYSTEM" in os.environ else "takes minutes; `make test-system` runs it"
    for item in items:
        if why and item.path.parent == machines.ROOT / "tests" / "system":
            item.add_marker(pytest.mark.skip(reason=why))


@pytest.fixture(scope="session")
def machine() -> Iterator[machines.Machine]:
    with machines.machine() as found:
        yield found


@pytest.fixture
def real(machine: machines.Machine) -> Iterator[Appliance]:
    """The installed service, as it is."""
    yield from _installed(Appliance(machine))


@pytest.fixture
def fake(machine: machines.Machine) -> Iterator[Appliance]:
    """The installed service with the quick fake worker, restarted without waiting and without end."""
    found = Appliance(machine)
    found.override(
        "[Unit]",
        "StartLimitIntervalSec=0",
        "[Service]",
        "RestartSec=100ms",
        "ExecStart=",
        f"ExecStart={machines.PYTHON} -P {machines.ROOT}/tests/system/fake_watcher.py",
        f"Environment=PYTHONPATH={machines.ROOT}/tests/edge",
    )
    yield from _installed(found)


def _installed(appliance: Appliance) -> Iterator[Appliance]:
    appliance.install()
    appliance.start()
    yield appliance
    appliance.clear()
