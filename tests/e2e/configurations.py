"""Configuration files that the tests of the command write: one with a problem in each section, and one that is fine."""

BROKEN = {
    "accounts": {
        "CLIENT": {"password": {"env": "NOWHERE"}, "grants": {}},
        "part1": {"password": "in clear", "grants": {"http_mft": {"contract": 5}}},
    },
    "http_mft": {"folders": {"in": {"access": {"part1": ["fly"]}}}},
    "transactions": [{"name": "x", "direction": "sideways"}],
    "data_protector": {"folders": ["state"]},
    "ibm_mq_mft": {"agents": {"a b": {}}},
}

OWN = {
    "accounts": {"ada": {"password": {"file": "secret"}, "grants": {"http_mft": {"contract": "std"}}}},
    "http_mft": {"contracts": {"std": {}}, "folders": {"/dock": {"access": {"ada": ["list", "write"]}}}},
}
