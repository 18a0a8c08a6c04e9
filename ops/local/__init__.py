"""The local engine: our template.yaml on this machine, without Docker and without an AWS account."""
