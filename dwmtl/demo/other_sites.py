"""Keeping other sites in the same browser away from the demo: headers of responses, and whose requests are refused."""

from starlette.datastructures import Headers, MutableHeaders
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.responses import JSONResponse

HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src 'self' blob: data:; media-src 'self' blob:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Cache-Control": "no-store",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
"""With these, the browser blocks requests to other hosts and does not cache answers."""


class WithHeaders:
    """Puts HEADERS on every response."""

    def __init__(self, app):
        self.app = app

    async def __call__(self, scope, receive, send):
        async def send_with_headers(message):
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(HEADERS)
            await send(message)

        await self.app(scope, receive, send_with_headers)


class OwnOrigin:
    """Refuses requests from pages of other sites, which browsers name in `Origin`."""

    def __init__(self, app):
        self.app = app

    async def __call__(self, scope, receive, send):
        headers = Headers(scope=scope)
        if headers.get("origin", f"http://{headers['host']}") != f"http://{headers['host']}":
            return await JSONResponse({"error": "Invalid origin"}, status_code=403)(scope, receive, send)
        await self.app(scope, receive, send)


OWN_PAGE_ALONE = [
    Middleware(WithHeaders),
    # refuses requests to another site's name that resolves to 127.0.0.1
    Middleware(TrustedHostMiddleware, allowed_hosts=["127.0.0.1", "localhost"]),
    Middleware(OwnOrigin),
]
