"""A demo shop: the local engine with secrets, plans, stand-ins of the providers and demo users, and a tour of it."""
