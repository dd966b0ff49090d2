"""Laws of requirements/: complete, hashed, without addresses, and in step with what the members declare."""

import re

from packaging.requirements import Requirement

PIN = re.compile(r"^([a-z0-9][a-z0-9.-]*)==(\S+)(?: ; .+?)? \\$")


def _pins(path):
    return {match[1]: match[2] for line in path.read_text("utf-8").splitlines() if (match := PIN.match(line))}


def _closure(members, name):
    """The members a member is made of, itself included, extras followed; and all third-party requirements of them."""
    by_name = {member.name: member for member in members}
    own, foreign, todo, seen = [], {}, [(name, frozenset())], set()
    while todo:
        entry = todo.pop()
        if entry in seen:
            continue
        seen.add(entry)
        member = by_name[entry[0]]
        own.append(member)
        lines = list(member.project.get("dependencies", []))
        for extra in entry[1]:
            lines += member.project["optional-dependencies"][extra]
        for requirement in map(Requirement, lines):
            if requirement.name in by_name:
                todo.append((requirement.name, frozenset(requirement.extras)))
            else:
                foreign.setdefault(requirement.name.lower().replace("_", "-"), []).append(requirement)
    return own, foreign


def test_no_lock_names_an_address(root):
    holding = [path.name for path in (root / "requirements").iterdir() if "://" in path.read_text("utf-8")]
    assert holding == []


def test_every_pin_has_a_hash(root):
    for path in (root / "requirements").glob("*.txt"):
        text = path.read_text("utf-8")
        assert re.findall(r"^[a-z].*[^\\]$", text, re.MULTILINE) == [], f"{path.name} pins without a hash"
        assert len(_pins(path)) > 10, path.name


def test_each_service_lists_the_members_it_is_made_of(root, members, services):
    for service in services:
        listed = (root / "requirements" / f"{service.folder.name}.members").read_text("utf-8").split()
        own, _ = _closure(members, service.name)
        expected = sorted({f"./{member.folder.relative_to(root)}" for member in own})
        assert listed == expected, f"{service.name}: run `just lock`"


def test_each_lock_satisfies_what_is_declared(root, members, services):
    stale = []
    for service in services:
        pins = _pins(root / "requirements" / f"{service.folder.name}.txt")
        _, foreign = _closure(members, service.name)
        stale += [
            f"{service.folder.name}: {requirement}, locked {pins.get(name)}"
            for name, requirements in foreign.items()
            for requirement in requirements
            if name not in pins or not requirement.specifier.contains(pins[name], prereleases=True)
        ]
    assert stale == [], "run `just lock`"


def test_services_and_developers_use_the_same_versions(root):
    developers = _pins(root / "requirements" / "dev.txt")
    for path in (root / "requirements").glob("*.txt"):
        pins = _pins(path)
        if (
            path.name == "bench.txt"
        ):  # what the benchmarks compare with is nobody's dependency; what is, has one version
            pins = {name: version for name, version in pins.items() if name in developers}
        assert pins.items() <= developers.items(), path.name
