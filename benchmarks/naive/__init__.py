"""The same handlers as one would first write them, frozen: everything imported at the top, resources and all tools.

They are measured and never deployed. Do not improve them: a ratio is only worth something against a fixed point.
"""
