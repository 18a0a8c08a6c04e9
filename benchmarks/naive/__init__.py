"""Naive variants of the handlers, with everything imported at the top, boto3 resources and all Powertools.

They are only measured, never deployed. Do not improve them: ratios need a fixed reference.
"""
