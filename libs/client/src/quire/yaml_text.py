"""YAML as people write job documents: plain data, numbers as YAML 1.2 has them, and no alias that could multiply it."""

from __future__ import annotations

import re
from typing import Any

import yaml

YamlError = yaml.YAMLError

# YAML 1.1, which PyYAML reads, takes 1e-3 for text and `on` for true; people who write documents mean YAML 1.2.
_FLOAT = re.compile(r"^[-+]?(?:\d+\.\d*|\.\d+|\d+(?=[eE]))(?:[eE][-+]?\d+)?$")
_BOOL = re.compile(r"^(?:true|True|TRUE|false|False|FALSE)$")
_REPLACED = {"tag:yaml.org,2002:float", "tag:yaml.org,2002:bool", "tag:yaml.org,2002:timestamp"}


class _Loader(yaml.SafeLoader):
    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.AliasEvent):
            raise yaml.YAMLError("anchors and aliases are not taken; write the value out")
        return super().compose_node(parent, index)


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag not in _REPLACED]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver("tag:yaml.org,2002:float", _FLOAT, list("-+.0123456789"))
_Loader.add_implicit_resolver("tag:yaml.org,2002:bool", _BOOL, list("tTfF"))


def load(text: bytes) -> object:
    """The data of one YAML document (UTF-8).

    Raises:
        YamlError: for anything but plain data.
    """
    return yaml.load(text, _Loader)  # noqa: S506 - a SafeLoader
