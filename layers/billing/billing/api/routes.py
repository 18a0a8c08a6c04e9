"""Every call of the API, once: the OpenAPI document is made from it and a test holds the template against it."""

from billing.api import admin_routes, buyer_routes
from billing.api.route import Route

ROUTES: tuple[Route, ...] = (*buyer_routes.ROUTES, *admin_routes.ROUTES)
