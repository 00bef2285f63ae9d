"""Sessions of HTTP MFT, through the gateway that keeps them."""

from tests.e2e.clients import HttpMft


def test_a_logout_ends_the_session_and_no_other(hub):
    """X3: the cookies are worth nothing from then on, and a second session of the account goes on."""
    client, other = HttpMft(hub.url), HttpMft(hub.url)
    cookies = client.http.cookies.get_dict()
    assert client.http.post(f"{hub.url}/2.0/logout", timeout=20).status_code == 200
    assert client.http.cookies.get_dict() == {}
    client.http.cookies.update(cookies)
    answer = client.get("in/x")
    assert (answer.status_code, answer.json()["message"]) == (401, "Invalid username or password")
    assert other.http.get(f"{hub.url}/2.0/countelements", timeout=20).text == "3"


def test_the_document_needs_no_session(hub):
    """A client reads the OpenAPI document before it logs in."""
    client = HttpMft(hub.url)
    client.http.cookies.clear()
    assert client.http.get(f"{hub.url}/2.0/openapi.json", timeout=20).json()["info"]["version"] == "2.0"
