"""What `GET /v1/models` and `GET /v1/models/NAME` tell of the one model that is served."""

from __future__ import annotations

from pathlib import Path

import pytest

from pdr_dspy.embedded.access import Access

from .support import served


@pytest.mark.parametrize("name", ["m", "org/m", "org/m 2"])
async def test_a_model_is_told_of_by_its_name(tokenizer_dir: Path, name: str) -> None:
    async with served(tokenizer_dir) as (client, service):
        service.name = name
        listed = (await client.get("/v1/models")).json()["data"]
        one = await client.get(f"/v1/models/{name}")
        same = await client.get("/v1/models/")
    assert (one.status_code, [one.json()]) == (200, listed)
    assert (one.json()["id"], one.json()["object"], one.json()["owned_by"]) == (name, "model", "pdr-dspy")
    assert same.json()["data"] == listed


async def test_a_model_that_is_not_served_is_not_found(tokenizer_dir: Path) -> None:
    async with served(tokenizer_dir) as (client, _):
        answer = await client.get("/v1/models/other")
    error = answer.json()["error"]
    assert (answer.status_code, error["code"], error["type"]) == (404, 404, "NotFoundError")
    assert "`other` does not exist" in error["message"]


async def test_a_model_is_told_of_to_those_who_have_the_key(tokenizer_dir: Path) -> None:
    async with served(tokenizer_dir, Access("k")) as (client, _):
        assert (await client.get("/v1/models/m")).status_code == 401
        assert (await client.get("/v1/models/m", headers={"Authorization": "Bearer k"})).status_code == 200
