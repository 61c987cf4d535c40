"""Runs a command on a terminal of its own, as a person sits before it: answers each prompt, and prints what the terminal showed.

usage: terminal.py ANSWER... -- COMMAND...     (an answer is typed, with Return, whenever a prompt stands there)
"""

import os
import pty
import sys
import termios
import time

PROMPT_ENDS = (b": ", b"] ")


def wait_until_hidden(terminal: int) -> None:
    """A person types slower than a program turns off the echo."""
    while termios.tcgetattr(terminal)[3] & termios.ECHO:
        time.sleep(0.001)


def main() -> int:
    split = sys.argv.index("--")
    answers, command = sys.argv[1:split], sys.argv[split + 1 :]
    child, terminal = pty.fork()
    if child == 0:
        os.execvp(command[0], command)
    shown = b""
    while True:
        try:
            read = os.read(terminal, 65536)
        except OSError:  # the command has closed its terminal
            break
        if not read:
            break
        shown += read
        if answers and shown.endswith(PROMPT_ENDS):
            if b"not shown" in shown.splitlines()[-1]:
                wait_until_hidden(terminal)
            os.write(terminal, answers.pop(0).encode() + b"\n")
    sys.stdout.write(shown.decode(errors="replace").replace("\r\n", "\n"))
    if answers:
        print(f"no prompt came for {answers}", file=sys.stderr)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


sys.exit(main())
