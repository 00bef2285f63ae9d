"""The codes that every request of the API can have (8), each by its cause."""

import pytest

VALID = {
    "connect": [("userID", "Ann"), ("userName", "Administrator"), ("password", "wrong")],
    "disconnect": [],
    "logView": [("transactionName", "one"), ("sequence", "1")],
    "logBuffer": [("logViewID", "log1.tmp"), ("lineNum", "0")],
    "removeLogView": [("logViewID", "log1.tmp")],
    "transactionStatuses": [],
    **{kind: [("transactionName", "one")] for kind in ("runNow", "cancel", "terminate", "summary", "jobHistories")},
}


@pytest.mark.parametrize("kind", VALID)
def test_each_request_has_the_codes_of_every_request_8_10_15(hub, transaction, tmp_path_factory, kind):
    """401 without a session, 500 with a description where the database is broken, and 501 where the API is off."""
    made = hub(transaction("one"))
    assert made.call(kind, *VALID[kind]).status == 401
    made.log_in().run("one")
    with made.service.database.write() as connection:
        for table in ("jobs", "job_log", "job_log_view", "transactions", "clock"):
            connection.exec_driver_sql(f"ALTER TABLE {table} RENAME TO gone_{table}")
    broken = made.call(kind, *VALID[kind])
    # A connect needs the directory alone.
    assert (broken.status, broken.root.get("responseType")) == (401 if kind == "connect" else 500, "errorResponse")
    assert broken.text("message")
    assert "gone" not in broken.text("message")
    off = hub(transaction("one"), data=tmp_path_factory.mktemp("off"), diplomat={"api": False}).call(kind, *VALID[kind])
    assert (off.status, off.text("statusCode"), off.root.get("responseType")) == (501, "501", "errorResponse")
    assert off.text("message")
