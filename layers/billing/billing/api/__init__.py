"""The HTTP contract: what a request may hold, what an answer looks like, and which calls there are."""
