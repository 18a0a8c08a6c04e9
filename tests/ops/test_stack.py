"""What the local engine makes of a template before it deploys it, and where it can be built."""

import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import yaml

from local.stack import with_defaults

TEMPLATE = """Parameters:
  PortalUrl:
    Type: String
    Default: ''
    Description: an origin
  Other:
    Type: Number
    Default: 300
  Bare:
    Type: String
Resources: {}
"""


def test_values_become_defaults_and_everything_else_stays() -> None:
    values = {"PortalUrl": "http://127.0.0.1:3000", "Bare": "x", "Unknown": "y"}
    changed = with_defaults(yaml.safe_load(TEMPLATE), values)
    expected = yaml.safe_load(TEMPLATE)
    expected["Parameters"]["PortalUrl"]["Default"] = values["PortalUrl"]
    assert changed == expected


def test_a_layer_is_built_in_a_folder_whose_name_has_a_space(tmp_path: Path) -> None:
    tools = tmp_path / "with space"
    tools.mkdir()
    for tool in ("python", "uv"):
        (tools / tool).symlink_to(sys.executable)
    layer = Path(__file__).parents[2] / "layers" / "dependencies"
    environment = {"PATH": f"{tools}{os.pathsep}{os.environ['PATH']}", "BUILD_FOR": "host", "ARTIFACTS_DIR": str(tools)}
    make = [shutil.which("make") or "make", "-n", "build-DependenciesLayer"]
    done = subprocess.run(make, cwd=layer, env=environment, capture_output=True, text=True, check=True)
    words = shlex.split(done.stdout.splitlines()[0])
    assert words[words.index("--python") + 1] == str(tools / "python")
    assert words[words.index("--target") + 1] == str(tools / "python")
