"""Subprocess that runs the `openml` client for `server`: one request, one line of JSON as response.

A subprocess, since the client makes folders and configures logging on import, reads its cache from the
environment before anything else, sets no timeout on its connections, and cannot be stopped.
Nothing of neucb is imported here.

    python client.py SERVER SECONDS get NUMBER       {"answer": 24}; the set is in OPENML_CACHE_DIR
    python client.py SERVER SECONDS versions NAME    {"answer": {"1": 24, ...}}, version -> number

SECONDS is the timeout of the connections. A failure is {"error": "..."}.
"""

import json
import sys
from typing import Any
from xml.parsers.expat import ExpatError

NO_QUALITIES = 362  # the server's code for a set without computed qualities


def _limit_silence(seconds: float) -> None:
    """Give every connection of the client a timeout."""
    import minio
    import requests
    import urllib3

    class Session(requests.Session):
        def request(self, *arguments: Any, **options: Any) -> requests.Response:
            return super().request(*arguments, **{"timeout": seconds, **options})

    original = minio.Minio

    def connect(*, http_client: Any = None, **options: Any) -> Any:
        pool = http_client or urllib3.PoolManager()
        retries = urllib3.Retry(1, backoff_factor=0.5, status_forcelist=(500, 502, 503, 504))
        pool.connection_pool_kw |= {"timeout": urllib3.Timeout(seconds), "retries": retries}
        return original(http_client=pool, **options)

    requests.Session = Session  # type: ignore[misc]
    minio.Minio = connect  # type: ignore[misc, assignment]


def _get(number: str) -> int:
    import openml

    def get(*, qualities: bool) -> None:
        openml.datasets.get_dataset(
            int(number),
            download_data=True,
            download_qualities=qualities,
            download_features_meta_data=True,
        )

    try:
        get(qualities=True)
    except openml.exceptions.OpenMLServerException as error:
        if error.code != NO_QUALITIES:
            raise
        get(qualities=False)
    return int(number)


def _versions(name: str) -> dict[int, int]:
    import openml

    listed = openml.datasets.list_datasets(data_name=name, status="active", output_format="dataframe")
    if listed.empty:
        return {}
    return dict(zip(listed["version"].map(int), listed["did"].map(int), strict=True))


def main(server: str, seconds: str, question: str, subject: str) -> None:
    """Print the response to one request; see the module."""
    try:
        import openml

        _limit_silence(float(seconds))
        openml.config.server = server
        openml.config.set_retry_policy("human", n_retries=2)
        print(json.dumps({"answer": {"get": _get, "versions": _versions}[question](subject)}))
    except Exception as error:  # any error; the caller turns it into one line
        print(json.dumps({"error": _words(error)}))


def _words(error: Exception) -> str:
    text = str(getattr(error, "message", None) or error or type(error).__name__)
    # raised by the client for errors that it does not expect
    if isinstance(error, LookupError | ValueError | TypeError | AttributeError | ExpatError):
        return f"the server's answer cannot be understood ({type(error).__name__}: {text})"
    return text


if __name__ == "__main__":
    main(*sys.argv[1:])
