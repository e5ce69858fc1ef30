import re
from pathlib import Path

import plugins

README = (Path(plugins.__file__).parent / "README.md").read_text()


def test_the_example_runs_as_printed():
    (example,) = re.findall(r"```python\n(.*?)```", README, re.S)
    names = {}
    exec(example, names)
    assert names["node"].domain == plugins.DOMAIN
    assert [function.name for function in names["functions"]] == list(plugins.OP_NAMES)


def test_every_op_and_every_linked_file_is_there():
    assert all(f"`{op}`" in README for op in plugins.OP_NAMES)
    links = re.findall(r"\]\(([\w/.]+)\)", README)
    assert links and all((Path(plugins.__file__).parent / link).is_file() for link in links)
