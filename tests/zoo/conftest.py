"""Shared by the tests of the zoo."""

import os
import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parent))


@pytest.fixture
def real_datasets() -> Path:
    """The folder of small real data sets; the test is skipped where they are not."""
    beside = Path(__file__).parents[2].parent / "shared" / "datasets"
    folder = Path(os.environ.get("EDGE_DATASETS", beside))
    if not folder.is_dir():
        pytest.skip("the small real data sets are not here; set EDGE_DATASETS")
    return folder
