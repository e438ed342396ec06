"""The page on C tells the truth."""

from __future__ import annotations

from pathlib import Path

from compilers import needs_compiler
from sessions import blocks, console_sessions, run_commands, run_sessions

from tcalc.runtime.libraries import FLAGS, VECTORISED

PAGE = (Path(__file__).parents[1] / "docs" / "c.md").read_text(encoding="utf-8")


@needs_compiler
def test_sessions():
    assert run_sessions(PAGE, "c.md") > 5


@needs_compiler
def test_the_program_that_calls_what_is_written(tmp_path):
    (program,) = blocks(PAGE, "c")
    (tmp_path / "main.c").write_text(program)
    for session in console_sessions(PAGE):
        run_commands(session, tmp_path)


def test_the_flags_are_those_that_are_used():
    (told,) = (text for text in PAGE.split("`") if text.startswith("-std="))
    silent = {"-w"}  # warnings change nothing
    assert {*told.split()} == {*FLAGS, *VECTORISED} - silent
