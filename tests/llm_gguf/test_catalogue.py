"""The catalogue: every fact is there and has the form it must have."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from llm_gguf.library import catalogue
from llm_gguf.library.catalogue import Entry

COMMERCIAL_USE = {"Apache-2.0", "MIT"}
ENTRIES = catalogue.entries()
EACH = pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.name)


def test_there_are_some_models_and_no_two_are_alike() -> None:
    assert 4 <= len(ENTRIES) <= 7
    for facts in ("name", "title", "sha256", "address"):
        assert len({getattr(entry, facts) for entry in ENTRIES}) == len(ENTRIES)


def test_fewest_parameters_come_first() -> None:
    assert [entry.parameters for entry in ENTRIES] == sorted(entry.parameters for entry in ENTRIES)


@EACH
def test_licence_allows_commercial_use(entry: Entry) -> None:
    assert entry.licence in COMMERCIAL_USE


@EACH
def test_address_names_a_revision_of_the_repository_that_the_source_names(entry: Entry) -> None:
    scheme, _, host, owner, repository, resolve, revision, file = entry.address.split("/")
    assert (scheme, host, resolve) == ("https:", "huggingface.co", "resolve")
    assert len(revision) == 40
    assert int(revision, 16)
    assert f"Hugging Face {owner}/{repository}," in entry.source
    assert entry.quantization.lower() in file.lower()


@EACH
def test_size_fits_parameters_and_quantization(entry: Entry) -> None:
    bits = {"Q4_K_M": (4, 8.1), "Q8_0": (8, 9)}[entry.quantization]  # embeddings may be there twice, at more bits
    assert entry.size_bytes is not None
    assert bits[0] <= entry.size_bytes * 8 / entry.parameters <= bits[1]
    assert 0.3e9 < entry.parameters <= 4.1e9


@EACH
def test_every_fact_has_a_source(entry: Entry) -> None:
    for fact in ("sha256", "Layers", "Revision", "licence"):
        assert fact.lower() in entry.source.lower()


def test_memory_is_the_file_and_keys_and_values_of_the_context() -> None:
    entry = ENTRIES[0].model_copy(update={"size_bytes": 1000, "layers": 3, "key_value_heads": 2, "head_size": 5})
    assert entry.memory_bytes(context_tokens=10) == 1000 + 2 * 3 * 2 * 5 * 2 * 10
    assert entry.model_copy(update={"size_bytes": None}).memory_bytes() is None


@pytest.mark.parametrize(
    "fault",
    [
        {"name": "../up"},
        {"name": "Upper"},
        {"licence": "CC-BY-NC-4.0"},
        {"sha256": "A" * 64},
        {"sha256": "0" * 63},
        {"address": "http://example.org/m.gguf"},
        {"address": "https://user@example.org/m.gguf"},
        {"address": "https://example.org/m.gguf?token=x"},
        {"address": "https://example.org/m.bin"},
        {"size_bytes": 0},
        {"source": ""},
        {"more": 1},
    ],
)
def test_a_faulty_entry_is_refused(fault: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Entry.model_validate(ENTRIES[0].model_dump() | fault)


def test_a_size_may_be_unknown() -> None:
    assert Entry.model_validate(ENTRIES[0].model_dump() | {"size_bytes": None}).size_bytes is None


def test_names_are_looked_up() -> None:
    assert catalogue.entry(ENTRIES[2].name) is ENTRIES[2]
    assert catalogue.entry("no such model") is None
