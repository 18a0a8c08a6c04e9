"""A person's data in every field of Stripe's objects that can hold some: none of it may be kept, logged or told."""

from typing import Any

CANARY = "canary-alice@example.com"
PERSONAL: dict[str, dict[str, Any]] = {
    "checkout.session": {
        "customer_details": {"email": CANARY, "name": CANARY, "phone": CANARY, "address": {"line1": CANARY}},
        "customer_email": CANARY,
        "collected_information": {"shipping_details": {"name": CANARY}},
        "custom_fields": [{"key": "k", "text": {"value": CANARY}}],
        "shipping_cost": {"shipping_rate": CANARY},
        "shipping_details": {"name": CANARY},
        "url": CANARY,
        "client_secret": CANARY,
        "after_expiration": {"recovery": {"url": CANARY}},
        "success_url": CANARY,
    },
    "customer": dict.fromkeys(("email", "name", "phone", "description", "invoice_prefix"), CANARY)
    | {"address": {"line1": CANARY}, "shipping": {"name": CANARY}},
    "subscription": {
        "cancellation_details": {"comment": CANARY, "feedback": CANARY, "reason": CANARY},
        "description": CANARY,
        "default_payment_method": CANARY,
        "pause_collection": {"behavior": CANARY},
    },
    "invoice": {
        **dict.fromkeys(("customer_email", "customer_name", "customer_phone", "number", "description"), CANARY),
        **dict.fromkeys(("hosted_invoice_url", "invoice_pdf", "footer", "statement_descriptor"), CANARY),
        "customer_address": {"line1": CANARY},
        "customer_shipping": {"name": CANARY},
        "customer_tax_ids": [{"value": CANARY}],
        "confirmation_secret": {"client_secret": CANARY},
        "lines": {"data": [{"id": CANARY, "description": CANARY, "metadata": {"user_id": CANARY}}]},
        "last_finalization_error": {"message": CANARY, "code": CANARY},
    },
    "charge": {
        "billing_details": {"email": CANARY, "name": CANARY},
        **dict.fromkeys(("receipt_email", "receipt_url", "description", "failure_message", "failure_code"), CANARY),
        "shipping": {"name": CANARY},
        "payment_method_details": {"card": {"last4": CANARY, "fingerprint": CANARY}},
        "outcome": {"seller_message": CANARY},
    },
    "payment_intent": {
        **dict.fromkeys(("receipt_email", "client_secret", "description"), CANARY),
        "shipping": {"name": CANARY},
        "last_payment_error": {"message": CANARY, "code": CANARY, "payment_method": {"billing_details": CANARY}},
    },
    "dispute": {"evidence": {"customer_name": CANARY, "customer_purchase_ip": CANARY}, "reason": CANARY},
    "refund": {
        "destination_details": {"card": {"reference": CANARY}},
        "instructions_email": CANARY,
        "reason": CANARY,
        "failure_reason": CANARY,
        "description": CANARY,
    },
    "radar.early_fraud_warning": {"fraud_type": CANARY, "note": CANARY},
    "invoice_payment": {"payment": {"type": CANARY}, "note": CANARY},
    "subscription_schedule": {"default_settings": {"description": CANARY}},
    "discount": {"promotion_code": CANARY, "coupon": {"name": CANARY}},
}
