"""OpenStack Swift with its S3 interface, on loopback and in one folder: an object store that checks signatures.

python serve.py FOLDER PORT ACCESS_KEY SECRET; a bucket is made for each line of standard input, and its name printed."""

import ctypes
import os
import pathlib
import pwd
import signal
import socket
import subprocess
import sys

from swift.common.internal_client import InternalClient
from swift.common.ring import RingBuilder
from swift.common.utils import set_swift_dir

KINDS = ("account", "container", "object")


def main(folder, port, access_key, secret):
    account, user = access_key.split(":")
    folder = pathlib.Path(folder)
    (folder / "disks" / "one").mkdir(parents=True)
    write(folder, "swift.conf", "swift-hash", {"swift_hash_path_prefix": "a", "swift_hash_path_suffix": "b"})
    ports = [free() for _ in KINDS]
    servers = [(kind, storage(folder, kind, port)) for kind, port in zip(KINDS, ports)]
    servers.append(("proxy", proxy(folder, "proxy.conf", port, "s3api tempauth proxy-server", account, user, secret)))
    inner = proxy(folder, "inner.conf", port, "proxy-server", account, user, secret)
    set_swift_dir(str(folder))
    programs = pathlib.Path(sys.executable).parent
    running = [
        subprocess.Popen([sys.executable, programs / f"swift-{kind}-server", conf], preexec_fn=with_parent)
        for kind, conf in servers
    ]
    for port in [*ports, int(port)]:
        wait(port, running)
    client = InternalClient(str(inner), "tests", 3)
    for line in sys.stdin:
        client.create_container(f"AUTH_{account}", line.strip())
        print(line.strip(), flush=True)
    for process in running:
        process.kill()


def storage(folder, kind, port):
    ring = RingBuilder(4, 1, 1)
    place = {"ip": "127.0.0.1", "port": port, "replication_ip": "127.0.0.1", "replication_port": port}
    ring.add_dev({"region": 1, "zone": 1, "device": "one", "weight": 1.0, "meta": "", **place})
    ring.rebalance()
    ring.get_ring().save(str(folder / f"{kind}.ring.gz"))
    return write(
        folder, f"{kind}.conf", "DEFAULT", {**common(folder, port), "devices": folder / "disks", "mount_check": "false"},
        f"[pipeline:main]\npipeline = {kind}-server\n[app:{kind}-server]\nuse = egg:swift#{kind}\n",
    )


def proxy(folder, name, port, pipeline, account, user, secret):
    return write(
        folder, name, "DEFAULT", common(folder, port),
        f"[pipeline:main]\npipeline = {pipeline}\n"
        "[filter:s3api]\nuse = egg:swift#s3api\nlocation = eu-west-2\n"
        f"[filter:tempauth]\nuse = egg:swift#tempauth\nuser_{account}_{user} = {secret} .admin\n"
        "[app:proxy-server]\nuse = egg:swift#proxy\naccount_autocreate = true\n",
    )


def common(folder, port):
    user = pwd.getpwuid(os.getuid()).pw_name
    here = {"swift_dir": folder, "recon_cache_path": folder, "bind_ip": "127.0.0.1", "bind_port": port}
    return {**here, "workers": 0, "user": user, "log_level": "ERROR"}


def write(folder, name, section, values, more=""):
    lines = [f"{key} = {value}\n" for key, value in values.items()]
    (folder / name).write_text(f"[{section}]\n{''.join(lines)}{more}")
    return folder / name


def with_parent():
    """Ends when its parent does: PR_SET_PDEATHSIG."""
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)


def free():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def wait(port, running):
    while True:
        with socket.socket() as tried:
            if tried.connect_ex(("127.0.0.1", port)) == 0:
                return
        for process in running:
            try:
                process.wait(0.05)
                sys.exit(f"{process.args} ended")
            except subprocess.TimeoutExpired:
                pass


main(*sys.argv[1:])
