"""How many calls to AWS an operation costs: counted in the functions, held as a budget."""

from benchmarks.calls import count


def test_every_operation_keeps_its_budget_of_calls() -> None:
    assert count() == {
        "authorizer, miss": ["get_item"],
        "authorizer, hit": [],
        "webhook": ["send_message"],
        "processor, one event": ["query", "transact_write_items"],
        "subscription status": ["query"],
        "entitlement, known to the authorizer": [],
    }
