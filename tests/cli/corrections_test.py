#!/usr/bin/env python3
"""`racewatch correct`, `corrections` and `sample` against a running `racewatch up --demo`, which is then killed: what was
corrected is there again, is exported, and `racewatch train --own` reads it.

usage: corrections_test.py RACEWATCH DATA_DIR
"""
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
import unittest

DATA = sys.argv.pop(2)
BINARY = sys.argv.pop(1)


def free_port():
    with socket.socket() as s:
        s.bind(('127.0.0.1', 0))
        return s.getsockname()[1]


def run(*args):
    return subprocess.run([BINARY, *args], capture_output=True, text=True, timeout=240)


def lines(text):
    return [json.loads(line) for line in text.splitlines()]


class Corrections(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.server = f'127.0.0.1:{free_port()}'
        self.up = None

    def tearDown(self):
        if self.up and self.up.poll() is None:
            self.up.terminate()
            self.up.wait(60)
        self.folder.cleanup()

    def path(self, name):
        return os.path.join(self.folder.name, name)

    def start(self, *flags):
        log = self.path('log')
        open(log, 'w', encoding='utf-8').close()
        with open(log, 'a', encoding='utf-8') as out:
            self.up = subprocess.Popen([BINARY, 'up', '--demo', '--speed', '0', '--state', self.path('state'),
                                        '--http', self.server, '--grpc', '127.0.0.1:0', *flags], stderr=out)
        while True:  # until the week is over; ctest's timeout is the limit
            with open(log, encoding='utf-8') as said:
                if 'demo_week_over' in said.read():
                    return
            if self.up.poll() is not None:
                raise AssertionError('up ended')
            time.sleep(0.2)

    def ask(self, *args):
        done = run(*args, '--server', self.server)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done

    def test_what_readers_say_is_kept_exported_and_read_by_training(self):
        self.start()
        digest = self.ask('digest').stdout
        sample = self.ask('sample', '--relevant', '--size', '3', '--seed', '7', '--output', 'json')
        drawn = lines(sample.stdout)
        self.assertEqual(len(drawn), 3)
        self.assertIn('seed 7', sample.stderr)
        self.assertEqual(self.ask('sample', '--relevant', '--size', '3', '--seed', '7', '--output', 'json').stdout, sample.stdout)
        self.assertIn(drawn[0]['article']['title'], self.ask('sample', '--relevant', '--size', '3', '--seed', '7').stdout)

        first, second, third = (one['article'] for one in drawn)
        kept = lines(self.ask('correct', first['url'], '--themes', 'markets,censorship', '--stance', 'china_parity=against,ai_regulation=favor',
                              '--lean', 'neutral', '--reader', 'Ada', '--note', 'why not').stdout)[0]
        self.assertEqual((kept['article_id'], kept['reader'], kept['labels']['themes']), (first['id'], 'Ada', ['markets', 'censorship']))
        self.ask('correct', second['id'], '--irrelevant', '--reader', 'Grace')
        self.ask('correct', third['id'], '--lean', 'us', '--reader', 'Grace')
        self.assertEqual(self.ask('digest').stdout, digest, 'a correction counts nothing')

        for args, code, words in ((('correct', first['id'], '--lean', 'moon', '--reader', 'Ada'), 65, "labels.lean: 'moon'"),
                                  (('correct', '0' * 32, '--irrelevant', '--reader', 'Ada'), 65, 'does not hold it'),
                                  (('correct', first['id'], '--irrelevant', '--lean', 'us', '--reader', 'Ada'), 64, '--irrelevant'),
                                  (('correct', first['id'], '--irrelevant'), 64, '--reader'),
                                  (('sample', '--size', '1000'), 64, 'size: at most 200')):
            done = run(*args, '--server', self.server)
            self.assertEqual(done.returncode, code, done.stderr)
            self.assertIn(words, done.stderr)
        self.assertEqual(run('corrections', 'list', '--server', '127.0.0.1:1').returncode, 69)

        self.up.kill()
        self.up.wait()
        self.start()
        listed = lines(self.ask('corrections', 'list').stdout)
        self.assertEqual([(one['id'], one['article_id'], one['reader']) for one in listed],
                         [('1', first['id'], 'Ada'), ('2', second['id'], 'Grace'), ('3', third['id'], 'Grace')])
        self.assertEqual(listed[0]['note'], 'why not')
        self.assertEqual(lines(self.ask('corrections', 'list', '--article', second['id']).stdout), listed[1:2])

        self.ask('takedown', third['url'])
        deadline = time.monotonic() + 60
        while lines(self.ask('corrections', 'list', '--article', third['id']).stdout)[0]['text'] and time.monotonic() < deadline:
            time.sleep(0.1)
        exported = self.ask('corrections', 'export', self.path('own.jsonl'))
        self.assertIn('3 corrections, 2 records, 1 articles left out', exported.stderr)
        with open(self.path('own.jsonl'), encoding='utf-8') as file:
            records = lines(file.read())
        self.assertEqual([one['family'] for one in records], [first['id'], second['id']])
        self.assertEqual(records[0]['labels'], {'relevant': True, 'themes': ['censorship', 'markets'],
                                                'stance': {'ai_regulation': 'favor', 'china_parity': 'against'}, 'lean': 'neutral'})
        self.assertTrue(records[0]['origin'].startswith('corrected by Ada 20'))
        trained = run('train', '--corpus', os.path.join(DATA, 'own_passages.jsonl'), '--own', self.path('own.jsonl'), '--rows', '300',
                      '--out', self.path('new.model'))
        self.assertEqual(trained.returncode, 0, trained.stderr)
        self.assertIn('2 passages written for the project', run('model', 'show', '--model', self.path('new.model')).stdout)

    def test_shares_are_corrected_for_the_errors_of_the_model_that_tags(self):
        trained = run('train', '--corpus', os.path.join(DATA, 'own_passages.jsonl'), os.path.join(DATA, 'passages_en.jsonl'), '--rows', '2000',
                      '--model-version', 'tried', '--out', self.path('tried.model'))
        self.assertEqual(trained.returncode, 0, trained.stderr)
        with open(self.path('up.txtpb'), 'w', encoding='utf-8') as config:
            config.write(f'classifier {{ model: "{self.path("tried.model")}" }}')
        self.start('--config', self.path('up.txtpb'))
        corrected = 0
        for series in lines(self.ask('trends', '--output', 'json').stdout):
            point = series['points'][0]
            self.assertEqual('adjusted_share' in point, 'true_positive_rate' in series, series)
            if 'adjusted_share' not in point:
                continue
            hit, fault = series['true_positive_rate'], series['false_positive_rate']
            self.assertGreaterEqual(hit - fault, 0.1)
            self.assertAlmostEqual(point['adjusted_share'], min(1, max(0, (point['share'] - fault) / (hit - fault))))
            corrected += 1
        self.assertGreater(corrected, 5)
        self.assertIn('CORRECTED', self.ask('trends').stdout)
        self.assertIn('adjusted_share_high', self.ask('trends', '--output', 'csv').stdout.splitlines()[0])


if __name__ == '__main__':
    unittest.main()
