"""Laws of single modules that no linter has a rule for."""

import ast
import re

LONGEST = 300
EXCUSE = "Longer than 300 lines because"


def test_the_environment_is_read_in_settings_alone(modules):
    readers = [
        f"{module.name}:{node.lineno}"
        for module in modules
        if module.path.name != "settings.py"
        and module.name != "libs/bus/src/quire_bus/provision.py"  # a command of its own, below the service frame
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and (node.value.id, node.attr) in {("os", "environ"), ("os", "getenv"), ("os", "putenv")}
    ]
    assert readers == [], "read the environment in settings.py and pass the value"


def test_a_module_is_one_idea_of_readable_length(modules):
    long = []
    for module in modules:
        lines = module.text.count("\n")
        if lines > LONGEST and EXCUSE not in (ast.get_docstring(module.tree) or ""):
            long.append(f"{module.name}: {lines} lines")
    assert long == [], f"split it, or say in its docstring: {EXCUSE} ..."


def test_a_module_says_in_one_sentence_why_it_exists(modules):
    silent = []
    for module in modules:
        first = (ast.get_docstring(module.tree) or "").partition("\n\n")[0]
        if not re.search(r"[.:;)]$|::$", first.strip()):
            silent.append(f"{module.name}: {first!r}")
    assert silent == []


def test_time_is_injected(modules):
    """The wall clock is read by the one system clock; who needs it takes a `Clock`."""
    forbidden = {"time.time", "time.time_ns", "datetime.now", "datetime.utcnow", "datetime.datetime.now", "time.sleep"}
    allowed = {
        "libs/resilience/src/quire_resilience/clock.py",  # the system clock itself
        "libs/bus/src/quire_bus/server.py",  # polls a child process in a thread that has no loop
    }
    readers = [
        f"{module.name}:{line} {name}"
        for module in modules
        if module.name not in allowed and not module.name.startswith(("libs/testing/", "libs/client/"))
        for line, name in module.calls()
        if name in forbidden
    ]
    assert readers == []


def test_randomness_is_injected(modules):
    """Calls of the global generators; `random.random` handed over as an argument is injection, not a call."""
    pattern = re.compile(
        r"(random|np\.random|numpy\.random)\.(?!Random$|SystemRandom$|default_rng$|Generator$|PCG64$|SeedSequence$)\w+"
    )
    callers = [
        f"{module.name}:{line} {name}" for module in modules for line, name in module.calls() if pattern.fullmatch(name)
    ]
    assert callers == []


def test_nothing_connects_or_starts_at_import(modules):
    """Module level holds definitions and constants: no await, no open file, no client, no `with`."""
    busy = [
        f"{module.name}:{node.lineno}"
        for module in modules
        for node in module.tree.body
        if isinstance(node, (ast.With, ast.While, ast.For))
    ]
    assert busy == []


def test_names_are_business_words_or_technologies(root, modules):
    empty = {"utils", "util", "common", "core", "helpers", "helper", "manager", "managers", "misc", "shared", "base"}
    folders = {part for module in modules for part in module.path.relative_to(root).with_suffix("").parts}
    assert folders & empty == set()


def test_nothing_is_left_undone(modules):
    marks = re.compile(r"#.*\b(TODO|FIXME|XXX|HACK)\b|raise NotImplementedError")
    left = [f"{m.name}:{n}" for m in modules for n, line in enumerate(m.text.splitlines(), 1) if marks.search(line)]
    assert left == []
