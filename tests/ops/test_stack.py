"""What the local engine makes of a template before it deploys it."""

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
