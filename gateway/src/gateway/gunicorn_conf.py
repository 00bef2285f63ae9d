"""How gunicorn serves the gateway in a container.

Used as `gunicorn -c python:gateway.gunicorn_conf 'gateway.app:create_app()'`. `MFT_LISTEN` and `MFT_WEB_PROCESSES`
set the address and the number of processes, as for services. The ports of HTTPS and of the internal API, where they are
set, are opened at the same address.
"""

import os
from typing import Any

from gateway.bootstrap import build_from_file
from gateway.serving.limits import ServingLimits
from gateway.serving.options import gunicorn_options
from gateway.settings import Settings
from mft_common import logs
from mft_common.errors import MftError
from mft_common.process import memory
from mft_common.process.gunicorn_logs import JsonLogger
from mft_common.settings import from_env

_environ = os.environ  # noqa: TID251 -- gunicorn reads its settings from this module before any application exists
_limits = from_env(ServingLimits, _environ)
_public = _environ.get("MFT_LISTEN", "0.0.0.0:8080")
_more = (_limits.https_port, _environ.get("GATEWAY_INTERNAL_PORT"))


def _apply_configuration(_server: Any) -> None:
    """Bring the account directory to the configuration, once for all processes and before any of them serves.

    In a web process it would count against the time that gunicorn gives it to start.
    """
    settings = Settings.from_env(_environ)
    logs.configure("gateway", settings.log_level)
    build_from_file(settings, _environ).close()


def _apply_again(server: Any) -> None:
    """Apply what the configuration says by now, on SIGHUP; one with problems changes nothing, and the hub goes on."""
    try:
        _apply_configuration(server)
    except MftError as error:
        logs.get("gunicorn").error("configuration.rejected", reason=str(error))


def _post_worker_init(_worker: Any) -> None:
    """Freeze the garbage collector once the application is built."""
    memory.freeze_gc()


globals().update(
    gunicorn_options(
        bind=[_public, *(f"{_public.rpartition(':')[0]}:{port}" for port in _more if port)],
        workers=int(_environ.get("MFT_WEB_PROCESSES", "2")),
        limits=_limits,
    ),
    logger_class=JsonLogger,
    on_starting=_apply_configuration,
    on_reload=_apply_again,
    post_worker_init=_post_worker_init,
)
