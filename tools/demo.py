"""`make demo`: the main job on the handwritten digits that ship inside scikit-learn, then a look at the package."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
OUT = ROOT / "demo-out"
REQUEST = (
    "Classify handwritten digits: zero, one, two, three, four, five, six, seven, eight and nine. "
    "At least 30 fps on the CPU with ONNX Runtime, under 15 million parameters."
)
EDGE = [sys.executable, "-P", "-m", "edge"]


def main() -> int:
    """Run the job and, when it made a package, list it and predict two of its own samples."""
    print(f'$ edge produce "{REQUEST}" --out demo-out --budget 4m', file=sys.stderr)
    code = subprocess.run([*EDGE, "produce", REQUEST, "--out", str(OUT), "--budget", "4m"], check=False).returncode
    if code:
        return code
    package = OUT / "package"
    print("\nThe package:", file=sys.stderr)
    for path in sorted(path for path in package.iterdir() if path.is_file()):
        print(f"  {path.stat().st_size / 1024:10.1f} KiB  {path.name}", file=sys.stderr)
    samples = sorted(str(path) for path in (package / "samples").iterdir() if "expected" not in path.name)[:2]
    print("\n$ edge run demo-out/package " + " ".join(Path(s).name for s in samples), file=sys.stderr)
    return subprocess.run([*EDGE, "run", str(package), *samples], check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
