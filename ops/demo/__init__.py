"""A shop to look at: the local engine with secrets, plans, the mock provider and demo users, and a tour through it."""
