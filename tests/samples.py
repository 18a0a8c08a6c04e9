"""The plans most tests sell, and the instant at which they happen."""

from billing.rules.plans import Allowance, Catalogue, Plan

NOW = 1_790_000_000  # a fixed instant: 2026-09-21T14:13:20Z
USER = "usr_1"

PLUS = Plan(
    plan_id="plus-month",
    version=1,
    name="Plus",
    price_cents=900,
    currency="USD",
    interval="month",
    tier="plus",
    rank=10,
    features={"ai.chat": Allowance(200), "ai.insights": True, "wallets.max": 5},
    provider_plan_ids={"stripe": "price_plus"},
)
PRO = Plan(
    plan_id="pro-month",
    version=1,
    name="Pro",
    price_cents=1900,
    currency="USD",
    interval="month",
    tier="pro",
    rank=20,
    features={"ai.chat": Allowance(1000), "ai.insights": True, "tax.enhanced": True, "wallets.max": 20},
    provider_plan_ids={"stripe": "price_pro"},
)
PRO_YEAR = Plan(
    plan_id="pro-year",
    version=1,
    name="Pro",
    price_cents=19000,
    currency="USD",
    interval="year",
    tier="pro",
    rank=20,
    features=PRO.features,
    provider_plan_ids={"stripe": "price_pro_year"},
)
TAX_PASS = Plan(
    plan_id="tax-2026",
    version=1,
    name="Tax year 2026",
    price_cents=4900,
    currency="USD",
    interval="once",
    group="tax-2026",
    features={"tax.enhanced": True, "tax.export": True},
    provider_plan_ids={"stripe": "price_tax"},
)
PLUS_TRIAL = Plan(
    plan_id="plus-trial",
    version=1,
    name="Plus, with a trial",
    price_cents=900,
    currency="USD",
    interval="month",
    tier="plus",
    rank=10,
    trial_days=14,
    features=PLUS.features,
    status="hidden",
)
DAY_PASS = Plan(
    plan_id="day-pass",
    version=1,
    name="Day pass",
    price_cents=200,
    currency="USD",
    interval="once",
    group="day-pass",
    duration_days=1,
    features={"tax.enhanced": True},
    status="hidden",
)
FREE = Plan(
    plan_id="free",
    version=1,
    name="Free",
    price_cents=0,
    currency="USD",
    interval="month",
    features={"ai.chat": Allowance(5), "wallets.max": 1},
)
CATALOGUE = Catalogue((FREE, PLUS, PRO, PRO_YEAR, TAX_PASS, PLUS_TRIAL, DAY_PASS))
