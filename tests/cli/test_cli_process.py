"""The command line as a process: what it imports, how fast it starts, how it ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

TCALC = [sys.executable, "-m", "tcalc.cli"]
resource = pytest.importorskip("resource", reason="the system does not count processor time")

HEAVY = ("numpy", "scipy", "sympy", "networkx", "opt_einsum", "jax")


@pytest.mark.parametrize("module", ["tcalc", "tcalc.cli"])
def test_it_is_run_as_a_module_too(module):
    command = [sys.executable, "-m", module, "gradient", "sum(x.^2)", "--wrt", "x"]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == "2*x\n"


@pytest.mark.parametrize(
    "arguments",
    [
        ["gradient", "tr(A*X'*B*X*C)", "--wrt", "X"],
        ["hessian", "sum(log(1 + exp(-y .* (X*w))))", "--wrt", "w", "--json"],
        ["gradient", "logdet(K)", "--format", "latex"],
        ["examples"],
        ["functions"],
        ["completion", "bash"],
        ["--help"],
    ],
    ids=lambda arguments: arguments[0],
)
def test_printing_imports_nothing_heavy(arguments):
    script = (
        "import sys\n"
        "from tcalc.cli import main\n"
        "try:\n"
        "    main(sys.argv[1:])\n"
        "finally:\n"
        "    roots = {name.partition('.')[0] for name in sys.modules}\n"
        f"    print(sorted(roots.intersection({HEAVY})), file=sys.stderr)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, *arguments], capture_output=True, text=True, check=True
    )
    assert done.stderr.splitlines()[-1] == "[]"


@pytest.mark.slow
def test_a_cold_start_is_quick():
    # The processor's time, not the clock's: other processes cost less of it.
    times = []
    for _ in range(3):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        arguments = ["gradient", "tr(A*X'*B*X*C)", "--wrt", "X"]
        subprocess.run([*TCALC, *arguments], capture_output=True, check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        times.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    assert min(times) < 0.5


def test_a_reader_that_leaves_early_is_no_error():
    process = subprocess.Popen(
        [*TCALC, "functions"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdout is not None and process.stderr is not None
    process.stdout.close()
    with process.stderr:
        assert process.stderr.read() == b""
    assert process.wait() == 0


def test_ctrl_c_ends_quietly():
    process = subprocess.Popen(
        [*TCALC, "gradient", "-", "--wrt", "x"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    # It is reading standard input once it blocks there; a pipe that is full tells that it is not.
    assert process.stdin is not None
    process.stdin.write(b"x'*x" + b" " * 200_000)
    process.stdin.flush()
    process.send_signal(signal.SIGINT)
    out, err = process.communicate()
    assert process.returncode == 130
    assert out == b"" and b"Traceback" not in err


@pytest.mark.parametrize("moment", ["tcalc.cli.app", "click", "tcalc.primitives", "the end"])
def test_ctrl_c_ends_quietly_while_it_loads_and_while_it_leaves(moment):
    script = (
        "import atexit, signal, sys\n"
        "class Watch:\n"
        "    @staticmethod\n"
        "    def find_spec(name, path=None, target=None):\n"
        "        if name == sys.argv[0]:\n"
        "            signal.raise_signal(signal.SIGINT)\n"
        "sys.meta_path.insert(0, Watch)\n"
        "from tcalc.cli import main\n"
        "sys.argv[0] = sys.argv.pop()\n"
        "if sys.argv[0] == 'the end':\n"
        "    atexit.register(signal.raise_signal, signal.SIGINT)\n"
        "main()\n"
    )
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            script,
            "gradient",
            "x'*x",
            "--declare",
            "x[n]",
            "--wrt",
            "x",
            moment,
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 130
    assert done.stdout == ("2*x\n" if moment == "the end" else "") and not done.stderr


def test_a_bare_import_waits_for_nothing():
    script = (
        "import sys; before = set(sys.modules); import tcalc.cli\n"
        "print(sorted(name for name in set(sys.modules) - before if name.startswith('tcalc')))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout == "['tcalc', 'tcalc.cli']\n"


def test_output_that_the_terminal_cannot_show():
    done = subprocess.run(
        [*TCALC, "jacobian", "x", "--wrt", "x", "--format", "latex", "--declare", "λ, x[n]"],
        capture_output=True,
        env={**os.environ, "PYTHONIOENCODING": "ascii"},
        check=False,
    )
    assert done.returncode == 0
    assert done.stdout


def test_greek_letters_where_the_locale_knows_ascii_alone():
    ascii_only = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    done = subprocess.run(
        [*TCALC, "gradient", "λ*x'*x", "--wrt", "λ"],
        capture_output=True,
        env={**os.environ, **ascii_only},
        check=True,
    )
    assert done.stdout == b"x'*x\n"


@pytest.mark.parametrize(
    ("redirection", "status", "message"),
    [
        (">&-", 1, "standard output is closed"),
        ("<&-", 1, "standard input is closed"),
        ("2>&-", 0, ""),
    ],
)
def test_streams_that_are_closed(redirection, status, message):
    command = f'"{sys.executable}" -m tcalc.cli gradient {{}} --wrt x {redirection}'
    command = command.format("-" if "<" in redirection else '"x\'*x"')
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False)
    assert done.returncode == status
    assert message in done.stderr and "internal" not in done.stderr
