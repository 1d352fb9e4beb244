#!/usr/bin/env python3
"""The operations commands against a running `racewatch up --demo`, and their errors when nothing runs.

usage: operations_test.py RACEWATCH
"""
import collections
import json
import os
import re
import socket
import subprocess
import sys
import tempfile
import time
import unittest
import urllib.request

BINARY = sys.argv.pop(1)
KEYS = {'theme': ('theme',), 'stance': ('target', 'position'), 'lean': ('lean',)}


def free_port():
    with socket.socket() as s:
        s.bind(('127.0.0.1', 0))
        return s.getsockname()[1]


def run(*args, **kwargs):
    return subprocess.run([BINARY, *args], capture_output=True, text=True, timeout=120, **kwargs)


def lines(done):
    return [json.loads(line) for line in done.stdout.splitlines()]


class Operations(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.server = f'127.0.0.1:{free_port()}'
        cls.log = open(os.path.join(cls.folder.name, 'log'), 'w+', encoding='utf-8')
        cls.up = subprocess.Popen([BINARY, 'up', '--demo', '--speed', '0', '--state', cls.folder.name + '/state',
                                   '--http', cls.server, '--grpc', '127.0.0.1:0'], stderr=cls.log)
        while True:  # until the week is over; ctest's timeout is the limit
            cls.log.seek(0)
            if 'demo_week_over' in cls.log.read():
                break
            if cls.up.poll() is not None:
                raise AssertionError('up ended')
            time.sleep(0.2)

    @classmethod
    def tearDownClass(cls):
        cls.up.terminate()
        cls.up.wait(60)
        cls.log.close()
        cls.folder.cleanup()

    def ask(self, *args):
        done = run(*args, '--server', self.server)
        self.assertEqual((done.returncode, done.stderr), (0, ''), done.stderr)
        return done

    def get(self, path):
        with urllib.request.urlopen(f'http://{self.server}{path}', timeout=30) as answer:
            return answer.read().decode()

    def assert_fails(self, done, code, words):
        self.assertEqual(done.returncode, code, done.stderr)
        said = [line for line in done.stderr.splitlines() if not line.startswith('time=')]  # beside the log
        self.assertEqual(len(said), 1, done.stderr)
        self.assertIn(words, said[0])

    def test_trends_api_and_gauges_are_equal(self):
        gauges = collections.Counter()  # over the languages
        for kind, labels, value in re.findall(r'^racewatch_(theme|stance|lean)_articles{([^}]*)} (\S+)', self.get('/metrics'), re.M):
            label = dict(re.findall(r'(\w+)="([^"]*)"', labels))
            gauges[kind, *(label[name] for name in KEYS[kind])] += float(value)
        counts = {}
        for series in lines(self.ask('trends', '--output', 'json')):
            key = {name: value for name, value in series['key'].items() if value}
            for kind, names in KEYS.items():
                if set(key) == set(names):
                    counts[kind, *(key[name] for name in names)] = sum(int(point['articles']) for point in series['points'])
        for kind in ('theme', 'stance'):
            self.assertGreater(sum(n for key, n in counts.items() if key[0] == kind), 0)
        self.assertEqual({key: n for key, n in gauges.items() if n}, {key: n for key, n in counts.items() if n})

    def test_alerts_list_and_show_agree(self):
        alerts = lines(self.ask('alerts', 'list'))
        self.assertGreaterEqual(len(alerts), 1)
        shown = json.loads(self.ask('alerts', 'show', alerts[0]['id']).stdout)
        self.assertEqual(shown['id'], alerts[0]['id'])
        self.assertGreaterEqual(len(shown['evidence']), 1)
        self.assert_fails(run('alerts', 'show', 'none', '--server', self.server), 65, "no alert 'none'")

    def test_where_follows_an_article_by_address_and_by_id(self):
        evidence = lines(self.ask('alerts', 'list'))[0]['evidence'][0]
        by_url = json.loads(self.ask('where', evidence['url'], '--output', 'json').stdout)
        by_id = json.loads(self.ask('where', evidence['article_id'], '--output', 'json').stdout)
        self.assertEqual(by_url['article_id'], evidence['article_id'])
        self.assertEqual(by_url['steps'], by_id['steps'])
        self.assert_fails(run('where', 'https://nowhere.example/x', '--server', self.server), 65, 'nowhere.example')

    def test_digest_is_the_same_twice(self):
        self.assertEqual(self.ask('digest').stdout, self.ask('digest').stdout)

    def test_no_dead_letters_of_the_demo(self):
        self.assertEqual(self.ask('dlq', 'list').stdout, '')
        self.assert_fails(run('dlq', 'show', '0/0', '--server', self.server), 65, 'no dead letter at 0/0')
        self.assert_fails(run('dlq', 'requeue', '--server', self.server), 64, 'say which')
        self.assertEqual(lines(self.ask('dlq', 'requeue', '--all')), [{'requeued': 0, 'refused': 0}])

    def test_a_form_of_another_site_cannot_requeue(self):
        request = urllib.request.Request(f'http://{self.server}/api/v1/dlq/requeue', data=b'{"all":true}', headers={'Content-Type': 'text/plain'})
        with self.assertRaises(urllib.error.HTTPError) as caught:
            urllib.request.urlopen(request, timeout=30)
        with caught.exception as answer:
            self.assertEqual(answer.code, 400)

    def test_nobody_there_exits_69(self):
        nobody = f'127.0.0.1:{free_port()}'
        for command in (['trends'], ['alerts', 'list'], ['where', 'x'], ['digest'], ['dlq', 'list'], ['feeds', 'list']):
            self.assert_fails(run(*command, '--server', nobody), 69, nobody)

    def test_a_second_process_on_the_same_state_exits_74(self):
        done = run('up', '--demo', '--once', '--state', self.folder.name + '/state', '--http', '127.0.0.1:0', '--grpc', '127.0.0.1:0')
        self.assert_fails(done, 74, 'state')

    def test_a_taken_port_exits_69(self):
        done = run('up', '--demo', '--once', '--state', self.folder.name + '/other', '--http', self.server, '--grpc', '127.0.0.1:0')
        self.assertEqual(done.returncode, 69)
        self.assertIn(self.server, done.stderr)

    def test_config_check_names_every_mistake_of_every_file(self):
        wrong = os.path.join(self.folder.name, 'wrong.txtpb')
        with open(wrong, 'w', encoding='utf-8') as file:
            file.write('batch_documents_max: 1000\ndeadline_ms: 1\nbus { kafka { bootstrap_servers: "127.0.0.1:9092" } }\n')
        done = run('config', 'check', 'tagger', wrong)
        self.assertEqual(done.returncode, 78)
        self.assertIn('batch_documents_max', done.stdout + done.stderr)
        self.assertIn('deadline_ms', done.stdout + done.stderr)
        self.assert_fails(run('config', 'check', 'nobody', wrong), 64, "no role 'nobody'")
        self.assertEqual(run('config', 'check', 'tagger', wrong, 'store', wrong + '.absent').returncode, 78)


class Dedup(unittest.TestCase):
    def test_a_copy_joins_the_story_of_the_first(self):
        text = ' '.join(f'Sentence number {n} says something of its own about chips and rules.' for n in range(30))
        articles = [{'id': 'a', 'title': 'One', 'text': text}, {'id': 'b', 'title': 'One', 'text': text},
                    {'id': 'c', 'title': 'Other', 'text': 'Quite another matter, told in few words by somebody else today.'}]
        done = run('dedup', input=''.join(json.dumps(a) + '\n' for a in articles))
        self.assertEqual(done.returncode, 0, done.stderr)
        found = {line['id']: line for line in lines(done)}
        self.assertEqual((found['a']['relation'], found['b']['relation'], found['c']['relation']), ('new', 'exact', 'new'))
        self.assertEqual(found['b']['story'], 'a')


if __name__ == '__main__':
    unittest.main()
