"""The manifests set what the services read, and nothing else."""

import base64

import pytest

from crossdock.secrets_folder import ensure
from mft_common.settings import from_env
from tests.deploy.manifest_settings import OF_WORKERS, classes_of, environment, is_worker, ours, problems
from tests.deploy.manifests import OVERLAYS, named, of_kind, overlay, secrets_of


@pytest.mark.parametrize("name", OVERLAYS)
def test_the_manifests_set_exactly_what_the_services_read(name):
    """Services read each name that they get; no required, secret or composed one is missing; no Secret is unused."""
    assert problems(overlay(name), secrets_of(name)) == []


@pytest.mark.parametrize("name", OVERLAYS)
def test_a_setting_that_is_taken_away_is_missed(name):
    """Without a variable that a container gets from a Secret, the comparison names container and variable."""
    documents, secrets = overlay(name), secrets_of(name)
    tried = 0
    for workload, container, _ in ours(documents):
        for number, one in enumerate(tuple(container["env"])):
            removed = container["env"].pop(number)
            assert f"{workload}/{container['name']}: {one['name']} is missing" in problems(documents, secrets)
            container["env"].insert(number, removed)
            tried += 1
    assert tried > 25


@pytest.mark.parametrize("name", ["MFT_CONFIG", "MFT_GATEWAY_URL", "MFT_FILESTORE_URL", "MFT_DATA"])
def test_a_value_that_is_taken_out_of_a_config_map_is_missed(name):
    """Both processes of diplomat-svc need what docker-compose.yml gives them."""
    documents, secrets = overlay("prod"), secrets_of("prod")
    (settings,) = [one for one in of_kind(documents, "ConfigMap") if one["metadata"]["name"].startswith("diplomat-")]
    del settings["data"][name]
    assert f"diplomat-svc/web: {name} is missing" in problems(documents, secrets)
    assert f"diplomat-worker/worker: {name} is missing" in problems(documents, secrets)


def test_a_name_that_no_class_reads_is_found():
    """A misspelt setting of a ConfigMap and a left-over key of a Secret are both named."""
    documents, secrets = overlay("prod"), secrets_of("prod")
    (settings,) = [one for one in of_kind(documents, "ConfigMap") if one["metadata"]["name"].startswith("mqmft-")]
    settings["data"]["MQMFT_KEEPDAYS"] = "30"
    named(secrets, "Secret", "mqmft-secrets")["data"]["MFT_OLD_KEYS"] = ""
    found = problems(documents, secrets)
    assert "mqmft-svc/web: no settings class reads MQMFT_KEEPDAYS" in found
    assert "no container reads mqmft-secrets/MFT_OLD_KEYS" in found


@pytest.mark.parametrize("name", OVERLAYS)
def test_a_secret_without_its_key_is_found(name):
    """A Secret that lacks the key to which a container refers is named, for a pod would not start."""
    documents, secrets = overlay(name), secrets_of(name)
    del named(secrets, "Secret", "identity-keys")["data"]["MFT_INTERNAL_KEYS"]
    assert "gateway/web: no Secret has identity-keys/MFT_INTERNAL_KEYS" in problems(documents, secrets)


@pytest.mark.parametrize("name", OVERLAYS)
def test_every_process_accepts_the_settings_that_it_gets(name):
    """The settings classes read the environment of each container without a problem."""
    documents, secrets = overlay(name), secrets_of(name)
    for _, container, service in ours(documents):
        given = environment(documents, secrets, container)
        for one in classes_of(container, service):
            from_env(one, given)


@pytest.mark.parametrize("name", OVERLAYS)
def test_only_workers_know_the_broker(name):
    """Web processes get no URL of a broker."""
    for _, container, _ in ours(overlay(name)):
        names = {one["name"] for one in container["env"]}
        assert bool(names & OF_WORKERS) == is_worker(container)


def test_the_passwords_of_dev_fit_its_servers(tmp_path):
    """The URLs have the form of those that `crossdock init` makes, with the passwords that the servers get."""
    ensure(tmp_path)
    documents, secrets = overlay("dev"), secrets_of("dev")
    database, broker = (tmp_path / "database_url").read_text(), (tmp_path / "amqp_url").read_text()
    database = database.replace((tmp_path / "postgres_password").read_text(), value_of(secrets, "POSTGRES_PASSWORD"))
    broker = broker.replace((tmp_path / "rabbitmq_password").read_text(), value_of(secrets, "RABBITMQ_DEFAULT_PASS"))
    for _, container, service in ours(documents):
        given = environment(documents, secrets, container)
        assert {value for key, value in given.items() if key.endswith("_DATABASE_URL")} == {database}, service
        assert given.get("MFT_AMQP_URL", broker) == broker


def value_of(secrets, key):
    """Return the value of a key that one of the Secrets has."""
    (value,) = {one["data"][key] for one in secrets if key in one["data"]}
    return base64.b64decode(value).decode()
