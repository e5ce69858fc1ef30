from __future__ import annotations

import pytest

from runtime.cli import main


@pytest.mark.parametrize("command", ["serve", "live"])
@pytest.mark.parametrize("port", ["65536", "-1", "http"])
def test_what_is_no_port_is_refused_by_its_option(
    command: str, port: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stop:
        main([command, "nowhere.bundle", "--port", port])
    assert stop.value.code == 2
    assert capsys.readouterr().err.startswith("error: argument --port: ")
