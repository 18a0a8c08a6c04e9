"""Stand-ins for the payment providers on loopback: they keep state, sign and retry as the real ones do."""
