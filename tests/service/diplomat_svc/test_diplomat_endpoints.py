"""Jobs from and to endpoints of crossdock.yaml."""

import functools
import http.server
import threading

import pytest


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_arguments):
        """Say nothing."""


@pytest.fixture
def web(tmp_path):
    """A web server of a folder, as folder and URL."""
    (tmp_path / "web").mkdir()
    handler = functools.partial(_Quiet, directory=str(tmp_path / "web"))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        yield tmp_path / "web", f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("files", [["a.csv", "missing.csv"], ["*.csv"]])
def test_a_job_fetches_named_files_from_a_web_server(hub, transaction, web, files):
    """Files are fetched by their names where an endpoint cannot list; a pattern ends the job with a reason."""
    folder, url = web
    (folder / "a.csv").write_bytes(b"content")
    fetch = transaction("fetch", direction="inbound", source={"url": url, "files": files})
    made = hub(fetch).log_in()
    with made.work():
        made.run("fetch")
        job = made.finished("fetch")
    if "*" in files[0]:
        assert job.findtext("completionStatus") == "Failure"
        assert any("each has to be named" in row.text for row in made.rows("SELECT text FROM job_log"))
        return
    assert job.findtext("completionStatus") == "Successful"
    assert (made.data / "to/a.csv").read_bytes() == b"content"
