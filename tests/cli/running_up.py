"""A `racewatch up` over a state of its own, for tests of commands against a running one."""
import json
import os
import signal
import socket
import subprocess
import time
import urllib.request

DEADLINE_S = 120


def free_port():
    with socket.socket() as s:
        s.bind(('127.0.0.1', 0))
        return s.getsockname()[1]


def wait_for(condition):
    deadline = time.monotonic() + DEADLINE_S
    while True:
        found = condition()
        if found:
            return found
        if time.monotonic() > deadline:
            raise AssertionError('nothing happens any more')
        time.sleep(0.1)


class Up:
    """One `racewatch up` over a state of its own, which may be killed and started again."""

    def __init__(self, binary, folder, name, classifier='', environment=None):
        self.binary, self.environment = binary, environment
        self.state = os.path.join(folder, name)
        self.folder = folder
        os.makedirs(self.state)
        feed = os.path.join(self.state, 'feed.xml')
        with open(feed, 'w', encoding='utf-8') as file:
            file.write('<rss version="2.0"><channel><title>T</title></channel></rss>')
        self.config = os.path.join(self.state, 'up.txtpb')
        with open(self.config, 'w', encoding='utf-8') as file:
            file.write(f'ingest {{ feeds {{ url: "file:{feed}" title: "Own" language: "en" }} }}\n')
            file.write(classifier + '\n')
        self.log = open(os.path.join(self.state, 'log'), 'a', encoding='utf-8')
        self.start()

    def start(self):
        self.server = f'127.0.0.1:{free_port()}'
        self.process = subprocess.Popen([self.binary, 'up', '--config', self.config, '--state', os.path.join(self.state, 'state'), '--http', self.server,
                                         '--grpc', '127.0.0.1:0'], stderr=self.log, env=self.environment)
        while self.process.poll() is None:
            try:
                with urllib.request.urlopen(f'http://{self.server}/api/v1/retag', timeout=5):
                    return
            except OSError:
                time.sleep(0.1)
        raise RuntimeError('up does not start')

    def run(self, *args):
        return subprocess.run([self.binary, *args], capture_output=True, text=True, timeout=240, env=self.environment)

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(timeout=60)
        self.log.close()

    def get(self, path):
        with urllib.request.urlopen(f'http://{self.server}{path}', timeout=60) as answer:
            return answer.read().decode()

    def metric(self, name):
        return sum(float(line.rsplit(' ', 1)[1]) for line in self.get('/metrics').splitlines() if line.startswith(name))

    def status(self):
        return json.loads(self.get('/api/v1/retag'))

    def backfill(self, source, total):
        done = self.run('backfill', '--server', self.server, '--state', os.path.join(self.state, os.path.basename(source) + '.position'), source)
        if done.returncode != 0:
            raise AssertionError(done.stderr)
        wait_for(lambda: self.metric('racewatch_articles{') == total)

    def trends(self, *args):
        done = self.run('trends', '--server', self.server, '--output', 'json', *args)
        if done.returncode != 0:
            raise AssertionError(done.stderr)
        return [json.loads(line) for line in done.stdout.splitlines()]
