"""Clients of the four protocols, as small as their users' scripts."""

import base64
import contextlib
import xml.etree.ElementTree as ET

import requests


class HttpMft:
    """A client of HTTP MFT with its two cookies."""

    def __init__(self, url, user="part1", password="partner1"):
        self.url = url
        self.http = requests.Session()
        answer = self.http.post(f"{url}/2.0/login/basic", data={"username": user, "password": password}, timeout=20)
        assert answer.status_code == 200, answer.text

    def put(self, path, content, kind="application/octet-stream"):
        """Upload `content` and return the answer."""
        files = {"file": ("any", content, kind)}
        return self.http.put(f"{self.url}/2.0/files/{path}", files=files, timeout=60)

    def get(self, path):
        """Download a file."""
        return self.http.get(f"{self.url}/2.0/files/{path}", timeout=60)

    def delete(self, path):
        """Delete a file."""
        return self.http.delete(f"{self.url}/2.0/files/{path}", timeout=20)

    def names(self, folder):
        """Return the names in a folder."""
        answer = self.http.get(f"{self.url}/2.0/directories/{folder}", params={"limit": 10000}, timeout=20)
        assert answer.status_code == 200, answer.text
        return sorted(entry["filename"] for entry in answer.json()["files"])


class Diplomat:
    """A client of Diplomat MFT with its cookie."""

    def __init__(self, url, user="Administrator", password="diplomat123"):
        self.url = f"{url}/diplomat/APIRequest"
        self.http = requests.Session()
        answer = self.call("connect", userID="e2e", userName=user, password=password)
        assert answer.status_code == 200, answer.text

    def call(self, request_type, **parameters):
        """Send one request and return the answer."""
        return self.http.post(self.url, params={"requestType": request_type, **parameters}, timeout=20)

    def run(self, name, **variables):
        """Schedule a transaction and return its scheduled time."""
        pairs = [f"{key}|{value}" for key, value in variables.items()]
        answer = self.call("runNow", transactionName=name, var=pairs)
        assert answer.status_code == 200, answer.text
        return int(ET.fromstring(answer.content).findtext("scheduledTime"))

    def job(self, name):
        """Return the most recent job of a transaction as (startTime, status, completionStatus), or None."""
        root = ET.fromstring(self.call("transactionStatuses").content)
        for status in root.iter("transactionStatus"):
            history = status.find("jobHistory")
            if status.findtext("transactionName") == name and history is not None:
                fields = ("startTime", "status", "completionStatus")
                start, state, completion = (history.findtext(field) for field in fields)
                return int(start), state, completion
        return None


class IbmMq:
    """A client of the IBM MQ MFT REST API with Basic credentials."""

    def __init__(self, url, user="mftadmin", password="mftadmin"):
        self.url = f"{url}/ibmmq/rest/v2/admin/mft/transfer"
        self.http = requests.Session()
        self.http.auth = (user, password)

    def transfers(self, limit=1000):
        """Return the newest transfers."""
        answer = self.http.get(self.url, params={"limit": limit}, timeout=20)
        assert answer.status_code == 200, answer.text
        return answer.json()["transfer"]

    def agents(self):
        """Return all agents."""
        answer = self.http.get(self.url.replace("/transfer", "/agent"), timeout=20)
        assert answer.status_code == 200, answer.text
        return answer.json()["agent"]

    def items(self, transfer_id):
        """Return the items of one transfer."""
        path = self.url.replace("/v2/", "/v3/")
        answer = self.http.get(f"{path}/{transfer_id}", params={"attributes": "*"}, timeout=20)
        assert answer.status_code == 200, answer.text
        return answer.json()["transfer"][0]["transferSet"]["item"]


class DataProtector:
    """A client of the Data Protector Web API."""

    def __init__(self, url):
        self.url = f"{url}/dataprotector"

    def call(self, function, *arguments, session=None):
        """Send one request; return its status and the decoded results. An argument may be a pair of name and text."""
        root = ET.Element("Request")
        if session:
            ET.SubElement(root, "Session").text = session
        ET.SubElement(root, "Function").text = function
        arglist = ET.SubElement(root, "ArgList")
        for argument in arguments:
            name, text = argument if isinstance(argument, tuple) else (None, argument)
            element = ET.SubElement(arglist, "Argument", {"name": name} if name else {})
            element.text = base64.b64encode(text.encode()).decode()
        answer = requests.post(self.url, data=ET.tostring(root), timeout=20)
        assert answer.status_code == 200, answer.text
        tree = ET.fromstring(answer.content)
        results = [base64.b64decode(result.text or "").decode() for result in tree.iter("Result")]
        return int(tree.findtext("Status")), results


class Operator:
    """A session of the trusted account, and the configuration `harbour` that it works on."""

    CONFIG = "harbour"

    def __init__(self, hub):
        self._client = DataProtector(hub.url)
        status, (self._session,) = self._client.call("hostOpenSession", "operator")
        assert status == 1

    def __call__(self, function, *arguments):
        """Call a function that succeeds, and return its results."""
        status, results = self._client.call(function, *arguments, session=self._session)
        assert status == 1, (function, status)
        return results

    @contextlib.contextmanager
    def active(self, *tasks):
        """Have these tasks active for the block."""
        self("configCreate", self.CONFIG)
        try:
            self("configSaveTasks", self.CONFIG, f"<Tasks>{''.join(tasks)}</Tasks>")
            self("configActivate", self.CONFIG)
            yield
        finally:
            self("configDelete", self.CONFIG)

    def status(self, name):
        """Return the seven values of a task."""
        return self("taskGetStatus", self.CONFIG, name)
