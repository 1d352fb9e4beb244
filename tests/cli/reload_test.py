#!/usr/bin/env python3
"""Subscribers of a running `racewatch up --demo` changed by SIGHUP while a request is in flight: nothing is lost, and a
configuration with a mistake changes nothing.

usage: reload_test.py RACEWATCH
"""
import hashlib
import hmac
import http.server
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request

RULE = 'rules { name: "theme_many" series { dimension: "theme" } threshold { window_s: 3600 open: 3 } publishers_min: 1 coverage_min: 0.01 }'


class Receiver(http.server.ThreadingHTTPServer):
    """Takes webhooks; the first one runs `on_first` before it is answered."""

    def __init__(self, secret, on_first):
        super().__init__(('127.0.0.1', 0), Handler)
        self.secret, self.on_first = secret, on_first
        self.lock, self.ids, self.wrong = threading.Lock(), [], []
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def url(self):
        return f'http://127.0.0.1:{self.server_address[1]}/'


class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers['Content-Length']))
        signed = self.headers['racewatch-timestamp'].encode() + b'.' + body
        expected = 'v1=' + hmac.new(self.server.secret.encode(), signed, hashlib.sha256).hexdigest()
        with self.server.lock:
            self.server.ids.append(self.headers['ce-id'])
            if self.headers['racewatch-signature'] != expected:
                self.server.wrong.append(self.headers['ce-id'])
            first = len(self.server.ids) == 1
        if first:
            self.server.on_first()
        try:
            self.send_response(204)
            self.end_headers()
        except OSError:  # the reload has dropped this request
            pass

    def log_message(self, *_):
        pass


class Up:
    def __init__(self, binary, folder):
        self.folder = folder
        self.log = open(os.path.join(folder, 'log'), 'w', encoding='utf-8')
        self.config = os.path.join(folder, 'up.txtpb')
        with socket.socket() as s:
            s.bind(('127.0.0.1', 0))
            self.server = f'127.0.0.1:{s.getsockname()[1]}'
        self.command = [binary, 'up', '--demo', '--speed', '0', '--config', self.config, '--state', folder + '/state',
                        '--http', self.server, '--grpc', '127.0.0.1:0']
        self.process = None

    def start(self):
        self.process = subprocess.Popen(self.command, stderr=self.log)

    def subscribe(self, url, secret, more=''):
        name = os.path.join(self.folder, secret.split()[0])
        with open(name, 'w', encoding='utf-8') as file:
            file.write(secret + '\n')
        with open(self.config, 'w', encoding='utf-8') as file:
            file.write(f'store {{ {RULE} subscribers {{ name: "desk" url: "{url}" secret_files: "{name}" timeout_s: 120 '
                       f'allow_private_addresses: true {more} }} }}\n')

    def hang_up(self, event):
        """SIGHUP, until the log tells of `event`."""
        os.kill(self.process.pid, signal.SIGHUP)
        self.wait_for(event)

    def wait_for(self, event):  # ctest's timeout is the limit
        while True:
            with open(self.log.name, encoding='utf-8') as file:
                if event in file.read():
                    return
            assert self.process.poll() is None, 'up ended'
            time.sleep(0.05)

    def alerts(self):
        with urllib.request.urlopen(f'http://{self.server}/api/v1/alerts/watch?resume_token=0&follow=false', timeout=30) as answer:
            return [json.loads(line)['alert'] for line in answer.read().decode().splitlines() if line]


def main():
    with tempfile.TemporaryDirectory() as folder:
        up = Up(sys.argv[1], folder)

        def move_to_second():
            up.subscribe(second.url(), 'second secret of the desk', 'match { states: "open" }')
            up.hang_up('event=rules_reloaded')

        def make_a_mistake():
            up.subscribe('ftp://nowhere.example/', 'third secret of the desk')
            up.hang_up('event=config_not_reloaded')

        first = Receiver('first secret of the desk', move_to_second)
        second = Receiver('second secret of the desk', make_a_mistake)
        up.subscribe(first.url(), first.secret)
        up.start()
        try:
            up.wait_for('event=demo_week_over')
            alerts = up.alerts()
            opened = [f"{alert['id']}/{alert['sequence']}" for alert in alerts if alert['state'] == 'ALERT_STATE_OPEN']
            while len(second.ids) < len(opened):
                assert up.process.poll() is None, 'up ended'
                time.sleep(0.05)
        finally:
            up.process.terminate()
            up.process.wait(60)
        assert len(opened) >= 3, f'{len(opened)} alerts say little'
        assert first.ids == [f"{alerts[0]['id']}/{alerts[0]['sequence']}"], f'the old address was asked again: {first.ids}'
        assert second.ids == opened, f'{second.ids} is not {opened}'
        assert not first.wrong and not second.wrong, 'signed with another secret'
        print(f'{len(opened)} alerts told after a reload in mid-request, none lost, none twice')


if __name__ == '__main__':
    sys.exit(main())
