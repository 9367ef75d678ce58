"""Where edge keeps what it did not come with."""

import os
from pathlib import Path


def data_folder() -> Path:
    """$XDG_DATA_HOME/edge, or ~/.local/share/edge; a relative $XDG_DATA_HOME counts as unset, as XDG asks."""
    base = Path(os.environ.get("XDG_DATA_HOME") or "")
    return (base if base.is_absolute() else Path.home() / ".local" / "share") / "edge"
