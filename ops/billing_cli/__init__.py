"""The `billing` command: operators' commands for a running stack."""
