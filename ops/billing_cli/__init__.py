"""The `billing` command: what operators do to a running stack."""
