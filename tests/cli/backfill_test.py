#!/usr/bin/env python3
"""`racewatch feeds`, `backfill` and `takedown` against a running `racewatch up`: exit codes, conservation, no alerts, resume.

usage: backfill_test.py RACEWATCH
"""
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import unittest
import urllib.request

BINARY = sys.argv.pop(1)
TEXT = ('Washington widened export controls on advanced chips for Chinese artificial intelligence companies. '
        'Officials in Beijing called the rules a blockade of their industry. ') * 6


def run(*args, cwd=None):
    return subprocess.run([BINARY, *args], capture_output=True, text=True, timeout=120, cwd=cwd)


class Backfill(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.path = cls.folder.name
        cls.write('feed.xml', '<rss version="2.0"><channel><title>T</title><item><title>Live one</title><link>https://d.example/live</link>'
                              f'<description>{TEXT}</description></item></channel></rss>')
        config = cls.write('up.txtpb', f'ingest {{ feeds {{ url: "file:{cls.path}/feed.xml" title: "Own" language: "en" }} }}\n')
        cls.log = open(os.path.join(cls.path, 'up.log'), 'w', encoding='utf-8')
        cls.server = cls.start(config)

    @classmethod
    def start(cls, config):
        """A free port is not told by `--http 127.0.0.1:0`, so a few are tried."""
        for port in range(18470 + os.getpid() % 1000, 20000, 7):
            address = f'127.0.0.1:{port}'
            cls.up = subprocess.Popen([BINARY, 'up', '--config', config, '--state', os.path.join(cls.path, 'state'), '--http', address,
                                       '--grpc', f'127.0.0.1:{port + 10000}'], stderr=cls.log)
            deadline = time.monotonic() + 60
            while cls.up.poll() is None and time.monotonic() < deadline:
                try:
                    with urllib.request.urlopen(f'http://{address}/-/ready', timeout=5) as answer:
                        if answer.status == 200:
                            return address
                except OSError:
                    time.sleep(0.1)
            cls.up.kill()
            cls.up.wait()
        raise RuntimeError('up does not start')

    @classmethod
    def tearDownClass(cls):
        cls.up.send_signal(signal.SIGTERM)
        cls.up.wait(timeout=60)
        cls.log.close()
        cls.folder.cleanup()

    @classmethod
    def write(cls, name, content):
        path = os.path.join(cls.path, name)
        with open(path, 'w', encoding='utf-8') as file:
            file.write(content)
        return path

    def get(self, path):
        with urllib.request.urlopen(f'http://{self.server}{path}', timeout=30) as answer:
            return answer.read().decode()

    def metric(self, name):
        return sum(float(line.rsplit(' ', 1)[1]) for line in self.get('/metrics').splitlines() if line.startswith(name))

    def wait_for(self, condition):
        deadline = time.monotonic() + 60
        while not condition():
            self.assertLess(time.monotonic(), deadline, 'nothing happens any more')
            time.sleep(0.1)

    def test_backfill_is_counted_once_never_alerts_and_resumes(self):
        day = time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime(time.time() - 86400))
        lines = [json.dumps({'title': f'Chip rules, part {i}', 'text': TEXT, 'url': f'https://h{i}.example/{i}', 'published': day}) for i in range(40)]
        source = self.write('history.jsonl', '\n'.join([*lines, 'nonsense']) + '\n')
        self.wait_for(lambda: self.metric('racewatch_articles{') > 0)  # the article of the feed
        before = self.metric('racewatch_articles{')
        done = run('backfill', '--server', self.server, source, cwd=self.path)
        self.assertEqual(done.returncode, 0, done.stderr)
        counts = json.loads(done.stdout)
        self.assertEqual(counts, {'read': 41, 'sent': 40, 'dropped': {}, 'dead_lettered': 1, 'resumed': 0, 'unreadable': 0})
        self.assertIn('history.jsonl:41: bad_json', done.stderr)
        self.wait_for(lambda: self.metric('racewatch_articles{') - before >= 40)
        self.assertEqual(self.metric('racewatch_articles{') - before, 40)
        self.assertEqual(json.loads(self.get('/api/v1/alerts')).get('alerts', []), [])
        again = run('backfill', '--server', self.server, source, cwd=self.path)
        self.assertEqual((again.returncode, json.loads(again.stdout)['resumed'], json.loads(again.stdout)['read']), (0, 41, 0))
        other = run('backfill', '--server', self.server, '--state', 'other.json', source, cwd=self.path)  # the same once more
        self.assertEqual(json.loads(other.stdout)['sent'], 40)
        self.wait_for(lambda: self.metric('racewatch_stage_dropped_total{reason="duplicate",stage="store"}') +
                      self.metric('racewatch_stage_dropped_total{stage="store",reason="duplicate"}') >= 40)
        self.assertEqual(self.metric('racewatch_articles{') - before, 40)

    def test_mistakes_are_one_line_with_their_exit_code(self):
        source = self.write('a.csv', 'x,y\n1,2\n')
        for code, args in [(64, ['backfill']), (64, ['backfill', '--map', 'headline=x', source]), (64, ['backfill', '--format', 'docx', source]),
                           (74, ['backfill', '--server', self.server, os.path.join(self.path, 'absent.csv')]),
                           (69, ['backfill', '--server', '127.0.0.1:1', self.write('b.jsonl', '{"title":"T"}\n')]),
                           (69, ['feeds', 'list', '--server', '127.0.0.1:1']), (64, ['feeds']), (74, ['feeds', 'export', '--config', 'absent']),
                           (69, ['takedown', '--server', '127.0.0.1:1', 'https://d.example/1']), (64, ['takedown'])]:
            done = run(*args, cwd=self.path)
            self.assertEqual(done.returncode, code, (args, done.stderr))
            self.assertEqual(len([line for line in done.stderr.splitlines() if not line.startswith('backfill ')]), 1, (args, done.stderr))

    def test_an_archive_that_cannot_be_read_exits_65_after_the_others(self):
        folder = os.path.join(self.path, 'archives')
        os.mkdir(folder)
        self.write('archives/a.csv', 'x,y\n1,2\n')
        self.write('archives/b.jsonl', '{"title":"From the folder","url":"https://d.example/folder"}\n')
        done = run('backfill', '--server', self.server, '--state', 'folder.json', folder, cwd=self.path)
        self.assertEqual(done.returncode, 65)
        self.assertEqual((json.loads(done.stdout)['sent'], json.loads(done.stdout)['unreadable']), (1, 1))
        self.assertIn('no column for title or text', done.stderr)

    def test_feeds_list_show_probe_and_export(self):
        url = f'file:{self.path}/feed.xml'
        listed = run('feeds', 'list', '--server', self.server, '--output', 'json')
        self.assertEqual([json.loads(line)['id'] for line in listed.stdout.splitlines()], [url])
        self.assertIn(url, run('feeds', 'list', '--server', self.server).stdout)
        self.assertEqual(json.loads(run('feeds', 'show', url, '--server', self.server, '--output', 'json').stdout)['title'], 'Own')
        self.assertEqual(run('feeds', 'show', 'https://d.example/absent', '--server', self.server).returncode, 65)
        probe = json.loads(run('feeds', 'probe', url, '--output', 'json').stdout)
        self.assertEqual((probe['format'], probe['entries']), ('rss20', 1))
        self.assertEqual(run('feeds', 'probe', f'file:{self.path}/absent.xml').returncode, 74)
        exported = run('feeds', 'export', '--server', self.server)
        self.assertEqual(exported.returncode, 0, exported.stderr)
        self.assertIn(f'xmlUrl="{url}"', exported.stdout)
        self.assertIn('text="Own"', exported.stdout)
        opml = self.write('export.opml', exported.stdout)
        config = self.write('ingest.txtpb', f'opml: "{opml}"\n')
        self.assertIn(f'xmlUrl="{url}"', run('feeds', 'export', '--config', config).stdout)

    def test_takedown_removes_the_text_everywhere(self):
        self.wait_for(lambda: 'Live one' in run('where', 'https://d.example/live', '--server', self.server).stdout)
        done = run('takedown', 'https://d.example/live', '--server', self.server)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.wait_for(lambda: 'Live one' not in run('where', 'https://d.example/live', '--server', self.server).stdout)


if __name__ == '__main__':
    unittest.main()
