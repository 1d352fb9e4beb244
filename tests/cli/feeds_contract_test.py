#!/usr/bin/env python3
"""The contract of `racewatch feeds`: list, show, add, remove and probe against a running process; output, exit codes.

usage: feeds_contract_test.py RACEWATCH
"""
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
import unittest

BINARY = sys.argv.pop(1)
FEED = ('<rss version="2.0"><channel><title>Paper {0}</title><link>https://{0}.example/</link><ttl>120</ttl>'
        '<item><title>Item of {0}</title><link>https://{0}.example/1</link></item></channel></rss>')


def free_port():
    with socket.socket() as probe:
        probe.bind(('127.0.0.1', 0))
        return probe.getsockname()[1]


class Site(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = FEED.format(self.path.strip('/')).encode() if self.path != '/missing' else b''
        self.send_response(404 if self.path == '/missing' else 200)
        self.send_header('Content-Length', str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class Feeds(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.site = http.server.ThreadingHTTPServer(('127.0.0.1', 0), Site)
        threading.Thread(target=cls.site.serve_forever, daemon=True).start()
        cls.folder = tempfile.TemporaryDirectory()
        cls.server = f'127.0.0.1:{free_port()}'
        cls.grpc = f'127.0.0.1:{free_port()}'
        cls.config = os.path.join(cls.folder.name, 'up.txtpb')
        with open(cls.config, 'w', encoding='utf-8') as file:
            file.write('ingest { allow_private_addresses: true fetch_pages: false feeds { url: "%s" } }\n' % cls.url('one'))
        cls.start()

    @classmethod
    def tearDownClass(cls):
        cls.stop()
        cls.site.shutdown()
        cls.folder.cleanup()

    @classmethod
    def start(cls):
        cls.process = subprocess.Popen([BINARY, 'up', '--config', cls.config, '--http', cls.server, '--grpc', cls.grpc,
                                        '--state', os.path.join(cls.folder.name, 'state')], stderr=subprocess.DEVNULL)
        cls.await_that(lambda: cls.run_feeds('list').returncode == 0)

    @classmethod
    def stop(cls):
        cls.process.send_signal(signal.SIGTERM)
        cls.process.wait(60)

    @classmethod
    def url(cls, name):
        return f'http://127.0.0.1:{cls.site.server_address[1]}/{name}'

    @staticmethod
    def await_that(condition):
        deadline = time.monotonic() + 60
        while not condition():
            if time.monotonic() > deadline:
                raise AssertionError('waited 60 s')
            time.sleep(0.05)  # polling another process

    @classmethod
    def run_feeds(cls, *args, server=None):
        target = [] if args[0] == 'probe' else ['--server', server or cls.server]
        return subprocess.run([BINARY, 'feeds', *args, *target], capture_output=True, text=True, timeout=60)

    def ok(self, *args):
        done = self.run_feeds(*args, '--output', 'json')
        self.assertEqual((done.returncode, done.stderr), (0, ''))
        return [json.loads(line) for line in done.stdout.splitlines()]

    def fails(self, code, *args, server=None):
        done = self.run_feeds(*args, server=server)
        self.assertEqual((done.returncode, done.stdout, len(done.stderr.splitlines())), (code, '', 1), done.stderr)
        return done.stderr

    def ids(self):
        return {feed['id'] for feed in self.ok('list')}

    def test_list_is_one_object_a_line_and_show_says_more(self):
        self.await_that(lambda: self.ok('show', self.url('one'))[0]['state'] == 'ok')
        feed = self.ok('show', self.url('one'))[0]
        self.assertEqual(feed['title'], 'Paper one')
        self.assertEqual(feed['interval_reason'], 'ttl')
        self.assertEqual(feed['ttl_s'], 7200)
        self.assertEqual(feed['articles'], 1)
        self.assertIn(feed, self.ok('list'))
        text = self.run_feeds('list').stdout.splitlines()
        self.assertTrue(text[0].startswith('STATE'))

    def test_add_and_remove_outlive_a_restart(self):
        added = self.ok('add', self.url('two'), '--title', 'The second', '--group', 'us', '--interval', '60')[0]
        self.assertEqual((added['id'], added['title']), (self.url('two'), 'The second'))
        self.await_that(lambda: self.ok('show', self.url('two'))[0]['state'] == 'ok')
        self.assertIn('in the list already', self.fails(65, 'add', self.url('two')))
        self.ok('add', self.url('three'))
        self.assertEqual(self.ok('remove', self.url('three'))[0]['id'], self.url('three'))
        self.assertIn('no such feed', self.fails(65, 'remove', self.url('three')))
        self.stop()
        self.start()
        self.assertEqual(self.ids(), {self.url('one'), self.url('two')})
        self.ok('remove', self.url('two'))
        self.assertEqual(self.ids(), {self.url('one')})

    @staticmethod
    def read(path):
        with open(path, encoding='utf-8') as file:
            return file.read()

    def write(self, name, *urls):
        path = os.path.join(self.folder.name, name)
        with open(path, 'w', encoding='utf-8') as file:
            file.write('<opml version="2.0"><body><outline text="Folder">%s</outline></body></opml>' %
                       ''.join(f'<outline type="rss" text="Feed" xmlUrl="{url}"/>' for url in urls))
        return path

    def test_import_adds_what_is_not_listed(self):
        opml = self.write('import.opml', self.url('one'), self.url('five'))
        self.assertEqual(self.ok('import', opml), [{'added': 1, 'present': 1, 'refused': 0}])
        self.await_that(lambda: self.ok('show', self.url('five'))[0]['state'] == 'ok')
        self.assertEqual(self.ok('show', self.url('five'))[0]['folder'], 'Folder')
        self.assertEqual(self.run_feeds('import', opml).stdout, '0 added, 2 in the list already, 0 refused\n')
        self.assertIn('text="Folder"', self.run_feeds('export').stdout)
        self.ok('remove', self.url('five'))
        bad = self.run_feeds('import', self.write('bad.opml', 'gopher://a.example/'))
        self.assertEqual((bad.returncode, bad.stdout), (65, '0 added, 0 in the list already, 1 refused\n'))
        self.assertIn('gopher://a.example/', bad.stderr)
        self.fails(65, 'import', self.config)
        self.fails(74, 'import', os.path.join(self.folder.name, 'absent.opml'))
        self.fails(69, 'import', opml, server=f'127.0.0.1:{free_port()}')

    def test_import_of_a_long_list_takes_it_in_parts(self):
        urls = [self.url(f'missing?{"long" * 300}{i}') for i in range(1000)]  # more than a server takes at once
        self.assertEqual(self.ok('import', self.write('long.opml', *urls)), [{'added': 1000, 'present': 0, 'refused': 0}])
        self.assertEqual(self.ok('import', self.write('long.opml', *urls)), [{'added': 0, 'present': 1000, 'refused': 0}])

    def test_import_into_a_list_that_a_configuration_names(self):
        listed = os.path.join(self.folder.name, 'list.opml')
        config = os.path.join(self.folder.name, 'listed.txtpb')
        with open(config, 'w', encoding='utf-8') as file:
            file.write(f'opml: "{listed}"\n')
        def into(source):
            return subprocess.run([BINARY, 'feeds', 'import', source, '--into', listed, '--output', 'json'], capture_output=True, text=True, timeout=60)
        self.assertEqual(json.loads(into(self.write('a.opml', 'https://a.example/')).stdout), {'added': 1, 'present': 0, 'refused': 0})
        both = into(self.write('b.opml', 'https://a.example/', 'https://b.example/', 'gopher://c.example/'))
        self.assertEqual((both.returncode, json.loads(both.stdout)), (65, {'added': 1, 'present': 1, 'refused': 1}))
        exported = subprocess.run([BINARY, 'feeds', 'export', '--config', config], capture_output=True, text=True, timeout=60)
        self.assertEqual(exported.stdout.count('xmlUrl'), 2)
        before = self.read(listed)
        with open(listed, 'w', encoding='utf-8') as file:
            file.write(before[:80])
        self.assertEqual(into(self.write('a.opml', 'https://d.example/')).returncode, 65)
        self.assertEqual(self.read(listed), before[:80])

    def test_mistakes_have_their_exit_codes(self):
        self.assertIn('no feed', self.fails(65, 'show', 'http://nowhere.example/'))
        self.assertIn('not an http(s) or file address', self.fails(65, 'add', 'gopher://a.example/'))
        self.assertIn('below 600 s', self.fails(65, 'add', 'https://a.example/f', '--interval', '5'))
        self.fails(69, 'list', server=f'127.0.0.1:{free_port()}')
        self.fails(69, 'add', 'https://a.example/f', server=f'127.0.0.1:{free_port()}')
        self.assertEqual(self.run_feeds('add').returncode, 64)
        self.assertEqual(subprocess.run([BINARY, 'feeds'], capture_output=True, check=False).returncode, 64)

    def test_probe_changes_nothing(self):
        found = self.ok('probe', self.url('four'), '--allow-private')[0]
        self.assertEqual((found['format'], found['entries'], found['http_version']), ('rss20', 1, '1.0'))
        self.fails(69, 'probe', self.url('missing'), '--allow-private')
        self.assertNotIn(self.url('four'), self.ids())


if __name__ == '__main__':
    unittest.main()
