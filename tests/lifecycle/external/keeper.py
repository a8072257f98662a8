"""Keeps a socket, and one service after the other behind it, as systemd does.

keeper.py PORT PROGRAM ARGUMENT...

Each line of stdin has the service end and another begin, and is answered with
the exit status of the one that has ended; what a service says comes the same
way. The end of stdin is the end of it all.
"""
import os, signal, socket, sys

PORT, *COMMAND = sys.argv[1:]
listener = socket.create_server(('127.0.0.1', int(PORT)), backlog=1024)


def begin():
    service = os.fork()
    if service == 0:
        # By this number it knows the socket.
        os.dup2(listener.fileno(), 3, inheritable=True)
        os.set_inheritable(3, True)  # also where it had it already
        os.environ.update(LISTEN_FDS='1', LISTEN_PID=str(os.getpid()))
        os.execv(COMMAND[0], COMMAND)
    return service


def end(service):
    os.kill(service, signal.SIGTERM)
    return os.waitstatus_to_exitcode(os.waitpid(service, 0)[1])


service = begin()
for line in sys.stdin:
    print(end(service), flush=True)
    service = begin()
end(service)
