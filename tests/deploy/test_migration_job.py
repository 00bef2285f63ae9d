"""The commands of the Job that migrates, with a real PostgreSQL and one user for each service."""

import base64
import os
import subprocess
import sys
import uuid
from pathlib import Path

import psycopg
import pytest
from psycopg import sql
from sqlalchemy import make_url

from tests.deploy.manifest_settings import environment
from tests.deploy.manifests import named, of_kind, overlay, pods, secrets_of

SCHEMAS = {
    "gateway": "gateway",
    "filestore": "filestore_svc",
    "diplomat": "diplomat_svc",
    "mqmft": "mqmft_svc",
    "sertainty": "sertainty_svc",
}


@pytest.fixture
def users(postgresql_server):
    """Make a database, and a user with the rights of docs/kubernetes.md for each service; yield their URLs."""
    url = make_url(postgresql_server.new_database()).set(drivername="postgresql")
    suffix, password = uuid.uuid4().hex[:8], uuid.uuid4().hex
    roles = {service: f"{service}-{suffix}" for service in SCHEMAS}
    with psycopg.connect(url.render_as_string(hide_password=False), autocommit=True) as connection:
        for role in roles.values():
            connection.execute(sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}").format(sql.Identifier(role), password))
            rights = sql.SQL("GRANT CONNECT, CREATE ON DATABASE {} TO {}")
            connection.execute(rights.format(sql.Identifier(url.database), sql.Identifier(role)))
    yield {
        service: url.set(username=role, password=password).render_as_string(hide_password=False)
        for service, role in roles.items()
    }
    postgresql_server.drop_database(url.render_as_string(hide_password=False))
    with psycopg.connect(url.set(database="postgres").render_as_string(hide_password=False), autocommit=True) as again:
        for role in roles.values():
            again.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(role)))


def command_of(container, given, folder, url):
    """Return command and environment of a container on this machine: same settings, other places."""
    program, *arguments = container["command"]
    database = next(name for name in given if name.endswith("_DATABASE_URL"))
    here = given | {
        "PATH": os.environ["PATH"],
        "MFT_CONFIG": str(folder / "crossdock.yaml"),
        "MFT_DATA": str(folder / "data"),
        "SERTAINTY_HOST_KEY_FILE": str(folder / "host.key"),
        database: url,
    }
    return [Path(sys.executable).with_name(program), *arguments], here


def test_the_job_makes_the_tables_of_each_service_by_its_own_user_and_ends(users, tmp_path):
    """Each command ends with success, each service owns a schema with its tables, and no user reads that of another."""
    documents, secrets = overlay("dev"), secrets_of("dev")
    (config,) = [one for one in of_kind(documents, "ConfigMap") if "crossdock.yaml" in one["data"]]
    (tmp_path / "crossdock.yaml").write_text(config["data"]["crossdock.yaml"])
    key = named(secrets, "Secret", "sertainty-host-key")["data"]["host.key"]
    (tmp_path / "host.key").write_bytes(base64.b64decode(key))
    pod = pods(documents)["migrate"]["spec"]
    for container in (*pod["initContainers"], *pod["containers"]):
        given = environment(documents, secrets, container)
        command, here = command_of(container, given, tmp_path, users[container["name"]])
        done = subprocess.run(command, env=here, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == 0, f"{container['name']}: {done.stderr}"
    for service, schema in SCHEMAS.items():
        with psycopg.connect(users[service], autocommit=True) as connection:
            owned = connection.execute(
                "SELECT schemaname FROM pg_tables WHERE tableowner = current_user AND tablename = 'alembic_version'"
            )
            assert [row[0] for row in owned] == [schema]
            other = "gateway" if service != "gateway" else "mqmft_svc"
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(sql.SQL("SELECT * FROM {}.alembic_version").format(sql.Identifier(other)))
