"""The cookies of those who have signed in with a browser.

No script reads them (HttpOnly) and no other site's page sends them (SameSite=Strict). Browsers that know
nothing of SameSite say at least where a call comes from, and it is refused if that is elsewhere: also one
that would only set them, since whoever is led to another's account would act there.
"""

from collections.abc import Iterator
from http.cookies import CookieError, SimpleCookie
from urllib.parse import urlsplit

from serving.faults import OtherSite
from serving.guard import Context
from store.sessions import ACCESS, REFRESH, Tokens

ACCESS_COOKIE, REFRESH_COOKIE = "CFSESSION", "REFRESH_TOKEN"  # as CompreFace calls them
STATE_COOKIE = "OIDC_STATE"
_PATHS = {ACCESS_COOKIE: "/admin", REFRESH_COOKIE: "/admin/oauth/token"}

Headers = tuple[tuple[str, str], ...]


def metadata_of(context: Context) -> dict[str, str]:
    """What came with a call, as text."""
    sent = context.invocation_metadata() or ()
    return {key: value for key, value in sent if isinstance(value, str)}


def is_rest(context: Context) -> bool:
    """Whether Envoy has made the call of a REST request."""
    return "x-envoy-original-path" in metadata_of(context)


def cookie(context: Context, name: str, *, from_anywhere: bool = False) -> str | None:
    """The value of a cookie. Raises OtherSite if a page of another site sent it, unless that is right."""
    for key, header in context.invocation_metadata() or ():
        if key == "cookie" and isinstance(header, str):
            try:
                found = SimpleCookie(header).get(name)
            except CookieError:
                continue
            if found and found.value:
                if not from_anywhere:
                    check_site(context)
                return found.value
    return None


def check_site(context: Context) -> None:
    """Raises OtherSite if a browser says that a page of another site calls.

    Browsers say Sec-Fetch-Site of a call over TLS or to localhost, and Origin of one that may write.
    """
    sent = metadata_of(context)
    site, origin = sent.get("sec-fetch-site"), sent.get("origin")
    if site in ("same-origin", "none") or (site is None and origin is None):
        return
    if site is None and origin and urlsplit(origin).netloc == sent.get("x-forwarded-host"):
        return
    raise OtherSite("a page of another site may not sign in, nor act with the cookie of somebody who has")


def set_cookies(context: Context, tokens: Tokens) -> Headers:
    """The headers by which a browser gets both."""
    return tuple(
        _headers(context, {ACCESS_COOKIE: (tokens.access, ACCESS), REFRESH_COOKIE: (tokens.refresh, REFRESH)})
    )


def clear_cookies(context: Context) -> Headers:
    """The headers by which a browser forgets both."""
    return tuple(_headers(context, dict.fromkeys(_PATHS, ("", 0))))


def state_cookie(context: Context, state: str, seconds: int) -> Headers:
    """Ties a sign-in at another provider to the browser that began it. Lax: that provider leads back."""
    cookie = f"{STATE_COOKIE}={state}; Path=/admin/oidc; Max-Age={seconds}; HttpOnly; SameSite=Lax"
    return (("set-cookie", cookie + _secure(context)),)


def _secure(context: Context) -> str:
    return "; Secure" if metadata_of(context).get("x-forwarded-proto") == "https" else ""


def _headers(context: Context, values: dict[str, tuple[str, int]]) -> Iterator[tuple[str, str]]:
    for name, (value, seconds) in values.items():
        yield (
            "set-cookie",
            f"{name}={value}; Path={_PATHS[name]}; Max-Age={seconds}; HttpOnly; SameSite=Strict"
            + _secure(context),
        )
