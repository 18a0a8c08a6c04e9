"""Our packages as hosts install them: built once, however many processes of a run need them."""

import fcntl
import os
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[2]
FRONTEND = ROOT / "frontend"
# What each build writes last, and the build, in the order in which one needs the other.
STEPS = {
    "api-client/dist/index.js": ("node_modules/.bin/tsc", "-p", "packages/api-client/tsconfig.build.json"),
    "entitlements/dist/index.js": ("npm", "run", "build", "-w", "@bitsleuth/entitlements"),
    "billing-react/dist/styles.css": ("npm", "run", "build", "-w", "@bitsleuth/billing-react"),
}


def build_packages() -> float:
    """Builds what is older than its sources. Returns when the newest source was written (seconds since 1970).

    Processes take turns: a package that is being built is not there for the one that is built on it.
    """
    newest = max(path.stat().st_mtime for path in _sources())
    (ROOT / ".local").mkdir(exist_ok=True)
    with (ROOT / ".local" / "packages.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for path, command in STEPS.items():
            last = FRONTEND / "packages" / path
            if not last.exists() or last.stat().st_mtime <= newest:
                run(FRONTEND, *command)
    return newest


def run(folder: Path, *command: str, **environment: str) -> str:
    """Runs it in a folder and returns what it printed; a failure shows all of that."""
    everything = {**os.environ, "NEXT_TELEMETRY_DISABLED": "1", **environment}
    done = subprocess.run(command, cwd=folder, env=everything, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def _sources() -> list[Path]:
    folders = [FRONTEND / "packages" / path.split("/")[0] / "src" for path in STEPS]
    inside = [path for folder in folders for path in folder.rglob("*.*")]
    around = [FRONTEND / "package-lock.json", ROOT / "docs" / "openapi.json"]
    return [path for path in inside if path.name != "schema.ts"] + around
