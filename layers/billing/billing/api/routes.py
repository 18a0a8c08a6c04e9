"""All calls of the API. The OpenAPI document is generated from them, and a test compares them with the template."""

from billing.api import admin_routes, buyer_routes
from billing.api.route import Route

ROUTES: tuple[Route, ...] = (*buyer_routes.ROUTES, *admin_routes.ROUTES)
