"""BitSleuth Billing: plans, payments by card and in bitcoin, and entitlements that answer from memory."""
