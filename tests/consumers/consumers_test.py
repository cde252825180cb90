"""Builds ringwire's consumers the way a stranger would, runs them, and talks to them.

Leaves to others: what a server does (tests/scenario). Everything happens in a temporary directory; the build directory
given is only installed from. Last line: "N passed, N failed".

usage: consumers_test.py SOURCE BUILD
"""

import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile

SOURCE = pathlib.Path(sys.argv[1]).resolve()
BUILD = pathlib.Path(sys.argv[2]).resolve()
HERE = SOURCE / "tests/consumers"
CXX = os.environ.get("CXX", "c++").split()
SECONDS = 20


def call(*command, **options):
    """Runs a command; what it printed is part of the failure."""
    done = subprocess.run([str(word) for word in command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          stdin=subprocess.DEVNULL, **options)
    if done.returncode != 0:
        raise AssertionError(f"{' '.join(str(word) for word in command)}: exit code {done.returncode}\n{done.stdout}")
    return done.stdout


def talk(program, environment=None):
    """Starts the server, sends a message, expects it back in capitals, and stops it with SIGINT."""
    server = subprocess.Popen([str(program)], stdout=subprocess.PIPE, text=True, env=environment)
    try:
        line = server.stdout.readline().split()
        assert line[:1] == ["port"], f"the server said {line} instead of its port"
        with socket.create_connection(("127.0.0.1", int(line[1])), timeout=SECONDS) as client:
            client.sendall(b"hello, ring")
            answer = b""
            while len(answer) < len(b"hello, ring"):
                some = client.recv(100)
                assert some, f"the server closed after {answer}"
                answer += some
            assert answer == b"HELLO, RING", f"the answer was {answer}"
        server.send_signal(signal.SIGINT)
        code = server.wait(SECONDS)
        assert code == 0, f"exit code {code} after SIGINT"
    finally:
        server.kill()
        server.wait()
        server.stdout.close()


def a_meson_project_uses_ringwire_as_a_subproject(folder):
    project = folder / "project"
    shutil.copytree(HERE / "subproject", project)
    (project / "subprojects").mkdir()
    (project / "subprojects/ringwire").symlink_to(SOURCE)
    # The whole library is compiled once more: eight sources at a time and without optimisation, which is quicker.
    call("meson", "setup", project / "build", project, "-Dbuildtype=debug", "-Dunity=on", "-Dunity_size=8")
    targets = call("meson", "introspect", "--targets", project / "build")
    assert "websocket_echo" not in targets and "tidy" not in targets, "a subproject builds more than the library"
    call("ninja", "-C", project / "build", "consumer")
    talk(project / "build/consumer")


def a_program_finds_an_installed_ringwire_with_pkg_config(folder):
    call("meson", "install", "-C", BUILD, "--no-rebuild", "--destdir", folder / "root")
    [description] = (folder / "root").rglob("ringwire.pc")
    prefix = pathlib.Path(call("pkg-config", "--variable=prefix", description).strip())
    here = f"--define-variable=prefix={folder / 'root' / prefix.relative_to('/')}"
    flags = call("pkg-config", here, "--cflags", "--libs", description).split()
    call(*CXX, "-std=c++20", "-Wall", "-Wextra", "-Werror", HERE / "pkgconfig/consumer.cpp", "-o", folder / "consumer",
         *flags)
    libraries = next((folder / "root").rglob("libringwire.*")).parent
    talk(folder / "consumer", {**os.environ, "LD_LIBRARY_PATH": str(libraries)})


def the_installation_holds_every_public_header_and_no_private_one(folder):
    call("meson", "install", "-C", BUILD, "--no-rebuild", "--destdir", folder / "root")
    root = next((folder / "root").rglob("ringwire.hpp")).parent
    installed = {path.relative_to(root) for path in root.rglob("*.hpp")}
    public = {path.relative_to(SOURCE / "include/ringwire") for path in (SOURCE / "include/ringwire").rglob("*.hpp")}
    assert installed == public, f"differ: {sorted(str(path) for path in installed ^ public)}"


def main():
    passed = failed = 0
    for test in (the_installation_holds_every_public_header_and_no_private_one,
                 a_program_finds_an_installed_ringwire_with_pkg_config, a_meson_project_uses_ringwire_as_a_subproject):
        with tempfile.TemporaryDirectory(prefix="ringwire-consumer-") as folder:
            try:
                test(pathlib.Path(folder))
                passed += 1
            except Exception as error:  # Whatever it is, the next test still runs.
                failed += 1
                print(f"FAILED {test.__name__.replace('_', ' ')}\n{error}")
    print(f"{passed} passed, {failed} failed")
    sys.exit(1 if failed else 0)


main()
