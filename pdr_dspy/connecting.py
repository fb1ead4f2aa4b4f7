"""`connect(url)`: a `dspy.LM` in one line, for scripts and notebooks.

`pdr_dspy.endpoint` has what stands behind it: `Endpoint`, whose `lm` this is, stores, allowances, statistics.
"""

from __future__ import annotations

from collections.abc import Sequence

from pdr_dspy.endpoint import Endpoint, EndpointLM, Secret, settings_from_environment
from pdr_dspy.endpoint.environment import MODEL_VARIABLE
from pdr_dspy.endpoint.given_store import GivenStore
from pdr_dspy.endpoint.settings import Thinking
from pdr_dspy.errors import EndpointError


def connect(
    url: str | Sequence[str] | None = None,
    model: str | None = None,
    api_key: str | Secret | None = None,
    *,
    load: int = 32,
    timeout: float = 600.0,
    connect_timeout: float = 10.0,
    retries: int = 4,
    backoff: float = 0.5,
    thinking: Thinking = "auto",
    revision: str | None = None,
    store: GivenStore = None,
) -> EndpointLM:
    """Open an endpoint, and give the `dspy.LM` whose calls go there.

        with connect("http://host:8000/v1") as lm:
            dspy.configure(lm=lm)
            ...

    Without `with` it is closed by `lm.close()`, when nobody has it any more, or at the program's end. How it samples is
    said as to any LM: `connect(...).copy(temperature=0.6)`. The endpoint (context, tokenizer, statistics) is
    `lm.endpoint`.

    Args:
        url: One address; several, in a sequence or separated by commas, are replicas. Default: PDR_ENDPOINT.
        model: Name the model is served under. Default: PDR_MODEL, else the only one served.
        api_key: Never shown nor saved. Default: PDR_API_KEY, OPENAI_API_KEY or HOSTED_VLLM_API_KEY.
        load: Requests in flight at most, all replicas together.
        timeout: Seconds one attempt may take.
        connect_timeout: Seconds to open a connection.
        retries: Attempts after the first, for failures that may pass.
        backoff: Seconds before the first retry at most; doubles with each.
        thinking: Who keeps a call's cap on thinking (see `EndpointSettings`).
        revision: Names the weights, where the server's own answer does not tell them apart.
        store: Where completions are kept and looked up: a directory (of a `FileStore`) or a store; None keeps none.

    Raises:
        EndpointError: no address is given, it can't be reached, refuses the key, serves another model, or is no
            OpenAI-style server; a setting that can't be.
        InputError: the store's directory can't be made or read.
    """
    settings = settings_from_environment(
        url,
        model,
        api_key,
        load=load,
        timeout=timeout,
        connect_timeout=connect_timeout,
        retries=retries,
        backoff=backoff,
        thinking=thinking,
        revision=revision,
    )
    try:
        return Endpoint.open(settings, store).lm
    except EndpointError as error:
        if error.field == "model" and model is None and settings.model is not None:
            raise EndpointError(MODEL_VARIABLE, error.problem, error.mend) from None
        raise
