"""The exported schema, the manual and the loader say the same."""

import json
from pathlib import Path

import jsonschema
import pytest
from ruamel.yaml import YAML

from usenet.adapters import settings
from usenet.adapters.settings import text
from usenet.domain.errors import ConfigError
from usenet.domain.schema import schema
from usenet.domain.settings import Identity, ServiceSettings, Settings
from usenet.domain.storage.intent import BranchSettings, DriveSettings, PoolSettings, StorageSettings

DOCS = Path(__file__).parents[2] / "docs"
MANUAL = (DOCS / "usenet.example.yaml").read_text()


def yaml_1_2(source: str) -> object:
    """As an editor reads it: with string keys, as JSON has them."""
    return json.loads(json.dumps(YAML(typ="safe").load(source)))


def test_the_schema_in_docs_is_the_one_that_is_printed():
    assert json.loads((DOCS / "usenet.schema.json").read_text()) == schema(), (
        "write it anew: usenet config schema > docs/usenet.schema.json"
    )


def test_the_manual_loads_and_fits_the_schema():
    settings.parse(MANUAL)
    jsonschema.Draft202012Validator.check_schema(schema())
    jsonschema.Draft202012Validator(schema()).validate(yaml_1_2(MANUAL))


def test_the_manual_names_every_key():
    root = text.read(MANUAL, "manual").plain()
    assert set(root) == set(Settings.model_fields)
    assert set(root["user"]) == set(Identity.model_fields)
    assert {key for own in root["storage"]["drives"].values() for key in own} == set(DriveSettings.model_fields)
    assert set(root["storage"]) == set(StorageSettings.model_fields)
    assert set(root["storage"]["pool"]) == set(PoolSettings.model_fields)
    assert {key for own in root["storage"]["pool"]["drives"].values() for key in own} == set(
        BranchSettings.model_fields
    )
    assert {key for own in root["services"].values() for key in own} == set(ServiceSettings.model_fields)


@pytest.mark.parametrize(
    ("source", "right"),
    [
        ("{}", True),
        ("services: {sonarr: }", True),
        ("services: {sonarr: {memory: 512M, environment: {A: 1, B: true}}}", True),
        ("services: {Sonarr: {}}", False),
        ("services: {sonarr: {prot: 1}}", False),
        ("services: {sonarr: {port: 0}}", False),
        ("services: {sonarr: {memory: 12Q}}", False),
        ("services: {sonarr: {environment: {9: a}}}", False),
        ("storage: {drives: {a: {path: /x}}, pool: {drives: {a: {}}, min_free: 10G}}", True),
        ("storage: {drives: {a: {path: /x}}, pool: {drives: {a: {}}, policy: epmfs}}", False),
        ("storage: {pool: {drives: {}}}", False),
        ("storage: {pool: {drives: {a: {}}, min_free: much}}", False),
        ("profile: fast", False),
        ("version: 2", False),
        ("share: 2", False),
        ("data: ''", False),
    ],
)
def test_schema_and_loader_agree(source, right):
    try:
        settings.parse(source)
        loads = True
    except ConfigError:
        loads = False
    assert (loads, jsonschema.Draft202012Validator(schema()).is_valid(yaml_1_2(source))) == (right, right)
